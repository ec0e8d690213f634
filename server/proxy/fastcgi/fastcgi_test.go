package fastcgi_test

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"net"
	"net/http"
	"net/http/fcgi"
	"net/http/httptest"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
	"go.uber.org/goleak"

	"rws/server/exchange"
	"rws/server/proxy/fastcgi"
	"rws/spec_test/peers"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

// application serves a handler by the library of Go and returns a transport to it.
func application(t *testing.T, h http.HandlerFunc) *fastcgi.Transport {
	t.Helper()
	l, err := net.Listen("tcp", "127.0.0.1:0")
	require.NoError(t, err)
	done := make(chan struct{})
	go func() { defer close(done); _ = fcgi.Serve(l, h) }()
	t.Cleanup(func() { _ = l.Close(); <-done })
	return transport(t, fastcgi.Options{Network: "tcp", Address: l.Addr().String(), Root: "/srv", Front: "/index.php"})
}

func transport(t *testing.T, o fastcgi.Options) *fastcgi.Transport {
	t.Helper()
	tr, err := fastcgi.New(o)
	require.NoError(t, err)
	return tr
}

func send(t *testing.T, tr *fastcgi.Transport, r *http.Request) (int, http.Header, string) {
	t.Helper()
	res, err := tr.RoundTrip(r)
	require.NoError(t, err)
	defer res.Body.Close()
	body, err := io.ReadAll(res.Body)
	require.NoError(t, err)
	return res.StatusCode, res.Header, string(body)
}

func TestARequestAndItsAnswer(t *testing.T) {
	tr := application(t, func(w http.ResponseWriter, r *http.Request) {
		body, _ := io.ReadAll(r.Body)
		w.Header().Set("X-Seen", fmt.Sprint(r.Method, " ", r.URL.RequestURI(), " ", r.Host, " ", r.Header["X-A"]))
		w.WriteHeader(http.StatusTeapot)
		_, _ = w.Write(body)
	})
	r := httptest.NewRequest("POST", "http://a.example/x?q=1", strings.NewReader(strings.Repeat("x", 200_000)))
	r.Header["X-A"] = []string{"1", "2"}
	status, header, body := send(t, tr, r)
	assert.Equal(t, http.StatusTeapot, status)
	assert.Equal(t, "POST /x?q=1 a.example [1, 2]", header.Get("X-Seen"))
	assert.Equal(t, strings.Repeat("x", 200_000), body)
}

// Programs make links of REQUEST_URI: it is what the client has asked for, whatever a proxy has made of the path.
func TestTheURIIsThatOfTheClient(t *testing.T) {
	tr := application(t, func(w http.ResponseWriter, r *http.Request) {
		_, _ = io.WriteString(w, fcgi.ProcessEnv(r)["DOCUMENT_URI"]+" "+r.URL.RequestURI())
	})
	for uri, want := range map[string]string{"/shop/a%20b?q=1": "/shop/a%20b?q=1", "http://a.example/shop/x": "/shop/x", "": "/x?q=2", "*": "/x?q=2"} {
		r := httptest.NewRequest("GET", "http://a.example/x?q=2", nil)
		r.RequestURI = uri
		_, _, body := send(t, tr, r)
		assert.Equal(t, "/index.php/x "+want, body, uri)
	}
}

func TestABodyOfUnknownLengthIsMeasured(t *testing.T) {
	tr := application(t, func(w http.ResponseWriter, r *http.Request) {
		n, _ := io.Copy(io.Discard, r.Body)
		_, _ = fmt.Fprint(w, r.ContentLength, " ", n)
	})
	for _, size := range []int{0, 10, 64 << 10, 300_000} {
		r := httptest.NewRequest("POST", "http://a.example/x", io.MultiReader(strings.NewReader(strings.Repeat("x", size))))
		r.ContentLength = -1
		_, _, body := send(t, tr, r)
		if size == 0 {
			assert.Equal(t, "0 0", body)
			continue
		}
		assert.Equal(t, fmt.Sprint(size, " ", size), body)
	}
}

