package server_test

import (
	"bytes"
	"errors"
	"io"
	"net"
	"net/http"
	"net/http/httptest"
	"net/url"
	"testing"

	"rws/server"
	"rws/server/logs"
)

// sink is a ResponseWriter that costs nothing.
type sink struct{ header http.Header }

func (s *sink) Header() http.Header         { return s.header }
func (s *sink) Write(p []byte) (int, error) { return len(p), nil }
func (s *sink) WriteHeader(int)             {}

var greeting = []byte("Hello, World!")

var hello = http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) {
	_, _ = w.Write(greeting)
})

func helloRequest() *http.Request {
	return &http.Request{
		Method: "GET", URL: &url.URL{Path: "/hello/ann"}, Proto: "HTTP/1.1", ProtoMajor: 1, ProtoMinor: 1,
		Host: "localhost", RemoteAddr: "127.0.0.1:1234", Body: http.NoBody,
		Header: http.Header{"User-Agent": {"x"}, "Accept": {"*/*"}, "Accept-Encoding": {"gzip"}, "Connection": {"keep-alive"}},
	}
}

// BenchmarkHello is what the engine adds to a request: two allocations, one for all the state of
// a request and one for the copy of http.Request that carries it as its context. The handler
// alone costs none.
func BenchmarkHello(b *testing.B) {
	app := &server.App{Routes: []server.Route{{Method: "GET", Pattern: "/hello/:name", Handler: hello}}}
	h, err := server.Compile(app)
	if err != nil {
		b.Fatal(err)
	}
	b.Run("bare", func(b *testing.B) { benchmark(b, hello) })
	b.Run("engine", func(b *testing.B) { benchmark(b, h) })
}

// BenchmarkHelloLogged adds the access line, which allocates nothing.
func BenchmarkHelloLogged(b *testing.B) {
	access := logs.NewAccess(io.Discard, logs.Options{Format: logs.JSON})
	defer access.Close()
	s := server.New(server.Options{Access: access})
	app := &server.App{
		Routes:   []server.Route{{Method: "GET", Pattern: "/hello/:name", Handler: hello}},
		Settings: server.Settings{Listen: []string{"127.0.0.1:0"}},
	}
	if err := s.Start(b.Context(), app); err != nil {
		b.Fatal(err)
	}
	benchmark(b, s.Handler())
	if err := s.Shutdown(b.Context()); err != nil {
		b.Fatal(err)
	}
}

func benchmark(b *testing.B, h http.Handler) {
	w, r := &sink{header: http.Header{}}, helloRequest()
	b.ReportAllocs()
	for b.Loop() {
		h.ServeHTTP(w, r)
	}
}

// BenchmarkSocket is a whole round trip on one connection, with the client: what net/http costs
// by itself, and with the engine around the same handler.
func BenchmarkSocket(b *testing.B) {
	b.Run("net/http", func(b *testing.B) {
		bare := httptest.NewServer(hello)
		defer bare.Close()
		roundTrips(b, bare.Listener.Addr().String())
	})
	b.Run("engine", func(b *testing.B) {
		s := server.New(server.Options{})
		app := &server.App{
			Routes:   []server.Route{{Method: "GET", Pattern: "/hello/:name", Handler: hello}},
			Settings: server.Settings{Listen: []string{"127.0.0.1:0"}},
		}
		if err := s.Start(b.Context(), app); err != nil {
			b.Fatal(err)
		}
		roundTrips(b, s.Addrs()[0].String())
		if err := s.Shutdown(b.Context()); err != nil {
			b.Fatal(err)
		}
	})
}

func roundTrips(b *testing.B, addr string) {
	conn, err := net.Dial("tcp", addr)
	if err != nil {
		b.Fatal(err)
	}
	defer conn.Close()
	request, answer := []byte("GET /hello/ann HTTP/1.1\r\nHost: localhost\r\n\r\n"), make([]byte, 4096)
	b.ReportAllocs()
	for b.Loop() {
		_, err := conn.Write(request)
		n, err2 := conn.Read(answer)
		if err := errors.Join(err, err2); err != nil || !bytes.HasSuffix(answer[:n], greeting) {
			b.Fatal(err, string(answer[:n]))
		}
	}
}
