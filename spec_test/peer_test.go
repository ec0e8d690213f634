package spec_test

import (
	"fmt"
	"testing"

	real "rws/spec_test/peers"
)

// databases are the peers that are asked for by a URL.
var databases = map[string]struct {
	variable string
	shared   func(testing.TB) string
	own      func(testing.TB, ...string) *real.Server
}{
	"postgres": {"PG_URL", real.Postgres, real.PostgresServer},
	"mariadb":  {"MYSQL_URL", real.MariaDB, real.MariaDBServer},
}

// peer starts a real server for the spec, or stops and starts the one of its own.
func peer(s *spec, args []string) error {
	usage := usageError("peer postgres|mariadb [own]  or  peer stop|start")
	if len(args) == 1 && s.peer != nil {
		switch args[0] {
		case "stop":
			s.peer.Stop(s.tb)
			return nil
		case "start":
			s.peer.Start(s.tb)
			return nil
		}
	}
	if len(args) == 0 || len(args) > 2 || len(args) == 2 && args[1] != "own" {
		return usage
	}
	kind, ok := databases[args[0]]
	if !ok {
		return usage
	}
	if len(args) == 1 {
		s.ts.Setenv(kind.variable, kind.shared(s.tb))
		return nil
	}
	if s.peer != nil {
		return fmt.Errorf("this spec has a server of its own already")
	}
	s.peer = kind.own(s.tb)
	s.ts.Setenv(kind.variable, s.peer.URL())
	return nil
}
