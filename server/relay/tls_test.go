package relay_test

import (
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/tls"
	"crypto/x509"
	"io"
	"math/big"
	"net"
	"sync/atomic"
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"rws/server/relay"
)

// certificate is one for the names, and who trusts it.
func certificate(t testing.TB, names ...string) (tls.Certificate, *x509.CertPool) {
	t.Helper()
	key, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	require.NoError(t, err)
	template := &x509.Certificate{SerialNumber: big.NewInt(1), DNSNames: names, NotAfter: time.Now().Add(time.Hour),
		IPAddresses: []net.IP{net.IPv4(127, 0, 0, 1)}, IsCA: true, BasicConstraintsValid: true}
	der, err := x509.CreateCertificate(rand.Reader, template, template, key.Public(), key)
	require.NoError(t, err)
	leaf, err := x509.ParseCertificate(der)
	require.NoError(t, err)
	roots := x509.NewCertPool()
	roots.AddCert(leaf)
	return tls.Certificate{Certificate: [][]byte{der}, PrivateKey: key}, roots
}

// secure starts a backend that speaks TLS.
func secure(t *testing.T, certificate tls.Certificate, serve func(net.Conn)) string {
	t.Helper()
	l := tls.NewListener(listen(t), &tls.Config{Certificates: []tls.Certificate{certificate}})
	return accept(t, l, func(conn net.Conn) { defer conn.Close(); serve(conn) })
}

// says is a backend that says its name and echoes.
func says(name string) func(net.Conn) {
	return func(conn net.Conn) {
		_, _ = io.WriteString(conn, name+":")
		echo(conn)
	}
}

func askTLS(t *testing.T, address, name string, roots *x509.CertPool, text string) string {
	t.Helper()
	conn, err := tls.Dial("tcp", address, &tls.Config{ServerName: name, RootCAs: roots})
	require.NoError(t, err)
	defer conn.Close()
	return ask(t, conn, text)
}

func TestPassThroughByServerName(t *testing.T) {
	certA, rootsA := certificate(t, "a.example")
	certB, rootsB := certificate(t, "x.b.example", "b.example")
	at, _ := front(t, relay.TCPOptions{
		Pool: pool(backend(t, says("plain"))),
		Names: map[string]relay.Pool{
			"a.example":   pool(secure(t, certA, says("a"))),
			"*.B.example": pool(secure(t, certB, says("b"))),
		},
	})
	assert.Equal(t, "a:hello", askTLS(t, at, "a.example", rootsA, "hello"))
	assert.Equal(t, "a:hello", askTLS(t, at, "A.Example", rootsA, "hello"))
	assert.Equal(t, "b:hello", askTLS(t, at, "x.b.example", rootsB, "hello"))
	assert.Equal(t, "plain:no TLS", ask(t, dial(t, at), "no TLS"))
	conn := dial(t, at)
	require.NoError(t, conn.CloseWrite())
	_, err := io.ReadAll(conn)
	assert.NoError(t, err, "one that says nothing ends like the others")
}

// A hello may come in many segments, and in records of a few bytes: who decides by the first alone
// sends the rest past the rules (CVE-2026-32305).
func TestAHelloInPieces(t *testing.T) {
	cert, roots := certificate(t, "a.example")
	p := pool(nowhere(t))
	at, _ := front(t, relay.TCPOptions{Pool: p, Names: map[string]relay.Pool{"a.example": pool(secure(t, cert, says("a")))}})
	conn := tls.Client(&dripping{Conn: dial(t, at)}, &tls.Config{ServerName: "a.example", RootCAs: roots})
	assert.Equal(t, "a:hello", ask(t, conn, "hello"))
	assert.Empty(t, p.clients)
}

// dripping splits the first record into records of 100 bytes, each in segments of its own.
type dripping struct {
	net.Conn
	begun bool
}

func (d *dripping) Write(record []byte) (int, error) {
	if d.begun {
		return d.Conn.Write(record)
	}
	d.begun = true
	for rest := record[5:]; len(rest) > 0; {
		n := min(100, len(rest))
		for _, part := range [][]byte{record[:3], {0, byte(n)}, rest[:n]} {
			if _, err := d.Conn.Write(part); err != nil {
				return 0, err
			}
		}
		rest = rest[n:]
	}
	return len(record), nil
}

func (d *dripping) CloseWrite() error { return d.Conn.(*net.TCPConn).CloseWrite() }

