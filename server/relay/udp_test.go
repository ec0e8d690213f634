package relay_test

import (
	"context"
	"fmt"
	"net"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"rws/server/relay"
)

func packets(t testing.TB) *net.UDPConn {
	t.Helper()
	conn, err := net.ListenUDP("udp", &net.UDPAddr{IP: net.IPv4(127, 0, 0, 1)})
	require.NoError(t, err)
	return conn
}

// udpBackend answers each datagram with as many as answers returns.
func udpBackend(t *testing.T, answers func(text string, from string) []string) string {
	t.Helper()
	conn := packets(t)
	var all sync.WaitGroup
	all.Go(func() {
		buffer := make([]byte, 64<<10)
		for {
			n, from, err := conn.ReadFromUDPAddrPort(buffer)
			if err != nil {
				return
			}
			for _, answer := range answers(string(buffer[:n]), from.String()) {
				_, _ = conn.WriteToUDPAddrPort([]byte(answer), from)
			}
		}
	})
	t.Cleanup(func() { _ = conn.Close(); all.Wait() })
	return conn.LocalAddr().String()
}

func udpFront(t *testing.T, o relay.UDPOptions) (string, *relay.UDP) {
	t.Helper()
	o.Logger = quiet
	r, err := relay.NewUDP(o)
	require.NoError(t, err)
	conn := packets(t)
	ctx, cancel := context.WithCancel(context.Background())
	var served sync.WaitGroup
	served.Go(func() { _ = r.ServePackets(ctx, conn) })
	t.Cleanup(func() { cancel(); served.Wait(); r.Leave(ctx); _ = conn.Close() })
	return conn.LocalAddr().String(), r
}

func udpDial(t *testing.T, address string) net.Conn {
	t.Helper()
	conn, err := net.Dial("udp", address)
	require.NoError(t, err)
	t.Cleanup(func() { _ = conn.Close() })
	return conn
}

func exchange(t *testing.T, conn net.Conn, text string) string {
	t.Helper()
	_, err := conn.Write([]byte(text))
	require.NoError(t, err)
	return datagram(t, conn)
}

func datagram(t *testing.T, conn net.Conn) string {
	t.Helper()
	require.NoError(t, conn.SetReadDeadline(time.Now().Add(10*time.Second)))
	buffer := make([]byte, 64<<10)
	n, err := conn.Read(buffer)
	require.NoError(t, err)
	return string(buffer[:n])
}

func back(text, _ string) []string { return []string{text} }

func TestDatagramsGoBothWays(t *testing.T) {
	at, r := udpFront(t, relay.UDPOptions{Pool: pool(udpBackend(t, back))})
	conn := udpDial(t, at)
	assert.Equal(t, "hello", exchange(t, conn, "hello"))
	assert.Equal(t, "", exchange(t, conn, ""), "one without content is one too")
	big := strings.Repeat("x", 60_000)
	assert.Equal(t, big, exchange(t, conn, big))
	want := relay.Stats{Open: 1, Total: 1, In: 60_005, Out: 60_005} // counted when they have been sent
	require.Eventually(t, func() bool { return r.Stats() == want }, 10*time.Second, time.Millisecond)
}

func TestOneDatagramMayHaveManyAnswers(t *testing.T) {
	at, _ := udpFront(t, relay.UDPOptions{Pool: pool(udpBackend(t, func(string, string) []string { return []string{"1", "2", "3"} }))})
	conn := udpDial(t, at)
	assert.Equal(t, "1", exchange(t, conn, "x"))
	assert.Equal(t, "2", datagram(t, conn))
	assert.Equal(t, "3", datagram(t, conn))
}

// A backend tells clients apart by the port, and a client keeps its own while its session lasts.
func TestEachClientHasASessionOfItsOwn(t *testing.T) {
	at, r := udpFront(t, relay.UDPOptions{Pool: pool(udpBackend(t, func(_, from string) []string { return []string{from} }))})
	a, b := udpDial(t, at), udpDial(t, at)
	first := exchange(t, a, "x")
	assert.Equal(t, first, exchange(t, a, "x"))
	assert.NotEqual(t, first, exchange(t, b, "x"))
	assert.EqualValues(t, 2, r.Stats().Total)
}

func TestIdleSessionsEnd(t *testing.T) {
	p := pool(udpBackend(t, back))
	at, r := udpFront(t, relay.UDPOptions{Pool: p, Idle: 30 * time.Millisecond})
	exchange(t, udpDial(t, at), "x")
	require.Eventually(t, func() bool { return r.Stats().Open == 0 }, 5*time.Second, time.Millisecond)
	open, failed := p.state()
	assert.Zero(t, open)
	assert.Empty(t, failed)
}

