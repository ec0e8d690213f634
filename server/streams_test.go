package server_test

import (
	"bufio"
	"context"
	"fmt"
	"io"
	"log/slog"
	"net"
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"rws/server"
)

// greeter says text to each line.
func greeter(text string) func(context.Context, net.Conn) {
	return func(ctx context.Context, conn net.Conn) {
		defer conn.Close()
		defer context.AfterFunc(ctx, func() { _ = conn.Close() })()
		for lines := bufio.NewScanner(conn); lines.Scan(); {
			_, _ = fmt.Fprintln(conn, text)
		}
	}
}

// datagrams answers each datagram with text.
func datagrams(text string) func(context.Context, *net.UDPConn) error {
	return func(ctx context.Context, conn *net.UDPConn) error {
		_ = conn.SetReadDeadline(time.Time{})
		defer context.AfterFunc(ctx, func() { _ = conn.SetReadDeadline(time.Unix(1, 0)) })()
		for {
			_, from, err := conn.ReadFromUDPAddrPort(make([]byte, 10))
			if ctx.Err() != nil {
				return nil
			}
			if err != nil {
				return err
			}
			_, _ = conn.WriteToUDPAddrPort([]byte(text), from)
		}
	}
}

func streaming(streams ...server.Stream) *server.App {
	return &server.App{Settings: server.Settings{Listen: []string{"127.0.0.1:0"}, StopGrace: 200 * time.Millisecond}, Streams: streams,
		Routes: []server.Route{{Method: "GET", Pattern: "/", Handler: saying("app")}}}
}

func quietServer() *server.Server {
	return server.New(server.Options{Logger: slog.New(slog.DiscardHandler)})
}

// line sends a line and returns the answer.
func line(t *testing.T, conn net.Conn) string {
	t.Helper()
	_, err := io.WriteString(conn, "x\n")
	require.NoError(t, err)
	require.NoError(t, conn.SetReadDeadline(time.Now().Add(10*time.Second)))
	buffer := make([]byte, 100)
	n, err := conn.Read(buffer)
	require.NoError(t, err)
	return string(buffer[:n])
}

func connect(t *testing.T, network string, to net.Addr) net.Conn {
	t.Helper()
	conn, err := net.Dial(network, to.String())
	require.NoError(t, err)
	t.Cleanup(func() { _ = conn.Close() })
	return conn
}

func TestStreamsOutliveTheApp(t *testing.T) {
	s := quietServer()
	tcp := func(text string) server.Stream {
		return server.Stream{Listen: "127.0.0.1:0", Conn: greeter(text)}
	}
	udp := func(text string) server.Stream {
		return server.Stream{Listen: "127.0.0.1:0", Packets: datagrams(text)}
	}
	require.NoError(t, s.Start(t.Context(), streaming(tcp("one"), udp("one"))))
	at := s.StreamAddrs()
	require.Len(t, at, 2)
	first, packets := connect(t, "tcp", at[0]), connect(t, "udp", at[1])
	assert.Equal(t, "one\n", line(t, first))
	assert.Equal(t, "one", line(t, packets))

	require.NoError(t, s.Swap(streaming(tcp("two"), udp("two"))))
	assert.Equal(t, at, s.StreamAddrs(), "the addresses stay open")
	assert.Equal(t, "one\n", line(t, first), "a connection goes on as it began")
	assert.Equal(t, "two\n", line(t, connect(t, "tcp", at[0])))
	assert.Equal(t, "two", line(t, packets))

	require.NoError(t, s.Swap(streaming()))
	assert.Empty(t, s.StreamAddrs())
	assert.Equal(t, "one\n", line(t, first))
	_, err := net.Dial("tcp", at[0].String())
	assert.Error(t, err, "what the app has no more is closed")

	require.NoError(t, s.Shutdown(t.Context()))
	_, err = first.Read(make([]byte, 1))
	assert.Error(t, err, "the grace is over")
}

func TestStreamsThatCannotBe(t *testing.T) {
	taken, err := net.Listen("tcp", "127.0.0.1:0")
	require.NoError(t, err)
	defer taken.Close()
	s := quietServer()
	good := server.Stream{Listen: "127.0.0.1:0", Conn: greeter("x"), Source: "app.lua:1"}
	busy := server.Stream{Listen: taken.Addr().String(), Conn: greeter("x"), Source: "app.lua:2"}
	assert.ErrorContains(t, s.Start(t.Context(), streaming(good, busy)), "app.lua:2")
	assert.ErrorContains(t, s.Start(t.Context(), streaming(server.Stream{Listen: ":1"})), "Conn or Packets")
	assert.ErrorContains(t, s.Start(t.Context(), streaming(good, good)), "declared already (app.lua:1)")

	require.NoError(t, s.Start(t.Context(), streaming(good)))
	at := s.StreamAddrs()
	assert.ErrorContains(t, s.Swap(streaming(good, busy)), "in use")
	assert.Equal(t, at, s.StreamAddrs(), "a refused app changes nothing")
	assert.Equal(t, "x\n", line(t, connect(t, "tcp", at[0])))
	require.NoError(t, s.Shutdown(t.Context()))
}
