package listen_test

import (
	"bytes"
	"io"
	"log/slog"
	"net"
	"net/netip"
	"os"
	"strings"
	"testing"
	"time"

	"github.com/pires/go-proxyproto"

	"rws/server/listen"
)

var local = []netip.Prefix{netip.MustParsePrefix("127.0.0.0/8")}

// send opens a connection through a proxy and sends text.
func send(t *testing.T, l net.Listener, text string) (client, server net.Conn) {
	t.Helper()
	client = dial(t, l)
	if _, err := io.WriteString(client, text); err != nil {
		t.Fatal(err)
	}
	return client, accept(t, l)
}

func TestAHeaderNamesTheClientAndEatsNothing(t *testing.T) {
	l := open(t, "127.0.0.1:0", listen.Options{Proxy: &listen.ProxyProtocol{Trusted: local}})
	from, to := &net.TCPAddr{IP: net.IPv4(192, 0, 2, 1), Port: 5}, &net.TCPAddr{IP: net.IPv4(192, 0, 2, 2), Port: 6}
	for _, version := range []byte{1, 2} {
		header, err := proxyproto.HeaderProxyFromAddrs(version, from, to).Format()
		if err != nil {
			t.Fatal(err)
		}
		client, server := send(t, l, string(header)+"rest")
		if got := server.RemoteAddr().String() + " " + server.LocalAddr().String(); got != "192.0.2.1:5 192.0.2.2:6" {
			t.Errorf("version %d: %s", version, got)
		}
		client.(*net.TCPConn).CloseWrite()
		if text, err := io.ReadAll(server); err != nil || string(text) != "rest" {
			t.Errorf("version %d: %q, %v", version, text, err)
		}
	}
}

func TestTheProxyItselfAndUnknownClients(t *testing.T) {
	l := open(t, "127.0.0.1:0", listen.Options{Proxy: &listen.ProxyProtocol{Trusted: local}})
	for _, header := range []string{"PROXY UNKNOWN\r\n", "\r\n\r\n\x00\r\nQUIT\n\x20\x00\x00\x00"} {
		client, server := send(t, l, header)
		if server.RemoteAddr().String() != client.LocalAddr().String() {
			t.Errorf("%q: %s", header, server.RemoteAddr())
		}
	}
}

func TestAHeaderThatDoesNotCome(t *testing.T) {
	l := open(t, "127.0.0.1:0", listen.Options{Proxy: &listen.ProxyProtocol{Trusted: local, Timeout: 20 * time.Millisecond}})
	for _, text := range []string{"", "PROXY TCP4 ", "GET / HTTP/1.1\r\nHost: a\r\n\r\n", "PROXY " + strings.Repeat("x", 200)} {
		client, server := send(t, l, text)
		if _, err := server.Read(make([]byte, 1)); err == nil {
			t.Errorf("%q: it is read", text)
		}
		if server.RemoteAddr().String() != client.LocalAddr().String() {
			t.Errorf("%q: %s", text, server.RemoteAddr())
		}
		if _, err := server.(interface{ NetConn() net.Conn }).NetConn().Read(make([]byte, 1)); err == nil {
			t.Errorf("%q: the socket below is open", text)
		}
	}
}

func TestClientsBehindAProxyAreCounted(t *testing.T) {
	l := open(t, "127.0.0.1:0", listen.Options{MaxConnsPerIP: 1, Proxy: &listen.ProxyProtocol{Trusted: local}})
	header := func(ip string) string { return "PROXY TCP4 " + ip + " 192.0.2.9 1 2\r\nx" }
	read := func(c net.Conn) error { _, err := c.Read(make([]byte, 1)); return err }
	_, first := send(t, l, header("192.0.2.1"))
	_, second := send(t, l, header("192.0.2.1"))
	_, other := send(t, l, header("192.0.2.2"))
	if read(first) != nil || read(second) == nil || read(other) != nil {
		t.Error("of two connections of one client the second is refused, and no other client's")
	}
	first.Close()
	_, again := send(t, l, header("192.0.2.1"))
	if err := read(again); err != nil {
		t.Error(err)
	}
}

