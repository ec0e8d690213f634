package listen_test

import (
	"context"
	"crypto/tls"
	"errors"
	"io"
	"io/fs"
	"log/slog"
	"net"
	"net/http"
	"net/http/httptest"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"go.uber.org/goleak"

	"rws/server/listen"
	"rws/spec_test/logtext"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

// open listens until the test ends.
func open(t *testing.T, addr string, o listen.Options) net.Listener {
	t.Helper()
	l, err := listen.Open(t.Context(), addr, o)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { l.Close() })
	return l
}

// dial connects to l until the test ends.
func dial(t *testing.T, l net.Listener) net.Conn {
	t.Helper()
	c, err := net.Dial(l.Addr().Network(), l.Addr().String())
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { c.Close() })
	return c
}

func accept(t *testing.T, l net.Listener) net.Conn {
	t.Helper()
	c, err := l.Accept()
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { c.Close() })
	return c
}

func wantError(t *testing.T, err error, parts ...string) {
	t.Helper()
	if err == nil {
		t.Fatalf("no error, want one with %q", parts)
	}
	for _, part := range parts {
		if !strings.Contains(err.Error(), part) {
			t.Errorf("got  %q\nwant %q in it", err, part)
		}
	}
}

func TestAddresses(t *testing.T) {
	for _, addr := range []string{":0", "127.0.0.1:0", "localhost:0", "[::1]:0", "unix:" + filepath.Join(t.TempDir(), "a.sock")} {
		t.Run(addr, func(t *testing.T) {
			l, err := listen.Open(t.Context(), addr, listen.Options{})
			if err != nil && strings.HasPrefix(addr, "[") {
				t.Skipf("no IPv6 here: %v", err)
			}
			if err != nil {
				t.Fatal(err)
			}
			defer l.Close()
			sent := dial(t, l)
			got := accept(t, l)
			io.WriteString(sent, "hello\n")
			buf := make([]byte, 6)
			if _, err := io.ReadFull(got, buf); err != nil || string(buf) != "hello\n" {
				t.Errorf("read %q, %v", buf, err)
			}
		})
	}
}

func TestAddressesThatCannotBeRead(t *testing.T) {
	tests := []struct{ addr, want string }{
		{"", `it is empty; use ":8080"`},
		{"8080", `did you mean ":8080"?`},
		{"localhost", `the port is missing; did you mean "localhost:8080"?`},
		{"::1", `did you mean "[::1]:8080"?`},
		{"http://localhost:80/", `did you mean "localhost:80"?`},
		{"/run/app.sock", `did you mean "unix:/run/app.sock"?`},
		{"a:b:c", `use ":8080"`},
		{":99999", "the port 99999 is not between 0 and 65535"},
		{":-1", "the port -1 is not between 0 and 65535"},
		{":http", `the port "http" is not a number`},
		{"a b:80", `"a b" is no host`},
		{"unix:", `want the path of the socket`},
	}
	for _, tt := range tests {
		t.Run(tt.addr, func(t *testing.T) {
			_, err := listen.Open(t.Context(), tt.addr, listen.Options{})
			wantError(t, err, "reading the address", tt.want)
		})
	}
}

func TestUnknownHost(t *testing.T) {
	_, err := listen.Open(t.Context(), "no-such-host.invalid:80", listen.Options{})
	wantError(t, err, "listening on no-such-host.invalid:80: ", `no address is known for the host "no-such-host.invalid"`, `":80"`)
}

func TestAddressOfAnotherMachine(t *testing.T) {
	_, err := listen.Open(t.Context(), "192.0.2.1:0", listen.Options{})
	wantError(t, err, `"192.0.2.1" is no address of this machine`)
}

func TestPortInUse(t *testing.T) {
	addr := open(t, "127.0.0.1:0", listen.Options{}).Addr().String()
	_, err := listen.Open(t.Context(), addr, listen.Options{})
	wantError(t, err, "listening on "+addr+": the port is in use", "; stop the other program or choose another with --port")
	var cause *net.OpError
	if !errors.As(err, &cause) {
		t.Error("the cause is not wrapped")
	}
}

func TestPermissionSaysHow(t *testing.T) {
	got := listen.Hint(":80", &net.OpError{Op: "listen", Err: os.NewSyscallError("bind", fs.ErrPermission)})
	if !strings.HasPrefix(got, "this user may not use port 80; choose one above 1023 with --port") {
		t.Errorf("got %q", got)
	}
}

