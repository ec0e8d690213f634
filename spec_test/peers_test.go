package spec_test

import (
	"fmt"
	"net/http"
	"os"
	"strconv"
	"strings"
	"testing"

	servers "rws/spec_test/peers"
)

// A kind of peer: how to get a database of a server that all specs share, and how to start a
// server for one spec.
type kind struct {
	variable string
	shared   func(testing.TB) string
	alone    func(testing.TB, ...string) *servers.Server
}

var kinds = map[string]kind{
	"redis":    {"REDIS_URL", servers.Redis, servers.RedisServer},
	"postgres": {"POSTGRES_URL", servers.Postgres, servers.PostgresServer},
	"mariadb":  {"MARIADB_URL", servers.MariaDB, servers.MariaDBServer},
}

// peer gives the script a real server, or does something to the one that is its alone.
func peer(s *spec, args []string) error {
	if len(args) == 1 && args[0] == "pebble" {
		return pebble(s)
	}
	if len(args) > 1 && args[0] == "php" {
		return php(s, args[1:])
	}
	if len(args) == 0 || len(args) > 2 || kinds[args[0]].shared == nil {
		return usageError("peer redis|postgres|mariadb [alone|stop|start|pause|resume], peer pebble, or peer php FILE…")
	}
	k := kinds[args[0]]
	switch {
	case len(args) == 1:
		s.ts.Setenv(k.variable, k.shared(s.t))
		return nil
	case args[1] == "alone":
		if s.alone == nil {
			s.alone = make(map[string]*servers.Server)
		}
		s.alone[args[0]] = k.alone(s.t)
		s.ts.Setenv(k.variable, s.alone[args[0]].URL())
		return nil
	}
	srv := s.alone[args[0]]
	if srv == nil {
		return usageError("peer " + args[0] + " alone comes first")
	}
	do := map[string]func(testing.TB){"stop": srv.Stop, "start": srv.Start, "pause": srv.Pause, "resume": srv.Resume}[args[1]]
	if do == nil {
		return usageError("peer " + args[0] + " stop|start|pause|resume")
	}
	do(s.t)
	return nil
}

// php starts PHP-FPM with scripts, which are files of this spec.
func php(s *spec, files []string) error {
	scripts := make(map[string]string)
	for _, file := range files {
		scripts[file] = s.ts.ReadFile(file)
	}
	socket, root := servers.PHP(s.t, scripts)
	s.ts.Setenv("PHP_SOCKET", socket)
	s.ts.Setenv("PHP_ROOT", root)
	return nil
}

// pebble starts an authority for this spec, and has http trust what it issues.
func pebble(s *spec) error {
	a := servers.Pebble(s.t, servers.PebbleOptions{})
	for name, value := range map[string]string{
		"ACME_URL": a.Directory, "ACME_CA": a.RootFile, "ACME_HTTP": strconv.Itoa(a.HTTPPort), "ACME_TLS": strconv.Itoa(a.TLSPort),
		"ACME_DNS": a.DNS, "ACME_API": a.API(),
	} {
		s.ts.Setenv(name, value)
	}
	return os.WriteFile(s.ts.MkAbs("acme-issuer.pem"), a.IssuerPEM(s.t), 0o644)
}

// keepCookie keeps a cookie of the last answer for a request header.
func keepCookie(s *spec, args []string) error {
	if len(args) != 2 {
		return usageError("cookie VAR NAME")
	}
	if s.last == nil {
		return usageError("there is no answer yet")
	}
	for _, line := range s.last.header["Set-Cookie"] {
		if k, err := http.ParseSetCookie(line); err == nil && k.Name == args[1] {
			s.ts.Setenv(args[0], k.Name+"="+k.Value)
			return nil
		}
	}
	return fmt.Errorf("the answer sets no cookie %q, but %s", args[1], strings.Join(s.last.header["Set-Cookie"], " and "))
}
