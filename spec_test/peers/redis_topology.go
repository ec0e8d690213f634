package peers

import (
	"crypto/rand"
	"fmt"
	"net"
	"path/filepath"
	"strconv"
	"strings"
	"testing"
	"time"
)

// RedisCluster starts three Redis masters that share the slots, for this test alone, and
// returns the URL of the cluster: "redis+cluster://:…@127.0.0.1:PORT,127.0.0.1:PORT,127.0.0.1:PORT".
func RedisCluster(t testing.TB) string {
	t.Helper()
	password := rand.Text() // one for all, as they send clients to each other
	node := *redis.kind
	node.name = "a node of a Redis cluster"
	node.prepare = func(s *Server) error { s.password = password; return nil }
	node.arguments = clusterArguments
	var addrs []string
	var nodes []*Server
	for range 3 {
		s := node.own(t, nil)
		nodes, addrs = append(nodes, s), append(addrs, s.Addr())
	}
	create := append([]string{"-a", password, "--no-auth-warning", "--cluster", "create"}, addrs...)
	if err := nodes[0].run("redis-cli", append(create, "--cluster-yes")...); err != nil {
		t.Fatal(err)
	}
	for _, s := range nodes {
		s.waitForSlots(t)
	}
	return fmt.Sprintf("redis+cluster://:%s@%s", password, strings.Join(addrs, ","))
}

// clusterArguments name the second port, which by default is 10000 higher than the first and
// may not exist.
func clusterArguments(s *Server) []string {
	bus, err := freePort()
	if err != nil {
		bus = s.port + 1
	}
	return append(redisArguments(s), "--cluster-enabled", "yes", "--cluster-port", strconv.Itoa(bus),
		"--cluster-node-timeout", "2000", "--masterauth", s.password)
}

// waitForSlots polls until the node knows who has which slot.
func (s *Server) waitForSlots(t testing.TB) {
	t.Helper()
	deadline := time.Now().Add(readyWithin)
	for {
		err := s.inRedis("SET probe 1")
		if err == nil || strings.Contains(err.Error(), "-MOVED") {
			return
		}
		if time.Now().After(deadline) {
			t.Fatalf("the Redis cluster is not ready after %v: %v", readyWithin, err)
		}
		time.Sleep(20 * time.Millisecond)
	}
}

// RedisSentinel starts a sentinel that watches a master of [RedisServer] under the name "main",
// for this test alone, and returns the URL of the master by way of it:
// "redis+sentinel://:…@127.0.0.1:PORT/main?sentinel_password=…".
func RedisSentinel(t testing.TB, master *Server) string {
	t.Helper()
	host, port, err := net.SplitHostPort(master.Addr())
	if err != nil {
		t.Fatal(err)
	}
	config := fmt.Sprintf("sentinel monitor main %s %s 1\nsentinel auth-pass main %s\nsentinel down-after-milliseconds main 1000\n",
		host, port, master.password)
	k := *redis.kind
	k.name = "Redis Sentinel"
	k.prepare = func(s *Server) error { _, err := s.file("sentinel.conf", config); return err }
	k.arguments = func(s *Server) []string {
		return []string{filepath.Join(s.dir, "sentinel.conf"), "--sentinel", "--bind", "127.0.0.1", "--port", strconv.Itoa(s.port), "--requirepass", s.password}
	}
	k.create = func(s *Server, _ string) (string, func(), error) {
		return fmt.Sprintf("redis+sentinel://:%s@%s/main?sentinel_password=%s", master.password, s.Addr(), s.password), func() {}, nil
	}
	return k.own(t, nil).URL()
}
