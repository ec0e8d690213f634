package health_test

import (
	"context"
	"crypto/tls"
	"fmt"
	"io"
	"net"
	"net/http"
	"os"
	"path/filepath"
	"regexp"
	"strconv"
	"strings"
	"sync"
	"sync/atomic"
	"syscall"
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"rws/server/proxy/health"
)

func statuses(t *testing.T, text string) health.Statuses {
	s, err := health.ParseStatuses(text)
	require.NoError(t, err)
	return s
}

// answer serves /healthz, by the protocol that is told, and nothing else.
func answer(proto *atomic.Value) http.HandlerFunc {
	return func(w http.ResponseWriter, r *http.Request) {
		proto.Store(r.Proto)
		if r.URL.Path != "/healthz" {
			http.NotFound(w, r)
		}
	}
}

func TestEachProtocolOfHTTPIsSpoken(t *testing.T) {
	var proto atomic.Value
	h := answer(&proto)
	h1, h2c := server(t, "h1", h), server(t, "h2c", h)
	https, roots := secure(t, true, h)
	old, oldRoots := secure(t, false, h)
	for _, c := range []struct {
		url, proto string
		tls        *tls.Config
	}{
		{"http://" + h1, "HTTP/1.1", nil},
		{"h2c://" + h2c, "HTTP/2.0", nil},
		{"https://" + https, "HTTP/2.0", roots},
		{"h2://" + https, "HTTP/2.0", roots},
		{"https://" + old, "HTTP/1.1", oldRoots},
	} {
		for _, reuse := range []bool{false, true} {
			check := health.Check{Path: "/healthz", TLS: c.tls, Reuse: reuse}
			require.NoError(t, ask(t, check, c.url), c.url)
			assert.Equal(t, c.proto, proto.Load(), c.url)
			check.Path = "/other"
			require.ErrorContains(t, ask(t, check, c.url), "status 404, expected 2xx", c.url)
		}
	}
	require.Error(t, ask(t, health.Check{TLS: oldRoots}, "h2://"+old), "it speaks no HTTP/2")
	require.Error(t, ask(t, health.Check{}, "h2c://"+h1), "nor does this")
	require.ErrorContains(t, ask(t, health.Check{}, "https://"+https), "certificate", "nobody vouches for it")
}

func TestUnixSocket(t *testing.T) {
	dir, err := os.MkdirTemp("", "rws") // short enough for the address of a socket
	require.NoError(t, err)
	t.Cleanup(func() { assert.NoError(t, os.RemoveAll(dir)) })
	path := filepath.Join(dir, "app.sock")
	l, err := net.Listen("unix", path)
	require.NoError(t, err)
	s := &http.Server{Handler: http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		fmt.Fprintf(w, "%s %s", r.Host, r.URL)
	})}
	done := make(chan error)
	go func() { done <- s.Serve(l) }()
	defer func() { s.Close(); <-done }()

	match := regexp.MustCompile(`^localhost /up\?now$`)
	require.NoError(t, ask(t, health.Check{Path: "/up?now", Match: match}, "unix:"+path))
	require.NoError(t, ask(t, health.Check{Scheme: "tcp"}, "unix:"+path))
	require.ErrorContains(t, ask(t, health.Check{}, "unix:"+path+".other"), "connecting")
}

func TestWhatIsAskedFor(t *testing.T) {
	var got atomic.Value
	address := server(t, "h1", func(w http.ResponseWriter, r *http.Request) {
		got.Store(fmt.Sprint(r.Method, " ", r.Host, " ", r.URL, " ", r.Header.Get("X-Probe"), " ", r.UserAgent()))
	})
	require.NoError(t, ask(t, health.Check{}, "http://"+address+"/base?a=b"))
	assert.Equal(t, "GET "+address+" /base?a=b  rws-health-check", got.Load(), "the path of the URL is the default")

	require.NoError(t, ask(t, health.Check{
		Method: "HEAD", Path: "/x?y=%20", Host: "api.example", Header: http.Header{"X-Probe": {"1"}, "User-Agent": {"me"}},
	}, "http://"+address+"/base"))
	assert.Equal(t, "HEAD api.example /x?y=%20 1 me", got.Load())

	port, err := strconv.Atoi(portOf(address))
	require.NoError(t, err)
	require.NoError(t, ask(t, health.Check{Port: port, Scheme: "http"}, "https://127.0.0.1:1"))
}

