package luabind_test

import (
	"bufio"
	"crypto/tls"
	"crypto/x509"
	"encoding/pem"
	"fmt"
	"io"
	"net"
	"os"
	"path/filepath"
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"rws/luabind"
	"rws/server/certs"
)

// writePair puts a certificate that signs itself and its key into one file.
func writePair(t *testing.T, file string, hosts ...string) {
	t.Helper()
	made, err := certs.SelfSigned(hosts...)
	require.NoError(t, err)
	key, err := x509.MarshalPKCS8PrivateKey(made.PrivateKey)
	require.NoError(t, err)
	text := append(pem.EncodeToMemory(&pem.Block{Type: "CERTIFICATE", Bytes: made.Certificate[0]}), pem.EncodeToMemory(&pem.Block{Type: "PRIVATE KEY", Bytes: key})...)
	require.NoError(t, os.WriteFile(file, text, 0o600))
}

// secured sends a line through the first stream of a program, over TLS.
func secured(t *testing.T, p *luabind.Program, protocols ...string) (names []string, answer string) {
	t.Helper()
	l, err := net.Listen("tcp", "127.0.0.1:0")
	require.NoError(t, err)
	defer l.Close()
	raw, err := net.Dial("tcp", l.Addr().String())
	require.NoError(t, err)
	served, err := l.Accept()
	require.NoError(t, err)
	done := make(chan struct{})
	go func() { p.App.Streams[0].Conn(t.Context(), served); close(done) }()
	client := tls.Client(raw, &tls.Config{InsecureSkipVerify: true, NextProtos: protocols})
	_, err = fmt.Fprintln(client, "hello")
	require.NoError(t, err)
	answer, err = bufio.NewReader(client).ReadString('\n')
	require.NoError(t, err)
	names = client.ConnectionState().PeerCertificates[0].DNSNames
	require.NoError(t, client.Close())
	<-done
	return names, answer
}

func TestTheCertificateOfAStreamIsReadAgain(t *testing.T) {
	dir := t.TempDir()
	file := filepath.Join(dir, "pair.pem")
	writePair(t, file, "old.example")
	o := luabind.Options{File: "app.lua", Dir: dir, Source: fmt.Sprintf(`
		app:config { isolates = 2 }
		app:tcp("127.0.0.1:7001", { cert = "pair.pem", key = "pair.pem", to = %q })
	`, lines(t, "a"))}
	luabind.CertPoll(5 * time.Millisecond)(&o)
	p, err := luabind.Load(o)
	require.NoError(t, err)
	t.Cleanup(func() { assert.NoError(t, p.Close(t.Context())) })
	require.NoError(t, p.Start(t.Context()))
	names, answer := secured(t, p, "postgresql")
	assert.Equal(t, []string{"old.example"}, names)
	assert.Equal(t, "a hello\n", answer)

	writePair(t, file, "new.example")
	for start := time.Now(); names[0] != "new.example" && time.Since(start) < 10*time.Second; time.Sleep(5 * time.Millisecond) {
		names, _ = secured(t, p)
	}
	assert.Equal(t, []string{"new.example"}, names, "the old certificate is shown for ever")
}

// A client that asks for a name which the certificate is not for refuses the connection.
func TestACertificateThatIsNotForAllNamesIsDoubted(t *testing.T) {
	dir := t.TempDir()
	writePair(t, filepath.Join(dir, "a.pem"), "a.example", "*.b.example")
	p, err := luabind.Load(luabind.Options{File: "app.lua", Dir: dir, Source: `
		app:tcp("127.0.0.1:7001", { cert = "a.pem", key = "a.pem", names = {
			["a.example"] = "127.0.0.1:1", ["*.b.example"] = "127.0.0.1:1", ["c.example"] = "127.0.0.1:1",
		}, to = "127.0.0.1:1" })
	`})
	require.NoError(t, err)
	t.Cleanup(func() { assert.NoError(t, p.Close(t.Context())) })
	doubts := p.Doubts()
	require.Len(t, doubts, 1)
	assert.Contains(t, doubts[0].Message, `is not for the host "c.example"`)
	assert.Equal(t, "app.lua:2", doubts[0].At)
}

// Where nothing speaks TLS nobody shows a certificate.
func TestAPlainAddressBesideClientCertificatesIsDoubted(t *testing.T) {
	dir := t.TempDir()
	writePair(t, filepath.Join(dir, "a.pem"), "a.example")
	for mode, want := range map[string]int{"require": 1, "optional": 0} {
		p, err := luabind.Load(luabind.Options{File: "app.lua", Dir: dir, Source: fmt.Sprintf(`
			app:config { listen = { { address = "127.0.0.1:7001", tls = true }, { address = "127.0.0.1:7002", tls = false } } }
			app:tls { cert = "a.pem", key = "a.pem", client_ca = "a.pem", client_auth = %q }`, mode)})
		require.NoError(t, err)
		t.Cleanup(func() { assert.NoError(t, p.Close(t.Context())) })
		doubts := p.Doubts()
		require.Len(t, doubts, want, mode)
		if want > 0 {
			assert.Contains(t, doubts[0].Message, "127.0.0.1:7002 speaks plain HTTP")
			assert.Equal(t, "app.lua:3", doubts[0].At)
		}
	}
}

