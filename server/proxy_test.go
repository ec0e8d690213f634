package server_test

import (
	"bufio"
	"fmt"
	"io"
	"log/slog"
	"net/http"
	"net/http/httptest"
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"rws/server"
	"rws/server/problem"
	"rws/server/proxy"
	"rws/server/proxy/upstream"
	"rws/spec_test/logtext"
)

func proxied(t *testing.T, o proxy.Options, urls ...string) http.Handler {
	t.Helper()
	pool := upstream.Options{Name: "api", Logger: slog.New(slog.DiscardHandler)}
	for _, u := range urls {
		pool.Targets = append(pool.Targets, upstream.Target{URL: u})
	}
	p, err := upstream.New(pool)
	require.NoError(t, err)
	t.Cleanup(func() { assert.NoError(t, p.Close()) })
	o.Pool = p
	h, err := proxy.New(o)
	require.NoError(t, err)
	return h
}

// A proxy is a route among others: its failures are logged with the backend and answered with the pages of
// the app, which know nothing of the backend.
func TestProxiesAreRoutes(t *testing.T) {
	back := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		fmt.Fprint(w, r.URL.Path, " ", r.Header.Get("X-Forwarded-For"))
	}))
	defer back.Close()
	gone := httptest.NewServer(http.NotFoundHandler())
	gone.Close()
	var log logtext.Buffer
	a := app(map[string]http.Handler{"/api/*": proxied(t, proxy.Options{Strip: "/api"}, back.URL), "/gone/*": proxied(t, proxy.Options{}, gone.URL), "/": say("own")})
	a.Fail = func(w http.ResponseWriter, r *http.Request, err error) {
		problem.Write(w, r, problem.Details{Status: server.Status(err), Detail: "page of the app"})
	}
	s := run(t, a, server.Options{Logger: slog.New(slog.NewJSONHandler(&log, nil))})
	c := client(t, nil)
	status, body := get(t, c, "http://"+address(s)+"/api/x")
	assert.Equal(t, 200, status)
	assert.Equal(t, "/x 127.0.0.1", body)
	_, body = get(t, c, "http://"+address(s)+"/")
	assert.Equal(t, "own", body)
	status, body = get(t, c, "http://"+address(s)+"/gone/x")
	assert.Equal(t, 502, status)
	assert.Contains(t, body, "page of the app")
	assert.NotContains(t, body, gone.URL)
	eventually(t, "the log", func() bool { return log.String() != "" })
	assert.Contains(t, log.String(), "backend "+gone.URL+": dial:")
}

func TestProxiesLogClientsThatLeave(t *testing.T) {
	came := make(chan struct{})
	back := httptest.NewServer(http.HandlerFunc(func(_ http.ResponseWriter, r *http.Request) {
		close(came)
		<-r.Context().Done()
	}))
	defer back.Close()
	var log logtext.Buffer
	s := run(t, app(map[string]http.Handler{"/": proxied(t, proxy.Options{}, back.URL)}), server.Options{Logger: slog.New(slog.NewJSONHandler(&log, nil))})
	conn := dial(t, s, "GET / HTTP/1.1\r\nHost: a\r\n\r\n")
	<-came
	conn.Close()
	eventually(t, "the log", func() bool { return log.String() != "" })
	assert.Contains(t, log.String(), `"status":499`)
}

// A client that sends a bad chunk hears of it at once, and only that connection suffers.
func TestProxiesRefuseBadChunks(t *testing.T) {
	back := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) { _, _ = io.Copy(w, r.Body) }))
	defer back.Close()
	s := run(t, app(map[string]http.Handler{"/": proxied(t, proxy.Options{}, back.URL)}), server.Options{})
	res, _ := response(t, dial(t, s, "POST / HTTP/1.1\r\nHost: a\r\nTransfer-Encoding: chunked\r\n\r\nZZ\r\n"))
	assert.Equal(t, 400, res.StatusCode)
	assert.True(t, res.Close)
	status, _ := get(t, client(t, nil), "http://"+address(s)+"/")
	assert.Equal(t, 200, status)
}

// Upgrades pass beside ordinary routes, with half-close, through the server as it is.
func TestProxiesUpgrade(t *testing.T) {
	back := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) {
		conn, rw, err := http.NewResponseController(w).Hijack()
		if err != nil {
			return
		}
		defer conn.Close()
		_, _ = io.WriteString(conn, "HTTP/1.1 101 Switching Protocols\r\nConnection: Upgrade\r\nUpgrade: echo\r\n\r\n")
		_, _ = io.Copy(conn, rw)
		_, _ = io.WriteString(conn, "bye")
	}))
	defer back.Close()
	s := run(t, app(map[string]http.Handler{"/": proxied(t, proxy.Options{}, back.URL)}), server.Options{})
	conn := dial(t, s, "GET / HTTP/1.1\r\nHost: a\r\nConnection: Upgrade\r\nUpgrade: echo\r\n\r\nhello")
	r := bufio.NewReader(conn)
	_, err := http.ReadResponse(r, nil)
	require.NoError(t, err)
	require.NoError(t, conn.(interface{ CloseWrite() error }).CloseWrite())
	rest, err := io.ReadAll(r)
	require.NoError(t, err)
	assert.Equal(t, "hellobye", string(rest))
}