func TestWhatIsAGoodAnswer(t *testing.T) {
	address := server(t, "h1", func(w http.ResponseWriter, r *http.Request) {
		code, _ := strconv.Atoi(r.URL.Query().Get("code"))
		w.Header().Set("Location", "/?code=200")
		w.WriteHeader(code)
		fmt.Fprint(w, r.URL.Query().Get("body"))
	})
	for _, c := range []struct {
		path, status, match, err string
	}{
		{"/?code=200", "", "", ""},
		{"/?code=204", "", "", ""},
		{"/?code=302", "", "", "status 302, expected 2xx"}, // and not followed to where it is 200
		{"/?code=302", "200-399", "", ""},
		{"/?code=503", "503", "", ""},
		{"/?code=200", "204", "", "status 200, expected 204"},
		{"/?code=200&body=all+fine", "", "fine$", ""},
		{"/?code=200&body=not+well", "", "fine$", "the body does not match fine$"},
	} {
		check := health.Check{Path: c.path}
		if c.status != "" {
			check.Status = statuses(t, c.status)
		}
		if c.match != "" {
			check.Match = regexp.MustCompile(c.match)
		}
		err := ask(t, check, "http://"+address)
		if c.err == "" {
			require.NoError(t, err, c)
		} else {
			require.ErrorContains(t, err, c.err)
		}
	}
}

func TestABodyIsReadUpTo64KiB(t *testing.T) {
	endless := server(t, "h1", func(w http.ResponseWriter, r *http.Request) {
		fmt.Fprint(w, "fine")
		for r.Context().Err() == nil {
			if _, err := io.WriteString(w, strings.Repeat("x", 1<<10)); err != nil {
				return
			}
		}
	})
	require.NoError(t, ask(t, health.Check{Match: regexp.MustCompile("^fine")}, "http://"+endless))
	require.ErrorContains(t, ask(t, health.Check{Match: regexp.MustCompile("y")}, "http://"+endless), "does not match")
}

func TestAnAnswerThatBreaksOffIsNone(t *testing.T) {
	address := accept(t, func(conn net.Conn) {
		_, _ = conn.Read(make([]byte, 4<<10))
		_, _ = io.WriteString(conn, "HTTP/1.1 200 OK\r\nContent-Length: 10\r\n\r\nhalf")
	})
	require.ErrorContains(t, ask(t, health.Check{}, "http://"+address), "reading the body")
	flood := accept(t, func(conn net.Conn) {
		_, _ = conn.Read(make([]byte, 4<<10))
		fmt.Fprintf(conn, "HTTP/1.1 200 OK\r\nX: %s\r\nContent-Length: 0\r\n\r\n", strings.Repeat("x", 100<<10))
	})
	require.Error(t, ask(t, health.Check{}, "http://"+flood), "a header has a limit of 64 KiB")
}

// A connection that is there only when the check has been given up is closed.
func TestALateConnectionIsClosed(t *testing.T) {
	ended := make(chan error, 1)
	address := accept(t, func(conn net.Conn) {
		_, err := conn.Read(make([]byte, 1))
		ended <- err
	})
	late := make(chan struct{})
	dial := func(_ context.Context, network, address string) (net.Conn, error) {
		<-late
		return net.Dial(network, address)
	}
	require.ErrorContains(t, ask(t, health.Check{Dial: dial, Reuse: true, Timeout: 50 * time.Millisecond}, "http://"+address), "no answer within")
	close(late)
	assert.ErrorIs(t, <-ended, io.EOF)
}

