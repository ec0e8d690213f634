package relay_test

import (
	"context"
	"errors"
	"io"
	"log/slog"
	"net"
	"net/netip"
	"slices"
	"sync"
	"testing"

	"github.com/stretchr/testify/require"
	"go.uber.org/goleak"

	"rws/server/relay"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

var quiet = slog.New(slog.DiscardHandler)

// list is a pool that always begins with the first.
type list struct {
	mu        sync.Mutex
	addresses []string
	names     map[string]string // of TLS, by address
	clients   []netip.Addr
	open      int
	failed    []string
}

func pool(addresses ...string) *list { return &list{addresses: addresses} }

func (l *list) Pick(client netip.Addr, tried []relay.Lease) (relay.Lease, error) {
	l.mu.Lock()
	defer l.mu.Unlock()
	l.clients = append(l.clients, client)
	for _, address := range l.addresses {
		if !slices.ContainsFunc(tried, func(t relay.Lease) bool { return t.Address() == address }) {
			l.open++
			return &lease{l, address}, nil
		}
	}
	return nil, errors.New("no backend is left")
}

func (l *list) state() (open int, failed []string) {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.open, slices.Clone(l.failed)
}

type lease struct {
	list    *list
	address string
}

func (l *lease) ServerName() string { return l.list.names[l.address] }

func (l *lease) Address() string { return l.address }

func (l *lease) Done(failed bool) {
	l.list.mu.Lock()
	defer l.list.mu.Unlock()
	l.list.open--
	if failed {
		l.list.failed = append(l.list.failed, l.address)
	}
}

// accept serves a listener until the test ends, one goroutine for each connection.
func accept(t *testing.T, l net.Listener, serve func(net.Conn)) string {
	t.Helper()
	var all sync.WaitGroup
	all.Go(func() {
		for {
			conn, err := l.Accept()
			if err != nil {
				return
			}
			all.Go(func() { serve(conn) })
		}
	})
	t.Cleanup(func() { _ = l.Close(); all.Wait() })
	return l.Addr().String()
}

func listen(t *testing.T) net.Listener {
	t.Helper()
	l, err := net.Listen("tcp", "127.0.0.1:0")
	require.NoError(t, err)
	return l
}

// backend starts a backend.
func backend(t *testing.T, serve func(net.Conn)) string {
	t.Helper()
	return accept(t, listen(t), func(conn net.Conn) { defer conn.Close(); serve(conn) })
}

// echo sends back what comes until its end, then its own.
func echo(conn net.Conn) {
	_, _ = io.Copy(conn, conn)
	_ = conn.(interface{ CloseWrite() error }).CloseWrite()
}

// nowhere is an address that refuses connections.
func nowhere(t *testing.T) string {
	t.Helper()
	l := listen(t)
	require.NoError(t, l.Close())
	return l.Addr().String()
}

// front serves a relay and returns its address.
func front(t *testing.T, o relay.TCPOptions) (string, *relay.TCP) {
	t.Helper()
	o.Logger = quiet
	r, err := relay.NewTCP(o)
	require.NoError(t, err)
	ctx, cancel := context.WithCancel(context.Background())
	at := accept(t, listen(t), func(conn net.Conn) { r.ServeConn(ctx, conn) })
	t.Cleanup(cancel) // before waiting for them
	return at, r
}

func dial(t *testing.T, address string) *net.TCPConn {
	t.Helper()
	conn, err := net.Dial("tcp", address)
	require.NoError(t, err)
	t.Cleanup(func() { _ = conn.Close() })
	return conn.(*net.TCPConn)
}

// ask writes, ends, and reads all.
func ask(t *testing.T, conn interface {
	io.ReadWriter
	CloseWrite() error
}, text string) string {
	t.Helper()
	_, err := io.WriteString(conn, text)
	require.NoError(t, err)
	require.NoError(t, conn.CloseWrite())
	answer, err := io.ReadAll(conn)
	require.NoError(t, err)
	return string(answer)
}
