package proxy_test

import (
	"bufio"
	"crypto/tls"
	"errors"
	"fmt"
	"io"
	"net"
	"net/http"
	"net/http/httptest"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"rws/server/exchange"
	"rws/server/proxy"
	"rws/server/proxy/health"
	"rws/server/proxy/upstream"
)

// failing are backends that fail before there is an answer.
func failing(t testing.TB) map[string]string {
	hung := listen(t, func(c net.Conn) { _, _ = io.Copy(io.Discard, c) })
	killed := listen(t, func(c net.Conn) {
		_, _ = c.Read(make([]byte, 4096))
		_ = c.(*net.TCPConn).SetLinger(0)
	})
	half := listen(t, func(c net.Conn) {
		_ = c.(*net.TCPConn).CloseWrite()
		_, _ = io.Copy(io.Discard, c)
	})
	return map[string]string{
		"refused": nobody(t), "hung": "http://" + hung, "reset": "http://" + killed, "half closed": "http://" + half,
		"garbage":      scripted(t, "SSH-2.0-OpenSSH_9.6\r\n", true),
		"bad status":   scripted(t, "HTTP/1.1 2x0 OK\r\n\r\n", true),
		"two lengths":  scripted(t, "HTTP/1.1 200 OK\r\nContent-Length: 1\r\nContent-Length: 2\r\n\r\nab", true),
		"TE and CL":    scripted(t, "HTTP/1.1 200 OK\r\nContent-Length: 1\r\nTransfer-Encoding: chunked\r\n\r\n1\r\na\r\n0\r\n\r\n", true),
		"huge header":  scripted(t, "HTTP/1.1 200 OK\r\nX: "+strings.Repeat("x", 100<<10)+"\r\n\r\n", true),
		"1xx flood":    scripted(t, strings.Repeat("HTTP/1.1 103 Early Hints\r\nLink: </a>\r\n\r\n", 20)+"HTTP/1.1 200 OK\r\nContent-Length: 0\r\n\r\n", true),
		"unasked 101":  scripted(t, "HTTP/1.1 101 Switching Protocols\r\nUpgrade: x\r\nConnection: upgrade\r\n\r\n", true),
		"status 600":   scripted(t, "HTTP/1.1 600 Unknown\r\nContent-Length: 0\r\n\r\n", true),
		"no such name": "http://no-such-name.invalid:80",
	}
}

func TestBackendsThatFailAreAnsweredFor(t *testing.T) {
	for name, at := range failing(t) {
		t.Run(name, func(t *testing.T) {
			p, err := upstream.New(upstream.Options{Name: "api", Logger: quiet, Targets: []upstream.Target{{URL: at}}, Timeout: upstream.Timeout{Response: 200 * time.Millisecond}})
			require.NoError(t, err)
			defer p.Close()
			f := serve(t, to(t, proxy.Options{Pool: p}))
			res, body := get(t, client(t), f.url("/"), "Accept", "application/json")
			want := 502
			if name == "hung" {
				want = 504
			}
			assert.Equal(t, want, res.StatusCode, body)
			e, ok := errors.AsType[*proxy.Error](f.fault(t))
			require.True(t, ok)
			assert.Contains(t, e.Error(), at, "the log names the backend")
			assert.NotContains(t, body, at, "the client does not learn of it")
			eventually(t, func() bool { return p.Status()[0].Active == 0 })
			assert.Equal(t, uint64(1), p.Status()[0].Failures)
		})
	}
}

// An answer that breaks off in its middle must not look complete.
func TestAnswersThatBreakOffAreNeverEndedCleanly(t *testing.T) {
	for name, bytes := range map[string]string{
		"short length": "HTTP/1.1 200 OK\r\nContent-Length: 10\r\n\r\nabc",
		"short chunk":  "HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\na\r\nabc",
		"no last":      "HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n3\r\nabc\r\n",
		"bad chunk":    "HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n3\r\nabc\r\nZZ\r\n",
	} {
		t.Run(name, func(t *testing.T) {
			h := to(t, proxy.Options{}, scripted(t, bytes, true))
			f := serve(t, h)
			for _, c := range []*http.Client{client(t), h2Client(t)} {
				res, err := c.Get(f.url("/"))
				if err != nil {
					continue // broken off before the head was out
				}
				_, err = io.ReadAll(res.Body)
				assert.Error(t, err)
				res.Body.Close()
			}
			eventually(t, func() bool { return h.Stats().Failed == 2 })
			e, ok := errors.AsType[*proxy.Error](f.fault(t))
			require.True(t, ok)
			assert.Equal(t, "body", e.Phase)
		})
	}
}

