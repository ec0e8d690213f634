//go:build unix

package command_test

import (
	"encoding/json"
	"io"
	"net"
	"net/http"
	"os"
	"os/signal"
	"path/filepath"
	"regexp"
	"strings"
	"syscall"
	"testing"
	"time"

	"rws/luabind/command"
	"rws/spec_test/logtext"
)

// A site is rws serving, in this process: signals go to the test itself.
type site struct {
	t        *testing.T
	url      string
	out, err logtext.Buffer
	done     chan int
}

var url = regexp.MustCompile(`https?://localhost:\d+`)

// serve runs rws until the test ends, and waits until it listens.
func serve(t *testing.T, args ...string) *site {
	t.Helper()
	s := &site{t: t, done: make(chan int, 1)}
	go func() { s.done <- command.Main(append(args, "--port", "0"), strings.NewReader(""), &s.out, &s.err) }()
	s.until("it listens", func() bool {
		s.url = url.FindString(s.err.String())
		return s.url != ""
	})
	t.Cleanup(func() {
		select {
		case <-s.done:
		default:
			s.signal(syscall.SIGTERM)
			s.exit()
		}
	})
	return s
}

// until polls for something that happens soon.
func (s *site) until(what string, ok func() bool) {
	s.t.Helper()
	for deadline := time.Now().Add(20 * time.Second); !ok(); time.Sleep(5 * time.Millisecond) {
		if time.Now().After(deadline) {
			s.t.Fatalf("waiting until %s; it said:\n%s%s", what, s.out.String(), s.err.String())
		}
	}
}

func (s *site) untilSays(text string) {
	s.t.Helper()
	s.until("it says "+text, func() bool { return strings.Contains(s.err.String()+s.out.String(), text) })
}

func (s *site) signal(sig syscall.Signal) {
	s.t.Helper()
	if err := syscall.Kill(os.Getpid(), sig); err != nil {
		s.t.Fatal(err)
	}
}

// exit waits for the end and returns the exit code.
func (s *site) exit() int {
	s.t.Helper()
	select {
	case code := <-s.done:
		s.done <- code
		return code
	case <-time.After(20 * time.Second):
		s.t.Fatalf("it does not end; it said:\n%s%s", s.out.String(), s.err.String())
		return -1
	}
}

func (s *site) get(path string) string {
	s.t.Helper()
	res, err := http.Get(s.url + path)
	if err != nil {
		s.t.Fatal(err)
	}
	defer res.Body.Close()
	body, err := io.ReadAll(res.Body)
	if err != nil {
		s.t.Fatal(err)
	}
	return string(body)
}

func (s *site) says(want ...string) {
	s.t.Helper()
	for _, w := range want {
		if !s.err.Contains(w) {
			s.t.Errorf("%q is missing in:\n%s", w, s.err.String())
		}
	}
}

// TestMain keeps a hangup that arrives when nothing listens any more from ending the test.
func TestMain(m *testing.M) {
	signal.Notify(make(chan os.Signal, 1), syscall.SIGHUP)
	os.Exit(m.Run())
}

func TestServesAndStops(t *testing.T) {
	app(t, "app.lua", hello+`
app:on("start", function() print("start hook") end)
app:on("stop", function() print("stop hook") end)
app:test("t", function() end)`)
	s := serve(t)
	if got := s.get("/"); got != "hello" {
		t.Errorf("got %q", got)
	}
	s.says("rws "+command.Version, "app.lua", "ready in", "➜  http://localhost:", "1 route · 1 test · 1 isolate · development",
		"handler 30s", "body 10mb", "10000 connections", "watching 1 file ·")
	s.signal(syscall.SIGTERM)
	if code := s.exit(); code != 0 {
		t.Errorf("exit code %d", code)
	}
	s.says("stopping")
	if got := s.out.String(); got != "start hook\nstop hook\n" {
		t.Errorf("hooks printed %q", got)
	}
	if s.err.Contains("\x1b") {
		t.Error("there are colours, and no terminal")
	}
}

func TestSecondSignalStopsAtOnce(t *testing.T) {
	app(t, "app.lua", `app:get("/", function() print("handler runs") rws.sleep("1h") end)`)
	s := serve(t, "--timeout", "2h", "--stop-grace", "1h")
	go func() {
		if res, err := http.Get(s.url); err == nil {
			res.Body.Close()
		}
	}()
	s.untilSays("handler runs")
	s.signal(syscall.SIGINT)
	s.untilSays("stopping")
	s.signal(syscall.SIGHUP) // means nothing now
	s.signal(syscall.SIGINT)
	if code := s.exit(); code != 1 {
		t.Errorf("exit code %d", code)
	}
	s.says("stopped at once")
}

func TestHangupReloadsAndKeepsState(t *testing.T) {
	dir := app(t, "app.lua", `app.shared:set("n", 1)
app:on("stop", function() print("first stops") end)
app:get("/", function() return "first" end)`)
	s := serve(t, "--env", "production", "--log", "pretty")
	write(t, filepath.Join(dir, "app.lua"), `app:on("start", function() print("starts again") end)
app:on("stop", function() print("second stops") end)
app:get("/", function() return "second " .. app.shared:get("n") end)`)
	s.signal(syscall.SIGHUP)
	s.untilSays("reloaded")
	if got := s.get("/"); got != "second 1" {
		t.Errorf("got %q", got)
	}
	s.signal(syscall.SIGTERM)
	if s.exit(); s.out.String() != "second stops\n" {
		t.Errorf("hooks printed %q", s.out.String())
	}
}

