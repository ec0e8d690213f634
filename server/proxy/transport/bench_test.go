package transport_test

import (
	"context"
	"fmt"
	"io"
	"net"
	"net/http"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"

	"rws/server/proxy/transport"
)

// benchmarked returns net/http's transport, tuned, and ours, to one address.
func benchmarked(b *testing.B, address string) map[string]http.RoundTripper {
	theirs := &http.Transport{
		MaxIdleConnsPerHost: 256, DisableCompression: true, WriteBufferSize: 16 << 10, ReadBufferSize: 16 << 10,
		DialContext: func(ctx context.Context, _, _ string) (net.Conn, error) {
			return (&net.Dialer{}).DialContext(ctx, "tcp", address)
		},
	}
	b.Cleanup(theirs.CloseIdleConnections)
	return map[string]http.RoundTripper{"own": open(b, transport.Options{Address: address}), "nethttp": theirs}
}

// fixed answers each request with size bytes, with as little work as can be.
func fixed(b *testing.B, size int) string {
	answer := []byte(fmt.Sprintf("HTTP/1.1 200 OK\r\nContent-Type: text/plain\r\nServer: x\r\nDate: Mon, 02 Jan 2006 15:04:05 GMT\r\nContent-Length: %d\r\n\r\n%s", size, strings.Repeat("x", size)))
	l, err := net.Listen("tcp", "127.0.0.1:0")
	require.NoError(b, err)
	b.Cleanup(func() { l.Close() })
	go func() {
		for {
			nc, err := l.Accept()
			if err != nil {
				return
			}
			go func() {
				defer nc.Close()
				for in := make([]byte, 64<<10); ; {
					if _, err := nc.Read(in); err != nil {
						return
					}
					if _, err := nc.Write(answer); err != nil {
						return
					}
				}
			}()
		}
	}()
	return l.Addr().String()
}

// BenchmarkGet is one request after the other, as a proxy makes them: with fields to send and a
// context that can be cancelled.
func BenchmarkGet(b *testing.B) {
	for _, size := range []int{1 << 10, 64 << 10, 1 << 20} {
		for name, rt := range benchmarked(b, fixed(b, size)) {
			b.Run(fmt.Sprintf("%dKiB/%s", size>>10, name), func(b *testing.B) {
				b.ReportAllocs()
				b.SetBytes(int64(size))
				run(b, rt)
			})
		}
	}
}

func BenchmarkGetParallel(b *testing.B) {
	for name, rt := range benchmarked(b, fixed(b, 1<<10)) {
		b.Run("1KiB/"+name, func(b *testing.B) {
			b.ReportAllocs()
			b.SetParallelism(16)
			b.RunParallel(func(p *testing.PB) {
				ctx, cancel := context.WithCancel(b.Context())
				defer cancel()
				r, scratch := proxied(b, ctx), make([]byte, 32<<10)
				for p.Next() {
					once(b, rt, r, scratch)
				}
			})
		})
	}
}

func run(b *testing.B, rt http.RoundTripper) {
	ctx, cancel := context.WithCancel(b.Context())
	defer cancel()
	r, scratch := proxied(b, ctx), make([]byte, 32<<10)
	for b.Loop() {
		once(b, rt, r, scratch)
	}
}

func proxied(b *testing.B, ctx context.Context) *http.Request {
	r, err := http.NewRequestWithContext(ctx, "GET", "http://example.org/some/path?with=query", nil)
	require.NoError(b, err)
	for _, name := range []string{"Accept", "User-Agent", "Accept-Language", "X-Forwarded-For", "X-Forwarded-Proto", "X-Forwarded-Host", "Via"} {
		r.Header.Set(name, "some value, not long")
	}
	return r
}

func once(b *testing.B, rt http.RoundTripper, r *http.Request, scratch []byte) {
	res, err := rt.RoundTrip(r)
	if err != nil {
		b.Fatal(err)
	}
	for err == nil {
		_, err = res.Body.Read(scratch)
	}
	if err != io.EOF {
		b.Fatal(err)
	}
	res.Body.Close()
}
