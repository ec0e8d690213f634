package forward_test

import (
	"bufio"
	"context"
	"fmt"
	"io"
	"maps"
	"net"
	"net/http"
	"net/http/httptest"
	"net/netip"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
	"go.uber.org/goleak"

	"rws/server/auth/forward"
	"rws/server/exchange"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

// seen is a request as a handler got it.
type seen struct {
	method, uri, host, body string
	header                  http.Header
	user                    any
	trailer                 http.Header
}

func look(r *http.Request) *seen {
	body, _ := io.ReadAll(r.Body)
	s := &seen{method: r.Method, uri: r.RequestURI, host: r.Host, body: string(body), header: r.Header.Clone(), trailer: r.Trailer}
	if e := exchange.From(r.Context()); e != nil {
		s.user = e.User
	}
	return s
}

// world is a guarded handler, its service and what they saw; nil means that they were not asked.
type world struct {
	asked, entered *seen
	fault          error
	address        string
}

func newWorld(t *testing.T, answer http.HandlerFunc, o forward.Options) *world {
	t.Helper()
	world := &world{}
	service := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		world.asked = look(r)
		answer(w, r)
	}))
	t.Cleanup(service.Close)
	if o.URL == "" {
		o.URL = service.URL + "/verify?a=1"
	}
	g, err := forward.New(o)
	require.NoError(t, err)
	t.Cleanup(g.Close)
	guarded := g.Wrap(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		world.entered = look(r)
		_, _ = io.WriteString(w, "in")
	}))
	server := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		e, r := exchange.Of(r)
		guarded.ServeHTTP(w, r)
		world.fault = e.Fault
	}))
	t.Cleanup(server.Close)
	world.address = server.Listener.Addr().String()
	return world
}

// send sends a request as it is written; the line ends are put right.
func (w *world) send(t *testing.T, request string) (*http.Response, string) {
	t.Helper()
	w.asked, w.entered, w.fault = nil, nil, nil
	conn, err := net.Dial("tcp", w.address)
	require.NoError(t, err)
	defer conn.Close()
	head, body, _ := strings.Cut(strings.TrimLeft(request, "\n"), "\n\n")
	fmt.Fprint(conn, strings.ReplaceAll(head, "\n", "\r\n"), "\r\n\r\n", body)
	method, _, _ := strings.Cut(head, " ")
	in := bufio.NewReader(conn)
	res, err := http.ReadResponse(in, &http.Request{Method: method})
	require.NoError(t, err)
	if res.StatusCode == http.StatusContinue {
		res, err = http.ReadResponse(in, &http.Request{Method: method})
		require.NoError(t, err)
	}
	defer res.Body.Close()
	text, err := io.ReadAll(res.Body)
	require.NoError(t, err)
	return res, string(text)
}

func ok(w http.ResponseWriter, _ *http.Request) {
	w.Header().Set("Remote-User", "ann")
	w.Header().Add("Remote-Groups", "a")
	w.Header().Add("Remote-Groups", "b")
	w.Header().Set("X-Other", "secret")
	w.Header().Set("Set-Cookie", "sid=1")
}

func TestTheServiceIsAskedWithTheRequestOfTheClient(t *testing.T) {
	w := newWorld(t, ok, forward.Options{})
	res, body := w.send(t, `
PATCH /a%2Fb?q=1&r=%20 HTTP/1.1
Host: app.example
Authorization: Bearer x
Cookie: a=b
User-Agent: me
X-Custom: 1
Connection: close, X-Hop
X-Hop: 1
TE: trailers
Upgrade: websocket
Proxy-Authorization: Basic x
If-None-Match: "x"
Range: bytes=0-1
Expect: 100-continue
Content-Type: text/plain
Content-Length: 4
X-Forwarded-For: 6.6.6.6
X-Forwarded-Method: GET
X_Forwarded_Uri: /public
x-forwarded.host: evil.example
X-Original-URL: /public

body`)
	assert.Equal(t, 200, res.StatusCode)
	assert.Equal(t, "in", body)
	require.NotNil(t, w.asked)
	assert.Equal(t, "GET /verify?a=1", w.asked.method+" "+w.asked.uri)
	assert.Empty(t, w.asked.body)
	assert.Equal(t, http.Header{
		"Authorization": {"Bearer x"}, "Cookie": {"a=b"}, "User-Agent": {"me"}, "X-Custom": {"1"}, "Accept-Encoding": {"gzip"},
		"X-Forwarded-Method": {"PATCH"}, "X-Forwarded-Proto": {"http"}, "X-Forwarded-Host": {"app.example"},
		"X-Forwarded-Uri": {"/a%2Fb?q=1&r=%20"}, "X-Forwarded-For": {"127.0.0.1"},
	}, w.asked.header)
	assert.NotEqual(t, "app.example", w.asked.host)
	assert.Equal(t, "body", w.entered.body, "the body is for the handler")
	assert.Equal(t, "6.6.6.6", w.entered.header.Get("X-Forwarded-For"), "what is not nominated is not ours to remove")
}