func TestSocketsGoFromOneProcessToAnother(t *testing.T) {
	for _, addr := range []string{"127.0.0.1:0", "unix:" + t.TempDir() + "/a.sock"} {
		old := open(t, addr, listen.Options{})
		socket, err := listen.Share(addr, old)
		if err != nil {
			t.Fatal(err)
		}
		sockets := listen.Inherited([]listen.Socket{socket})
		next := open(t, addr, listen.Options{Inherited: sockets})
		if got, want := next.Addr().String(), old.Addr().String(); got != want {
			t.Errorf("it listens on %s, not on %s", got, want)
		}
		old.Close()
		dial(t, next)
		accept(t, next)
		if left := sockets.Close(); left != nil {
			t.Errorf("left: %q", left)
		}
	}
}

func TestSocketsOfSystemd(t *testing.T) {
	socket, err := listen.Share("x", open(t, "127.0.0.1:0", listen.Options{}))
	if err != nil {
		t.Fatal(err)
	}
	file := socket.File // its name is "x"
	o := listen.Options{Inherited: listen.Activated([]*os.File{file})}
	_, err = listen.Open(t.Context(), "systemd:web", o)
	wantError(t, err, "systemd:web", "FileDescriptorName=web")
	open(t, "systemd:x", o)
	_, err = listen.Open(t.Context(), "systemd:", o)
	wantError(t, err, "no socket")
}

// FuzzHeader: whatever a proxy sends, the rest of the stream is all that is left, or the connection is
// closed.
func FuzzHeader(f *testing.F) {
	for _, seed := range []string{"PROXY TCP4 1.2.3.4 5.6.7.8 1 2\r\nrest", "PROXY UNKNOWN\r\nrest", "PROXY TCP6 ::1 ::2 1 2\r\n",
		"\r\n\r\n\x00\r\nQUIT\n\x21\x11\x00\x0c\x01\x02\x03\x04\x01\x02\x03\x04\x00\x01\x00\x02rest", "\r\n\r\n\x00\r\nQUIT\n\x20\x00\x00\x00rest", "GET / HTTP/1.1\r\n\r\n"} {
		f.Add([]byte(seed))
	}
	f.Fuzz(func(t *testing.T, raw []byte) {
		src := bytes.NewReader(raw)
		if err := listen.ReadProxyHeader(src); err != nil {
			return
		}
		read := raw[:len(raw)-src.Len()]
		if len(read) < 15 || !bytes.HasPrefix(read, []byte("PROXY ")) && !bytes.HasPrefix(read, proxyproto.SIGV2) {
			t.Errorf("%q passes for a header", read)
		}
		if bytes.HasPrefix(read, []byte("PROXY ")) && bytes.IndexByte(read, '\n') != len(read)-1 {
			t.Errorf("it has read %q, which is more than a line", read)
		}
	})
}

// Who is kept out is counted, and told in the log once for each peer.
func TestWhoTheProxyProtocolRefusesLeavesATrace(t *testing.T) {
	var log strings.Builder
	refused := &listen.Refusals{}
	logger := slog.New(slog.NewTextHandler(&log, nil))
	l := open(t, "127.0.0.1:0", listen.Options{Logger: logger, Proxy: &listen.ProxyProtocol{Trusted: local, Refused: refused}})
	for range 3 {
		_, server := send(t, l, "GET / HTTP/1.1\r\nHost: a\r\n\r\n")
		_, _ = server.Read(make([]byte, 1))
	}
	looking, server := send(t, l, "")
	looking.Close()
	_, _ = server.Read(make([]byte, 1))
	if refused.Header() != 3 || refused.Untrusted() != 0 {
		t.Errorf("%d, %d", refused.Header(), refused.Untrusted())
	}
	if n := strings.Count(log.String(), "level=WARN"); n != 1 || !strings.Contains(log.String(), "does the proxy send it?") {
		t.Errorf("%s", log.String())
	}

	log.Reset()
	refused = &listen.Refusals{}
	l = open(t, "127.0.0.1:0", listen.Options{Logger: logger, Proxy: &listen.ProxyProtocol{Refused: refused}})
	ended := make(chan struct{})
	go func() { defer close(ended); _, _ = l.Accept() }()
	for range 2 {
		if conn, err := net.Dial("tcp", l.Addr().String()); err == nil { // it may be reset already
			_, _ = conn.Read(make([]byte, 1))
			conn.Close()
		}
	}
	for deadline := time.Now().Add(5 * time.Second); refused.Untrusted() < 2 && time.Now().Before(deadline); {
		time.Sleep(time.Millisecond)
	}
	l.Close()
	<-ended
	if refused.Untrusted() != 2 || strings.Count(log.String(), "the peer is not trusted") != 1 {
		t.Errorf("%d, %s", refused.Untrusted(), log.String())
	}
}