func TestTheAnswerStreams(t *testing.T) {
	more := make(chan struct{})
	tr := application(t, func(w http.ResponseWriter, r *http.Request) {
		_, _ = io.WriteString(w, "one")
		w.(http.Flusher).Flush()
		<-more
		_, _ = io.WriteString(w, "two")
	})
	res, err := tr.RoundTrip(httptest.NewRequest("GET", "http://a.example/", nil))
	require.NoError(t, err)
	defer res.Body.Close()
	first := make([]byte, 3)
	_, err = io.ReadFull(res.Body, first)
	require.NoError(t, err)
	assert.Equal(t, "one", string(first))
	close(more)
	rest, err := io.ReadAll(res.Body)
	require.NoError(t, err)
	assert.Equal(t, "two", string(rest))
}

// What a script trusts about the client comes from us alone.
func TestVariablesThatAClientCannotSet(t *testing.T) {
	seen := make(chan map[string]string, 1)
	tr := application(t, func(w http.ResponseWriter, r *http.Request) {
		env := fcgi.ProcessEnv(r)
		env["proxy"] = r.Header.Get("Proxy")
		env["admin"] = r.Header.Get("X-Admin")
		seen <- env
	})
	r := httptest.NewRequest("GET", "http://a.example:8080/", nil)
	r.RemoteAddr = "192.0.2.1:1234"
	r.Header["Proxy"] = []string{"http://evil.example"}
	r.Header["X_admin"] = []string{"1"}
	r.Header["X.Admin"] = []string{"1"}
	e := exchange.New(r)
	e.User = map[string]any{"name": "ann"}
	send(t, tr, r.WithContext(e))
	env := <-seen
	assert.Empty(t, env["proxy"])
	assert.Empty(t, env["admin"])
	assert.Equal(t, "ann", env["REMOTE_USER"])
}

func TestPathsAndScripts(t *testing.T) {
	socket, root := peers.PHP(t, map[string]string{
		"index.php": `<?php echo "index";`,
		"a.php":     `<?php echo $_SERVER["SCRIPT_NAME"], "|", $_SERVER["PATH_INFO"] ?? "", "|", $_GET["q"] ?? "";`,
		"photo.jpg": `<?php echo "executed";`,
	})
	tr := transport(t, fastcgi.Options{Network: "unix", Address: socket, Root: root})
	for path, want := range map[string]string{
		"/":               "200 index",
		"/a.php":          "200 /a.php||",
		"/a.php?q=1":      "200 /a.php||1",
		"/a.php/more":     "200 /a.php|/more|",
		"/none.php":       "404",
		"/photo.jpg":      "404 404 Not Found\n",
		"/../a.php":       "404 404 Not Found\n",
		"/a.php/../x":     "404 404 Not Found\n",
		"/a.PHP":          "404 404 Not Found\n",
		"/.php":           "404 404 Not Found\n",
		"/photo.jpg/.php": "404 404 Not Found\n",
	} {
		r := httptest.NewRequest("GET", "http://a.example/", nil)
		r.URL.Path, r.URL.RawQuery, _ = strings.Cut(path, "?")
		status, _, body := send(t, tr, r)
		assert.True(t, strings.HasPrefix(fmt.Sprint(status, " ", body), want), "%s: %d %q", path, status, body)
	}
}

