package peers

import (
	"errors"
	"math/rand/v2"
	"net"
	"strconv"
	"testing"
)

// Ports are taken from here, below the range from which systems give ports to connections and to
// listeners that ask for any: those come and go all the time, and would take a free port between its
// choice and its use.
const (
	firstPort = 16_000
	lastPort  = 32_000
)

// FreeAddress is one of 127.0.0.1 with a port that nothing has, for TCP or UDP: for programs that cannot
// choose one by themselves, and for tests of what nothing listens on.
func FreeAddress(t testing.TB) string {
	t.Helper()
	port, err := freePort()
	if err != nil {
		t.Fatal(err)
	}
	return loopback(port)
}

func loopback(port int) string { return net.JoinHostPort("127.0.0.1", strconv.Itoa(port)) }

func freePort() (int, error) {
	for range 100 {
		port := firstPort + rand.IntN(lastPort-firstPort)
		if isFree(loopback(port)) {
			return port, nil
		}
	}
	return 0, errors.New("no port of 127.0.0.1 is free")
}

func isFree(address string) bool {
	l, err := net.Listen("tcp", address)
	if err != nil {
		return false
	}
	defer l.Close()
	conn, err := net.ListenPacket("udp", address)
	if err != nil {
		return false
	}
	return conn.Close() == nil
}
