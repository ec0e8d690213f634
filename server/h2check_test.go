package server_test

import (
	"bytes"
	"io"
	"net/http"
	"strconv"
	"strings"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
	"golang.org/x/net/http2"
	"golang.org/x/net/http2/hpack"

	"rws/server"
)

// frames sends a request of just these fields, "name=value", and a body, and returns the status of the
// answer, 0 for a stream that is broken off.
func frames(t *testing.T, s *server.Server, body string, fields ...string) int {
	t.Helper()
	conn := dial(t, s, http2.ClientPreface)
	defer conn.Close()
	var block bytes.Buffer
	encoder := hpack.NewEncoder(&block)
	for _, field := range fields {
		i := strings.IndexByte(field, '=')
		require.NoError(t, encoder.WriteField(hpack.HeaderField{Name: field[:i], Value: field[i+1:]}))
	}
	framer := http2.NewFramer(conn, conn)
	framer.ReadMetaHeaders = hpack.NewDecoder(4096, nil)
	require.NoError(t, framer.WriteSettings())
	require.NoError(t, framer.WriteHeaders(http2.HeadersFrameParam{StreamID: 1, BlockFragment: block.Bytes(), EndStream: body == "", EndHeaders: true}))
	if body != "" {
		require.NoError(t, framer.WriteData(1, true, []byte(body)))
	}
	for {
		frame, err := framer.ReadFrame()
		require.NoError(t, err)
		switch f := frame.(type) {
		case *http2.MetaHeadersFrame:
			status, err := strconv.Atoi(f.PseudoValue("status"))
			require.NoError(t, err)
			return status
		case *http2.RSTStreamFrame:
			return 0
		}
	}
}

// What the parser of HTTP/1 refuses does not pass as HTTP/2.
func TestHTTP2IsReadAsStrictlyAsHTTP1(t *testing.T) {
	value := "none"
	s := run(t, &server.App{
		Settings: server.Settings{H2C: true},
		Routes: []server.Route{{Pattern: "/*", Handler: http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
			value = r.Header.Get("X-Value")
			_, _ = io.Copy(io.Discard, r.Body)
			w.WriteHeader(http.StatusNoContent)
		})}},
	}, server.Options{})
	ask := func(body string, authority, method, path string, fields ...string) int {
		head := []string{":method=" + method, ":scheme=http", ":path=" + path}
		if authority != "none" {
			head = append(head, ":authority="+authority)
		}
		return frames(t, s, body, append(head, fields...)...)
	}
	for _, authority := range []string{"x", "x:80", "[::1]:80", "A.example"} {
		assert.Equal(t, 204, ask("", authority, "GET", "/"), authority)
	}
	assert.Equal(t, 204, ask("", "none", "GET", "/", "host=x"))
	for _, authority := range []string{
		"none", "", "localhost/admin", "a b", `a"b`, "a<b>", `evil.com\x`, "evil.com#x", "a\xfc", "a:x", "a:80:80", "user@a", ":80",
	} {
		assert.Contains(t, []int{0, 400}, ask("", authority, "GET", "/"), authority)
	}
	assert.Equal(t, 400, ask("", "none", "GET", "/", "host=a b"))
	for _, method := range []string{"G T", "GET\xfc", "G(T", `G"T`} {
		assert.Contains(t, []int{0, 400}, ask("", "x", method, "/"), method)
	}
	for _, path := range []string{"/a b", "/a#b", "/a\xfc", "/#", "http://evil/admin", "a", "*"} {
		assert.Contains(t, []int{0, 400}, ask("", "x", "GET", path), path)
	}
	assert.Equal(t, 204, ask("", "x", "OPTIONS", "*"))

	assert.Equal(t, 204, ask("hello", "x", "POST", "/", "content-length=5"))
	assert.Equal(t, 204, ask("hello", "x", "POST", "/"))
	assert.Equal(t, 204, ask("", "x", "POST", "/", "content-length=0"))
	for _, lengths := range [][]string{{"5", "6"}, {"6", "5"}, {"5", "5"}, {"x"}, {""}, {"5, 5"}, {"+5"}, {"-1"}} {
		fields := make([]string, len(lengths))
		for i, length := range lengths {
			fields[i] = "content-length=" + length
		}
		assert.Contains(t, []int{0, 400}, ask("hello", "x", "POST", "/", fields...), lengths)
	}
	assert.Contains(t, []int{0, 400}, ask("", "x", "POST", "/", "content-length=5"), "a body that never comes")

	assert.Equal(t, 417, ask("hello", "x", "POST", "/", "expect=foo"))

	assert.Equal(t, 204, ask("", "x", "GET", "/", "x-value= \tadmin "))
	assert.Equal(t, "admin", value, "as HTTP/1 would have read it")
}
