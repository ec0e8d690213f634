package repl_test

import (
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"strconv"
	"strings"
	"testing"
	"time"

	"rws/luabind/repl"
	"rws/spec_test/peers"
)

// programVariable makes the test binary the program that TestTerminal types into; its
// value is the folder for the history.
const programVariable = "RWS_TEST_TERMINAL"

// TestTerminalProgram is that program.
func TestTerminalProgram(t *testing.T) {
	dir := os.Getenv(programVariable)
	if dir == "" {
		t.Skip("run by TestTerminal")
	}
	h := &host{dir: dir} // not one of this process, which is killed before it cleans up
	start(t, h, script)
	term, err := repl.NewTerminal(repl.TerminalOptions{History: filepath.Join(dir, ".rws", "history"), NoColor: true})
	if err != nil {
		t.Fatal(err)
	}
	go func() {
		for { // log lines come when the test wants them
			if text, err := os.ReadFile(filepath.Join(dir, "log")); err == nil {
				_ = os.Remove(filepath.Join(dir, "log"))
				fmt.Fprint(term, string(text))
			}
			time.Sleep(5 * time.Millisecond)
		}
	}()
	fmt.Println("ended with", term.Run(t.Context(), repl.New(h, repl.Options{})))
	os.Exit(0)
}

// A screen is a terminal in which the program runs.
type screen struct {
	t      *testing.T
	dir    string
	socket string

	columns, rows int
}

func newScreen(t *testing.T) *screen { return newScreenOf(t, 90, 14) }

func newScreenOf(t *testing.T, columns, rows int) *screen {
	t.Helper()
	peers.Program(t, "tmux", "install the package tmux")
	dir := t.TempDir()
	s := &screen{t: t, dir: dir, columns: columns, rows: rows, socket: fmt.Sprintf("rws-%d-%d", os.Getpid(), time.Now().UnixNano())}
	s.start()
	t.Cleanup(func() {
		_ = exec.Command("tmux", "-L", s.socket, "kill-server").Run()
		if left, err := os.ReadDir(s.temporary()); err != nil || len(left) > 0 {
			t.Errorf("the program, which is killed, leaves behind %v, %v", left, err)
		}
		if races, _ := filepath.Glob(filepath.Join(dir, "race*")); len(races) > 0 {
			text, _ := os.ReadFile(races[0])
			t.Errorf("a race in the program:\n%s", text)
		}
	})
	return s
}

// temporary is the folder for temporary files of the program.
func (s *screen) temporary() string { return filepath.Join(s.dir, "temporary") }

func (s *screen) start() {
	s.t.Helper()
	if err := os.Mkdir(s.temporary(), 0o700); err != nil {
		s.t.Fatal(err)
	}
	program := fmt.Sprintf("GORACE=log_path=%[2]s/race TMPDIR=%[4]s %[1]s=%[2]s TERM=xterm EDITOR='echo edited' %[3]s -test.run=^TestTerminalProgram$; sleep 60", programVariable, s.dir, os.Args[0], s.temporary())
	s.tmux("-f", "/dev/null", "new-session", "-d", "-x", strconv.Itoa(s.columns), "-y", strconv.Itoa(s.rows), program)
	s.shows("rws>")
}

func (s *screen) tmux(args ...string) string {
	s.t.Helper()
	out, err := exec.Command("tmux", append([]string{"-L", s.socket}, args...)...).CombinedOutput()
	if err != nil {
		s.t.Fatalf("tmux %v: %v\n%s", args, err, out)
	}
	return string(out)
}

// keys types keys, by tmux's names; text types text as it is.
func (s *screen) keys(keys ...string) { s.tmux(append([]string{"send-keys"}, keys...)...) }
func (s *screen) text(text string)    { s.tmux("send-keys", "-l", text) }

func (s *screen) look() string { return s.tmux("capture-pane", "-p") }