func TestTooSlowIsDown(t *testing.T) {
	silent := accept(t, func(conn net.Conn) { _, _ = io.Copy(io.Discard, conn) })
	for _, scheme := range []string{"http", "h2c", "grpc", "ws", "https", "tls", "wss"} {
		start := time.Now()
		err := ask(t, health.Check{Timeout: 100 * time.Millisecond}, scheme+"://"+silent)
		require.ErrorContains(t, err, "no answer within 100ms", scheme)
		assert.Less(t, time.Since(start), 5*time.Second, scheme)
	}
	require.NoError(t, ask(t, health.Check{}, "tcp://"+silent))
	require.NoError(t, ask(t, health.Check{Scheme: "tcp"}, "https://"+silent))
	require.NoError(t, ask(t, health.Check{}, "fastcgi://"+silent))
}

func TestNobodyThereIsDown(t *testing.T) {
	address := nobody(t)
	for _, scheme := range []string{"http", "https", "h2", "h2c", "grpc", "grpcs", "ws", "wss", "tcp", "tls", "fastcgi"} {
		err := ask(t, health.Check{}, scheme+"://"+address)
		require.ErrorContains(t, err, "connecting", scheme)
		require.ErrorIs(t, err, syscall.ECONNREFUSED, scheme)
	}
}

func TestTLS(t *testing.T) {
	address, roots := secure(t, false, func(http.ResponseWriter, *http.Request) {})
	require.NoError(t, ask(t, health.Check{TLS: roots}, "tls://"+address))
	require.ErrorContains(t, ask(t, health.Check{}, "tls://"+address), "TLS handshake")
	roots.ServerName = "example.com"
	require.NoError(t, ask(t, health.Check{TLS: roots}, "tls://"+address))
	roots.ServerName = "other.example"
	require.ErrorContains(t, ask(t, health.Check{TLS: roots}, "tls://"+address), "TLS handshake")
	plain := server(t, "h1", func(http.ResponseWriter, *http.Request) {})
	require.ErrorContains(t, ask(t, health.Check{TLS: roots}, "tls://"+plain), "TLS handshake")
}

func TestOwnWayToConnect(t *testing.T) {
	address := server(t, "h1", func(http.ResponseWriter, *http.Request) {})
	var asked atomic.Value
	dial := func(ctx context.Context, network, to string) (net.Conn, error) {
		asked.Store(network + " " + to)
		return new(net.Dialer).DialContext(ctx, network, address)
	}
	require.NoError(t, ask(t, health.Check{Dial: dial}, "http://backend.internal"))
	assert.Equal(t, "tcp backend.internal:80", asked.Load())
	require.NoError(t, ask(t, health.Check{Dial: dial}, "http://[::1]:81"))
	assert.Equal(t, "tcp [::1]:81", asked.Load())
}

// Each check is a connection of its own unless asked otherwise.
func TestReuse(t *testing.T) {
	for scheme, protocol := range map[string]string{"http": "h1", "h2c": "h2c"} {
		address := server(t, protocol, func(http.ResponseWriter, *http.Request) {})
		for reuse, want := range map[bool]int32{true: 1, false: 5} {
			var dials, checks atomic.Int32
			enough := make(chan struct{})
			m, err := health.NewMonitor(health.Options{
				Check: health.Check{Reuse: reuse, Every: time.Millisecond, Timeout: 2 * time.Second, Dial: func(ctx context.Context, n, a string) (net.Conn, error) {
					dials.Add(1)
					return new(net.Dialer).DialContext(ctx, n, a)
				}},
				OnCheck: func(s health.Status) {
					assert.NoError(t, s.Err)
					if checks.Add(1) == 5 {
						assert.Equal(t, want, dials.Load(), "%s, reuse %v", scheme, reuse)
						close(enough)
					}
				},
			})
			require.NoError(t, err)
			require.NoError(t, m.Update([]health.Target{{ID: "a", URL: scheme + "://" + address}}))
			m.Start(t.Context())
			<-enough
			m.Close()
		}
	}
}