// PHP-FPM, as it runs everywhere.
func TestNoScriptIsBelowAFile(t *testing.T) {
	root := t.TempDir()
	require.NoError(t, os.MkdirAll(filepath.Join(root, "dir.d", "sub"), 0o700))
	for _, name := range []string{"evil.jpg", "dir.d/evil.jpg"} {
		require.NoError(t, os.WriteFile(filepath.Join(root, name), []byte("<?php evil();"), 0o600))
	}
	l, err := net.Listen("tcp", "127.0.0.1:0")
	require.NoError(t, err)
	done := make(chan struct{})
	go func() {
		defer close(done)
		_ = fcgi.Serve(l, http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) { _, _ = io.WriteString(w, "ran") }))
	}()
	t.Cleanup(func() { _ = l.Close(); <-done })
	tr := transport(t, fastcgi.Options{Network: "tcp", Address: l.Addr().String(), Root: root})
	for path, want := range map[string]int{
		"/evil.jpg/x.php": 404, "/evil.jpg/y/x.php": 404, "/dir.d/evil.jpg/x.php/info": 404,
		"/x.php": 200, "/dir.d/x.php": 200, "/dir.d/sub/x.php/info": 200, "/elsewhere/x.php": 200,
	} {
		status, _, _ := send(t, tr, httptest.NewRequest("GET", "http://a.example"+path, nil))
		assert.Equal(t, want, status, path)
	}
}

// where has an application answer with what a script is called, and the root on this machine.
func where(t *testing.T, root string, o fastcgi.Options) func(path string) string {
	t.Helper()
	l, err := net.Listen("tcp", "127.0.0.1:0")
	require.NoError(t, err)
	done := make(chan struct{})
	go func() {
		defer close(done)
		_ = fcgi.Serve(l, http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
			env := fcgi.ProcessEnv(r)
			script := strings.TrimPrefix(env["SCRIPT_FILENAME"], root)
			_, _ = io.WriteString(w, strings.TrimSpace(script+" "+strings.TrimPrefix(env["DOCUMENT_URI"], script)))
		}))
	}()
	t.Cleanup(func() { _ = l.Close(); <-done })
	o.Network, o.Address, o.Root = "tcp", l.Addr().String(), root
	tr := transport(t, o)
	return func(path string) string {
		status, _, body := send(t, tr, httptest.NewRequest("GET", "http://a.example"+path, nil))
		if status == http.StatusNotFound {
			return "404"
		}
		return body
	}
}

func tree(t *testing.T, names ...string) string {
	t.Helper()
	root := t.TempDir()
	for _, name := range names {
		require.NoError(t, os.MkdirAll(filepath.Join(root, filepath.Dir(name)), 0o700))
		require.NoError(t, os.WriteFile(filepath.Join(root, name), nil, 0o600))
	}
	return root
}

func TestTheIndexOfAFolderGoesBeforeTheFront(t *testing.T) {
	root := tree(t, "index.php", "sub/index.php", "sub/start.php", "empty/x.txt", "folder/index.php/x")
	ask := where(t, root, fastcgi.Options{Front: "/index.php"})
	for path, want := range map[string]string{
		"/": "/index.php", "/sub/": "/sub/index.php", "/sub": "/index.php /sub", "/empty/": "/index.php /empty/",
		"/none/": "/index.php /none/", "/folder/": "/index.php /folder/", "/.well-known/x": "/index.php /.well-known/x",
	} {
		assert.Equal(t, want, ask(path), path)
	}
	ask = where(t, root, fastcgi.Options{Front: "/index.php", Index: "start.php"})
	assert.Equal(t, "/sub/start.php", ask("/sub/"))
	assert.Equal(t, "/index.php", ask("/"))
	ask = where(t, "/nowhere/here", fastcgi.Options{Front: "/index.php"})
	assert.Equal(t, "/index.php /sub/", ask("/sub/"), "what is not on this machine can't be looked for")
	ask = where(t, "/nowhere/here", fastcgi.Options{})
	assert.Equal(t, "/sub/index.php", ask("/sub/"))
}

func TestNoLinkLeadsOutOfTheRoot(t *testing.T) {
	top := tree(t, "releases/1/index.php", "releases/1/real/a.php", "out/o.php", "out/index.php")
	for name, to := range map[string]string{
		"www": "releases/1", "releases/1/lout": "../../out", "releases/1/o.php": "../../out/o.php", "releases/1/in": "real",
		"releases/1/absolute": filepath.Join(top, "out"), "releases/1/loop": "loop", "releases/1/gone": "../../gone",
	} {
		require.NoError(t, os.Symlink(to, filepath.Join(top, name)))
	}
	for _, front := range []string{"", "/index.php"} {
		ask := where(t, filepath.Join(top, "www"), fastcgi.Options{Front: front})
		for path, want := range map[string]string{
			"/lout/o.php": "404", "/lout/": "404", "/lout/o.php/info": "404", "/o.php": "404", "/absolute/o.php": "404", "/loop/x.php": "404",
			"/in/a.php": "/in/a.php", "/": "/index.php",
		} {
			assert.Equal(t, want, ask(path), "%s, front %q", path, front)
		}
	}
}