const get = "GET / HTTP/1.1\nHost: x\nConnection: close\n"

func TestNominatedHeadersSayWhatTheServiceSaid(t *testing.T) {
	w := newWorld(t, ok, forward.Options{Copy: []string{"remote-user", "Remote-Groups", "Remote-Email", "Authorization"}})
	res, _ := w.send(t, get+"Authorization: Bearer x")
	assert.Equal(t, http.Header{"Remote-User": {"ann"}, "Remote-Groups": {"a", "b"}, "Connection": {"close"}}, w.entered.header)
	assert.Equal(t, map[string]any{"name": "ann", "Remote-User": "ann", "Remote-Groups": "a, b"}, w.entered.user)
	assert.Equal(t, "Bearer x", w.asked.header.Get("Authorization"), "it judges that")
	assert.Empty(t, res.Header["Set-Cookie"], "only if asked for")
}

// TestNobodyBringsTheirOwnIdentity has the bypasses of edge.md §3.3.
func TestNobodyBringsTheirOwnIdentity(t *testing.T) {
	w := newWorld(t, func(http.ResponseWriter, *http.Request) {}, forward.Options{Copy: []string{"Remote-User", "X-Auth.Role"}})
	for _, lines := range []string{
		"Remote-User: root", "remote-user: root", "REMOTE-USER: root", "Remote_User: root", "remote.user: root",
		"rEmOtE_uSeR: root", "Remote-User: root\nRemote-User: boss", "Remote-User: a\nRemote_User: b\nRemote.User: c",
		"X-Auth-Role: admin", "X_Auth_Role: admin", "X-Auth.Role: admin",
	} {
		w.send(t, get+lines)
		require.NotNil(t, w.entered, lines)
		assert.Equal(t, []string{"Connection"}, slices.Collect(maps.Keys(w.entered.header)), lines)
		for name := range w.asked.header {
			assert.True(t, name == "Accept-Encoding" || strings.HasPrefix(name, "X-Forwarded-"), name)
		}
	}
	w.send(t, "GET / HTTP/1.1\nHost: x\nConnection: close, Remote-User, X-Keep\nConnection: remote_user\nX-Keep: 1")
	assert.Equal(t, []string{"close, X-Keep"}, w.entered.header["Connection"], "what follows must not be told to drop them")
	w.send(t, "GET / HTTP/1.1\nHost: x\nConnection: X-Forwarded-Uri, X-Forwarded-Method")
	assert.Equal(t, "/", w.asked.header.Get("X-Forwarded-Uri"))
	assert.Equal(t, "GET", w.asked.header.Get("X-Forwarded-Method"))
	w.send(t, "POST / HTTP/1.1\nHost: x\nConnection: close\nTransfer-Encoding: chunked\nTrailer: Remote-User\n\n0\r\nRemote-User: root\r\n\r\n")
	assert.Empty(t, w.entered.trailer)
}

func TestAnyOtherAnswerIsTheClients(t *testing.T) {
	for _, status := range []int{300, 302, 304, 400, 401, 403, 404, 429, 500, 503} {
		w := newWorld(t, func(w http.ResponseWriter, _ *http.Request) {
			w.Header().Set("Location", "/login?to=x")
			w.Header().Add("Set-Cookie", "a=1")
			w.Header().Add("Set-Cookie", "b=2; Path=/")
			w.Header().Set("WWW-Authenticate", "Basic")
			w.Header().Set("Connection", "X-Hop")
			w.Header().Set("X-Hop", "1")
			w.Header().Set("Keep-Alive", "timeout=5")
			w.WriteHeader(status)
			if status != 304 {
				_, _ = io.WriteString(w, "no entry")
			}
		}, forward.Options{Copy: []string{"Remote-User"}})
		res, body := w.send(t, get)
		assert.Equal(t, status, res.StatusCode)
		assert.Nil(t, w.entered)
		assert.Equal(t, "/login?to=x", res.Header.Get("Location"))
		assert.Equal(t, []string{"a=1", "b=2; Path=/"}, res.Header["Set-Cookie"])
		assert.Equal(t, "Basic", res.Header.Get("Www-Authenticate"))
		assert.Empty(t, res.Header.Get("X-Hop")+res.Header.Get("Keep-Alive"))
		if status != 304 {
			assert.Equal(t, "no entry", body)
		}
		res, _ = w.send(t, strings.Replace(get, "GET", "HEAD", 1))
		assert.Equal(t, status, res.StatusCode)
	}
}

