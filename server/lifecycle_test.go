package server_test

import (
	"context"
	"errors"
	"io"
	"log/slog"
	"net"
	"net/http"
	"strconv"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"rws/server"
	"rws/server/exchange"
	"rws/spec_test/logtext"
)

func jsonLogger(w io.Writer) *slog.Logger { return slog.New(slog.NewJSONHandler(w, nil)) }

// gate is a handler that holds requests: arrived gets one value for each, and each goes on
// when open is closed, or fails when its context ends.
type gate struct {
	arrived chan struct{}
	open    chan struct{}
	cause   chan error
}

func newGate() *gate {
	return &gate{arrived: make(chan struct{}, 10), open: make(chan struct{}), cause: make(chan error, 10)}
}

func (g *gate) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	g.arrived <- struct{}{}
	select {
	case <-g.open:
		_, _ = io.WriteString(w, "through")
	case <-r.Context().Done():
		g.cause <- context.Cause(r.Context())
	}
}

type answer struct {
	status int
	body   string
	err    error
}

// later makes a GET in the background.
func later(c *http.Client, url string) <-chan answer {
	ch := make(chan answer, 1)
	go func() {
		res, err := c.Get(url)
		if err != nil {
			ch <- answer{err: err}
			return
		}
		defer res.Body.Close()
		body, err := io.ReadAll(res.Body)
		ch <- answer{res.StatusCode, string(body), err}
	}()
	return ch
}

func TestSwapUnderLoadLosesNothing(t *testing.T) {
	version := func(n int, closed *atomic.Int64) *server.App {
		a := app(map[string]http.Handler{"/": say(strconv.Itoa(n))})
		a.Settings.Listen = []string{"127.0.0.1:0"}
		a.Close = func(context.Context) error { closed.Add(1); return nil }
		return a
	}
	var closed, requests atomic.Int64
	s := run(t, version(0, &closed), server.Options{})
	stop := make(chan struct{})
	var load sync.WaitGroup
	for range 4 {
		c := client(t, nil)
		load.Go(func() {
			newest := 0
			for {
				select {
				case <-stop:
					return
				default:
				}
				a := <-later(c, "http://"+address(s)+"/")
				n, err := strconv.Atoi(a.body)
				if !assert.NoError(t, a.err) || !assert.Equal(t, 200, a.status) || !assert.NoError(t, err) {
					return
				}
				assert.GreaterOrEqual(t, n, newest, "an old app answers after a new one")
				newest = n
				requests.Add(1)
			}
		})
	}
	const swaps = 50
	for n := range swaps {
		before := requests.Load()
		require.NoError(t, s.Swap(version(n+1, &closed)))
		eventually(t, "requests go on", func() bool { return requests.Load() > before })
	}
	close(stop)
	load.Wait()
	eventually(t, "every old app is closed", func() bool { return closed.Load() == swaps && s.Stats().Draining == 0 })
	assert.Equal(t, requests.Load(), s.Stats().Total)
	require.NoError(t, s.Shutdown(t.Context()))
	assert.EqualValues(t, swaps+1, closed.Load())
}

func TestSwapDrainsTheOldApp(t *testing.T) {
	g, closed := newGate(), make(chan struct{})
	left := make(chan struct{})
	old := app(map[string]http.Handler{"/": http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		go func() { <-exchange.From(r.Context()).Leaving(); close(left) }()
		g.ServeHTTP(w, r)
	})})
	replaced := 0
	old.Replaced = func() { replaced++ }
	old.Close = func(context.Context) error { close(closed); return nil }
	s := run(t, old, server.Options{})
	waiting := later(client(t, nil), "http://"+address(s)+"/")
	<-g.arrived
	next := app(map[string]http.Handler{"/": say("new")})
	next.Settings.Listen = []string{"127.0.0.1:0"}
	require.NoError(t, s.Swap(next))
	assert.Equal(t, 1, replaced)
	<-left // streams hear of it at once
	_, body := get(t, client(t, nil), "http://"+address(s)+"/")
	assert.Equal(t, "new", body)
	assert.Equal(t, 1, s.Stats().Draining)
	assert.EqualValues(t, 1, s.Stats().InFlight)
	select {
	case <-closed:
		t.Fatal("closed with a request in it")
	default:
	}
	close(g.open)
	assert.Equal(t, "through", (<-waiting).body)
	<-closed
}

