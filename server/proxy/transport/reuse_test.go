package transport_test

import (
	"context"
	"errors"
	"io"
	"net/http"
	"strconv"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"rws/server/proxy/transport"
)

const ok = "HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nok"

// A connection that the backend has closed, or on which it said something unasked, is not used.
func TestDeadConnections(t *testing.T) {
	for name, after := range map[string]func(p *peer){
		"closed":      func(p *peer) {},
		"half closed": func(p *peer) { _ = p.CloseWrite(); _, _ = io.Copy(io.Discard, p) },
		"reset":       func(p *peer) { p.reset() },
		"unasked":     func(p *peer) { p.say("HTTP/1.1 408 Request Timeout\r\n\r\n"); _, _ = io.Copy(io.Discard, p) },
	} {
		t.Run(name, func(t *testing.T) {
			tr := open(t, transport.Options{Address: scripted(t, func(p *peer) {
				if _, _, is := p.request(); is {
					p.say(ok)
					after(p)
				}
			})})
			for range 5 {
				r := request(t, "POST", "http://x/", nil) // which would not be repeated
				_, body := do(t, tr, r)
				assert.Equal(t, "ok", body)
				time.Sleep(20 * time.Millisecond) // for what happens to the connection
			}
			assert.Equal(t, uint64(5), tr.Stats().Dials)
		})
	}
}

// A kept connection that dies under a request costs a retry, where that can do no harm.
func TestRetryOnFresh(t *testing.T) {
	backend := func() string {
		return scripted(t, func(p *peer) {
			if _, _, is := p.request(); !is {
				return
			}
			p.say(ok)
			if p.n == 0 { // the second request is not answered
				if r := p.head(); r != nil && r.Header.Get("Expect") == "" {
					_, _ = io.Copy(io.Discard, r.Body) // closing with some of it unread would be a reset
				}
				return
			}
			for _, _, is := p.request(); is; _, _, is = p.request() {
				p.say(ok)
			}
		})
	}
	for name, c := range map[string]struct {
		method, key string
		body        io.Reader
		repeated    bool
	}{
		"GET":              {"GET", "", nil, true},
		"PUT":              {"PUT", "", strings.NewReader("abc"), true},
		"POST":             {"POST", "", strings.NewReader("abc"), false},
		"POST with a key":  {"POST", "k", strings.NewReader("abc"), true},
		"PUT being sent":   {"PUT", "", opaque("abc"), false},
		"PATCH":            {"PATCH", "", nil, false},
		"DELETE":           {"DELETE", "", nil, true},
		"POST with a wait": {"POST", "", strings.NewReader("abc"), true},
	} {
		t.Run(name, func(t *testing.T) {
			tr := open(t, transport.Options{Address: backend()})
			do(t, tr, get(t))
			r := request(t, c.method, "http://x/", c.body)
			if c.key != "" {
				r.Header.Set("Idempotency-Key", c.key)
			}
			if name == "POST with a wait" {
				r.Header.Set("Expect", "100-continue")
			}
			if !c.repeated {
				e := fails(t, tr, r)
				assert.True(t, e.Sent)
				assert.ErrorIs(t, e, io.EOF)
				assert.Equal(t, uint64(1), tr.Stats().Dials)
				return
			}
			_, body := do(t, tr, r)
			assert.Equal(t, "ok", body)
			assert.Equal(t, uint64(2), tr.Stats().Dials)
		})
	}
}

// A fresh connection that dies is not tried again.
func TestNoRetryOnFresh(t *testing.T) {
	tr := open(t, transport.Options{Address: scripted(t, func(p *peer) { p.head() })})
	assert.ErrorIs(t, fails(t, tr, get(t)), io.EOF)
	assert.Equal(t, uint64(1), tr.Stats().Dials)
}

func TestQueue(t *testing.T) {
	release := make(chan struct{})
	tr := open(t, transport.Options{MaxConns: 2, Queue: patience, Address: server(t, func(w http.ResponseWriter, r *http.Request) {
		<-release
		_, _ = io.WriteString(w, "ok")
	})})
	var all sync.WaitGroup
	for range 10 {
		all.Go(func() {
			_, body := do(t, tr, get(t))
			assert.Equal(t, "ok", body)
			assert.LessOrEqual(t, tr.Stats().Open, 2)
		})
	}
	require.Eventually(t, func() bool { return tr.Stats().InUse == 2 }, patience, time.Millisecond)
	close(release)
	all.Wait()
	assert.Equal(t, uint64(2), unused(t, tr).Dials)
}

