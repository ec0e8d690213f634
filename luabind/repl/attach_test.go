package repl_test

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"io"
	"log/slog"
	"net"
	"os"
	"path/filepath"
	"runtime"
	"slices"
	"strings"
	"testing"
	"time"

	"rws/luabind/repl"
	"rws/spec_test/logtext"
)

func listen(t *testing.T, o repl.AttachOptions) (path string, c io.Closer) {
	t.Helper()
	dir, err := os.MkdirTemp("", "rws") // sockets have short paths
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { os.RemoveAll(dir) })
	path = filepath.Join(dir, ".rws", "console")
	c, err = repl.Listen(path, newHost(t, script), o)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { c.Close() })
	return path, c
}

func dial(t *testing.T, path string) *repl.Client {
	t.Helper()
	c, err := repl.Dial(t.Context(), path)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { c.Close() })
	return c
}

// eval runs a line over there and returns its output, result and error as text.
func eval(t *testing.T, c *repl.Client, line string) string {
	t.Helper()
	var out strings.Builder
	r, err := c.Eval(t.Context(), line, &out, repl.Style{})
	out.WriteString(r.Text)
	if err != nil {
		out.WriteString(text(err))
	}
	return out.String()
}

func TestAttach(t *testing.T) {
	path, _ := listen(t, repl.AttachOptions{})
	a, b := dial(t, path), dial(t, path)
	for _, step := range []struct {
		c          *repl.Client
		line, want string
	}{
		{a, "1 + 1", "2\n"},
		{a, "print('a') print('b') return 'c'", "a\nb\n\"c\"\n"},
		{a, "local x = 5", ""},
		{b, "x", "nil\n"},
		{a, "x", "5\n"},
		{a, "count = 100", ""},
		{b, "count", "100\n"},
		{b, `get("/").status`, "200\n"},
	} {
		if got := eval(t, step.c, step.line); got != step.want {
			t.Errorf("%s: %q, want %q", step.line, got, step.want)
		}
	}
	if got := eval(t, a, "prnt(1)"); !strings.Contains(got, "did you mean `print`?") {
		t.Errorf("got %s", got)
	}
	from, list := a.Complete(t.Context(), "1 + coun", 8)
	if from != 4 || !slices.ContainsFunc(list, func(c repl.Candidate) bool { return c.Text == "count" }) {
		t.Errorf("completion from %d: %v", from, list)
	}
	if r, err := a.Eval(t.Context(), ":quit", io.Discard, repl.Style{}); err != nil || !r.Quit {
		t.Errorf("quit: %+v, %v", r, err)
	}
	if r, err := a.Eval(t.Context(), ":edit greet", io.Discard, repl.Style{}); err != nil || r.Edit == nil || r.Edit.Line != 8 {
		t.Errorf("edit: %+v, %v", r, err)
	}
	if !strings.Contains(b.Greeting(), "app.lua, session 2") {
		t.Errorf("greeting %q", b.Greeting())
	}
}

func TestAttachInterrupt(t *testing.T) {
	path, _ := listen(t, repl.AttachOptions{})
	c := dial(t, path)
	ctx, cancel := context.WithCancel(t.Context())
	started := make(writes, 1)
	ended := make(chan error, 1)
	go func() {
		_, err := c.Eval(ctx, "print('go') while true do end", started, repl.Style{})
		ended <- err
	}()
	<-started
	cancel()
	if err := <-ended; err == nil || !strings.Contains(text(err), "interrupted") {
		t.Fatalf("got %v", err)
	}
	if got := eval(t, c, "1"); got != "1\n" {
		t.Fatalf("afterwards: %q", got)
	}
}

func TestALineEndsWhenItsClientLeaves(t *testing.T) {
	path, _ := listen(t, repl.AttachOptions{})
	c, other := dial(t, path), dial(t, path)
	started := make(writes, 1)
	ended := make(chan error, 1)
	go func() {
		_, err := c.Eval(t.Context(), "print('go') while true do end", started, repl.Style{})
		ended <- err
	}()
	<-started
	c.Close()
	if err := <-ended; !errors.Is(err, repl.ErrGone) {
		t.Errorf("got %v", err)
	}
	if got := eval(t, other, "1"); got != "1\n" {
		t.Errorf("the app is stuck: %q", got)
	}
}

func TestAttachIsReadOnlyAndAudited(t *testing.T) {
	var log logtext.Buffer
	path, closer := listen(t, repl.AttachOptions{ReadOnly: true, Audit: slog.New(slog.NewJSONHandler(&log, nil))})
	c := dial(t, path)
	if !strings.Contains(c.Greeting(), "read-only") {
		t.Errorf("greeting %q", c.Greeting())
	}
	for _, line := range []string{"count = 2", ":reload", `post "/login"`} {
		if got := eval(t, c, line); !strings.Contains(got, "read-only") {
			t.Errorf("%s: %s", line, got)
		}
	}
	c.Close()
	closer.Close()
	var lines []string
	for record := range strings.Lines(log.String()) {
		var r struct {
			Line, Event string
			Client      int
			ReadOnly    bool `json:"read_only"`
		}
		if err := json.Unmarshal([]byte(record), &r); err != nil || r.Client != 1 || !r.ReadOnly {
			t.Errorf("%s: %v", record, err)
		}
		lines = append(lines, r.Line+r.Event)
	}
	if want := []string{"attached", "count = 2", ":reload", `post "/login"`, "detached"}; !slices.Equal(lines, want) {
		t.Errorf("audited %q", lines)
	}
}

