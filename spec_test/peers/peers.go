// Package peers gives tests real servers: Postgres, MariaDB, Redis, S3, PHP-FPM, and Pebble, an authority
// that speaks ACME; and [Early], a client of HTTP/3 that comes again.
//
// Each server is a private instance of the installed program, in a temporary folder, on a free port
// of the loopback. [Postgres], [MariaDB], [Redis] and [S3] share one instance in a test process,
// started when first asked for, and hand every caller a database of its own.
// [PostgresServer], [MariaDBServer], [RedisServer] and [S3Server] start one for a single test, which may
// stop it and start it again. Nothing is left behind, however the test process ends: a shell
// in a session of its own waits for that, kills the server and removes its folder.
//
// When the program is not installed the test is skipped with the name of the Debian package
// or Go module that brings it, or fails if RWS_TEST_REQUIRE is set. Only tests import this package, and it
// imports nothing of rws.
package peers

import (
	"crypto/rand"
	"fmt"
	"go/build"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"sync"
	"testing"
	"time"
)

// readyWithin limits how long a server may take to answer; a busy machine needs a while.
const readyWithin = 60 * time.Second

// A kind is one program that can serve.
type kind struct {
	name    string // for messages
	program string
	debian  string   // the package that brings it
	goget   string   // in place of that: what go install takes
	users   []string // who runs it when the test is root, the first that exists

	// prepare fills the folder once, as the user.
	prepare func(s *Server) error
	// configure does the same when the port is known.
	configure   func(s *Server) error
	environment []string // beside that of the test, as "NAME=value"
	// arguments of the program, which must stay in the foreground.
	arguments func(s *Server) []string
	// signal stops it at once without leaving anything: a name for kill -s.
	signal string
	// ready says whether it answers.
	ready func(s *Server) error
	// create makes a database and returns its URL and what removes it again.
	create func(s *Server, name string) (url string, drop func(), err error)
}

// Server is a server of one test.
type Server struct {
	kind     *kind
	path     string // of the program
	dir      string
	port     int
	password string
	extra    []string
	url      string
	keeper   *keeper

	mu   sync.Mutex
	next int
}

// URL of the database that belongs to the test of this server.
func (s *Server) URL() string { return s.url }

// Addr is where it listens, as in "127.0.0.1:5432".
func (s *Server) Addr() string { return fmt.Sprintf("127.0.0.1:%d", s.port) }

// Stop ends the server at once, as a crash would; its files stay. What it had acknowledged
// to have committed is kept.
func (s *Server) Stop(t testing.TB) {
	t.Helper()
	s.command(t, "stop")
}

// Start starts a stopped server on the same port and waits until it answers.
func (s *Server) Start(t testing.TB) {
	t.Helper()
	s.command(t, "start")
	if err := s.wait(); err != nil {
		t.Fatal(err)
	}
}

// Restart is Stop and Start.
func (s *Server) Restart(t testing.TB) {
	t.Helper()
	s.Stop(t)
	s.Start(t)
}

// Pause freezes the server: connections stay open and nothing answers. Of a server that is
// several processes (Postgres) only new connections go unanswered.
func (s *Server) Pause(t testing.TB) {
	t.Helper()
	s.command(t, "pause")
}

// Resume ends Pause.
func (s *Server) Resume(t testing.TB) {
	t.Helper()
	s.command(t, "resume")
}

func (s *Server) command(t testing.TB, word string) {
	t.Helper()
	if err := s.keeper.do(word); err != nil {
		t.Fatalf("%s of %s: %v", word, s.kind.name, err)
	}
}

// Database makes another database and returns its URL. It is dropped when the test ends.
func (s *Server) Database(t testing.TB) string {
	t.Helper()
	s.mu.Lock()
	s.next++
	name := fmt.Sprintf("test_%d", s.next)
	s.mu.Unlock()
	url, drop, err := s.kind.create(s, name)
	if err != nil {
		t.Fatalf("a new database in %s: %v", s.kind.name, err)
	}
	t.Cleanup(drop)
	return url
}

// A shared server is started by the first test that asks.
type shared struct {
	kind   *kind
	once   sync.Once
	server *Server
	err    error
}

func (s *shared) database(t testing.TB) string {
	t.Helper()
	path := s.kind.find(t)
	s.once.Do(func() { s.server, s.err = s.kind.launch(path, nil) })
	if s.err != nil {
		t.Fatal(s.err)
	}
	return s.server.Database(t)
}