func TestNamesThatBeginWithADotAreNotRun(t *testing.T) {
	ask := where(t, tree(t, ".git/x.php", ".git/index.php", ".well-known/x.php"), fastcgi.Options{})
	for path, want := range map[string]string{
		"/.git/x.php": "404", "/.git/": "404", "/a/.hidden.php": "404", "/.well-known/x.php": "/.well-known/x.php", "/x.php/.info": "/x.php /.info",
	} {
		assert.Equal(t, want, ask(path), path)
	}
	ask = where(t, "/nowhere/here", fastcgi.Options{})
	assert.Equal(t, "404", ask("/.git/x.php"), "wherever the root is")
}

func TestTheConnectionOfTheVisitor(t *testing.T) {
	tr := application(t, func(w http.ResponseWriter, r *http.Request) {
		env := fcgi.ProcessEnv(r)
		_, _ = fmt.Fprint(w, r.Proto, " ", env["REQUEST_SCHEME"], " ", r.TLS != nil, " ", env["SERVER_PORT"]) // TLS is the variable HTTPS
	})
	for _, proto := range []string{"HTTP/1.0", "HTTP/1.1", "HTTP/2.0", "HTTP/3.0"} {
		r := httptest.NewRequest("GET", "https://a.example/", nil)
		r.Proto = proto
		_, _, body := send(t, tr, r)
		assert.Equal(t, proto+" https true 443", body)
	}
	r := httptest.NewRequest("GET", "http://a.example/", nil)
	_, _, body := send(t, tr, r)
	assert.Equal(t, "HTTP/1.1 http false 80", body)
	e := exchange.New(r)
	e.Secure = true // behind a proxy that speaks TLS
	_, _, body = send(t, tr, r.WithContext(e))
	assert.Equal(t, "HTTP/1.1 https true 443", body)
}

func TestPHP(t *testing.T) {
	socket, root := peers.PHP(t, map[string]string{
		"all.php": `<?php
			http_response_code(201);
			header("X-From: php"); header("Set-Cookie: a=1", false); header("Set-Cookie: b=2", false);
			error_log("a complaint");
			echo json_encode([$_SERVER["REQUEST_METHOD"], $_SERVER["REMOTE_ADDR"], $_SERVER["HTTPS"] ?? "", $_POST, $_COOKIE, $_SERVER["HTTP_X_A"] ?? "", $_SERVER["DOCUMENT_ROOT"], $_SERVER["EXTRA"]]);`,
		"move.php": `<?php header("Location: https://b.example/");`,
		"big.php":  `<?php for ($i = 0; $i < 1000; $i++) echo str_repeat("x", 10000);`,
		"up.php":   `<?php echo hash("sha256", file_get_contents("php://input"));`,
	})
	var log bytes.Buffer
	tr := transport(t, fastcgi.Options{Network: "unix", Address: socket, Root: root, Env: map[string]string{"EXTRA": "x"},
		Logger: slog.New(slog.NewTextHandler(&log, nil))})

	r := httptest.NewRequest("POST", "https://a.example/all.php", strings.NewReader("name=ann"))
	r.Header.Set("Content-Type", "application/x-www-form-urlencoded")
	r.Header.Set("X-A", "b")
	r.Header["Cookie"] = []string{"c=1", "d=2"}
	status, header, body := send(t, tr, r)
	assert.Equal(t, 201, status)
	assert.Equal(t, "php", header.Get("X-From"))
	assert.Equal(t, []string{"a=1", "b=2"}, header["Set-Cookie"])
	assert.JSONEq(t, `["POST","192.0.2.1","on",{"name":"ann"},{"c":"1","d":"2"},"b","`+root+`","x"]`, body)
	assert.Contains(t, log.String(), "a complaint")

	status, header, _ = send(t, tr, httptest.NewRequest("GET", "http://a.example/move.php", nil))
	assert.Equal(t, 302, status)
	assert.Equal(t, "https://b.example/", header.Get("Location"))

	_, _, body = send(t, tr, httptest.NewRequest("GET", "http://a.example/big.php", nil))
	assert.Len(t, body, 10_000_000)

	_, _, body = send(t, tr, httptest.NewRequest("HEAD", "http://a.example/big.php", nil))
	assert.Empty(t, body)

	_, _, body = send(t, tr, httptest.NewRequest("POST", "http://a.example/up.php", strings.NewReader(strings.Repeat("abc", 100_000))))
	assert.Len(t, body, 64)
}

