package luabind_test

import (
	"bufio"
	"bytes"
	"fmt"
	"io"
	"log/slog"
	"mime/multipart"
	"net"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"rws/server"
	"rws/spec_test/peers"
)

// echoes is a backend that says what it got.
func echoes(t *testing.T) string {
	return backend(t, func(w http.ResponseWriter, r *http.Request) {
		body, err := io.ReadAll(r.Body)
		assert.NoError(t, err)
		fmt.Fprintf(w, "%s|%d|%s", r.Header.Get("X-Seen"), r.ContentLength, body)
	})
}

// post sends a body, in chunks when size is negative.
func post(t *testing.T, url, contentType string, body []byte, size int64) (int, string) {
	t.Helper()
	r, err := http.NewRequest("POST", url, io.MultiReader(bytes.NewReader(body)))
	require.NoError(t, err)
	r.ContentLength = size
	r.Header.Set("Content-Type", contentType)
	res, err := http.DefaultClient.Do(r)
	require.NoError(t, err)
	defer res.Body.Close()
	answer, err := io.ReadAll(res.Body)
	require.NoError(t, err)
	return res.StatusCode, string(answer)
}

// parts is a form with a file of n bytes.
func parts(t *testing.T, n int) (contentType string, body []byte) {
	var b bytes.Buffer
	m := multipart.NewWriter(&b)
	require.NoError(t, m.WriteField("a", "1"))
	f, err := m.CreateFormFile("f", "f.bin")
	require.NoError(t, err)
	_, err = f.Write(bytes.Repeat([]byte("x"), n))
	require.NoError(t, err)
	require.NoError(t, m.Close())
	return m.FormDataContentType(), append(b.Bytes(), "\r\nafter the end"...)
}

// What functions before a proxy read of the body is for the backend all the same.
func TestABodyThatAFunctionHasReadReachesTheBackend(t *testing.T) {
	p, url := served(t, fmt.Sprintf(`
		local to = %q
		local function seen(c, v) c.res.headers["X-A"] = tostring(v) end
		app:proxy("/body", function(c, next) assert(#c.body > 0) return next() end, to)
		app:proxy("/json", function(c, next) assert(c:read_json().a == 1) return next() end, to)
		app:proxy("/form", function(c, next) assert(c.form.a == "1") return next() end, to)
		app:proxy("/both", function(c, next) assert(c.form.a == "1") assert(#c.body > 0) return next() end, to)
		app:proxy("/twice", function(c, next) assert(c.form.a == "1") return next() end, rws.request_id(), function(c, next) assert(c.form.a == "1") return next() end, to)
		app:proxy("/after", rws.timeout "10s", rws.max_body "10mb", function(c, next) assert(#c.body > 0) return next() end, to)
	`, echoes(t)))
	_ = p
	kind, small := parts(t, 10)
	large, file := parts(t, 3<<20)
	form := "application/x-www-form-urlencoded"
	for _, c := range []struct {
		path, kind string
		body       []byte
	}{
		{"/body", "text/plain", []byte("text")}, {"/json", "application/json", []byte(`{"a":1}`)}, {"/form", form, []byte("a=1&b=2")},
		{"/both", form, []byte("a=1&b=2")}, {"/form", kind, small}, {"/form", large, file}, {"/twice", form, []byte("a=1")}, {"/twice", kind, small},
		{"/twice", large, file}, {"/after", "text/plain", []byte("text")},
	} {
		for _, size := range []int64{int64(len(c.body)), -1} {
			status, answer := post(t, url+c.path, c.kind, c.body, size)
			assert.Equal(t, 200, status, c.path)
			_, got, _ := strings.Cut(strings.TrimPrefix(answer, "|"), "|")
			assert.Equal(t, len(c.body), len(got), "%s %s: %.80s", c.path, c.kind, answer)
			assert.Equal(t, string(c.body), got, c.path)
		}
	}
}

