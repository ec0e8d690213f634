package peers

import (
	"context"
	"fmt"
	"path/filepath"
	"strconv"
	"testing"
	"time"

	"github.com/jackc/pgx/v5"
)

var postgres = shared{kind: &kind{
	name: "Postgres", program: "postgres", debian: "postgresql", users: []string{"postgres"},
	prepare: initPostgres, arguments: postgresArguments, signal: "QUIT",
	ready: func(s *Server) error { return s.inPostgres("select 1") }, create: createInPostgres,
}}

// Postgres returns the URL of a new, empty database, with user and password:
// "postgres://rws:…@127.0.0.1:PORT/test_1?sslmode=disable".
func Postgres(t testing.TB) string {
	t.Helper()
	return postgres.database(t)
}

// PostgresServer starts a Postgres for this test alone. Further arguments are for the program,
// as in "-c", "max_connections=5".
func PostgresServer(t testing.TB, arguments ...string) *Server {
	t.Helper()
	return postgres.kind.own(t, arguments)
}

func initPostgres(s *Server) error {
	password, err := s.file("password", s.password)
	if err != nil {
		return err
	}
	program, err := filepath.EvalSymlinks(s.path) // initdb lies beside it, not beside a link
	if err != nil {
		return err
	}
	return s.run(filepath.Join(filepath.Dir(program), "initdb"), "-D", filepath.Join(s.dir, "data"), "-U", "rws",
		"--auth=password", "--pwfile="+password, "--encoding=UTF8", "--locale=C", "--no-sync")
}

// Without fsync a crash of the machine loses data; one of the server loses nothing that was
// acknowledged, as long as synchronous_commit stays on.
func postgresArguments(s *Server) []string {
	return append([]string{
		"-D", filepath.Join(s.dir, "data"), "-p", strconv.Itoa(s.port),
		"-c", "listen_addresses=127.0.0.1", "-c", "unix_socket_directories=",
		"-c", "fsync=off", "-c", "full_page_writes=off", "-c", "max_connections=200",
		"-c", "shared_buffers=32MB",
	}, s.extra...)
}

func (s *Server) postgresURL(database string) string {
	return fmt.Sprintf("postgres://rws:%s@%s/%s?sslmode=disable", s.password, s.Addr(), database)
}

func (s *Server) inPostgres(sql string) error {
	ctx, cancel := context.WithTimeout(context.Background(), 10*time.Second)
	defer cancel()
	conn, err := pgx.Connect(ctx, s.postgresURL("postgres"))
	if err != nil {
		return err
	}
	_, err = conn.Exec(ctx, sql)
	_ = conn.Close(ctx)
	return err
}

func createInPostgres(s *Server, name string) (string, func(), error) {
	drop := func() { _ = s.inPostgres("drop database if exists " + name + " with (force)") }
	return s.postgresURL(name), drop, s.inPostgres("create database " + name)
}