// A connection on which nothing comes any more, as after a firewall has forgotten it.
func TestADeadConnectionIsGivenUp(t *testing.T) {
	for scheme, protocol := range map[string]string{"http": "h1", "h2c": "h2c"} {
		var seen sync.Map
		address := server(t, protocol, func(_ http.ResponseWriter, r *http.Request) {
			if _, again := seen.LoadOrStore(r.RemoteAddr, true); again {
				<-r.Context().Done()
			}
		})
		results := make(chan error, 100)
		m, err := health.NewMonitor(health.Options{
			Check:   health.Check{Reuse: true, Every: time.Millisecond, Timeout: 100 * time.Millisecond},
			OnCheck: func(s health.Status) { results <- s.Err },
			Logger:  new(logs).logger(),
		})
		require.NoError(t, err)
		require.NoError(t, m.Update([]health.Target{{ID: "a", URL: scheme + "://" + address}}))
		m.Start(t.Context())
		require.NoError(t, <-results, scheme)
		require.Error(t, <-results, scheme)
		require.NoError(t, <-results, "%s: the next check has a connection of its own", scheme)
		m.Close()
	}
}

func TestChecksThatCannotBe(t *testing.T) {
	for want, c := range map[string]health.Check{
		`"htp" is no way to check a backend (did you mean "http"?)`: {Scheme: "htp"},
		`the path "x" does not begin with "/"`:                      {Path: "x"},
		`"G T" is no method`:                                        {Method: "G T"},
		"but an answer to HEAD has none":                            {Method: "HEAD", Match: regexp.MustCompile("x")},
		"the port 70000 is out of range":                            {Port: 70000},
		"up (-1) and down (0)":                                      {Up: -1},
		"every (-1s)":                                               {Every: -time.Second},
		"the jitter is 1":                                           {Jitter: 1},
		`"X Y" is no name of a header`:                              {Header: http.Header{"X Y": {"a"}}},
		"the header X has a line break":                             {Header: http.Header{"X": {"a\r\nb"}}},
		`"a b" is no host`:                                          {Host: "a b"},
	} {
		_, err := health.NewMonitor(health.Options{Check: c})
		assert.ErrorContains(t, err, want)
	}
}

func TestTargetsThatCannotBeChecked(t *testing.T) {
	m, err := health.NewMonitor(health.Options{})
	require.NoError(t, err)
	require.NoError(t, m.Update([]health.Target{{ID: "a", URL: "http://127.0.0.1:1"}}))
	for url, want := range map[string]string{
		"127.0.0.1:80":     "write it like http://127.0.0.1:9000",
		"/x":               `"" is no way to check`,
		"udp://127.0.0.1":  `"udp" is no way to check`,
		"tcp://127.0.0.1":  "names no port",
		"http:///x":        "names no host",
		"http://u:secret@": "names no host",
		"unix:":            "names no socket",
		"http://a:b:c":     "write it like",
	} {
		err := m.Update([]health.Target{{ID: "a", URL: url}})
		require.ErrorContains(t, err, want, url)
		assert.NotContains(t, err.Error(), "secret")
	}
	require.ErrorContains(t, m.Update([]health.Target{{ID: "a", URL: "http://a"}, {ID: "a", URL: "http://b"}}), `two backends have the name "a"`)
	require.Len(t, m.Status(), 1, "an error changes nothing")
	require.NoError(t, m.Update([]health.Target{{ID: "a", URL: "http://u:secret@127.0.0.1:1/"}}))
	assert.Equal(t, "http://127.0.0.1:1/", m.Status()[0].URL)
}