// Where no backend can be reached, the fallback has the body.
func TestAFallbackHasTheBody(t *testing.T) {
	dead := "http://" + peers.FreeAddress(t)
	_, url := served(t, fmt.Sprintf(`
		app:proxy("/body", %q, { fallback = function(c) return "fallback " .. c.body end })
		app:proxy("/read", function(c, next) assert(#c.body > 0) return next() end, %q, { fallback = function(c) return "fallback " .. c.body end })
		app:proxy("/json", %q, { fallback = function(c) return c:read_json().a end })
		app:proxy("/none", function(c, next) return next() end, %q)
	`, dead, dead, dead, dead))
	large := strings.Repeat("x", 100<<10)
	for _, path := range []string{"/body", "/read"} {
		for _, body := range []string{"small", large} {
			for _, size := range []int64{int64(len(body)), -1} {
				status, answer := post(t, url+path, "text/plain", []byte(body), size)
				assert.Equal(t, 200, status)
				assert.Equal(t, "fallback "+body, answer)
			}
		}
	}
	status, answer := post(t, url+"/json", "application/json", []byte(`{"a":"yes"}`), -1)
	assert.Equal(t, 200, status)
	assert.Equal(t, "yes", answer)
	status, _ = post(t, url+"/none", "text/plain", []byte("x"), 1)
	assert.Equal(t, 502, status, "where there is none, behind a function too")
}

// What has begun lasts longer than rws.timeout, with a function around it or not.
func TestATimeoutBeforeAProxyDoesNotCutWhatHasBegun(t *testing.T) {
	b := backend(t, func(w http.ResponseWriter, r *http.Request) {
		if r.Header.Get("Upgrade") == "" {
			w.Header().Set("Content-Type", "text/event-stream")
			for n := range 3 {
				fmt.Fprintf(w, "data: %d\n\n", n)
				w.(http.Flusher).Flush()
				time.Sleep(200 * time.Millisecond)
			}
			return
		}
		conn, rw, err := http.NewResponseController(w).Hijack()
		if !assert.NoError(t, err) {
			return
		}
		defer conn.Close()
		_, _ = rw.WriteString("HTTP/1.1 101 Switching Protocols\r\nConnection: Upgrade\r\nUpgrade: echo\r\n\r\n")
		_ = rw.Flush()
		_, _ = io.Copy(conn, rw)
	})
	_, url := served(t, fmt.Sprintf(before+`local to = %q
		app:proxy("/a/*", rws.timeout "250ms", to)
		app:proxy("/b/*", before, rws.timeout "250ms", to)
		app:proxy("/c/*", rws.timeout "250ms", before, rws.compress(), to)`, b))
	for _, path := range []string{"/a/x", "/b/x", "/c/x"} {
		res, body := get(t, url+path)
		assert.Equal(t, 200, res.StatusCode)
		assert.Equal(t, 3, strings.Count(body, "data:"), path)
		conn, err := net.Dial("tcp", strings.TrimPrefix(url, "http://"))
		require.NoError(t, err)
		require.NoError(t, conn.SetDeadline(time.Now().Add(10*time.Second)))
		_, err = io.WriteString(conn, "GET "+path+" HTTP/1.1\r\nHost: a\r\nConnection: Upgrade\r\nUpgrade: echo\r\n\r\n")
		require.NoError(t, err)
		r := bufio.NewReader(conn)
		res, err = http.ReadResponse(r, nil)
		require.NoError(t, err)
		assert.Equal(t, 101, res.StatusCode, path)
		for range 3 {
			time.Sleep(150 * time.Millisecond)
			_, err = io.WriteString(conn, "hello\n")
			require.NoError(t, err)
			line, err := r.ReadString('\n')
			require.NoError(t, err, path)
			assert.Equal(t, "hello\n", line)
		}
		require.NoError(t, conn.Close())
	}
}