func TestQueueTimeout(t *testing.T) {
	release := make(chan struct{})
	tr := open(t, transport.Options{MaxConns: 1, Queue: 20 * time.Millisecond, Address: server(t, func(w http.ResponseWriter, r *http.Request) { <-release })})
	done := make(chan struct{})
	go func() { defer close(done); do(t, tr, get(t)) }()
	require.Eventually(t, func() bool { return tr.Stats().InUse == 1 }, patience, time.Millisecond)
	e := fails(t, tr, get(t))
	assert.Equal(t, transport.PhaseQueue, e.Phase)
	assert.ErrorIs(t, e, transport.ErrQueue)
	assert.False(t, e.Sent)
	ctx, cancel := context.WithCancelCause(t.Context())
	why := errors.New("why")
	cancel(why)
	assert.ErrorIs(t, fails(t, tr, get(t).WithContext(ctx)), why)
	close(release)
	<-done
	do(t, tr, get(t))
	assert.Equal(t, uint64(1), tr.Stats().Dials)
}

// Room that becomes free by an error goes to who waits.
func TestQueueAfterFailure(t *testing.T) {
	tr := open(t, transport.Options{MaxConns: 1, Queue: patience, Address: scripted(t, func(p *peer) {
		p.head()
		time.Sleep(time.Millisecond)
	})})
	var all sync.WaitGroup
	for range 20 {
		all.Go(func() { assert.Equal(t, transport.PhaseHeader, fails(t, tr, get(t)).Phase) })
	}
	all.Wait()
	assert.Zero(t, tr.Stats().Open)
}

func TestIdleConnections(t *testing.T) {
	address := says(t, ok)
	t.Run("timeout", func(t *testing.T) {
		tr := open(t, transport.Options{Address: address, Idle: 30 * time.Millisecond})
		do(t, tr, get(t))
		assert.Equal(t, 1, tr.Stats().Open)
		require.Eventually(t, func() bool { return tr.Stats().Open == 0 }, patience, time.Millisecond)
	})
	t.Run("age", func(t *testing.T) {
		tr := open(t, transport.Options{Address: address, MaxAge: 50 * time.Millisecond})
		require.Eventually(t, func() bool { do(t, tr, get(t)); return tr.Stats().Dials > 2 }, patience, time.Millisecond)
		assert.Less(t, uint64(2), tr.Stats().Reused)
	})
	t.Run("announced by the backend", func(t *testing.T) {
		tr := open(t, transport.Options{Address: says(t, "HTTP/1.1 200 OK\r\nKeep-Alive: timeout=1, max=5\r\nContent-Length: 0\r\n\r\n")})
		do(t, tr, get(t))
		do(t, tr, get(t))
		time.Sleep(600 * time.Millisecond)
		do(t, tr, get(t))
		assert.Equal(t, uint64(2), tr.Stats().Dials)
	})
	t.Run("number", func(t *testing.T) {
		tr := open(t, transport.Options{Address: address, MaxIdle: 3})
		var answers []*http.Response
		for range 6 {
			res, err := tr.RoundTrip(get(t))
			require.NoError(t, err)
			answers = append(answers, res)
		}
		assert.Equal(t, 6, tr.Stats().InUse)
		for _, res := range answers {
			_, err := io.Copy(io.Discard, res.Body)
			require.NoError(t, err)
		}
		assert.Equal(t, transport.Stats{Open: 3, Idle: 3, Dials: 6}, tr.Stats())
		tr.CloseIdle()
		assert.Zero(t, tr.Stats().Open)
		do(t, tr, get(t))
	})
	t.Run("of a closed transport", func(t *testing.T) {
		tr := open(t, transport.Options{Address: address})
		do(t, tr, get(t))
		res, err := tr.RoundTrip(get(t))
		require.NoError(t, err)
		tr.Close()
		b, err := io.ReadAll(res.Body) // what is in use may end
		require.NoError(t, err)
		assert.Equal(t, "ok", string(b))
		assert.Zero(t, tr.Stats().Open)
		assert.ErrorIs(t, fails(t, tr, get(t)), transport.ErrClosed)
	})
}