func TestAnOldAppIsNotDrainedForever(t *testing.T) {
	g, log := newGate(), &logtext.Buffer{}
	old := app(map[string]http.Handler{"/": g})
	old.Settings.StopGrace = time.Millisecond
	s := run(t, old, server.Options{Logger: jsonLogger(log)})
	waiting := later(client(t, nil), "http://"+address(s)+"/")
	<-g.arrived
	next := app(nil)
	next.Settings.Listen = old.Settings.Listen
	require.NoError(t, s.Swap(next))
	assert.ErrorIs(t, <-g.cause, server.ErrReplaced)
	assert.Equal(t, 503, (<-waiting).status)
	eventually(t, "the log tells", func() bool { return s.Stats().Draining == 0 })
	assert.Contains(t, log.String(), "broke off 1 request")
}

func TestSwapRefuses(t *testing.T) {
	base := func() *server.App {
		a := app(map[string]http.Handler{"/": say("old")})
		a.Settings.Listen = []string{"127.0.0.1:0"}
		return a
	}
	s := run(t, base(), server.Options{})
	for name, edit := range map[string]func(*server.App){
		"Listen":     func(a *server.App) { a.Settings.Listen = []string{"127.0.0.1:1"} },
		"TLS":        func(a *server.App) { a.Settings.TLS = selfSigned(t) },
		"WriteIdle":  func(a *server.App) { a.Settings.WriteIdle = time.Hour },
		"no handler": func(a *server.App) { a.Routes[0].Handler = nil },
	} {
		a, closed := base(), 0
		a.Close = func(context.Context) error { closed++; return errBoom }
		edit(a)
		err := s.Swap(a)
		require.ErrorContains(t, err, name)
		assert.ErrorIs(t, err, errBoom, "the fault of closing is not lost")
		assert.Equal(t, 1, closed, "an app that is refused is closed")
		if restart, ok := errors.AsType[*server.RestartError](err); ok {
			assert.Equal(t, []string{name}, restart.Settings)
		}
	}
	_, body := get(t, client(t, nil), "http://"+address(s)+"/")
	assert.Equal(t, "old", body)
	require.Error(t, server.New(server.Options{}).Swap(base()), "nothing runs")
}

func TestSwapAppliesSettingsOfTheApp(t *testing.T) {
	a := app(map[string]http.Handler{"/": swallow})
	s := run(t, a, server.Options{})
	next := app(map[string]http.Handler{"/": swallow})
	next.Settings.Listen, next.Settings.MaxBody = a.Settings.Listen, 3
	require.NoError(t, s.Swap(next))
	assert.EqualValues(t, 3, s.Handler().Settings().MaxBody)
}

func TestStopFinishesWhatIsInFlight(t *testing.T) {
	for name, tls := range map[string]server.TLS{"http/1.1": {}, "h2": selfSigned(t)} {
		t.Run(name, func(t *testing.T) {
			g, closed := newGate(), 0
			a := app(map[string]http.Handler{"/": g})
			a.Settings.TLS = tls
			a.Close = func(context.Context) error { closed++; return nil }
			s := run(t, a, server.Options{})
			scheme := "http://"
			if name == "h2" {
				scheme = "https://"
			}
			url := scheme + address(s) + "/"
			waiting := later(client(t, func(t *http.Transport) { trustAnyone(t); t.ForceAttemptHTTP2 = true }), url)
			<-g.arrived
			stopped := make(chan error)
			go func() { stopped <- s.Shutdown(context.Background()) }()
			eventually(t, "no new connections", func() bool {
				conn, err := net.Dial("tcp", address(s))
				if err == nil {
					conn.Close() // a request could get in before the stop begins, and wait at the gate
				}
				return err != nil
			})
			close(g.open)
			assert.Equal(t, answer{200, "through", nil}, <-waiting)
			require.NoError(t, <-stopped)
			require.NoError(t, s.Wait())
			assert.Equal(t, 1, closed)
			assert.NoError(t, s.Shutdown(t.Context()), "again is fine")
			assert.Equal(t, 1, closed)
		})
	}
}

