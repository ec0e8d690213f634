package peers

import (
	"context"
	"database/sql"
	"fmt"
	"path/filepath"
	"strconv"
	"testing"
	"time"

	_ "github.com/go-sql-driver/mysql" // the driver "mysql"
)

var mariadb = shared{kind: &kind{
	name: "MariaDB", program: "mariadbd", debian: "mariadb-server", users: []string{"mysql"},
	prepare: initMariaDB, arguments: mariadbArguments, signal: "KILL",
	ready: func(s *Server) error { return s.inMariaDB("select 1") }, create: createInMariaDB,
}}

// MariaDB returns the URL of a new, empty database, with user and password:
// "mariadb://rws:…@127.0.0.1:PORT/test_1".
func MariaDB(t testing.TB) string {
	t.Helper()
	return mariadb.database(t)
}

// MariaDBServer starts a MariaDB for this test alone. Further arguments are for the program,
// as in "--max-connections=5".
func MariaDBServer(t testing.TB, arguments ...string) *Server {
	t.Helper()
	return mariadb.kind.own(t, arguments)
}

func initMariaDB(s *Server) error {
	_, err := s.file("init.sql", "create user if not exists rws@'%' identified by '"+s.password+"';\n"+
		"grant all on *.* to rws@'%' with grant option;\n")
	if err != nil {
		return err
	}
	return s.run("mariadb-install-db", "--no-defaults", "--datadir="+filepath.Join(s.dir, "data"),
		"--auth-root-authentication-method=normal", "--skip-test-db")
}

// A log that is written but not synced at each commit survives the end of the server.
func mariadbArguments(s *Server) []string {
	return append([]string{
		"--no-defaults", "--datadir=" + filepath.Join(s.dir, "data"), "--tmpdir=" + s.dir,
		"--socket=" + filepath.Join(s.dir, "socket"), "--pid-file=" + filepath.Join(s.dir, "pid"),
		"--bind-address=127.0.0.1", "--port=" + strconv.Itoa(s.port), "--skip-name-resolve",
		"--init-file=" + filepath.Join(s.dir, "init.sql"),
		"--innodb-flush-log-at-trx-commit=2", "--innodb-buffer-pool-size=32M", "--innodb-log-file-size=16M",
		"--skip-log-bin", "--max-connections=200",
	}, s.extra...)
}

func (s *Server) inMariaDB(statement string) error {
	ctx, cancel := context.WithTimeout(context.Background(), 10*time.Second)
	defer cancel()
	pool, err := sql.Open("mysql", fmt.Sprintf("rws:%s@tcp(%s)/", s.password, s.Addr()))
	if err != nil {
		return err
	}
	defer pool.Close()
	_, err = pool.ExecContext(ctx, statement)
	return err
}

func createInMariaDB(s *Server, name string) (string, func(), error) {
	drop := func() { _ = s.inMariaDB("drop database if exists " + name) }
	url := fmt.Sprintf("mariadb://rws:%s@%s/%s", s.password, s.Addr(), name)
	return url, drop, s.inMariaDB("create database " + name + " character set utf8mb4")
}
