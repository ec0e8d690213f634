package proxy_test

import (
	"bufio"
	"bytes"
	"net"
	"net/http"
	"net/http/httputil"
	"net/url"
	"sync"
	"testing"

	"github.com/stretchr/testify/require"

	"rws/server/proxy"
)

// kilobyte answers every request with 1 KiB, at the cost of a read and a write.
func kilobyte(b *testing.B) string {
	answer := append([]byte("HTTP/1.1 200 OK\r\nContent-Type: text/plain\r\nDate: Mon, 02 Jan 2006 15:04:05 GMT\r\nContent-Length: 1024\r\n\r\n"), bytes.Repeat([]byte("x"), 1024)...)
	return "http://" + listen(b, func(c net.Conn) {
		r := bufio.NewReader(c)
		for {
			for {
				line, err := r.ReadSlice('\n')
				if err != nil {
					return
				}
				if len(line) == 2 {
					break
				}
			}
			if _, err := c.Write(answer); err != nil {
				return
			}
		}
	})
}

type pooled struct{ sync.Pool }

func (p *pooled) Get() []byte  { return *p.Pool.Get().(*[]byte) }
func (p *pooled) Put(b []byte) { p.Pool.Put(&b) }

// reverseProxy is that of the standard library with the three settings that matter.
func reverseProxy(b *testing.B, at string) http.Handler {
	u, err := url.Parse(at)
	require.NoError(b, err)
	transport := &http.Transport{MaxIdleConnsPerHost: 1024, DisableCompression: true}
	b.Cleanup(transport.CloseIdleConnections)
	return &httputil.ReverseProxy{
		Rewrite: func(r *httputil.ProxyRequest) {
			r.SetURL(u)
			r.SetXForwarded()
		},
		Transport:  transport,
		BufferPool: &pooled{sync.Pool{New: func() any { b := make([]byte, 32<<10); return &b }}},
	}
}

// BenchmarkGet is one client that asks for 1 KiB over a kept connection, with the proxy and the backend in the
// same process; client and backend allocate nothing.
func BenchmarkGet(b *testing.B) {
	at := kilobyte(b)
	for _, c := range []struct {
		name string
		h    http.Handler
	}{{"rws", to(b, proxy.Options{}, at)}, {"httputil", reverseProxy(b, at)}, {"none", http.HandlerFunc(direct)}} {
		b.Run(c.name, func(b *testing.B) {
			f := serve(b, c.h)
			conn, r := raw(b, f.addr, "")
			request := []byte("GET /path HTTP/1.1\r\nHost: example.com\r\nUser-Agent: bench\r\nAccept: */*\r\n\r\n")
			b.ReportAllocs()
			for b.Loop() {
				if _, err := conn.Write(request); err != nil {
					b.Fatal(err)
				}
				for {
					line, err := r.ReadSlice('\n')
					if err != nil {
						b.Fatal(err)
					}
					if len(line) == 2 {
						break
					}
				}
				if _, err := r.Discard(1024); err != nil {
					b.Fatal(err)
				}
			}
			_ = conn.Close()
		})
	}
}

var kilo = bytes.Repeat([]byte("x"), 1024)

// direct is what the front alone costs.
func direct(w http.ResponseWriter, _ *http.Request) { _, _ = w.Write(kilo) }
