package server_test

import (
	"bufio"
	"context"
	"io"
	"net/http"
	"net/http/httptest"
	"sync/atomic"
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"rws/server"
	"rws/server/exchange"
	"rws/server/proxy"
	"rws/spec_test/logtext"
	"rws/spec_test/peers"
)

// outliving is a gate whose requests outlive their app.
type outliving struct{ *gate }

func (o outliving) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	exchange.From(r.Context()).Outlive()
	o.gate.ServeHTTP(w, r)
}

func TestRequestsThatOutliveTheApp(t *testing.T) {
	stays, ends, log, closed := outliving{newGate()}, newGate(), &logtext.Buffer{}, make(chan struct{})
	old := app(map[string]http.Handler{"/stays": stays, "/ends": ends})
	old.Settings.StopGrace = time.Millisecond
	old.Close = func(context.Context) error { close(closed); return nil }
	s := run(t, old, server.Options{Logger: jsonLogger(log)})
	staying, ending := later(client(t, nil), "http://"+address(s)+"/stays"), later(client(t, nil), "http://"+address(s)+"/ends")
	<-stays.arrived
	<-ends.arrived
	next := app(nil)
	next.Settings.Listen = old.Settings.Listen
	require.NoError(t, s.Swap(next))
	assert.ErrorIs(t, <-ends.cause, server.ErrReplaced)
	assert.Equal(t, 503, (<-ending).status)
	eventually(t, "the log tells", func() bool { return s.Stats().InFlight == 1 && s.Stats().Draining == 1 })
	assert.Contains(t, log.String(), "broke off 1 request")
	select {
	case <-closed:
		t.Fatal("closed with a request in it")
	default:
	}
	close(stays.open)
	assert.Equal(t, answer{200, "through", nil}, <-staying)
	<-closed
	assert.NotContains(t, log.String(), "requests go on")
}

func TestAStopEndsWhatOutlivesTheApp(t *testing.T) {
	for name, swap := range map[string]bool{"of an app that was replaced": true, "of the present one": false} {
		t.Run(name, func(t *testing.T) {
			g, stopping := outliving{newGate()}, make(chan struct{})
			old := app(map[string]http.Handler{"/": http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
				go func() { <-exchange.From(r.Context()).Stopping(); close(stopping) }()
				g.ServeHTTP(w, r)
			})})
			old.Settings.StopGrace = time.Millisecond
			var closed atomic.Int64
			old.Close = func(context.Context) error { closed.Add(1); return nil }
			s := run(t, old, server.Options{})
			waiting := later(client(t, nil), "http://"+address(s)+"/")
			<-g.arrived
			if swap {
				next := app(nil)
				next.Settings.Listen, next.Settings.StopGrace = old.Settings.Listen, time.Millisecond
				require.NoError(t, s.Swap(next))
			}
			select {
			case <-stopping:
				t.Fatal("the server goes on")
			default:
			}
			_ = s.Shutdown(t.Context())
			<-stopping
			assert.ErrorIs(t, <-g.cause, server.ErrStopped)
			a := <-waiting
			assert.True(t, a.err != nil || a.status == 503, "%+v", a)
			assert.EqualValues(t, 1, closed.Load())
		})
	}
}

// Without a server, Close is what stops.
func TestCloseTellsThatItStops(t *testing.T) {
	g := outliving{newGate()}
	h, err := server.Compile(app(map[string]http.Handler{"/": http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		e := exchange.From(r.Context())
		assert.Equal(t, 5*time.Second, e.LastWords())
		close(g.open)
		<-e.Stopping()
		g.ServeHTTP(w, r)
	})}))
	require.NoError(t, err)
	closed := make(chan error, 1)
	go func() { <-g.open; closed <- h.Close(context.Background()) }()
	assert.Equal(t, "through", ask(h, "/").Body.String())
	require.NoError(t, <-closed)
}

// An app that nothing is under way in does not stay because an older one has a stream.
func TestAStreamKeepsOnlyItsOwnApp(t *testing.T) {
	const swaps = 100
	var closed atomic.Int64
	g := outliving{newGate()}
	version := func() *server.App {
		a := app(map[string]http.Handler{"/": g, "/ok": say("ok")})
		a.Settings.Listen = []string{"127.0.0.1:0"}
		a.Close = func(context.Context) error { closed.Add(1); return nil }
		return a
	}
	s := run(t, version(), server.Options{})
	waiting := later(client(t, nil), "http://"+address(s)+"/")
	<-g.arrived
	c := client(t, nil)
	for range swaps {
		require.NoError(t, s.Swap(version()))
		_, body := get(t, c, "http://"+address(s)+"/ok")
		require.Equal(t, "ok", body)
	}
	eventually(t, "all but that of the stream and the present one are closed", func() bool { return closed.Load() == swaps-1 && s.Stats().Draining == 1 })
	close(g.open)
	assert.Equal(t, "through", (<-waiting).body)
	eventually(t, "that too", func() bool { return closed.Load() == swaps && s.Stats().Draining == 0 })
}

// ticking serves [peers.Events].
func ticking(t *testing.T, ticks <-chan struct{}) string {
	back := httptest.NewServer(peers.Events(ticks))
	t.Cleanup(back.Close)
	return back.URL
}

// A proxied stream passes a reload whole, and is broken off by a stop, over every protocol.
func TestProxiedStreams(t *testing.T) {
	for name, front := range map[string]struct {
		settings server.Settings
		client   func() *http.Client
	}{
		"http/1.1": {server.Settings{}, func() *http.Client { return client(t, nil) }},
		"h2": {server.Settings{TLS: selfSigned(t)}, func() *http.Client {
			return client(t, func(t *http.Transport) { trustAnyone(t); t.ForceAttemptHTTP2 = true })
		}},
		"h3": {server.Settings{TLS: selfSigned(t), HTTP3: true}, func() *http.Client { return h3Client(t, newVisits()) }},
	} {
		t.Run(name, func(t *testing.T) {
			ticks := make(chan struct{})
			version := func() *server.App {
				a := app(map[string]http.Handler{"/": proxied(t, proxy.Options{}, ticking(t, ticks))})
				a.Settings = front.settings
				a.Settings.Listen, a.Settings.StopGrace = []string{"127.0.0.1:0"}, 2*time.Millisecond
				return a
			}
			s := run(t, version(), server.Options{})
			open := func() (io.ReadCloser, *bufio.Reader) {
				scheme := "http://"
				if front.settings.TLS.On() {
					scheme = "https://"
				}
				res, err := front.client().Get(scheme + address(s) + "/")
				require.NoError(t, err)
				r := bufio.NewReader(res.Body)
				line, err := r.ReadString('\n')
				require.NoError(t, err)
				require.Equal(t, "data: 1\n", line)
				return res.Body, r
			}
			body, r := open()
			defer body.Close()
			require.NoError(t, s.Swap(version()))
			require.NoError(t, s.Swap(version()))
			eventually(t, "the one that has nothing is closed", func() bool { return s.Stats().Draining == 1 })
			ticks <- struct{}{}
			close(ticks)
			rest, err := io.ReadAll(r)
			require.NoError(t, err, "whole")
			assert.Equal(t, "\ndata: 1\n\n", string(rest))
			eventually(t, "nothing is left", func() bool { return s.Stats().Draining == 0 })

			ticks = make(chan struct{})
			require.NoError(t, s.Swap(version()))
			body, r = open()
			defer body.Close()
			require.NoError(t, s.Swap(version()))
			_ = s.Shutdown(t.Context())
			_, err = io.ReadAll(r)
			assert.Error(t, err, "broken off")
		})
	}
}