func TestTLSEndsHereAndBeginsAgain(t *testing.T) {
	cert, roots := certificate(t, "a.example")
	inner, innerRoots := certificate(t, "inner.example")
	at, _ := front(t, relay.TCPOptions{
		TLS:        &tls.Config{Certificates: []tls.Certificate{cert}},
		BackendTLS: &tls.Config{RootCAs: innerRoots},
		Pool:       pool(secure(t, inner, says("inner"))),
		Names:      map[string]relay.Pool{"b.example": pool(nowhere(t))},
	})
	assert.Equal(t, "inner:hello", askTLS(t, at, "a.example", roots, "hello"))
}

func TestABackendThatIsNotWhoItShouldBe(t *testing.T) {
	cert, _ := certificate(t, "a.example")
	_, others := certificate(t, "a.example")
	p := pool(secure(t, cert, says("a")))
	at, r := front(t, relay.TCPOptions{Pool: p, BackendTLS: &tls.Config{RootCAs: others}})
	answer, err := io.ReadAll(dial(t, at))
	require.NoError(t, err)
	assert.Empty(t, answer)
	assert.EqualValues(t, 1, r.Stats().Failed)
}

// Backends behind one address are told apart by the name that each of them has.
func TestABackendHasAName(t *testing.T) {
	var asked atomic.Value
	cert, roots := certificate(t, "b.example")
	l := tls.NewListener(listen(t), &tls.Config{GetCertificate: func(hello *tls.ClientHelloInfo) (*tls.Certificate, error) {
		asked.Store(hello.ServerName)
		return &cert, nil
	}})
	address := accept(t, l, func(conn net.Conn) { defer conn.Close(); says("b")(conn) })
	p := pool(address)
	p.names = map[string]string{address: "b.example"}
	at, _ := front(t, relay.TCPOptions{Pool: p, BackendTLS: &tls.Config{RootCAs: roots}})
	assert.Equal(t, "b:hello", ask(t, dial(t, at), "hello"))
	assert.Equal(t, "b.example", asked.Load())

	p = pool(address)
	p.names = map[string]string{address: "c.example"}
	at, _ = front(t, relay.TCPOptions{Pool: p, BackendTLS: &tls.Config{RootCAs: roots}})
	answer, err := io.ReadAll(dial(t, at))
	require.NoError(t, err)
	assert.Empty(t, answer, "it is another")

	at, _ = front(t, relay.TCPOptions{Pool: p, BackendTLS: &tls.Config{RootCAs: roots, ServerName: "b.example"}})
	assert.Equal(t, "b:hello", ask(t, dial(t, at), "hello"), "the name for all is the one that counts")
}

func TestAnUnknownNameWithoutARest(t *testing.T) {
	p := pool(backend(t, says("a")))
	at, _ := front(t, relay.TCPOptions{Names: map[string]relay.Pool{"a.example": p}})
	answer, err := io.ReadAll(dialed(t, at, "GET / HTTP/1.1\r\n\r\n"))
	if err == nil {
		assert.Empty(t, answer)
	}
	assert.Empty(t, p.clients)
}

func dialed(t *testing.T, at, text string) net.Conn {
	t.Helper()
	conn := dial(t, at)
	_, err := io.WriteString(conn, text)
	require.NoError(t, err)
	return conn
}

func TestASlowHelloEnds(t *testing.T) {
	p := pool(backend(t, says("a")))
	at, _ := front(t, relay.TCPOptions{Handshake: 30 * time.Millisecond, Names: map[string]relay.Pool{"a.example": p}})
	_, err := dialed(t, at, "\x16\x03\x01").Read(make([]byte, 1))
	assert.Error(t, err)
	assert.Empty(t, p.clients)
}

// Who could have a connection taken for one without TLS by ending its hello late would reach the
// backends of the rest with the name of another.
func TestAHelloThatIsNotWholeDoesNotGoToTheRest(t *testing.T) {
	p := pool(backend(t, says("rest")))
	at, _ := front(t, relay.TCPOptions{Handshake: 30 * time.Millisecond, Pool: p, Names: map[string]relay.Pool{"a.example": pool(nowhere(t))}})
	for _, begun := range []string{"\x16", "\x16\x03\x01", "\x16\x03\x01\x02\x00\x01\x00\x01", "\x15\x03\x01\x00\x02\x01\x00\x16"} {
		conn := dialed(t, at, begun)
		n, err := conn.Read(make([]byte, 1))
		assert.Error(t, err, "%x", begun)
		assert.Zero(t, n, "%x", begun)
	}
	broken := dialed(t, at, "\x16\x03\x01\x00\x04\x02\x00\x00\x00")
	_, err := broken.Read(make([]byte, 1))
	assert.Error(t, err, "a message that is no hello")
	open, _ := p.state()
	assert.Zero(t, open)

	silent := dial(t, at)
	n, err := silent.Read(make([]byte, 1))
	require.NoError(t, err, "one that says nothing goes to the rest")
	assert.Equal(t, 1, n)
}