// shows waits until the screen contains text.
func (s *screen) shows(text string) string {
	s.t.Helper()
	return s.until(fmt.Sprintf("%q to be shown", text), func(screen string) bool { return strings.Contains(screen, text) })
}

func (s *screen) until(what string, ok func(screen string) bool) string {
	s.t.Helper()
	for end := time.Now().Add(15 * time.Second); ; time.Sleep(10 * time.Millisecond) {
		screen := s.look()
		if ok(screen) {
			return screen
		}
		if time.Now().After(end) {
			s.t.Fatalf("waiting for %s; the screen is\n%s", what, strings.TrimRight(screen, "\n"))
		}
	}
}

func (s *screen) log(text string) {
	s.t.Helper()
	part := filepath.Join(s.dir, "log.part")
	if err := os.WriteFile(part, []byte(text), 0o600); err != nil {
		s.t.Fatal(err)
	}
	if err := os.Rename(part, filepath.Join(s.dir, "log")); err != nil {
		s.t.Fatal(err)
	}
}

func TestTerminal(t *testing.T) {
	s := newScreen(t)

	s.text("1 + 41")
	s.keys("Enter")
	s.shows("\n42\n")

	// Several lines, with a prompt of their own, as one entry of the history.
	s.text("local function f(a)")
	s.keys("Enter")
	s.shows("\n...>")
	s.text("return a * 2 end")
	s.keys("Enter")
	s.text("f(21) + 1")
	s.keys("Enter")
	s.shows("\n43\n")

	// Completion, and the signature of what is being called.
	s.text("coun")
	s.keys("Tab", "Enter")
	s.shows("rws> count\n1\n")
	s.text("app:")
	s.keys("Tab")
	s.shows("-- app:db(url, options?)")
	s.keys("Tab")
	s.shows("rws> app:db\n")
	s.text("(")
	s.until("the menu to close", func(screen string) bool {
		return strings.Contains(screen, "rws> app:db(\n") && !strings.Contains(screen, "-- app:")
	})
	s.keys("C-c")
	s.text("app:get(")
	s.shows("app:get(pattern, options?, handler)")
	s.keys("C-c")

	// Log lines come above the line that is being typed and leave it whole.
	s.text("'typed before")
	s.shows("rws> 'typed before")
	s.log("log line one\nlog line two\n")
	s.shows("log line one\nlog line two\nrws> 'typed before")
	s.text(" and after'")
	s.keys("Enter")
	s.shows("rws> 'typed before and after'\n\"typed before and after\"\n")

	// Ctrl-C cancels a line, then a call.
	s.text("never_run()")
	s.shows("never_run()")
	s.keys("C-c")
	s.text("print('go') while true do end")
	s.keys("Enter")
	s.shows("\ngo\n")
	s.log("while it runs\n")
	s.shows("while it runs")
	s.keys("C-c")
	s.shows("interrupted")

	// The history knows, and searches.
	s.keys("Up", "Up")
	s.shows("rws> 'typed before and after'")
	s.keys("C-c")
	s.keys("C-r")
	s.text("41")
	s.shows("1 + 41")
	s.keys("Enter", "Enter")
	s.shows("rws> 1 + 41\n42\n")

	s.text(":edit greet")
	s.keys("Enter")
	s.shows("edited " + s.dir[:4])
	s.shows("/app.lua\nrws>") // before the prompt is there, Ctrl-D is the terminal's

	s.keys("C-d")
	screen := s.shows("ended with <nil>")
	if strings.Contains(screen, "attempt to call") {
		t.Errorf("a cancelled line ran:\n%s", screen)
	}
	info, err := os.Stat(filepath.Join(s.dir, ".rws", "history"))
	if err != nil || info.Mode().Perm() != 0o600 {
		t.Errorf("the history: %v, %v", info, err)
	}
}

