package luabind_test

import (
	"bufio"
	"context"
	"io"
	"log/slog"
	"net"
	"net/http"
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"rws/luabind"
	"rws/server"
)

// serve starts a server for a program, and returns its address.
func serve(t *testing.T, p *luabind.Program) string {
	t.Helper()
	s := server.New(server.Options{Logger: slog.New(slog.DiscardHandler)})
	app := *p.App
	app.Settings.Listen, app.Settings.Listeners = []string{"127.0.0.1:0"}, nil
	require.NoError(t, s.Start(t.Context(), &app))
	t.Cleanup(func() { _ = s.Shutdown(context.Background()) })
	return s.Addrs()[0].String()
}

// A client that sends a byte now and then holds its handler no longer than the timeout.
func TestABodyThatTricklesEndsAtTheDeadline(t *testing.T) {
	p := newApp(t, `
		app:post("/body", { timeout = "300ms" }, function(c) return c.body end)
		app:post("/json", { timeout = "300ms", body = { a = "int" } }, function(c) return "x" end)
		app:post("/form", { timeout = "300ms" }, function(c) return c.form.a end)
		app:post("/files", { timeout = "300ms" }, function(c) return c.files.f:read() end)`, nil)
	address := serve(t, p)
	for path, kind := range map[string]string{
		"/body": "text/plain", "/json": "application/json", "/form": "application/x-www-form-urlencoded", "/files": ofParts,
	} {
		conn, err := net.Dial("tcp", address)
		require.NoError(t, err)
		_, err = io.WriteString(conn, "POST "+path+" HTTP/1.1\r\nHost: a\r\nContent-Type: "+kind+"\r\nContent-Length: 1000\r\n\r\n")
		require.NoError(t, err)
		go func() {
			for range time.Tick(50 * time.Millisecond) {
				if _, err := conn.Write([]byte(" ")); err != nil {
					return
				}
			}
		}()
		r := bufio.NewReader(conn)
		res, failed := http.ReadResponse(r, nil)
		require.NoError(t, failed, path)
		assert.Equal(t, 408, res.StatusCode, path)
		text, err := io.ReadAll(res.Body)
		require.NoError(t, err)
		assert.Contains(t, string(text), "the client does not send the request body in time: the timeout of this request has passed", path)
		assert.True(t, res.Close, path)
		conn.Close()
	}
}

// A body that was there all the time is not late, whatever the handler did before it read it.
func TestAHandlerThatReadsTooLateIsLateItself(t *testing.T) {
	p := newApp(t, `app:post("/", { timeout = "50ms" }, function(c) pcall(rws.sleep, "2s") return c.body end)`, nil)
	assert.Equal(t, 504, do(t, p, "POST /", luabind.Call{Body: "hello"}).Status)
}

// What is there of a part when nothing more comes is no reason to call it malformed.
func TestAnUploadThatStallsIsTooSlowWhereverItDoes(t *testing.T) {
	address := serve(t, newApp(t, `app:post("/", { timeout = "200ms" }, function(c) return c.form.a end)`, nil))
	for name, begun := range map[string]string{
		"before the first":            "",
		"in a boundary":               "--",
		"behind a boundary":           "--b\r\n",
		"in the name of a header":     "--b\r\nContent-Dispo",
		"in the value of a header":    "--b\r\nContent-Disposition: form-da",
		"behind a header":             "--b\r\nContent-Disposition: form-data; name=\"a\"\r\n",
		"in a value":                  "--b\r\nContent-Disposition: form-data; name=\"a\"\r\n\r\n1",
		"in the head of another part": onePart + "--b\r\nContent-Dispo",
		"in a file":                   "--b\r\nContent-Disposition: form-data; name=\"f\"; filename=\"f\"\r\n\r\n1",
	} {
		conn, err := net.Dial("tcp", address)
		require.NoError(t, err)
		defer conn.Close()
		_, err = io.WriteString(conn, "POST / HTTP/1.1\r\nHost: a\r\nContent-Type: "+ofParts+"\r\nContent-Length: 1000\r\n\r\n"+begun)
		require.NoError(t, err)
		res, err := http.ReadResponse(bufio.NewReader(conn), nil)
		require.NoError(t, err, name)
		assert.Equal(t, 408, res.StatusCode, name)
	}
}