func TestMaxConnsMakesAcceptWait(t *testing.T) {
	l := open(t, "127.0.0.1:0", listen.Options{MaxConns: 2})
	for range 3 {
		dial(t, l)
	}
	first, _ := accept(t, l), accept(t, l)
	third := make(chan net.Conn, 1)
	go func() {
		c, _ := l.Accept()
		third <- c
	}()
	select {
	case <-third:
		t.Fatal("a third connection was accepted over the limit of two")
	case <-time.After(20 * time.Millisecond):
	}
	first.Close()
	first.Close() // gives back one place, not two
	c := <-third
	if c == nil {
		t.Fatal("no third connection after one had closed")
	}
	defer c.Close()
}

func TestCloseWakesAcceptAtTheLimit(t *testing.T) {
	l := open(t, "127.0.0.1:0", listen.Options{MaxConns: 1})
	dial(t, l)
	accept(t, l)
	failed := make(chan error, 1)
	go func() {
		_, err := l.Accept()
		failed <- err
	}()
	l.Close()
	if err := <-failed; !errors.Is(err, net.ErrClosed) {
		t.Errorf("got %v, want net.ErrClosed", err)
	}
	if _, err := l.Accept(); !errors.Is(err, net.ErrClosed) {
		t.Errorf("after Close: %v", err)
	}
}

func TestMaxConnsPerIP(t *testing.T) {
	var log logtext.Buffer
	l := open(t, "127.0.0.1:0", listen.Options{MaxConnsPerIP: 2, Logger: slog.New(slog.NewTextHandler(&log, nil))})
	conns := make(chan net.Conn)
	go func() {
		defer close(conns)
		for {
			c, err := l.Accept()
			if err != nil {
				return
			}
			conns <- c
		}
	}()
	dial(t, l)
	dial(t, l)
	one, two := <-conns, <-conns
	defer two.Close()

	// The reset may come before the handshake is seen to be over: then dialing fails, else reading.
	if over, err := net.Dial("tcp", l.Addr().String()); err == nil {
		defer over.Close()
		if _, err := over.Read(make([]byte, 1)); err == nil {
			t.Error("a connection over the limit is not closed")
		}
	}
	if got := log.String(); !strings.Contains(got, "too many from one client") {
		t.Errorf("log: %s", got)
	}

	one.Close()
	dial(t, l)
	(<-conns).Close()
	l.Close()
	<-conns
}

func TestServesHTTPAndTLS(t *testing.T) {
	hello := http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) { io.WriteString(w, r.Proto) })
	for _, secure := range []bool{false, true} {
		s := httptest.NewUnstartedServer(hello)
		s.Listener.Close()
		s.Listener = open(t, "127.0.0.1:0", listen.Options{})
		if secure {
			s.TLS = &tls.Config{MinVersion: tls.VersionTLS12}
			s.StartTLS()
		} else {
			s.Start()
		}
		res, err := s.Client().Get(s.URL)
		if err != nil {
			t.Fatal(err)
		}
		body, _ := io.ReadAll(res.Body)
		res.Body.Close()
		if string(body) != "HTTP/1.1" {
			t.Errorf("got %q", body)
		}
		s.Close()
	}
}

func TestConnectionsKeepTheirFastPaths(t *testing.T) {
	l := open(t, "127.0.0.1:0", listen.Options{})
	dial(t, l)
	c := accept(t, l)
	if _, ok := c.(io.ReaderFrom); !ok {
		t.Error("no ReadFrom, so no sendfile")
	}
	if bare, ok := c.(interface{ NetConn() net.Conn }); !ok {
		t.Error("no NetConn")
	} else if _, ok := bare.NetConn().(*net.TCPConn); !ok {
		t.Errorf("NetConn is %T", bare.NetConn())
	}
}

func TestContextBoundsTheLookUp(t *testing.T) {
	ctx, cancel := context.WithCancel(t.Context())
	cancel()
	if l, err := listen.Open(ctx, "localhost:0", listen.Options{}); err == nil {
		l.Close()
		t.Error("listening with a cancelled context")
	}
}

func FuzzAddress(f *testing.F) {
	for _, seed := range []string{":80", "[::1]:80", "a:1", "unix:/x", "unix:", "::1", "http://x", "[", "]:", "0", "%", "a%b:1", ":+1"} {
		f.Add(seed)
	}
	f.Fuzz(func(t *testing.T, addr string) {
		network, host, port, err := listen.Parse(addr)
		if err != nil {
			if !strings.HasPrefix(err.Error(), "reading the address ") {
				t.Errorf("%q: %v", addr, err)
			}
			return
		}
		if network == "unix" && host != "" && port == "" {
			return
		}
		again := net.JoinHostPort(host, port)
		if n, h, p, err := listen.Parse(again); err != nil || n != network || h != host || p != port {
			t.Errorf("%q is %q %q, which reads as %q %q %q, %v", addr, host, port, n, h, p, err)
		}
	})
}