// A type that the backend has not said, or that was removed, is none of anybody's.
func TestNobodyGuessesTheTypeOfAProxiedAnswer(t *testing.T) {
	b := backend(t, func(w http.ResponseWriter, r *http.Request) {
		w.Header()["Content-Type"] = nil
		w.Header().Set("Cache-Control", "max-age=60")
		if r.URL.Query().Get("typed") != "" {
			w.Header().Set("Content-Type", "text/html")
		}
		fmt.Fprint(w, "<html>", strings.Repeat("text ", 1000))
	})
	address, stop := serveQuietly(t, fmt.Sprintf(before+`local to = %q
		app:proxy("/plain", to)
		app:proxy("/lua", before, to)
		app:proxy("/removed", to, { response = { remove = { "Content-Type" } } })
		app:proxy("/hook", to, { on_response = function(c, res) res.headers["Content-Type"] = nil end })
		app:proxy("/headers", rws.headers { response = { remove = { "Content-Type" } } }, to)
		app:proxy("/function", function(c, next) local r = next() r.headers["Content-Type"] = nil return r end, to)
		app:proxy("/compress", rws.compress(), to)
		app:proxy("/timeout", rws.timeout "10s", before, rws.compress(), to)
		app:proxy("/cache", rws.http_cache { ttl = "1m" }, to)`, b), "1")
	defer stop()
	removes := map[string]bool{"/removed": true, "/hook": true, "/headers": true, "/function": true}
	for _, path := range []string{"/plain", "/lua", "/removed", "/hook", "/headers", "/function", "/compress", "/timeout", "/cache", "/cache"} {
		res, body := get(t, "http://"+address+path)
		assert.Contains(t, body, "<html>", path)
		assert.NotContains(t, res.Header, "Content-Type", path)
		if removes[path] {
			res, _ = get(t, "http://"+address+path+"?typed=1")
			assert.NotContains(t, res.Header, "Content-Type", path)
		}
	}
}

// What a hook does wrong is no fault of the visitor, and says where it is.
func TestFaultsOfHooksOfProxies(t *testing.T) {
	var out bytes.Buffer
	p := script(t, fmt.Sprintf(`local to = %q
app:proxy("/body", to, { on_request = function(c) return c.body end })
app:proxy("/json", to, { on_request = function(c) c:read_json() end })
app:proxy("/form", to, { on_request = function(c) local a = c.form.a end })
app:proxy("/query", to, { on_request = function(c, request) request.query = "x=1&y=a b" end })
app:proxy("/good", to, { on_request = function(c, request) request.query = "?x=1&y=a%%20b|c" end })
app:proxy("/redirect", to, { on_request = function(c) return c:redirect("/") end })
app:proxy("/text", to, { on_response = function(c) return c:text("x") end })
`, echoes(t)), logTo(&out, slog.LevelWarn))
	require.NoError(t, p.Start(t.Context()))
	standard := slog.Default()
	slog.SetDefault(slog.New(slog.NewTextHandler(&out, nil))) // where a handler without a server writes
	defer slog.SetDefault(standard)
	h, err := server.Compile(p.App)
	require.NoError(t, err)
	ask := func(path string) *httptest.ResponseRecorder {
		out.Reset()
		r := httptest.NewRequest("POST", path, strings.NewReader("a=1"))
		r.Header.Set("Content-Type", "application/x-www-form-urlencoded")
		w := httptest.NewRecorder()
		h.ServeHTTP(w, r)
		return w
	}
	for path, want := range map[string][]string{
		"/body":     {"app.lua:2", "a hook of a proxy has no body"},
		"/json":     {"app.lua:3", "a hook of a proxy has no body"},
		"/form":     {"app.lua:4", "a hook of a proxy has no body"},
		"/query":    {"app.lua:5", "request.query"},
		"/redirect": {"app.lua:7", "returned an answer"},
		"/text":     {"app.lua:8", "returned an answer"},
	} {
		w := ask(path)
		assert.Equal(t, 500, w.Code, path)
		assert.NotContains(t, w.Body.String(), "limit counts")
		for _, part := range want {
			assert.Contains(t, out.String(), part, path)
		}
	}
	assert.Equal(t, 200, ask("/good").Code)
}