// On a narrow terminal the menu stays below the prompt, whatever number of candidates there are.
func TestMenuOnANarrowTerminal(t *testing.T) {
	s := newScreenOf(t, 40, 24)
	s.text("t = {} for i = 10, 39 do t['n'..i] = loadstring('return function(a'..i..') end')() end")
	s.keys("Enter")
	s.text("t.")
	s.shows("rws> t.\n")
	s.keys("Tab")
	s.shows("n10")
	for range 12 {
		before := s.look()
		s.keys("Tab")
		s.until("the next candidate", func(screen string) bool { return screen != before })
		if screen := s.look(); strings.Count(screen, "rws> t.") != 1 {
			t.Fatalf("prompts are left behind:\n%s", screen)
		}
	}
	if screen := s.look(); !strings.Contains(screen, "rws> t.n2") || strings.Contains(screen, "more completion rows") {
		t.Errorf("the screen is\n%s", screen)
	}
}

func TestTerminalPaste(t *testing.T) {
	s := newScreen(t)
	s.tmux("set-buffer", "local function g(a)\n\treturn a + 1\nend\nreturn g(1) + 100")
	s.tmux("paste-buffer", "-p")
	s.shows("return g(1) + 100")
	s.keys("Enter")
	s.shows("\n102\n")
}

func TestManyLogLinesWhileTyping(t *testing.T) {
	s := newScreen(t)
	for i := range 30 {
		s.text("x")
		s.log(fmt.Sprintf("line %d\n", i))
		s.shows(fmt.Sprintf("line %d\nrws> ", i))
	}
	s.shows("\nrws> " + strings.Repeat("x", 30) + "\n")
	if screen := s.look(); strings.Count(screen, "rws>") != 1 {
		t.Errorf("prompts are left behind:\n%s", screen)
	}
}

func TestLettersOfEveryLanguageCanBeTyped(t *testing.T) {
	s := newScreen(t)
	s.text("'naïve café ÿ¡ żółw 日本'")
	s.keys("Enter")
	s.shows("\n\"naïve café ÿ¡ żółw 日本\"\n")
	s.tmux("set-buffer", "#'naïve café'")
	s.tmux("paste-buffer", "-p")
	s.keys("Enter")
	s.shows("\n12\n")
	s.text("one two")
	s.keys("M-b") // Alt still moves by words
	s.text("#'")
	s.keys("C-e")
	s.text("'")
	s.shows("one #'two'")
}

func TestLogLinesWhileTheLineIsWrapped(t *testing.T) {
	s := newScreen(t) // 90 columns
	long := "'" + strings.Repeat("0123456789", 20)
	s.text(long)
	s.shows("789\n")
	for i := range 3 {
		s.log(fmt.Sprintf("line %d a\nline %d b\n", i, i))
		s.shows(fmt.Sprintf("line %d b\nrws> '0123", i))
	}
	want := "line 0 a\nline 0 b\nline 1 a\nline 1 b\nline 2 a\nline 2 b\nrws> '0123"
	if screen := s.look(); !strings.Contains(screen, want) || strings.Count(screen, "rws>") != 1 {
		t.Errorf("the screen is\n%s", screen)
	}
	s.text("'")
	s.keys("Enter")
	s.until("the whole text", func(screen string) bool {
		return strings.Contains(strings.ReplaceAll(screen, "\n", ""), "\""+long[1:]+"\"")
	})
}

func TestLogLinesWhileABlockIsTyped(t *testing.T) {
	s := newScreen(t)
	s.text("for i = 1, 2 do")
	s.keys("Enter")
	s.shows("\n...>")
	s.text("print('x' .. i)")
	s.keys("Enter")
	s.text("local third")
	for i := range 3 {
		s.log(fmt.Sprintf("line %d\n", i))
		s.shows(fmt.Sprintf("line %d\nrws> for i", i))
	}
	if screen := s.look(); !strings.Contains(screen, "line 0\nline 1\nline 2\nrws> for i = 1, 2 do\n") || !strings.Contains(screen, "local third") {
		t.Errorf("the screen is\n%s", screen)
	}
	s.keys("Enter")
	s.text("end")
	s.keys("Enter")
	s.shows("\nx1\nx2\n")
}
