package server_test

import (
	"bytes"
	"errors"
	"io"
	"net"
	"net/http"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
	"golang.org/x/net/http2"
	"golang.org/x/net/http2/hpack"

	"rws/server"
)

// attacker is a client of HTTP/2 that sends what it likes.
type attacker struct {
	*http2.Framer
	conn net.Conn
	last uint32
	end  chan error // what the server says in the end: an [http2.ErrCode] of GOAWAY, or how reading failed
}

func (a *attacker) request(t testing.TB, end bool) uint32 {
	var block bytes.Buffer
	e := hpack.NewEncoder(&block)
	for _, f := range [][2]string{{":method", "GET"}, {":scheme", "http"}, {":authority", "a.example"}, {":path", "/"}} {
		require.NoError(t, e.WriteField(hpack.HeaderField{Name: f[0], Value: f[1]}))
	}
	a.last += 2
	_ = a.WriteHeaders(http2.HeadersFrameParam{StreamID: a.last, BlockFragment: block.Bytes(), EndStream: end, EndHeaders: true})
	return a.last
}

type goneAway struct{ code http2.ErrCode }

func (g goneAway) Error() string { return g.code.String() }

func attack(t *testing.T, s *server.Server) *attacker {
	conn := dial(t, s, http2.ClientPreface)
	require.NoError(t, conn.SetDeadline(time.Now().Add(time.Minute))) // a slow server takes long to have had too much
	a := &attacker{Framer: http2.NewFramer(conn, conn), conn: conn, last: ^uint32(0), end: make(chan error, 1)}
	require.NoError(t, a.WriteSettings())
	go func() {
		for {
			f, err := a.ReadFrame()
			if g, ok := f.(*http2.GoAwayFrame); ok {
				err = goneAway{g.ErrCode}
			}
			if err != nil {
				a.end <- err
				_, _ = io.Copy(io.Discard, conn)
				return
			}
		}
	}()
	return a
}

func TestFloodsOfHTTP2AreEnded(t *testing.T) {
	for name, one := range map[string]func(*testing.T, *attacker) error{
		"rapid reset": func(t *testing.T, a *attacker) error {
			return a.WriteRSTStream(a.request(t, true), http2.ErrCodeCancel)
		},
		"data for a stream that has ended": func(t *testing.T, a *attacker) error {
			return a.WriteData(a.request(t, true), false, []byte("x"))
		},
		"an end for a stream that has ended": func(t *testing.T, a *attacker) error {
			return a.WriteData(a.request(t, true), true, nil)
		},
		"ends for one stream": func(t *testing.T, a *attacker) error {
			if a.last == ^uint32(0) {
				a.request(t, true)
			}
			return a.WriteData(a.last, true, nil)
		},
		"malformed headers": func(_ *testing.T, a *attacker) error {
			a.last += 2
			return a.WriteHeaders(http2.HeadersFrameParam{StreamID: a.last, BlockFragment: []byte("\x82\x86\x84\x00\x01A\x01b"), EndStream: true, EndHeaders: true})
		},
		"a window of nothing": func(t *testing.T, a *attacker) error {
			return a.WriteWindowUpdate(a.request(t, true), 0)
		},
		"too many streams": func(t *testing.T, a *attacker) error { a.request(t, true); return nil },
		"ping":             func(_ *testing.T, a *attacker) error { return a.WritePing(false, [8]byte{}) },
		"settings":         func(_ *testing.T, a *attacker) error { return a.WriteSettings() },
		"priority": func(_ *testing.T, a *attacker) error {
			return a.WritePriority(1, http2.PriorityParam{StreamDep: 3})
		},
		"window update": func(_ *testing.T, a *attacker) error { return a.WriteWindowUpdate(0, 1) },
		"unknown":       func(_ *testing.T, a *attacker) error { return a.WriteRawFrame(0x42, 0, 0, nil) },
		"empty data": func(t *testing.T, a *attacker) error {
			if a.last == ^uint32(0) {
				a.request(t, false)
			}
			return a.WriteData(a.last, false, nil)
		},
	} {
		t.Run(name, func(t *testing.T) {
			a0 := app(map[string]http.Handler{"/": http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) { <-r.Context().Done() })})
			a0.Settings.H2C = true
			s := run(t, a0, server.Options{})
			a := attack(t, s)
			for n := 0; ; n++ {
				select {
				case err := <-a.end:
					var away goneAway
					require.ErrorAs(t, err, &away, "after %d", n)
					assert.Equal(t, http2.ErrCodeEnhanceYourCalm, away.code)
					assert.Less(t, n, 100_000)
					status, _ := get(t, client(t, nil), "http://"+address(s)+"/none")
					assert.Equal(t, 404, status, "others are answered")
					return
				default:
				}
				if n < 100_000 {
					if err := one(t, a); err != nil && !errors.Is(err, net.ErrClosed) {
						time.Sleep(time.Millisecond) // the reader hears why
					}
				}
			}
		})
	}
}

