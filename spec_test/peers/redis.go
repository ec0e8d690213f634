package peers

import (
	"bufio"
	"fmt"
	"net"
	"strconv"
	"strings"
	"testing"
	"time"
)

var redis = shared{kind: &kind{
	name: "Redis", program: "redis-server", debian: "redis-server", users: []string{"redis"},
	arguments: redisArguments, signal: "KILL",
	ready: func(s *Server) error { return s.inRedis("PING") }, create: createInRedis,
}}

// Redis returns the URL of an empty database, with password:
// "redis://:…@127.0.0.1:PORT/1". Publishing and subscribing know no databases in Redis: take
// channel names of your own, or [RedisServer].
func Redis(t testing.TB) string {
	t.Helper()
	return redis.database(t)
}

// RedisServer starts a Redis for this test alone. It forgets its keys when it is stopped,
// unless the arguments say otherwise, as in "--appendonly", "yes".
func RedisServer(t testing.TB, arguments ...string) *Server {
	t.Helper()
	return redis.kind.own(t, arguments)
}

func redisArguments(s *Server) []string {
	return append([]string{
		"--bind", "127.0.0.1", "--port", strconv.Itoa(s.port), "--dir", s.dir, "--save", "",
		"--databases", "4096", "--requirepass", s.password,
	}, s.extra...)
}

// inRedis sends one command without a library, after the password.
func (s *Server) inRedis(commands ...string) error {
	conn, err := net.DialTimeout("tcp", s.Addr(), time.Second)
	if err != nil {
		return err
	}
	defer conn.Close()
	if err := conn.SetDeadline(time.Now().Add(5 * time.Second)); err != nil {
		return err
	}
	answers := bufio.NewReader(conn)
	for _, c := range append([]string{"AUTH " + s.password}, commands...) {
		if _, err := fmt.Fprintf(conn, "%s\r\n", c); err != nil {
			return err
		}
		line, err := answers.ReadString('\n')
		if err != nil {
			return err
		}
		if !strings.HasPrefix(line, "+") {
			return fmt.Errorf("%s: %s", strings.Fields(c)[0], strings.TrimSpace(line))
		}
	}
	return nil
}

// createInRedis takes the database with the number that is in the name, or 0.
func createInRedis(s *Server, name string) (string, func(), error) {
	number := "0"
	if _, n, ok := strings.Cut(name, "_"); ok {
		number = n
	}
	drop := func() { _ = s.inRedis("SELECT "+number, "FLUSHDB") }
	return fmt.Sprintf("redis://:%s@%s/%s", s.password, s.Addr(), number), drop, s.inRedis("SELECT " + number)
}