// What a client does wrong moves neither health nor breaker nor retries (edge.md §3.4 in Caddy: one bad chunk,
// and everybody gets 503).
func TestClientsFaultsNeverCountAgainstABackend(t *testing.T) {
	var hits atomic.Int64
	at := backend(t, func(w http.ResponseWriter, r *http.Request) {
		hits.Add(1)
		_, _ = io.Copy(io.Discard, r.Body)
	})
	p, err := upstream.New(upstream.Options{Name: "api", Logger: quiet, Targets: []upstream.Target{{URL: at}},
		Passive: &health.OutlierOptions{Consecutive: 1, Alone: true}})
	require.NoError(t, err)
	defer p.Close()
	h := to(t, proxy.Options{Pool: p, MaxBody: 8, Retry: proxy.Retry{Tries: 3, Methods: []string{"POST", "PUT"}, On: []string{"connect", "reset", "timeout", "5xx"}}})
	f := serve(t, h)
	for name, c := range map[string]struct {
		text string
		want int
	}{
		"bad chunk":       {"POST / HTTP/1.1\r\nHost: a\r\nTransfer-Encoding: chunked\r\n\r\nZZ\r\n", 400},
		"bad later chunk": {"PUT / HTTP/1.1\r\nHost: a\r\nTransfer-Encoding: chunked\r\n\r\n1\r\na\r\n0x1\r\n", 400},
		"too large":       {"POST / HTTP/1.1\r\nHost: a\r\nContent-Length: 9\r\n\r\n123456789", 413},
		"too many chunks": {"POST / HTTP/1.1\r\nHost: a\r\nTransfer-Encoding: chunked\r\n\r\n9\r\n123456789\r\n0\r\n\r\n", 413},
		"cut short":       {"POST / HTTP/1.1\r\nHost: a\r\nContent-Length: 5\r\n\r\nab", 400},
		"cut in a chunk":  {"POST / HTTP/1.1\r\nHost: a\r\nTransfer-Encoding: chunked\r\n\r\n5\r\nab", 400},
	} {
		t.Run(name, func(t *testing.T) {
			c2, r := raw(t, f.addr, c.text)
			if strings.HasPrefix(name, "cut") {
				require.NoError(t, c2.(*net.TCPConn).CloseWrite())
			}
			res, _ := answer(t, r)
			assert.Equal(t, c.want, res.StatusCode)
			assert.Equal(t, name != "too large", res.Close, "where the rest cannot be read")
			eventually(t, func() bool { return p.Status()[0].Active == 0 })
			s := p.Status()[0]
			assert.Zero(t, s.Failures)
			assert.Equal(t, "up", string(s.State))
			res, _ = get(t, client(t), f.url("/"))
			assert.Equal(t, 200, res.StatusCode, "others are served as before")
		})
	}
	assert.Zero(t, h.Stats().Retries)
	assert.Zero(t, h.Stats().Failed)
}

// What is wrong with a host is not said to be the body.
func TestHostsThatAreListsAreNamedAsSuch(t *testing.T) {
	h := to(t, proxy.Options{}, echo(t))
	for _, host := range []string{"a,b", "a:1:2", "a b", "u@a"} {
		r := httptest.NewRequest("GET", "/", nil)
		r.Host = host
		w := httptest.NewRecorder()
		h.ServeHTTP(w, r)
		assert.Equal(t, 400, w.Code, host)
		assert.Contains(t, w.Body.String(), "The host has an improper character", host)
	}
}