// Who stops reading, as for another process that takes its place, has carried all that it has read, and
// passes on the answers to that.
func TestWhoLeavesAnswersWhatItHasRead(t *testing.T) {
	held := make(chan struct{})
	read := make(chan struct{}, 10)
	backend := udpBackend(t, func(text, _ string) []string {
		read <- struct{}{}
		<-held
		return []string{text}
	})
	r, err := relay.NewUDP(relay.UDPOptions{Pool: pool(backend), Logger: quiet})
	require.NoError(t, err)
	conn := packets(t)
	defer conn.Close()
	ctx, cancel := context.WithCancel(t.Context())
	done := make(chan error)
	go func() { done <- r.ServePackets(ctx, conn) }()
	client := udpDial(t, conn.LocalAddr().String())
	_, err = client.Write([]byte("slow"))
	require.NoError(t, err)
	<-read
	cancel()
	require.NoError(t, <-done)
	_, err = client.Write([]byte("for the next one"))
	require.NoError(t, err)
	left := make(chan struct{})
	go func() { r.Leave(t.Context()); close(left) }()
	close(held)
	assert.Equal(t, "slow", datagram(t, client))
	next, err := relay.NewUDP(relay.UDPOptions{Pool: pool(backend), Logger: quiet})
	require.NoError(t, err)
	ctx, cancel = context.WithCancel(t.Context())
	go func() { done <- next.ServePackets(ctx, conn) }()
	assert.Equal(t, "for the next one", datagram(t, client), "what comes in between waits in the socket")
	<-left
	assert.Zero(t, r.Stats().Open)
	cancel()
	require.NoError(t, <-done)
	next.Leave(ctx)
	assert.Zero(t, next.Stats().Open, "all end when there is no time left")
}

func TestSessionsAreBounded(t *testing.T) {
	at, r := udpFront(t, relay.UDPOptions{Pool: pool(udpBackend(t, back)), MaxPerIP: 2})
	a, b, c := udpDial(t, at), udpDial(t, at), udpDial(t, at)
	exchange(t, a, "x")
	exchange(t, b, "x")
	_, err := c.Write([]byte("x"))
	require.NoError(t, err)
	assert.Equal(t, "y", exchange(t, a, "y"), "those that are there go on")
	assert.EqualValues(t, 2, r.Stats().Total)
}

// An unreachable port is reported by the kernel; the pool hears of it.
func TestADeadBackendCounts(t *testing.T) {
	conn := packets(t)
	require.NoError(t, conn.Close())
	dead := conn.LocalAddr().String()
	p := pool(dead)
	at, _ := udpFront(t, relay.UDPOptions{Pool: p})
	client := udpDial(t, at)
	require.Eventually(t, func() bool {
		_, _ = client.Write([]byte("x"))
		_, failed := p.state()
		return len(failed) > 0 && failed[0] == dead
	}, 5*time.Second, 5*time.Millisecond)
}

func TestUDPOptionsThatMakeNoSense(t *testing.T) {
	_, err := relay.NewUDP(relay.UDPOptions{})
	assert.ErrorContains(t, err, "no backends")
	_, err = relay.NewUDP(relay.UDPOptions{Pool: pool(), Idle: -1})
	assert.ErrorContains(t, err, "negative")
}

func BenchmarkUDP(b *testing.B) {
	echo := packets(b)
	go func() {
		buffer := make([]byte, 2048)
		for {
			n, from, err := echo.ReadFromUDPAddrPort(buffer)
			if err != nil {
				return
			}
			_, _ = echo.WriteToUDPAddrPort(buffer[:n], from)
		}
	}()
	r, err := relay.NewUDP(relay.UDPOptions{Pool: pool(echo.LocalAddr().String())})
	if err != nil {
		b.Fatal(err)
	}
	conn := packets(b)
	ctx, cancel := context.WithCancel(context.Background())
	done := make(chan struct{})
	go func() { _ = r.ServePackets(ctx, conn); close(done) }()
	client, err := net.Dial("udp", conn.LocalAddr().String())
	if err != nil {
		b.Fatal(err)
	}
	buffer := make([]byte, 2048)
	b.ReportAllocs()
	for i := 0; b.Loop(); i++ {
		_, _ = fmt.Fprint(client, "x")
		if _, err := client.Read(buffer); err != nil {
			b.Fatal(err)
		}
	}
	cancel()
	<-done
	r.Leave(ctx)
	_, _, _ = client.Close(), conn.Close(), echo.Close()
}
