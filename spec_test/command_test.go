package spec_test

import (
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"testing"
	"time"

	"github.com/rogpeppe/go-internal/testscript"

	servers "rws/spec_test/peers"
)

// A spec is the state of one script while it runs.
type spec struct {
	ts      *testscript.TestScript
	servers []*server
	begun   map[string]*call
	last    *answer
	exit    int // of the last rws
	t       testing.TB
	alone   map[string]*servers.Server // by kind
	sites   map[string]*site           // of backend, by name
	talks   map[string]*talk           // of dial, by name
}

// A command is one word of the scripts. It prints to the script's stdout.
type command func(s *spec, args []string) error

// A usageError is a mistake in the spec: "!" does not excuse it.
type usageError string

func (e usageError) Error() string { return "usage: " + string(e) }

// table returns the commands by name.
func table() map[string]command {
	return map[string]command{
		"serve": serve, "serverlog": serverLog, "signal": signalServer, "halt": stopServer, "exited": exited,
		"edit": edit, "cert": makeCert, "example": example,
		"http": httpCommand, "begin": begin, "received": received, "finish": finish, "abandon": abandon, "load": load, "flood": flood, "raw": raw, "h2": h2,
		"status": status, "answers": answers, "header": header, "body": body, "has": has, "json": jsonValue,
		"peer": peer, "cookie": keepCookie, "kill": killServer,
		"backend": backend, "asked": asked, "seen": seen, "dial": openTalk, "say": say, "hangup": hangUp, "gone": gone,
		"rws": runBinary, "exit": exitCode, "poll": poll, "repeat": repeat,
	}
}

// commands returns the table in the form of testscript.
func commands() map[string]func(*testscript.TestScript, bool, []string) {
	all := make(map[string]func(*testscript.TestScript, bool, []string))
	for name, cmd := range table() {
		all[name] = func(ts *testscript.TestScript, neg bool, args []string) {
			s := ts.Value(specKey{}).(*spec)
			s.ts = ts
			err := cmd(s, args)
			if name == "serverlog" && !neg && err != nil { // the log comes by a pipe of its own
				err = poll(s, append([]string{name}, args...))
			}
			if _, wrong := errors.AsType[usageError](err); wrong {
				ts.Fatalf("%v", err)
			}
			if neg && err == nil {
				ts.Fatalf("%s %s: this must not hold", name, strings.Join(args, " "))
			}
			if !neg && err != nil {
				ts.Fatalf("%s: %v", name, err)
			}
		}
	}
	return all
}

type specKey struct{}

// setup prepares a script, and arranges for what it leaves behind.
func setup(env *testscript.Env) error {
	s := &spec{begun: make(map[string]*call)}
	env.Values[specKey{}] = s
	env.Setenv("RWS", binary)
	t := env.T().(testing.TB)
	s.t = t
	env.Defer(func() {
		for _, t := range s.talks {
			_ = t.conn.Close()
		}
		for _, srv := range s.servers {
			if err := srv.stop(); err != nil {
				t.Errorf("%v", err)
			}
		}
		for _, b := range s.sites {
			b.stop()
		}
		if !t.Failed() {
			return
		}
		if s.last != nil {
			t.Logf("the last answer:\n%s", s.last)
		}
		for _, srv := range s.servers {
			t.Logf("the log of %s:\n%s", srv.name, srv.log.String())
		}
	})
	return nil
}

// poll runs commands until all of them succeed.
func poll(s *spec, args []string) error {
	if len(args) == 0 {
		return usageError("poll COMMAND [';' COMMAND …]")
	}
	var steps [][]string
	for chunk := range splitWords(args, ";") {
		if len(chunk) == 0 || table()[strings.TrimPrefix(chunk[0], "!")] == nil {
			return usageError("poll: these are no commands of ours: " + strings.Join(args, " "))
		}
		steps = append(steps, chunk)
	}
	for end := time.Now().Add(patience); ; time.Sleep(10 * time.Millisecond) {
		err := s.try(steps)
		if _, wrong := errors.AsType[usageError](err); err == nil || wrong {
			return err
		}
		if time.Now().After(end) {
			return fmt.Errorf("still not after %s: %w", patience, err)
		}
	}
}

// try runs commands; one that is written with a "!" at its front must fail.
func (s *spec) try(steps [][]string) error {
	for _, step := range steps {
		name, neg := strings.CutPrefix(step[0], "!")
		err := table()[name](s, step[1:])
		if neg && err == nil {
			return fmt.Errorf("%s: this must not hold", strings.Join(step, " "))
		}
		if !neg && err != nil {
			return fmt.Errorf("%s: %w", name, err)
		}
	}
	return nil
}

// splitWords yields the parts of words between separators.
func splitWords(words []string, sep string) func(func([]string) bool) {
	return func(yield func([]string) bool) {
		for {
			i := slices.Index(words, sep)
			if i < 0 {
				yield(words)
				return
			}
			if !yield(words[:i]) {
				return
			}
			words = words[i+1:]
		}
	}
}

func repeat(s *spec, args []string) error {
	if len(args) != 3 {
		return usageError("repeat VAR N TEXT")
	}
	n, err := strconv.Atoi(args[1])
	if err != nil {
		return usageError(err.Error())
	}
	s.ts.Setenv(args[0], strings.Repeat(args[2], n))
	return nil
}

// edit replaces a file by a changed one in one step, as editors do.
func edit(s *spec, args []string) error {
	if len(args) != 3 {
		return usageError("edit FILE OLD NEW")
	}
	file := s.ts.MkAbs(args[0])
	text := s.ts.ReadFile(args[0])
	if !strings.Contains(text, args[1]) {
		return usageError(fmt.Sprintf("edit: %s does not contain %q", args[0], args[1]))
	}
	part := filepath.Join(filepath.Dir(file), "."+filepath.Base(file)+".part")
	if err := os.WriteFile(part, []byte(strings.Replace(text, args[1], args[2], 1)), 0o666); err != nil {
		return err
	}
	return os.Rename(part, file)
}

// assignments splits leading NAME=value words from the rest.
func assignments(args []string) (vars, rest []string) {
	for i, a := range args {
		name, _, ok := strings.Cut(a, "=")
		if !ok || strings.ContainsAny(name, "/-. ") {
			return args[:i], args[i:]
		}
	}
	return args, nil
}

// environ is what our programs see: nothing of the machine but the path.
func (s *spec) environ(vars []string) []string {
	env := []string{"HOME=" + s.ts.Getenv("WORK"), "TZ=UTC", "GORACE=atexit_sleep_ms=10"} // its default is a second
	for _, name := range []string{"PATH", "TMPDIR", "TMP", "SystemRoot", "GOCOVERDIR", "GORACE"} {
		if v := s.ts.Getenv(name); v != "" {
			env = append(env, name+"="+v)
		}
	}
	return append(env, vars...)
}
