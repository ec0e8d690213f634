package http1_test

import (
	"bufio"
	"io"
	"net"
	"net/http"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"

	"rws/server/http1"
)

// BenchmarkConnection compares whole requests over loopback with net/http, client's share included.
func BenchmarkConnection(b *testing.B) {
	request := "GET /hello/bob?a=b HTTP/1.1\r\nHost: localhost:3000\r\nUser-Agent: curl/8.0\r\nAccept: */*\r\n\r\n"
	for _, c := range []struct {
		name, request string
		handler       http.HandlerFunc
	}{
		{"small", request, say(`{"hello":"bob"}`)},
		{"10KB", request, func(w http.ResponseWriter, _ *http.Request) {
			w.Header().Set("Content-Type", "application/json")
			w.Header().Set("Content-Length", "10000")
			_, _ = io.WriteString(w, large)
		}},
		{"post", "POST / HTTP/1.1\r\nHost: x\r\nContent-Length: 3\r\n\r\nabc", echo},
		{"waited", request, func(w http.ResponseWriter, r *http.Request) { r.Context().Done(); _, _ = io.WriteString(w, "ab") }},
	} {
		b.Run(c.name+"/own", func(b *testing.B) { exchange(b, serve(b, &http1.Server{Handler: c.handler}), c.request) })
		b.Run(c.name+"/nethttp", func(b *testing.B) {
			l, err := net.Listen("tcp", "127.0.0.1:0")
			require.NoError(b, err)
			s := &http.Server{Handler: c.handler}
			go s.Serve(l)
			defer s.Close()
			exchange(b, l.Addr().String(), c.request)
		})
	}
}

var large = strings.Repeat("x", 10_000)

func exchange(b *testing.B, address, request string) {
	conn, err := net.Dial("tcp", address)
	require.NoError(b, err)
	defer conn.Close()
	r := bufio.NewReader(conn)
	b.ReportAllocs()
	for b.Loop() {
		_, _ = io.WriteString(conn, request)
		n := 0
		for { // a lean client: what it costs is not what is measured
			line, err := r.ReadSlice('\n')
			if err != nil {
				b.Fatal(err)
			}
			if len(line) == 2 {
				break
			}
			if rest, ok := strings.CutPrefix(string(line), "Content-Length: "); ok {
				for _, d := range strings.TrimSpace(rest) {
					n = n*10 + int(d-'0')
				}
			}
		}
		if _, err := r.Discard(n); err != nil {
			b.Fatal(err)
		}
	}
}