func TestStopBreaksOffAtTheDeadline(t *testing.T) {
	for name, stop := range map[string]func(*server.Server) error{
		"grace": func(s *server.Server) error { return s.Shutdown(context.Background()) },
		"ctx": func(s *server.Server) error {
			ctx, cancel := context.WithCancel(context.Background())
			cancel()
			return s.Shutdown(ctx)
		},
		"second call": func(s *server.Server) error {
			first := make(chan error)
			go func() { first <- s.Shutdown(context.Background()) }()
			ctx, cancel := context.WithCancel(context.Background())
			cancel()
			assert.Error(t, s.Shutdown(ctx))
			return <-first
		},
	} {
		t.Run(name, func(t *testing.T) {
			g := newGate()
			a := app(map[string]http.Handler{"/": g})
			if name == "grace" {
				a.Settings.StopGrace = time.Millisecond
			}
			s := run(t, a, server.Options{})
			waiting := later(client(t, nil), "http://"+address(s)+"/")
			<-g.arrived
			require.ErrorContains(t, stop(s), "broke off 1 request")
			assert.ErrorIs(t, <-g.cause, server.ErrStopped)
			a1 := <-waiting
			assert.True(t, a1.err != nil || a1.status == 503, "%+v", a1)
		})
	}
}

func TestStopTellsHijackedConnections(t *testing.T) {
	told := make(chan struct{})
	arrived := make(chan struct{})
	s := run(t, app(map[string]http.Handler{"/": http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		conn, _, err := http.NewResponseController(w).Hijack()
		if !assert.NoError(t, err) {
			return
		}
		defer conn.Close()
		close(arrived)
		<-exchange.From(r.Context()).Leaving()
		_, _ = io.WriteString(conn, "bye")
		close(told)
	})}), server.Options{})
	conn := dial(t, s, "GET / HTTP/1.1\r\nHost: x\r\n\r\n")
	<-arrived
	require.NoError(t, s.Shutdown(t.Context()))
	select {
	case <-told:
	default:
		t.Error("the stop did not wait for the connection")
	}
	text, _ := io.ReadAll(conn)
	assert.Equal(t, "bye", string(text))
}

func TestStopTellsStreams(t *testing.T) {
	arrived := make(chan struct{})
	s := run(t, app(map[string]http.Handler{"/": http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		_ = http.NewResponseController(w).Flush()
		close(arrived)
		<-exchange.From(r.Context()).Leaving()
		_, _ = io.WriteString(w, "bye")
	})}), server.Options{})
	waiting := later(client(t, nil), "http://"+address(s)+"/")
	<-arrived
	require.NoError(t, s.Shutdown(t.Context()), "nothing had to be broken off")
	assert.Equal(t, answer{200, "bye", nil}, <-waiting)
}

func TestStopReportsWhatClosingTheAppSays(t *testing.T) {
	a := app(nil)
	a.Close = func(ctx context.Context) error {
		_, ok := ctx.Deadline()
		assert.True(t, ok, "closing must not hang")
		return errBoom
	}
	s := run(t, a, server.Options{})
	assert.ErrorIs(t, s.Shutdown(t.Context()), errBoom)
}

func TestStopWithoutStart(t *testing.T) {
	s := server.New(server.Options{})
	require.NoError(t, s.Shutdown(t.Context()))
	require.NoError(t, s.Wait())
}
