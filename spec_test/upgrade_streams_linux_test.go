package spec_test

import (
	"bufio"
	"fmt"
	"io"
	"net"
	"slices"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	servers "rws/spec_test/peers"
)

// A program that takes the place of another takes the addresses of app:tcp and app:udp too; what
// connections the old one has, it keeps.
func TestAnUpgradeKeepsStreams(t *testing.T) {
	tcp, err := net.Listen("tcp", "127.0.0.1:0")
	require.NoError(t, err)
	t.Cleanup(func() { _ = tcp.Close() })
	go func() {
		for {
			conn, err := tcp.Accept()
			if err != nil {
				return
			}
			go func() { _, _ = io.Copy(conn, conn); _ = conn.Close() }()
		}
	}()
	at := servers.FreeAddress(t)
	script := fmt.Sprintf(`app:tcp(%q, { to = %q }) app:udp(%[1]q, { to = %[3]q })`, at, tcp.Addr(), sendsBack(t, 0))
	srv, _ := started(t, script, "--listen", "127.0.0.1:0", "--log", "json")
	where(t, srv) // it listens

	old, err := net.Dial("tcp", at)
	require.NoError(t, err)
	defer old.Close()
	lines := bufio.NewReader(old)
	echo := func(conn net.Conn, r *bufio.Reader, text string) {
		t.Helper()
		_, err := fmt.Fprintln(conn, text)
		require.NoError(t, err)
		require.NoError(t, conn.SetReadDeadline(time.Now().Add(patience)))
		line, err := r.ReadString('\n')
		require.NoError(t, err)
		assert.Equal(t, text+"\n", line)
	}
	echo(old, lines, "before")
	packets, err := net.Dial("udp", at)
	require.NoError(t, err)
	defer packets.Close()
	echo(packets, bufio.NewReader(packets), "before")

	replaced(t, srv)

	echo(old, lines, "still here")
	fresh, err := net.Dial("tcp", at)
	require.NoError(t, err)
	defer fresh.Close()
	echo(fresh, bufio.NewReader(fresh), "the new one")
	echo(packets, bufio.NewReader(packets), "after")
	require.NoError(t, old.Close())
	ended(t, srv)
	echo(fresh, bufio.NewReader(fresh), "for itself")
}

// sendsBack answers each datagram by itself after a while.
func sendsBack(t *testing.T, after time.Duration) net.Addr {
	udp, err := net.ListenUDP("udp", &net.UDPAddr{IP: net.IPv4(127, 0, 0, 1)})
	require.NoError(t, err)
	t.Cleanup(func() { _ = udp.Close() })
	go func() {
		buffer := make([]byte, 100)
		for {
			n, from, err := udp.ReadFromUDPAddrPort(buffer)
			if err != nil {
				return
			}
			text := slices.Clone(buffer[:n])
			time.AfterFunc(after, func() { _, _ = udp.WriteToUDPAddrPort(text, from) })
		}
	}()
	return udp.LocalAddr()
}

// Clients that ask one after the other are all answered while a program takes the place of another, whose
// backend needs a while for each answer.
func TestAnUpgradeLosesNoDatagram(t *testing.T) {
	at := servers.FreeAddress(t)
	srv, _ := started(t, fmt.Sprintf(`app:udp(%q, { to = %q })`, at, sendsBack(t, 20*time.Millisecond)), "--listen", "127.0.0.1:0", "--log", "json")
	where(t, srv)
	stop := make(chan struct{})
	var clients sync.WaitGroup
	var answered, lost atomic.Int64
	for range 10 {
		clients.Go(func() {
			conn, err := net.Dial("udp", at)
			if !assert.NoError(t, err) {
				return
			}
			defer conn.Close()
			buffer := make([]byte, 100)
			for n := 0; ; n++ {
				select {
				case <-stop:
					return
				default:
				}
				text := fmt.Sprint(n)
				_, _ = conn.Write([]byte(text))
				_ = conn.SetReadDeadline(time.Now().Add(patience))
				if got, err := conn.Read(buffer); err != nil || string(buffer[:got]) != text {
					lost.Add(1)
					return
				}
				answered.Add(1)
			}
		})
	}
	require.Eventually(t, func() bool { return answered.Load() > 50 }, patience, time.Millisecond)
	replaced(t, srv)
	ended(t, srv)
	before := answered.Load()
	require.Eventually(t, func() bool { return answered.Load() > before+50 }, patience, time.Millisecond)
	close(stop)
	clients.Wait()
	assert.Zero(t, lost.Load())
	t.Logf("%d datagrams", answered.Load())
}