func TestTheSocketIsPrivate(t *testing.T) {
	if runtime.GOOS == "windows" {
		t.Skip("Windows has no modes")
	}
	path, closer := listen(t, repl.AttachOptions{})
	if info, err := os.Stat(path); err != nil || info.Mode().Perm() != 0o600 {
		t.Errorf("%v, %v", info.Mode(), err)
	}
	if info, err := os.Stat(filepath.Dir(path)); err != nil || info.Mode().Perm() != 0o700 {
		t.Errorf("%v, %v", info.Mode(), err)
	}
	closer.Close()
	if left, _ := os.ReadDir(filepath.Dir(path)); len(left) > 0 {
		t.Errorf("left behind: %v", left)
	}
}

func TestAStaleSocketIsReplacedAndALiveOneIsNot(t *testing.T) {
	path, closer := listen(t, repl.AttachOptions{})
	h := newHost(t, script)
	if _, err := repl.Listen(path, h, repl.AttachOptions{}); err == nil || !strings.Contains(err.Error(), "another server listens") {
		t.Errorf("got %v", err)
	}
	closer.Close()
	stale, err := net.Listen("unix", path)
	if err != nil {
		t.Fatal(err)
	}
	stale.(*net.UnixListener).SetUnlinkOnClose(false)
	stale.Close()
	again, err := repl.Listen(path, h, repl.AttachOptions{})
	if err != nil {
		t.Fatal(err)
	}
	again.Close()
	if err := os.WriteFile(path, nil, 0o600); err != nil {
		t.Fatal(err)
	}
	if _, err := repl.Listen(path, h, repl.AttachOptions{}); err == nil || !strings.Contains(err.Error(), "no socket") {
		t.Errorf("got %v", err)
	}
}

func TestDialErrorsSayWhatToDo(t *testing.T) {
	_, err := repl.Dial(t.Context(), filepath.Join(t.TempDir(), "none"))
	if err == nil || !strings.Contains(err.Error(), "start it with") {
		t.Errorf("got %v", err)
	}
}

func TestSessionsEndWithTheServer(t *testing.T) {
	path, closer := listen(t, repl.AttachOptions{})
	c := dial(t, path)
	closer.Close()
	if _, err := c.Eval(t.Context(), "1", io.Discard, repl.Style{}); !errors.Is(err, repl.ErrGone) {
		t.Errorf("got %v", err)
	}
}

func TestASocketThatIsNotReadStopsNobody(t *testing.T) {
	path, _ := listen(t, repl.AttachOptions{})
	conn, err := net.Dial("unix", path)
	if err != nil {
		t.Fatal(err)
	}
	defer conn.Close()
	if _, err := io.WriteString(conn, `{"id":1,"op":"eval","text":"while true do print(('x'):rep(10000)) end"}`+"\n"); err != nil {
		t.Fatal(err)
	}
	c := dial(t, path)
	deadline := time.Now().Add(10 * time.Second)
	for range 20 {
		if got := eval(t, c, "1"); got != "1\n" || time.Now().After(deadline) {
			t.Fatalf("the other session got %q", got)
		}
	}
}

func TestAttachThroughAPipe(t *testing.T) {
	path, _ := listen(t, repl.AttachOptions{})
	in, w, err := os.Pipe()
	if err != nil {
		t.Fatal(err)
	}
	defer in.Close()
	go func() { _, _ = io.WriteString(w, "1 + 1\nnope()\n"); w.Close() }()
	var out, errs strings.Builder
	ok, err := repl.Attach(t.Context(), path, false, in, &out, &errs, repl.TerminalOptions{})
	if ok || err != nil || out.String() != "2\n" || !strings.Contains(errs.String(), "nope") {
		t.Errorf("%v, %v, %q, %q", ok, err, out.String(), errs.String())
	}
}

func FuzzProtocol(f *testing.F) {
	dir, err := os.MkdirTemp("", "rws")
	if err != nil {
		f.Fatal(err)
	}
	f.Cleanup(func() { os.RemoveAll(dir) })
	path := filepath.Join(dir, "s")
	closer, err := repl.Listen(path, newHost(f, script), repl.AttachOptions{})
	if err != nil {
		f.Fatal(err)
	}
	f.Cleanup(func() { closer.Close() })
	for _, seed := range []string{`{"id":1,"op":"eval","text":"1"}`, `{"op":"complete","pos":-1}`, `{"op":"interrupt"}`, `nonsense`, `{"id":"x"}`} {
		f.Add([]byte(seed))
	}
	f.Fuzz(func(t *testing.T, message []byte) {
		conn, err := net.Dial("unix", path)
		if err != nil {
			t.Fatal(err)
		}
		defer conn.Close()
		_, _ = conn.Write(append(bytes.ReplaceAll(message, []byte("\n"), nil), '\n'))
		_, _ = conn.Read(make([]byte, 64))
	})
}