// own starts a server that ends with the test.
func (k *kind) own(t testing.TB, extra []string) *Server {
	t.Helper()
	s, err := k.launch(k.find(t), extra)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(s.keeper.end)
	if s.url, _, err = k.create(s, "test"); err != nil {
		t.Fatalf("a new database in %s: %v", k.name, err)
	}
	return s
}

func (k *kind) find(t testing.TB) string {
	t.Helper()
	if k.goget != "" {
		return Program(t, k.program, "go install "+k.goget)
	}
	return Program(t, k.program, "install the package "+k.debian)
}

// Program finds a program, also where Debian keeps Postgres and where go install puts it. Where it is
// missing the test is skipped, or fails if RWS_TEST_REQUIRE is set, and says how to get it.
func Program(t testing.TB, name, how string) string {
	t.Helper()
	path, err := exec.LookPath(name)
	if err == nil {
		return path
	}
	for _, pattern := range []string{"/usr/lib/postgresql/*/bin/", "/usr/sbin/", "/usr/local/sbin/"} {
		if found, _ := filepath.Glob(pattern + name); len(found) > 0 {
			return found[len(found)-1]
		}
	}
	if path, err := exec.LookPath(filepath.Join(build.Default.GOPATH, "bin", name)); err == nil {
		return path
	}
	why := fmt.Sprintf("%s is missing: %s", name, how)
	if os.Getenv("RWS_TEST_REQUIRE") != "" {
		t.Fatal(why)
	}
	t.Skip(why)
	return ""
}

// launch tries a few ports: another process may take one between asking and listening.
func (k *kind) launch(path string, extra []string) (s *Server, err error) {
	for range 5 {
		if s, err = k.tryLaunch(path, extra); err == nil {
			return s, nil
		}
	}
	return nil, err
}

func (k *kind) tryLaunch(path string, extra []string) (*Server, error) {
	dir, err := os.MkdirTemp("", "rws-"+k.program+"-")
	if err != nil {
		return nil, err
	}
	s := &Server{kind: k, path: path, dir: dir, password: rand.Text(), extra: extra}
	if err := s.launch(); err != nil {
		err = fmt.Errorf("starting %s: %w%s", k.name, err, s.log())
		if s.keeper != nil {
			s.keeper.end()
		}
		_ = os.RemoveAll(dir)
		return nil, err
	}
	return s, nil
}

func (s *Server) launch() (err error) {
	if err := giveTo(s.dir, s.kind.users); err != nil {
		return err
	}
	if s.kind.prepare != nil {
		if err := s.kind.prepare(s); err != nil {
			return err
		}
	}
	if s.port, err = freePort(); err != nil {
		return err
	}
	if s.kind.configure != nil {
		if err := s.kind.configure(s); err != nil {
			return err
		}
	}
	if s.keeper, err = keep(s.dir, s.kind.users, s.kind.signal, s.commandLine()); err != nil {
		return err
	}
	if err := s.keeper.do("start"); err != nil {
		return err
	}
	return s.wait()
}

func (s *Server) commandLine() []string {
	line := append([]string{s.path}, s.kind.arguments(s)...)
	if len(s.kind.environment) > 0 {
		line = slices.Concat([]string{"env"}, s.kind.environment, line)
	}
	return line
}

// wait polls until the server answers or has ended.
func (s *Server) wait() error {
	deadline := time.Now().Add(readyWithin)
	for {
		err := s.kind.ready(s)
		if err == nil {
			return nil
		}
		if alive := s.keeper.do("alive"); alive != nil {
			return fmt.Errorf("it ended: %w", alive)
		}
		if time.Now().After(deadline) {
			return fmt.Errorf("it does not answer after %v: %w", readyWithin, err)
		}
		time.Sleep(20 * time.Millisecond)
	}
}

// run runs a program in the folder, as the user.
func (s *Server) run(name string, args ...string) error {
	cmd := exec.Command(name, args...)
	cmd.Dir = s.dir
	if err := runAs(cmd, s.kind.users); err != nil {
		return err
	}
	if out, err := cmd.CombinedOutput(); err != nil {
		return fmt.Errorf("%s: %w\n%s", filepath.Base(name), err, out)
	}
	return nil
}

// file writes a file that the user may read, and nobody else.
func (s *Server) file(name, text string) (string, error) {
	path := filepath.Join(s.dir, name)
	if err := os.WriteFile(path, []byte(text), 0o600); err != nil {
		return "", err
	}
	return path, giveTo(path, s.kind.users)
}

// log returns the end of what the server wrote.
func (s *Server) log() string {
	text, _ := os.ReadFile(filepath.Join(s.dir, "log"))
	if len(text) == 0 {
		return ""
	}
	return "\n" + string(text[max(0, len(text)-2000):])
}