// failing reads a few bytes and then fails, as the body of a client that leaves.
type failing struct{ io.Reader }

var errLeft = errors.New("the client left")

func (f failing) Read(p []byte) (int, error) {
	n, err := f.Reader.Read(p)
	if err == io.EOF {
		err = errLeft
	}
	return n, err
}

func TestAClientsFaultIsNotTheApplications(t *testing.T) {
	tr := application(t, func(_ http.ResponseWriter, r *http.Request) { _, _ = io.Copy(io.Discard, r.Body) })
	for _, length := range []int64{100, -1} {
		r := httptest.NewRequest("POST", "http://a.example/", failing{strings.NewReader("x")})
		r.ContentLength = length
		_, err := tr.RoundTrip(r)
		var fault *fastcgi.Error
		require.ErrorAs(t, err, &fault)
		assert.True(t, fault.Client, "%v", err)
		assert.ErrorIs(t, err, errLeft)
	}
}

func TestTheContextEndsARequest(t *testing.T) {
	asked, over := make(chan struct{}), make(chan struct{})
	tr := application(t, func(http.ResponseWriter, *http.Request) {
		close(asked)
		<-over // the library of Go does not tell a handler
	})
	defer close(over)
	ctx, cancel := context.WithCancel(t.Context())
	go func() { <-asked; cancel() }()
	_, err := tr.RoundTrip(httptest.NewRequest("GET", "http://a.example/", nil).WithContext(ctx))
	assert.ErrorIs(t, err, context.Canceled)
}

// raw is an application that sends bytes, whatever it is asked.
func raw(t *testing.T, bytes string, o fastcgi.Options) *fastcgi.Transport {
	t.Helper()
	l, err := net.Listen("tcp", "127.0.0.1:0")
	require.NoError(t, err)
	done := make(chan struct{})
	go func() {
		defer close(done)
		for {
			conn, err := l.Accept()
			if err != nil {
				return
			}
			_, _ = io.WriteString(conn, bytes)
			_, _ = conn.Read(make([]byte, 64<<10))
			if o.Response == 0 {
				_ = conn.Close()
			}
		}
	}()
	t.Cleanup(func() { _ = l.Close(); <-done })
	o.Network, o.Address, o.Root, o.Front = "tcp", l.Addr().String(), "/srv", "/index.php"
	return transport(t, o)
}

// rec is a record.
func rec(kind byte, content string) string {
	return string([]byte{1, kind, 0, 1, byte(len(content) >> 8), byte(len(content)), 0, 0}) + content
}

const end = "\x01\x03\x00\x01\x00\x08\x00\x00\x00\x00\x00\x00\x00\x00\x00\x00"