// A body that nobody reads costs the connection only when it is long or late.
func TestUnreadBodies(t *testing.T) {
	for name, c := range map[string]struct {
		answer string
		kept   bool
	}{
		"short":       {ok, true},
		"chunks":      {"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n2\r\nok\r\n0\r\n\r\n", true},
		"long":        {"HTTP/1.1 200 OK\r\nContent-Length: 100000\r\n\r\n" + strings.Repeat("x", 100000), false},
		"long chunks": {"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n20000\r\n" + strings.Repeat("x", 0x20000) + "\r\n0\r\n\r\n", false},
		"late":        {"HTTP/1.1 200 OK\r\nContent-Length: 10\r\n\r\n", false},
		"until close": {"HTTP/1.1 200 OK\r\n\r\nabc", false},
	} {
		t.Run(name, func(t *testing.T) {
			tr := open(t, transport.Options{Address: says(t, c.answer)})
			res, err := tr.RoundTrip(get(t))
			require.NoError(t, err)
			require.NoError(t, res.Body.Close())
			_, err = res.Body.Read(make([]byte, 1))
			assert.ErrorIs(t, err, http.ErrBodyReadAfterClose)
			require.NoError(t, res.Body.Close())
			s := unused(t, tr)
			assert.Equal(t, c.kept, s.Idle == 1)
			assert.Equal(t, s.Idle, s.Open)
		})
	}
}

// Backends that close connections at any moment lose no request that may be repeated.
func TestKeepAliveRaces(t *testing.T) {
	tr := open(t, transport.Options{MaxConns: 40, Queue: patience, Address: scripted(t, func(p *peer) {
		for range 1 + p.n%7 {
			if _, _, is := p.request(); !is {
				return
			}
			p.say(ok)
		}
	})})
	var all sync.WaitGroup
	for range 50 {
		all.Go(func() {
			for range 40 {
				_, body := do(t, tr, get(t))
				assert.Equal(t, "ok", body)
			}
		})
	}
	all.Wait()
	s := unused(t, tr)
	assert.LessOrEqual(t, s.Open, 40)
	assert.Equal(t, s.Open, s.Idle)
	t.Logf("%+v", s)
}

// Whatever callers and backend do to each other, every connection is accounted for, and no answer goes
// to the wrong request.
func TestDisorder(t *testing.T) {
	tr := open(t, transport.Options{MaxConns: 20, Queue: patience, Address: server(t, func(w http.ResponseWriter, r *http.Request) {
		switch r.URL.Query().Get("do") {
		case "slow":
			time.Sleep(15 * time.Millisecond)
		case "early":
			w.Header().Set("Content-Length", "4")
		case "abort":
			panic(http.ErrAbortHandler)
		case "close":
			w.Header().Set("Connection", "close")
		case "long":
			_, _ = w.Write(make([]byte, 200<<10))
		}
		_, _ = io.WriteString(w, r.URL.Query().Get("id"))
	})})
	var all sync.WaitGroup
	for g := range 50 {
		all.Go(func() {
			for i := range 15 {
				what := []string{"", "slow", "early", "abort", "close", "long", "upload", "cancel", "leave"}[(g+i)%9]
				id := strconv.Itoa(1000 + (g*15+i)%9000)
				disorder(t, tr, what, id)
			}
		})
	}
	all.Wait()
	s := unused(t, tr)
	assert.Equal(t, s.Open, s.Idle)
	assert.LessOrEqual(t, s.Open, 20)
}

func disorder(t *testing.T, tr *transport.Transport, what, id string) {
	ctx, cancel := context.WithCancel(t.Context())
	defer cancel()
	r := request(t, "GET", "http://x/?do="+what+"&id="+id, nil).WithContext(ctx)
	switch what {
	case "upload":
		r.Method, r.Body = "POST", io.NopCloser(opaque(strings.Repeat("x", 50<<10)))
	case "cancel":
		r.URL.RawQuery = "do=slow&id=" + id
		time.AfterFunc(12*time.Millisecond, cancel)
	}
	res, err := tr.RoundTrip(r)
	if err != nil {
		assert.Contains(t, "abort cancel", what, err)
		return
	}
	defer res.Body.Close()
	if what == "leave" {
		return
	}
	b, err := io.ReadAll(res.Body)
	if what != "cancel" && assert.NoError(t, err, what) {
		assert.True(t, strings.HasSuffix(string(b), id), "the answer %q to %s", b[max(0, len(b)-20):], id)
	}
}