// echoOverTLS starts a backend that sends all back, with the certificate of b.example, which is b.pem in dir.
func echoOverTLS(t *testing.T) (dir string, backend net.Listener) {
	t.Helper()
	dir = t.TempDir()
	file := filepath.Join(dir, "b.pem")
	writePair(t, file, "b.example")
	pair, err := tls.LoadX509KeyPair(file, file)
	require.NoError(t, err)
	backend, err = tls.Listen("tcp", "127.0.0.1:0", &tls.Config{Certificates: []tls.Certificate{pair}})
	require.NoError(t, err)
	t.Cleanup(func() { _ = backend.Close() })
	go func() {
		for {
			conn, err := backend.Accept()
			if err != nil {
				return
			}
			go func() { _, _ = io.Copy(conn, conn); _ = conn.Close() }()
		}
	}()
	return dir, backend
}

// The name of a backend is what its certificate is verified for, unless tls.server_name says another.
func TestTheHostOfABackendOfStreams(t *testing.T) {
	dir, backend := echoOverTLS(t)
	p, err := luabind.Load(luabind.Options{File: "app.lua", Dir: dir, Source: fmt.Sprintf(`
		local at = %q
		app:tcp("127.0.0.1:7001", { to = { { url = at, host = "b.example" } }, tls = { ca = "b.pem" } })
		app:tcp("127.0.0.1:7002", { to = { { url = at, host = "x.example" } }, tls = { ca = "b.pem" } })
		app:tcp("127.0.0.1:7003", { to = { { url = at, host = "x.example" } }, tls = { ca = "b.pem", server_name = "b.example" } })
	`, backend.Addr().String())})
	require.NoError(t, err)
	t.Cleanup(func() { assert.NoError(t, p.Close(t.Context())) })
	assert.Equal(t, "hello", through(t, p, 0))
	client, served := net.Pipe()
	go p.App.Streams[1].Conn(t.Context(), served)
	_, err = client.Read(make([]byte, 1))
	assert.ErrorIs(t, err, io.EOF, "it is not x.example")
	assert.Equal(t, "hello", through(t, p, 2))
}

// Checks of a stream's backends verify them as the stream does.
func TestChecksOfAStreamGoByItsTLS(t *testing.T) {
	dir := t.TempDir()
	file := filepath.Join(dir, "b.pem")
	writePair(t, file, "b.example")
	pair, err := tls.LoadX509KeyPair(file, file)
	require.NoError(t, err)
	for _, options := range []string{
		`names = { ["b.example"] = { to = BACKEND, health = { scheme = "tls", every = "20ms" } } }, tls = { ca = "b.pem", server_name = "b.example" }`,
		`tls = { ca = "b.pem", server_name = "b.example" }, health = { scheme = "tls", every = "20ms", timeout = "20ms" }`,
		`tls = { insecure = true }, health = { scheme = "tls", every = "20ms" }`,
		`tls = { ca = "b.pem" }, to = { { url = BACKEND, host = "b.example" } }, health = { scheme = "tls", every = "20ms" }`,
	} {
		backend, err := tls.Listen("tcp", "127.0.0.1:0", &tls.Config{Certificates: []tls.Certificate{pair}})
		require.NoError(t, err)
		trusted := make(chan struct{}, 100)
		go func() {
			for {
				conn, err := backend.Accept()
				if err != nil {
					return
				}
				if conn.(*tls.Conn).Handshake() == nil {
					trusted <- struct{}{}
				}
				_ = conn.Close()
			}
		}()
		p, err := luabind.Load(luabind.Options{File: "app.lua", Dir: dir, Source: fmt.Sprintf(
			"local BACKEND = %q\napp:tcp('127.0.0.1:7001', { to = BACKEND, %s })", backend.Addr(), options)})
		require.NoError(t, err, options)
		require.NoError(t, p.Start(t.Context()))
		for range 2 {
			select {
			case <-trusted:
			case <-time.After(20 * time.Second):
				t.Fatal("no check has trusted the backend: ", options)
			}
		}
		assert.NoError(t, p.Close(t.Context()))
		assert.NoError(t, backend.Close())
	}
}

// TLS that is passed through by its name is wrapped in no other: the option is for the checks, or an error.
func TestWhatIsPassedThroughIsNotWrapped(t *testing.T) {
	dir, backend := echoOverTLS(t)
	loaded := func(names string) (*luabind.Program, error) {
		return luabind.Load(luabind.Options{File: "app.lua", Dir: dir, Source: fmt.Sprintf(
			"local BACKEND = %q\napp:tcp('127.0.0.1:7001', { tls = { ca = 'b.pem', server_name = 'b.example' }, names = { ['b.example'] = %s } })", backend.Addr(), names)})
	}
	for _, names := range []string{"BACKEND", "{ to = BACKEND, health = { every = '5s' } }"} {
		_, err := loaded(names)
		assert.ErrorContains(t, err, `option "tls": without cert and key the TLS of visitors is passed through`, names)
	}

	p, err := loaded("{ to = BACKEND, health = { scheme = 'tls', every = '20ms' } }")
	require.NoError(t, err)
	t.Cleanup(func() { assert.NoError(t, p.Close(t.Context())) })
	l, err := net.Listen("tcp", "127.0.0.1:0")
	require.NoError(t, err)
	defer l.Close()
	raw, err := net.Dial("tcp", l.Addr().String())
	require.NoError(t, err)
	served, err := l.Accept()
	require.NoError(t, err)
	go p.App.Streams[0].Conn(t.Context(), served)
	client := tls.Client(raw, &tls.Config{InsecureSkipVerify: true, ServerName: "b.example"})
	defer client.Close()
	_, err = fmt.Fprintln(client, "hello")
	require.NoError(t, err)
	answer, err := bufio.NewReader(client).ReadString('\n')
	require.NoError(t, err)
	assert.Equal(t, "hello\n", answer)
}
