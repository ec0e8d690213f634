package health_test

import (
	"bufio"
	"context"
	"crypto/tls"
	"crypto/x509"
	"log/slog"
	"net"
	"net/http"
	"net/http/httptest"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/stretchr/testify/require"
	"go.uber.org/goleak"

	"rws/server/proxy/health"
	"rws/spec_test/logtext"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

// logs is a log to look into.
type logs struct{ logtext.Buffer }

func (l *logs) logger() *slog.Logger { return slog.New(slog.NewTextHandler(l, nil)) }

// ask makes the first check of a backend and returns what came of it.
func ask(t *testing.T, c health.Check, url string) error {
	t.Helper()
	answers := make(chan health.Status, 1)
	m, err := health.NewMonitor(health.Options{Check: c, Logger: new(logs).logger(), OnCheck: func(s health.Status) {
		select {
		case answers <- s:
		default:
		}
	}})
	require.NoError(t, err)
	defer m.Close()
	require.NoError(t, m.Update([]health.Target{{ID: "a", URL: url}}))
	m.Start(t.Context())
	select {
	case s := <-answers:
		return s.Err
	case <-time.After(20 * time.Second):
		t.Fatal("there was no check")
		return nil
	}
}

// server serves plain HTTP by the protocols named: "h1", "h2c".
func server(t *testing.T, protocol string, h http.HandlerFunc) string {
	t.Helper()
	s := httptest.NewUnstartedServer(h)
	s.Config.Protocols = new(http.Protocols)
	s.Config.Protocols.SetHTTP1(protocol == "h1")
	s.Config.Protocols.SetUnencryptedHTTP2(protocol == "h2c")
	s.Start()
	t.Cleanup(s.Close)
	return s.Listener.Addr().String()
}

// secure serves TLS and returns what verifies it: the certificate is for example.com and 127.0.0.1.
func secure(t *testing.T, http2 bool, h http.HandlerFunc) (address string, config *tls.Config) {
	t.Helper()
	s := httptest.NewUnstartedServer(h)
	s.EnableHTTP2 = http2
	s.Config.ErrorLog = slog.NewLogLogger(slog.DiscardHandler, slog.LevelInfo)
	s.StartTLS()
	t.Cleanup(s.Close)
	roots := x509.NewCertPool()
	roots.AddCert(s.Certificate())
	return s.Listener.Addr().String(), &tls.Config{RootCAs: roots, MinVersion: tls.VersionTLS12}
}

// accept answers connections with f, one goroutine each, until the test ends.
func accept(t *testing.T, f func(net.Conn)) string {
	t.Helper()
	l, err := net.Listen("tcp", "127.0.0.1:0")
	require.NoError(t, err)
	var work sync.WaitGroup
	life, end := context.WithCancel(context.Background())
	work.Go(func() {
		for {
			conn, err := l.Accept()
			if err != nil {
				return
			}
			work.Go(func() {
				defer conn.Close()
				defer context.AfterFunc(life, func() { conn.Close() })()
				f(conn)
			})
		}
	})
	t.Cleanup(func() {
		l.Close()
		end()
		work.Wait()
	})
	return l.Addr().String()
}

// nobody is an address where nobody listens.
func nobody(t *testing.T) string {
	t.Helper()
	l, err := net.Listen("tcp", "127.0.0.1:0")
	require.NoError(t, err)
	defer l.Close()
	return l.Addr().String()
}

func portOf(address string) string { return address[strings.LastIndexByte(address, ':')+1:] }

func newReader(conn net.Conn) *bufio.Reader { return bufio.NewReader(conn) }