func TestAFloodOfContinuationsIsEnded(t *testing.T) {
	a0 := app(map[string]http.Handler{"/": proto})
	a0.Settings.H2C = true
	a := attack(t, run(t, a0, server.Options{}))
	require.NoError(t, a.WriteHeaders(http2.HeadersFrameParam{StreamID: 1, BlockFragment: []byte{0x82}}))
	for range 1000 {
		if a.WriteContinuation(1, false, []byte{0x82}) != nil {
			break
		}
	}
	select {
	case err := <-a.end:
		t.Log(err)
	case <-time.After(patience):
		t.Error("the connection goes on")
	}
}

// A header that is begun holds a connection no longer than one of HTTP/1, whether a frame is missing or a
// part of one; and one that comes in time leaves no limit behind.
func TestAHeaderOfHTTP2EndsInTime(t *testing.T) {
	const limit = 200 * time.Millisecond
	a0 := app(map[string]http.Handler{"/": proto})
	a0.Settings.H2C, a0.Settings.ReadHeader = true, limit
	s := run(t, a0, server.Options{})
	for name, begin := range map[string]func(a *attacker) error{
		"a frame": func(a *attacker) error {
			return a.WriteHeaders(http2.HeadersFrameParam{StreamID: 1, BlockFragment: []byte{0x82}})
		},
		"a part": func(a *attacker) error {
			_, err := a.conn.Write([]byte{0, 0, 9, 1, 5, 0, 0, 0, 1, 0x82})
			return err
		},
	} {
		a, start := attack(t, s), time.Now()
		require.NoError(t, begin(a))
		select {
		case <-a.end:
			assert.GreaterOrEqual(t, time.Since(start), limit, name)
		case <-time.After(patience):
			t.Error(name, "the connection goes on")
		}
	}
	a := attack(t, s)
	a.request(t, true)
	select {
	case err := <-a.end:
		t.Error("ended", err)
	case <-time.After(2 * limit):
	}
}

func TestHandlersCountUntilTheyReturn(t *testing.T) {
	var running, most atomic.Int64
	release := make(chan struct{})
	a0 := app(map[string]http.Handler{"/": http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		n := running.Add(1)
		defer running.Add(-1)
		for old := most.Load(); n > old && !most.CompareAndSwap(old, n); old = most.Load() {
		}
		<-release // it does not mind that the client has left
	})})
	a0.Settings.H2C = true
	s := run(t, a0, server.Options{})
	a := attack(t, s)
	for range 400 {
		_ = a.WriteRSTStream(a.request(t, true), http2.ErrCodeCancel)
	}
	eventually(t, "handlers run", func() bool { return most.Load() > 100 })
	assert.LessOrEqual(t, most.Load(), int64(128))
	close(release)
}

// What is under way for requests that are refused before their bodies have come is no flood: a client
// that uploads much and is told early that it may not.
func TestRefusedUploadsAreNoFlood(t *testing.T) {
	a0 := app(map[string]http.Handler{})
	a0.Routes = append(a0.Routes, server.Route{Method: "POST", Pattern: "/", Handler: http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		w.WriteHeader(http.StatusForbidden)
	})})
	a0.Settings.H2C = true
	s := run(t, a0, server.Options{})
	protocols := new(http.Protocols)
	protocols.SetUnencryptedHTTP2(true)
	c, err := (&http.Transport{Protocols: protocols}).NewClientConn(t.Context(), "http", address(s)) // the only one
	require.NoError(t, err)
	defer c.Close()
	var group sync.WaitGroup
	for range 4 {
		group.Go(func() {
			for range 40 {
				r, err := http.NewRequestWithContext(t.Context(), "POST", "http://"+address(s)+"/", io.LimitReader(zeros{}, 4<<20))
				if !assert.NoError(t, err) {
					return
				}
				res, err := c.RoundTrip(r)
				if !assert.NoError(t, err) {
					return
				}
				assert.Equal(t, 403, res.StatusCode)
				_ = res.Body.Close()
			}
		})
	}
	group.Wait()
	assert.NoError(t, c.Err(), "the connection goes on")
}

// zeros has no end.
type zeros struct{}

func (zeros) Read(p []byte) (int, error) { clear(p); return len(p), nil }

// Those who read much send many WINDOW_UPDATE, which is no flood.
func TestBigDownloadsAreNoFlood(t *testing.T) {
	const size = 64 << 20
	a0 := app(map[string]http.Handler{"/": http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		piece := make([]byte, 64<<10)
		for range size / len(piece) {
			if _, err := w.Write(piece); err != nil {
				return
			}
		}
	})})
	a0.Settings.H2C = true
	s := run(t, a0, server.Options{})
	c := client(t, func(t *http.Transport) {
		t.Protocols = new(http.Protocols)
		t.Protocols.SetUnencryptedHTTP2(true)
	})
	res, err := c.Get("http://" + address(s) + "/")
	require.NoError(t, err)
	defer res.Body.Close()
	n, err := io.Copy(io.Discard, res.Body)
	require.NoError(t, err)
	assert.EqualValues(t, size, n)
}