func TestAClientThatLeavesCancelsTheBackend(t *testing.T) {
	gone := make(chan struct{}, 2)
	at := backend(t, func(w http.ResponseWriter, r *http.Request) {
		if r.URL.Path == "/stream" {
			w.(http.Flusher).Flush()
		}
		<-r.Context().Done()
		gone <- struct{}{}
	})
	p := pool(t, at)
	h := to(t, proxy.Options{Pool: p})
	f := serve(t, h)
	for _, path := range []string{"/wait", "/stream"} {
		c, r := raw(t, f.addr, "GET "+path+" HTTP/1.1\r\nHost: a\r\n\r\n")
		if path == "/stream" {
			_, err := r.ReadString('\n')
			require.NoError(t, err)
		} else {
			eventually(t, func() bool { return p.Status()[0].Active == 1 })
		}
		c.Close()
		<-gone
	}
	eventually(t, func() bool { return h.Stats().Left == 2 && p.Status()[0].Active == 0 })
	assert.Zero(t, p.Status()[0].Failures)
	e, ok := errors.AsType[*proxy.Error](f.fault(t))
	require.True(t, ok)
	assert.Contains(t, e.Error(), "client")
}

func TestNoBackend(t *testing.T) {
	p := pool(t, nobody(t))
	f := serve(t, to(t, proxy.Options{Pool: p}))
	require.NoError(t, p.Drain(p.Status()[0].Name, true))
	res, _ := get(t, client(t), f.url("/"))
	assert.Equal(t, 503, res.StatusCode)
	assert.Equal(t, "5", res.Header.Get("Retry-After"))

	spare := http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) { fmt.Fprint(w, "spare") })
	for _, o := range []proxy.Options{{Pool: p, Fallback: spare}, {Pool: pool(t, nobody(t), nobody(t)), Fallback: spare}} {
		_, body := get(t, client(t), serve(t, to(t, o)).url("/"))
		assert.Equal(t, "spare", body)
	}
}

func TestTimeouts(t *testing.T) {
	at := backend(t, func(w http.ResponseWriter, r *http.Request) {
		if r.URL.Path == "/trickle" {
			for r.Context().Err() == nil {
				_, _ = w.Write([]byte("x"))
				w.(http.Flusher).Flush()
				time.Sleep(10 * time.Millisecond)
			}
		}
		<-r.Context().Done()
	})
	f := serve(t, to(t, proxy.Options{Timeout: proxy.Timeout{Header: 50 * time.Millisecond}}, at))
	res, body := get(t, client(t), f.url("/"))
	assert.Equal(t, 504, res.StatusCode, body)
	f = serve(t, to(t, proxy.Options{Timeout: proxy.Timeout{Whole: 100 * time.Millisecond}}, at))
	res, _ = get(t, client(t), f.url("/"))
	assert.Equal(t, 504, res.StatusCode)
	res, err := client(t).Get(f.url("/trickle"))
	require.NoError(t, err)
	_, err = io.ReadAll(res.Body)
	assert.Error(t, err)
	res.Body.Close()
}

func TestAbsoluteTargetsPass(t *testing.T) {
	_, r := raw(t, serve(t, to(t, proxy.Options{}, echo(t))).addr, "GET http://a/x HTTP/1.1\r\nHost: a\r\n\r\n")
	res, body := answer(t, r)
	assert.Equal(t, 200, res.StatusCode)
	assert.Contains(t, body, `"URI":"/x"`)
}

func TestMisdirected(t *testing.T) {
	at := echo(t)
	for server, want := range map[string]int{"client.example": 200, "CLIENT.example": 200, "": 200, "other.example": 421} {
		under := func(r *http.Request, _ *exchange.Exchange) { r.TLS = &tls.ConnectionState{ServerName: server} }
		code, _ := ask(t, to(t, proxy.Options{MatchSNI: true}, at), under)
		assert.Equal(t, want, code, server)
		code, _ = ask(t, to(t, proxy.Options{}, at), under)
		assert.Equal(t, 200, code)
	}
}