// A client cannot have removed what the server sets before a proxy by naming it in its Connection field.
func TestVisitorsCannotTakeAwayWhatIsSetBeforeAProxy(t *testing.T) {
	back := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		fmt.Fprint(w, r.Header["X-From"], r.Header["X-Hop"], r.Header["Authorization"], r.Header["Te"])
	}))
	defer back.Close()
	to := proxied(t, proxy.Options{}, back.URL)
	s := run(t, app(map[string]http.Handler{"/": http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		r.Header.Set("X-From", "edge")
		to.ServeHTTP(w, r)
	})}), server.Options{})
	for connection, closes := range map[string]bool{
		"X-From, x-hop": false, "x-from,authorization,X-Hop , TE": false, "X-From, close, X-HOP": true, "keep-alive, X-From, X-Hop": false, "X-From\r\nConnection: x-hop": false,
	} {
		res, body := response(t, dial(t, s, "GET / HTTP/1.1\r\nHost: a\r\nX-From: visitor\r\nX-Hop: 1\r\nAuthorization: b\r\nTE: trailers\r\nConnection: "+connection+"\r\n\r\n"))
		assert.Equal(t, "[edge] [] [b] [trailers]", body, connection)
		assert.Equal(t, closes, res.Close, connection)
	}
}

// What a visitor did wrong is told in words that say nothing of the backend; the log names it.
func TestVisitorsLearnNothingOfABackend(t *testing.T) {
	back := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) { _, _ = io.Copy(w, r.Body) }))
	defer back.Close()
	a := app(map[string]http.Handler{"/": proxied(t, proxy.Options{}, back.URL)})
	a.Settings.BodyIdle = 50 * time.Millisecond
	s := run(t, a, server.Options{})
	for name, c := range map[string]struct {
		text   string
		cut    bool
		status int
		detail string
	}{
		"bad chunk":     {"POST / HTTP/1.1\r\nHost: a\r\nTransfer-Encoding: chunked\r\n\r\nZZ\r\n", false, 400, "The request body can't be read: "},
		"cut short":     {"POST / HTTP/1.1\r\nHost: a\r\nContent-Length: 90000\r\n\r\nabc", true, 400, "The request body ended before all of it had come."},
		"stalled":       {"POST / HTTP/1.1\r\nHost: a\r\nContent-Length: 90000\r\n\r\nabc", false, 408, "The request body did not arrive in time."},
		"stalled small": {"POST / HTTP/1.1\r\nHost: a\r\nContent-Length: 9\r\n\r\nabc", false, 408, "The request body did not arrive in time."},
		"host list":     {"GET / HTTP/1.1\r\nHost: a,b\r\n\r\n", false, 400, "host"},
	} {
		t.Run(name, func(t *testing.T) {
			conn := dial(t, s, c.text)
			if c.cut {
				require.NoError(t, conn.(interface{ CloseWrite() error }).CloseWrite())
			}
			res, body := response(t, conn)
			assert.Equal(t, c.status, res.StatusCode)
			assert.Contains(t, body, c.detail)
			assert.NotContains(t, body, "127.0.0.1")
			assert.NotContains(t, body, "backend")
		})
	}
}

// What breaks off in the middle of an answer that began well is a warning in the log, with the backend.
func TestProxiesWarnOfAnswersThatBreakOff(t *testing.T) {
	back := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) {
		w.Header().Set("Content-Length", "100")
		_, _ = io.WriteString(w, "abc")
		_ = http.NewResponseController(w).Flush()
		panic(http.ErrAbortHandler)
	}))
	defer back.Close()
	var log logtext.Buffer
	s := run(t, app(map[string]http.Handler{"/": proxied(t, proxy.Options{}, back.URL)}), server.Options{Logger: slog.New(slog.NewJSONHandler(&log, nil))})
	res, err := client(t, nil).Get("http://" + address(s) + "/")
	require.NoError(t, err)
	defer res.Body.Close()
	_, err = io.ReadAll(res.Body)
	assert.Error(t, err)
	eventually(t, "the log", func() bool { return log.String() != "" })
	assert.Contains(t, log.String(), `"level":"WARN","msg":"request failed"`)
	assert.Contains(t, log.String(), `"status":200,"err":"backend `+back.URL+`: body:`)
}

// What a visitor says of itself does not become true by a detour through the background.
func TestShadowsAreToldOnlyWhatIsTrue(t *testing.T) {
	got := make(chan http.Header, 1)
	back := httptest.NewServer(http.HandlerFunc(func(_ http.ResponseWriter, r *http.Request) { got <- r.Header }))
	defer back.Close()
	m, err := proxy.NewMirror(proxy.MirrorOptions{Share: 1, Main: say("main"), Shadow: proxied(t, proxy.Options{}, back.URL)})
	require.NoError(t, err)
	s := run(t, app(map[string]http.Handler{"/": m}), server.Options{})
	r, err := http.NewRequest("GET", "http://"+address(s)+"/", nil)
	require.NoError(t, err)
	r.Header.Set("X-Forwarded-For", "10.0.0.1, 127.0.0.1")
	r.Header.Set("X-Real-Ip", "10.0.0.1")
	res, err := client(t, nil).Do(r)
	require.NoError(t, err)
	defer res.Body.Close()
	header := <-got
	assert.Equal(t, "127.0.0.1", header.Get("X-Forwarded-For"))
	assert.Empty(t, header.Get("X-Real-Ip"))
}