func TestWithoutAnAnswerNobodyEnters(t *testing.T) {
	block := make(chan struct{})
	defer close(block)
	for name, c := range map[string]struct {
		answer http.HandlerFunc
		o      forward.Options
		want   int
	}{
		"refused":      {nil, forward.Options{URL: "http://127.0.0.1:1/"}, 502},
		"no such host": {nil, forward.Options{URL: "http://nowhere.invalid/"}, 502},
		"no TLS":       {nil, forward.Options{URL: "https://127.0.0.1:1/"}, 502},
		"too slow":     {func(_ http.ResponseWriter, r *http.Request) { <-block }, forward.Options{Timeout: 50 * time.Millisecond}, 504},
		"slow body": {func(w http.ResponseWriter, r *http.Request) {
			w.Header().Set("Remote-User", "ann")
			w.Header().Set("Content-Length", "5")
			w.(http.Flusher).Flush()
			<-block
		}, forward.Options{Timeout: 50 * time.Millisecond}, 504},
		"too long": {func(w http.ResponseWriter, r *http.Request) { _, _ = w.Write(make([]byte, forward.MaxAnswer+1)) }, forward.Options{}, 502},
		"cut off":  {func(http.ResponseWriter, *http.Request) { panic(http.ErrAbortHandler) }, forward.Options{}, 502},
		"no HTTP": {func(w http.ResponseWriter, _ *http.Request) {
			conn, _, _ := w.(http.Hijacker).Hijack()
			_, _ = io.WriteString(conn, "HTTP/1.1 200")
			conn.Close()
		}, forward.Options{}, 502},
		"switching": {func(w http.ResponseWriter, _ *http.Request) {
			conn, _, _ := w.(http.Hijacker).Hijack()
			_, _ = io.WriteString(conn, "HTTP/1.1 101 Switching Protocols\r\nConnection: Upgrade\r\nUpgrade: x\r\n\r\n")
			conn.Close()
		}, forward.Options{}, 502},
		"switching for good": {func(w http.ResponseWriter, _ *http.Request) {
			conn, _, _ := w.(http.Hijacker).Hijack()
			_, _ = io.WriteString(conn, "HTTP/1.1 101 Switching Protocols\r\nConnection: Upgrade\r\nUpgrade: x\r\n\r\n")
			defer conn.Close()
			_, _ = conn.Read(make([]byte, 1)) // until the guard hangs up
		}, forward.Options{Timeout: 10 * time.Second}, 502},
	} {
		w := newWorld(t, c.answer, c.o)
		res, body := w.send(t, get+"Remote-User: root")
		assert.Equal(t, c.want, res.StatusCode, name)
		assert.Nil(t, w.entered, name)
		assert.Contains(t, body, "The authentication service", name)
		require.ErrorContains(t, w.fault, "asking the authentication service", name)
	}
}

func TestABodyIsSentWhenAskedFor(t *testing.T) {
	w := newWorld(t, ok, forward.Options{MaxBody: 5})
	const post = "POST / HTTP/1.1\nHost: x\nConnection: close\nContent-Type: text/x\n"
	for _, request := range []string{post + "Content-Length: 5\n\nhello", post + "Transfer-Encoding: chunked\n\n5\r\nhello\r\n0\r\n\r\n"} {
		_, body := w.send(t, request)
		assert.Equal(t, "in", body)
		assert.Equal(t, "hello", w.asked.body)
		assert.Equal(t, "text/x", w.asked.header.Get("Content-Type"))
		assert.Equal(t, "hello", w.entered.body)
	}
	for request, want := range map[string]int{
		post + "Content-Length: 6\n\nhello!":                             413,
		post + "Transfer-Encoding: chunked\n\n6\r\nhello!\r\n0\r\n\r\n":  413,
		post + "Transfer-Encoding: chunked\n\n5\r\nhelloZZ\r\n0\r\n\r\n": 400,
		post + "Transfer-Encoding: chunked\n\nZZ\r\n":                    400,
	} {
		res, _ := w.send(t, request)
		assert.Equal(t, want, res.StatusCode, request)
		assert.Nil(t, w.asked, request)
		assert.Nil(t, w.entered, request)
	}
}

func TestWhatTheServiceGetsCanBeChosen(t *testing.T) {
	w := newWorld(t, ok, forward.Options{
		Headers: []string{"cookie", "X-Forwarded-Host", "Range"}, Cookies: true,
		Scheme: func(*http.Request) string { return "https" },
	})
	res, _ := w.send(t, get+"Cookie: a=b\nAuthorization: x\nX-Forwarded-Host: evil\nRange: bytes=0-1")
	assert.Equal(t, http.Header{
		"Cookie": {"a=b"}, "Accept-Encoding": {"gzip"}, "X-Forwarded-Method": {"GET"}, "X-Forwarded-Proto": {"https"},
		"X-Forwarded-Host": {"x"}, "X-Forwarded-Uri": {"/"}, "X-Forwarded-For": {"127.0.0.1"},
	}, w.asked.header)
	assert.Equal(t, "sid=1", res.Header.Get("Set-Cookie"))
}