// Requests that two parsers could read differently never reach a backend: they are not passed on but made anew.
func TestSmuggling(t *testing.T) {
	var seen atomic.Pointer[string]
	at := "http://" + listen(t, func(c net.Conn) {
		r := bufio.NewReader(c)
		for {
			q, err := http.ReadRequest(r)
			if err != nil {
				return
			}
			body, _ := io.ReadAll(q.Body)
			text := q.Method + " " + q.RequestURI + " " + string(body)
			seen.Store(&text)
			_, _ = io.WriteString(c, "HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nok")
		}
	})
	f := serve(t, to(t, proxy.Options{}, at))
	inner := "GET /admin HTTP/1.1\r\nHost: a\r\n\r\n"
	for name, c := range map[string]struct {
		text, want string // what the backend sees, "" for nothing
	}{
		"TE and CL":        {"POST / HTTP/1.1\r\nHost: a\r\nContent-Length: 4\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n\r\n" + inner, ""},
		"two lengths":      {"POST / HTTP/1.1\r\nHost: a\r\nContent-Length: 0\r\nContent-Length: 30\r\n\r\n" + inner, ""},
		"TE in disguise":   {"POST / HTTP/1.1\r\nHost: a\r\nContent-Length: 4\r\nTransfer_Encoding: chunked\r\n\r\nabcd", "POST / abcd"},
		"TE xchunked":      {"POST / HTTP/1.1\r\nHost: a\r\nTransfer-Encoding: xchunked\r\n\r\n" + inner, ""},
		"bare LF":          {"POST / HTTP/1.1\nHost: a\n\n", ""},
		"folded":           {"GET / HTTP/1.1\r\nHost: a\r\nX: a\r\n b\r\n\r\n", ""},
		"CL nominated":     {"POST / HTTP/1.1\r\nHost: a\r\nConnection: content-length\r\nContent-Length: 4\r\n\r\nabcd", "POST / abcd"},
		"GET with a body":  {"GET / HTTP/1.1\r\nHost: a\r\nContent-Length: 32\r\n\r\n" + inner[:32], "GET / " + inner[:32]},
		"h2c upgrade":      {"GET / HTTP/1.1\r\nHost: a\r\nConnection: Upgrade, HTTP2-Settings\r\nUpgrade: h2c\r\nHTTP2-Settings: AAMAAABkAAQAoAAAAAIAAAAA\r\n\r\n", "GET / "},
		"chunked, re-made": {"POST / HTTP/1.1\r\nHost: a\r\nTransfer-Encoding: chunked\r\n\r\n4;ext=\"a\"\r\nabcd\r\n0\r\n\r\n", "POST / abcd"},
	} {
		t.Run(name, func(t *testing.T) {
			seen.Store(nil)
			_, r := raw(t, f.addr, c.text)
			res, _ := answer(t, r)
			if c.want == "" {
				assert.GreaterOrEqual(t, res.StatusCode, 400)
				assert.Nil(t, seen.Load())
				return
			}
			assert.Equal(t, 200, res.StatusCode)
			require.NotNil(t, seen.Load())
			assert.Equal(t, c.want, *seen.Load())
		})
	}
}

func eventually(t testing.TB, ok func() bool) {
	t.Helper()
	require.Eventually(t, ok, patience, time.Millisecond)
}

// What a route says of the wait for an answer wins over what its pool says, be it longer, shorter or no limit.
func TestTimeoutOfTheRouteWins(t *testing.T) {
	const short, long = 150 * time.Millisecond, time.Minute
	answer := func(w http.ResponseWriter, r *http.Request) {
		_, _ = io.Copy(io.Discard, r.Body)
		time.Sleep(2 * short)
		_, _ = io.WriteString(w, "late")
	}
	for scheme, at := range map[string]string{"http": backend(t, answer), "h2c": h2cBackend(t, answer)} {
		for name, c := range map[string]struct {
			pool, route time.Duration
			want        int
		}{
			"longer":   {short, long, 200},
			"shorter":  {long, short, 504},
			"no limit": {short, -1, 200},
			"none":     {short, 0, 504},
		} {
			t.Run(scheme+" "+name, func(t *testing.T) {
				p, err := upstream.New(upstream.Options{Name: "api", Logger: quiet, Targets: []upstream.Target{{URL: at}}, Timeout: upstream.Timeout{Response: c.pool}})
				require.NoError(t, err)
				t.Cleanup(func() { assert.NoError(t, p.Close()) })
				f := serve(t, to(t, proxy.Options{Pool: p, Timeout: proxy.Timeout{Header: c.route}}))
				res, _ := get(t, client(t), f.url("/"))
				assert.Equal(t, c.want, res.StatusCode)
				res, err = client(t).Post(f.url("/"), "text/plain", strings.NewReader(strings.Repeat("x", 100<<10)))
				require.NoError(t, err)
				res.Body.Close()
				assert.Equal(t, c.want, res.StatusCode, "with a body")
			})
		}
	}
}