func TestSavingReloads(t *testing.T) {
	dir := app(t, "app.lua", `local name = require("name") app:get("/", function() return name end)`, "name.lua", `return "ann"`)
	s := serve(t, "--log", "pretty")
	write(t, filepath.Join(dir, "name.lua"), `return "bob"`)
	s.until("it says bob", func() bool { return s.get("/") == "bob" })
	s.untilSays("changed=name.lua")
}

func TestBrokenVersionIsNotUsed(t *testing.T) {
	dir := app(t, "app.lua", hello)
	s := serve(t, "--log", "pretty")
	write(t, filepath.Join(dir, "app.lua"), `local words = require("words")
app:get("/", function() return words end)`)
	s.untilSays("the new version does not load")
	if got := s.get("/"); got != "hello" {
		t.Errorf("got %q", got)
	}
	s.says("app.lua:1", "words.lua")
	// The file that was missing is noticed, and so is its repair. The watch learns of it
	// some time after the error was said, so it is written until that has happened.
	text := "return ("
	s.until("the new file is read", func() bool {
		text += " "
		write(t, filepath.Join(dir, "words.lua"), text)
		return s.err.Contains("words.lua:1")
	})
	write(t, filepath.Join(dir, "words.lua"), `return "words"`)
	s.until("it is served", func() bool { return s.get("/") == "words" })
}

func TestNewAddressNeedsRestart(t *testing.T) {
	dir := app(t, "app.lua", hello)
	s := serve(t)
	write(t, filepath.Join(dir, "app.lua"), "app:config { h2c = true }\n"+hello)
	s.untilSays("restart rws to apply the new setting: h2c is now true")
	s.says("app.lua:1: the sockets are open already")
	if got := s.get("/"); got != "hello" {
		t.Errorf("got %q", got)
	}
}

func TestMachinesGetRecords(t *testing.T) {
	for _, c := range []struct {
		name, script string
		args         []string
	}{
		{"flag", hello, []string{"--log", "json"}},
		{"script", `app:config { log = "json" }` + hello, nil},
		{"production", hello, []string{"--env", "production"}},
	} {
		t.Run(c.name, func(t *testing.T) {
			app(t, "app.lua", c.script)
			s := serve(t, c.args...)
			s.get("/")
			s.signal(syscall.SIGTERM)
			s.exit()
			records := make(map[string]map[string]any)
			for line := range strings.Lines(s.err.String()) {
				var r map[string]any
				if err := json.Unmarshal([]byte(line), &r); err != nil {
					t.Fatalf("no record: %q", line)
				}
				records[r["msg"].(string)] = r
			}
			listening := records["listening"]
			if listening == nil || listening["routes"] != 1.0 || listening["max_body"] != 10485760.0 || len(listening["addresses"].([]any)) != 1 {
				t.Errorf("%v", listening)
			}
			for _, msg := range []string{"request", "stopping"} {
				if records[msg] == nil {
					t.Errorf("no record %q in %s", msg, s.err.String())
				}
			}
		})
	}
}

func TestPortInUse(t *testing.T) {
	l, err := net.Listen("tcp", "localhost:0")
	if err != nil {
		t.Fatal(err)
	}
	defer l.Close()
	_, port, _ := net.SplitHostPort(l.Addr().String())
	app(t, "app.lua", hello+`
app:on("start", function() print("start hook") end)
app:on("stop", function() print("stop hook") end)`)
	r := rws(t, "--port", port)
	r.expect(t, 1, port, "in use")
	r.refuse(t, "goroutine", "➜")
	if r.out != "" {
		t.Errorf("hooks ran: %q", r.out)
	}
}

func TestHalfACertificateIsWrongUsage(t *testing.T) {
	app(t, "app.lua", hello)
	rws(t, "--tls-cert", "a.pem").expect(t, 2, "rws: ", "key")
}

func TestServeFails(t *testing.T) {
	for _, c := range []struct {
		name, script string
		args         []string
		want         []string
	}{
		{"start hook", `app:on("start", function() error("no") end)` + "\n" + hello, nil, []string{"app.lua:1: no"}},
		{"certificate", hello, []string{"--tls-cert", "a.pem", "--tls-key", "a.key"}, []string{"tls", "a.pem"}},
		{"address", hello, []string{"--listen", "nowhere.invalid:1"}, []string{"nowhere.invalid"}},
		{"folder of a socket", hello, []string{"--listen", "unix:/nowhere/app.sock"}, []string{"/nowhere/app.sock"}},
	} {
		t.Run(c.name, func(t *testing.T) {
			app(t, "app.lua", c.script)
			r := rws(t, c.args...)
			r.expect(t, 1, c.want...)
			r.refuse(t, "goroutine", "➜")
		})
	}
}

func TestStopHookFails(t *testing.T) {
	app(t, "app.lua", `app:on("stop", function()
  error("can't stop")
end)`)
	s := serve(t)
	s.signal(syscall.SIGTERM)
	if code := s.exit(); code != 1 {
		t.Errorf("exit code %d", code)
	}
	s.says("app.lua:2: can't stop", "> 2 |")
}
