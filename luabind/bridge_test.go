package luabind_test

import (
	"bufio"
	"fmt"
	"io"
	"net"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"rws/luabind"
	"rws/server"
)

// served serves what a script declares, on a socket.
func served(t *testing.T, source string) (*luabind.Program, string) {
	t.Helper()
	p := script(t, source)
	require.NoError(t, p.Start(t.Context()))
	h, err := server.Compile(p.App)
	require.NoError(t, err)
	s := httptest.NewServer(h)
	t.Cleanup(s.Close)
	return p, s.URL
}

// backend is a server for proxies.
func backend(t *testing.T, h http.HandlerFunc) string {
	t.Helper()
	s := httptest.NewServer(h)
	t.Cleanup(s.Close)
	return s.URL
}

func get(t *testing.T, url string) (*http.Response, string) {
	t.Helper()
	res, err := http.Get(url)
	require.NoError(t, err)
	defer res.Body.Close()
	body, err := io.ReadAll(res.Body)
	require.NoError(t, err)
	return res, string(body)
}

// before is middleware in Lua that changes the head of an answer.
const before = `local function before(c, next) local r = next() rws.sleep("1ms") r.headers["X-Lua"] = "1" return r end `

// What a backend says goes through middleware in Lua as it is: no type is made up, and trailers pass.
func TestAnswersOfBackendsPassMiddlewareInLua(t *testing.T) {
	b := backend(t, func(w http.ResponseWriter, r *http.Request) {
		if r.URL.Path == "/plain" {
			w.Header()["Content-Type"] = nil
			fmt.Fprint(w, "hello")
			return
		}
		w.Header().Set("Trailer", "X-Sum")
		fmt.Fprint(w, "some")
		w.(http.Flusher).Flush()
		w.Header().Set("X-Sum", "7")
		w.Header().Set(http.TrailerPrefix+"X-Late", "8")
	})
	_, url := served(t, fmt.Sprintf(before+`app:proxy("/*", before, %q)`, b))
	res, body := get(t, url+"/plain")
	assert.Equal(t, "hello", body)
	assert.Equal(t, "1", res.Header.Get("X-Lua"))
	assert.NotContains(t, res.Header, "Content-Type")
	res, _ = get(t, url+"/trailers")
	assert.Equal(t, "7", res.Trailer.Get("X-Sum"))
	assert.Equal(t, "8", res.Trailer.Get("X-Late"))
}

// The time of a handler is for what the script does: a backend has times of its own, and so has a stream.
func TestTheTimeOfHandlersDoesNotCutProxies(t *testing.T) {
	b := backend(t, func(w http.ResponseWriter, r *http.Request) {
		time.Sleep(300 * time.Millisecond)
		w.Header().Set("Content-Type", "text/event-stream")
		for n := range 3 {
			fmt.Fprintf(w, "data: %d\n\n", n)
			w.(http.Flusher).Flush()
			time.Sleep(100 * time.Millisecond)
		}
	})
	_, url := served(t, fmt.Sprintf(`app:config { timeout = "200ms" } `+before+`app:proxy("/*", before, %q)`, b))
	res, body := get(t, url)
	assert.Equal(t, 200, res.StatusCode)
	assert.Equal(t, "1", res.Header.Get("X-Lua"), "the script goes on with what it had left")
	assert.Equal(t, 3, strings.Count(body, "data:"))
}

// WebSockets and other upgrades go through middleware in Lua.
func TestUpgradesPassMiddlewareInLua(t *testing.T) {
	b := backend(t, func(w http.ResponseWriter, r *http.Request) {
		conn, rw, err := http.NewResponseController(w).Hijack()
		if !assert.NoError(t, err) {
			return
		}
		defer conn.Close()
		_, _ = rw.WriteString("HTTP/1.1 101 Switching Protocols\r\nConnection: Upgrade\r\nUpgrade: echo\r\n\r\n")
		_ = rw.Flush()
		_, _ = io.Copy(conn, rw)
	})
	_, url := served(t, fmt.Sprintf(`app:config { timeout = "100ms" } `+before+`app:proxy("/*", before, %q)`, b))
	conn, err := net.Dial("tcp", strings.TrimPrefix(url, "http://"))
	require.NoError(t, err)
	defer conn.Close()
	require.NoError(t, conn.SetDeadline(time.Now().Add(10*time.Second)))
	_, err = io.WriteString(conn, "GET / HTTP/1.1\r\nHost: a\r\nConnection: Upgrade\r\nUpgrade: echo\r\n\r\n")
	require.NoError(t, err)
	r := bufio.NewReader(conn)
	res, err := http.ReadResponse(r, nil)
	require.NoError(t, err)
	assert.Equal(t, 101, res.StatusCode)
	assert.Equal(t, "1", res.Header.Get("X-Lua"))
	time.Sleep(200 * time.Millisecond) // longer than a handler has
	_, err = io.WriteString(conn, "hello\n")
	require.NoError(t, err)
	line, err := r.ReadString('\n')
	require.NoError(t, err)
	assert.Equal(t, "hello\n", line)
}