func TestAnswersThatAreNone(t *testing.T) {
	for name, c := range map[string]struct{ bytes, want string }{
		"nothing":       {"", "unexpected EOF"},
		"ends at once":  {end, "ended without an answer"},
		"http":          {"HTTP/1.1 200 OK\r\n\r\n", "no FastCGI"},
		"other request": {"\x01\x06\x00\x02\x00\x00\x00\x00", "request 2 of 1"},
		"overloaded":    {end[:12] + "\x02\x00\x00\x00", "overloaded"},
		"huge":          {strings.Repeat(rec(6, "X-A: "+strings.Repeat("x", 60_000)+"\r\n"), 2), "more than 64 KiB"},
		"no header":     {rec(6, "hello\r\n\r\n") + end, "malformed"},
		"bad status":    {rec(6, "Status: 099 x\r\n\r\n") + end, "status"},
		"switching":     {rec(6, "Status: 101 x\r\n\r\n") + end, "status"},
		"two lengths":   {rec(6, "Content-Length: 1\r\nContent-Length: 2\r\n\r\n") + end, "length"},
		"short":         {rec(6, "Status: 200 OK\r\n"), "EOF"},
	} {
		t.Run(name, func(t *testing.T) {
			_, err := raw(t, c.bytes, fastcgi.Options{}).RoundTrip(httptest.NewRequest("GET", "http://a.example/", nil))
			require.ErrorContains(t, err, c.want)
			var fault *fastcgi.Error
			require.ErrorAs(t, err, &fault)
			assert.False(t, fault.Client)
		})
	}
}

func TestAnAnswerThatBreaksOff(t *testing.T) {
	for _, bytes := range []string{
		rec(6, "Content-Type: text/plain\r\n\r\nhello"),
		rec(6, "Content-Length: 9\r\n\r\nhello") + end,
	} {
		res, err := raw(t, bytes, fastcgi.Options{}).RoundTrip(httptest.NewRequest("GET", "http://a.example/", nil))
		require.NoError(t, err)
		body, err := io.ReadAll(res.Body)
		assert.ErrorIs(t, err, io.ErrUnexpectedEOF)
		assert.Equal(t, "hello", string(body))
		res.Body.Close()
	}
}

func TestAnApplicationThatHangs(t *testing.T) {
	_, err := raw(t, "", fastcgi.Options{Response: 30 * time.Millisecond}).RoundTrip(httptest.NewRequest("GET", "http://a.example/", nil))
	var timeout net.Error
	require.ErrorAs(t, err, &timeout)
	assert.True(t, timeout.Timeout())
}

func TestOptionsThatMakeNoSense(t *testing.T) {
	good := fastcgi.Options{Network: "tcp", Address: "127.0.0.1:9000", Root: "/srv"}
	for want, change := range map[string]func(*fastcgi.Options){
		"want tcp or unix": func(o *fastcgi.Options) { o.Network = "udp" },
		"no address":       func(o *fastcgi.Options) { o.Address = "" },
		"absolute path":    func(o *fastcgi.Options) { o.Root = "public" },
		"index":            func(o *fastcgi.Options) { o.Index = "index.html" },
		"extension":        func(o *fastcgi.Options) { o.Extension, o.Index = "php", "index.php" },
		"front":            func(o *fastcgi.Options) { o.Front = "index.php" },
	} {
		o := good
		change(&o)
		_, err := fastcgi.New(o)
		assert.ErrorContains(t, err, want)
	}
}

// FuzzAnswer: whatever an application sends, it is an answer or an error.
func FuzzAnswer(f *testing.F) {
	f.Add([]byte(rec(6, "Status: 404 x\r\nContent-Type: text/plain\r\n\r\nhello") + rec(7, "oops") + end))
	f.Add([]byte(rec(6, "Content-Length: 3\r\n\r\nhello") + end))
	f.Fuzz(func(t *testing.T, data []byte) {
		client, server := net.Pipe()
		go func() { _, _ = io.Copy(io.Discard, server) }()
		go func() { _, _ = server.Write(data); _ = server.Close() }()
		res, err := fastcgi.ReadAnswer(client, httptest.NewRequest("GET", "http://a.example/", nil))
		if err == nil {
			_, _ = io.Copy(io.Discard, res.Body)
			_ = res.Body.Close()
			assert.GreaterOrEqual(t, res.StatusCode, 200)
		}
		_ = client.Close()
	})
}