func TestTheClientIsTheOneThatIsKnown(t *testing.T) {
	var asked *seen
	service := httptest.NewServer(http.HandlerFunc(func(_ http.ResponseWriter, r *http.Request) { asked = look(r) }))
	defer service.Close()
	g, err := forward.New(forward.Options{URL: service.URL})
	require.NoError(t, err)
	defer g.Close()
	e, r := exchange.Of(httptest.NewRequest("GET", "/", nil))
	e.Client = netip.MustParseAddr("2001:db8::7")
	g.Wrap(http.NotFoundHandler()).ServeHTTP(httptest.NewRecorder(), r)
	assert.Equal(t, "2001:db8::7", asked.header.Get("X-Forwarded-For"))
}

func TestWhenTheClientLeavesTheServiceIsLeft(t *testing.T) {
	left := make(chan struct{})
	entered := false
	service := httptest.NewServer(http.HandlerFunc(func(_ http.ResponseWriter, r *http.Request) {
		<-r.Context().Done()
		close(left)
	}))
	defer service.Close()
	g, err := forward.New(forward.Options{URL: service.URL, Timeout: time.Minute})
	require.NoError(t, err)
	defer g.Close()
	ctx, cancel := context.WithTimeout(t.Context(), 50*time.Millisecond)
	defer cancel()
	w := httptest.NewRecorder()
	g.Wrap(http.HandlerFunc(func(http.ResponseWriter, *http.Request) { entered = true })).
		ServeHTTP(w, httptest.NewRequest("GET", "/", nil).WithContext(ctx))
	<-left
	assert.False(t, entered)
	assert.Equal(t, 504, w.Code)
}

func TestBadOptionsAreRefused(t *testing.T) {
	for want, o := range map[string]forward.Options{
		"is its environment variable set?": {},
		"want an absolute URL":             {URL: "auth.example/verify"},
		"with http or https":               {URL: "ftp://auth.example"},
		"a timeout of -1ns":                {URL: "http://x", Timeout: -1},
		"-1 bytes of body":                 {URL: "http://x", MaxBody: -1},
		`"a b" is no name`:                 {URL: "http://x", Copy: []string{"a b"}},
		`"" is no name`:                    {URL: "http://x", Headers: []string{""}},
		"the header Content-Length cannot": {URL: "http://x", Copy: []string{"content-length"}},
		"the header Set-Cookie cannot":     {URL: "http://x", Copy: []string{"set-cookie"}},
		"the header Te cannot":             {URL: "http://x", Copy: []string{"TE"}},
		"the header Host cannot":           {URL: "http://x", Copy: []string{"host"}},
	} {
		_, err := forward.New(o)
		require.ErrorContains(t, err, want)
	}
}

func BenchmarkGuard(b *testing.B) {
	service := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) { w.Header().Set("Remote-User", "ann") }))
	defer service.Close()
	g, err := forward.New(forward.Options{URL: service.URL, Copy: []string{"Remote-User"}})
	require.NoError(b, err)
	defer g.Close()
	h := g.Wrap(http.HandlerFunc(func(http.ResponseWriter, *http.Request) {}))
	_, r := exchange.Of(httptest.NewRequest("GET", "/", nil))
	b.ReportAllocs()
	for b.Loop() {
		h.ServeHTTP(httptest.NewRecorder(), r)
	}
}

// The log says why an answer was none; the client is not told.
func TestTheLogSaysWhyThereIsNoAnswer(t *testing.T) {
	for want, answer := range map[string]http.HandlerFunc{
		"its answer has more than 65536 bytes": func(w http.ResponseWriter, _ *http.Request) {
			_, _ = io.WriteString(w, strings.Repeat("a", forward.MaxAnswer+1))
		},
		"what came is not HTTP": func(w http.ResponseWriter, _ *http.Request) {
			conn, _, err := http.NewResponseController(w).Hijack()
			assert.NoError(t, err)
			_, _ = io.WriteString(conn, "hello\r\n\r\n")
			_ = conn.Close()
		},
	} {
		w := newWorld(t, answer, forward.Options{})
		res, body := w.send(t, get)
		assert.Equal(t, 502, res.StatusCode, want)
		assert.Contains(t, body, "did not answer properly", want)
		require.ErrorContains(t, w.fault, want)
		assert.Nil(t, w.entered, want)
	}
	w := newWorld(t, nil, forward.Options{URL: "http://127.0.0.1:1/"})
	_, body := w.send(t, get)
	assert.Contains(t, body, "cannot be reached")
	assert.ErrorContains(t, w.fault, "nothing accepts connections")
}
