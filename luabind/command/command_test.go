package command_test

import (
	"bytes"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"rws/luabind/command"
)

// A result is what a call of rws ended with.
type result struct {
	code     int
	out, err string
}

// rws runs a command line.
func rws(t *testing.T, args ...string) result {
	t.Helper()
	var out, errs bytes.Buffer
	code := command.Main(args, strings.NewReader(""), &out, &errs)
	return result{code, out.String(), errs.String()}
}

// expect fails the test unless rws ended with code and said all of want, in the output
// for code 0 and else in the error output.
func (r result) expect(t *testing.T, code int, want ...string) {
	t.Helper()
	text := r.out
	if code != 0 {
		text = r.err
	}
	if r.code != code {
		t.Errorf("exit code %d, want %d\noutput: %s\nerrors: %s", r.code, code, r.out, r.err)
	}
	for _, w := range want {
		if !strings.Contains(text, w) {
			t.Errorf("%q is missing in:\n%s", w, text)
		}
	}
}

// refuse fails the test when rws said one of the words.
func (r result) refuse(t *testing.T, words ...string) {
	t.Helper()
	for _, w := range words {
		if strings.Contains(r.out+r.err, w) {
			t.Errorf("%q should not be in:\n%s%s", w, r.out, r.err)
		}
	}
}

// app makes a folder of files the working directory: name, text, name, text, ….
func app(t *testing.T, files ...string) (dir string) {
	t.Helper()
	dir = t.TempDir()
	for i := 0; i < len(files); i += 2 {
		write(t, filepath.Join(dir, files[i]), files[i+1])
	}
	t.Chdir(dir)
	return dir
}

func write(t *testing.T, file, text string) {
	t.Helper()
	if err := os.MkdirAll(filepath.Dir(file), 0o755); err != nil {
		t.Fatal(err)
	}
	if err := os.WriteFile(file, []byte(text), 0o644); err != nil {
		t.Fatal(err)
	}
}

func read(t *testing.T, file string) string {
	t.Helper()
	text, err := os.ReadFile(file)
	if err != nil {
		t.Fatal(err)
	}
	return string(text)
}

const hello = "app:get(\"/\", function() return \"hello\" end)\n"

func TestWrongUsageExitsWith2(t *testing.T) {
	app(t, "app.lua", hello, "other.lua", hello, "folder/x.txt", "")
	for _, c := range []struct {
		name string
		args []string
		want []string
	}{
		{"unknown flag", []string{"--prot", "80"}, []string{"unknown flag --prot", "did you mean --port?", "`rws --help`"}},
		{"unknown flag of a command", []string{"check", "--tiemout=3s"}, []string{"--timeout", "`rws check --help`"}},
		{"one dash", []string{"-port", "80"}, []string{"unknown flag -port", "did you mean --port?"}},
		{"unknown letter", []string{"-x"}, []string{"unknown flag -x"}},
		{"flag without a value", []string{"app.lua", "--port"}, []string{"flag needs an argument: --port"}},
		{"duration without a unit", []string{"app.lua", "--timeout", "30"}, []string{"--timeout", `"30" has no unit`, `"30s"`}},
		{"size without a unit", []string{"check", "--max-body", "10"}, []string{"--max-body", `"10kb"`}},
		{"port that is none", []string{"app.lua", "--port", "http"}, []string{"--port", `"http" is not a whole number from 0 to 65535`}},
		{"misspelt choice", []string{"check", "--env", "prodction"}, []string{"--env", `did you mean "production"?`}},
		{"misspelt command", []string{"chek"}, []string{`"chek" is neither a command nor a script`, `did you mean "check"?`}},
		{"misspelt command with a script", []string{"rotues", "app.lua"}, []string{`did you mean "routes"?`}},
		{"help on nothing", []string{"help", "chek"}, []string{`did you mean "check"?`}},
		{"missing file", []string{"ap.lua"}, []string{"there is no file ap.lua", `did you mean "app.lua"?`}},
		{"missing file of a command", []string{"check", "othr.lua"}, []string{`did you mean "other.lua"?`}},
		{"folder without an app", []string{"folder"}, []string{"no app.lua in the folder folder", "rws new folder"}},
		{"two scripts", []string{"app.lua", "other.lua"}, []string{"one script at a time", `"other.lua"`}},
		{"too many arguments", []string{"check", "app.lua", "other.lua"}, []string{`"other.lua" is one argument too many`, "rws check [app.lua]"}},
		{"no path", []string{"why"}, []string{"an argument is missing: rws why"}},
		{"a word for a path", []string{"why", "GET", "app.lua"}, []string{`"app.lua" is not a path`, "rws why GET /notes/7"}},
		{"a pattern without tests", []string{"test", "--run", "nothing"}, []string{`no test has a name that contains "nothing"`}},
		{"a name and the whole manual", []string{"doc", "app", "--markdown"}, []string{"takes no name"}},
		{"types in no folder", []string{"types", "nowhere"}, []string{"nowhere is not a folder"}},
	} {
		t.Run(c.name, func(t *testing.T) { rws(t, c.args...).expect(t, 2, c.want...) })
	}
}

func TestVariableIsCheckedToo(t *testing.T) {
	app(t, "app.lua", hello)
	t.Setenv("RWS_TIMEOUT", "30")
	rws(t, "check").expect(t, 2, "variable RWS_TIMEOUT", `"30" has no unit`)
}

func TestWithoutScriptThereIsNothingToServe(t *testing.T) {
	app(t)
	rws(t).expect(t, 2, "there is no app.lua here", "rws new")
}

func TestUnreadableScript(t *testing.T) {
	dir := app(t, "secret.lua", hello)
	if err := os.Chmod(filepath.Join(dir, "secret.lua"), 0); err != nil {
		t.Fatal(err)
	}
	if _, err := os.ReadFile("secret.lua"); err == nil {
		t.Skip("this user may read everything")
	}
	rws(t, "secret.lua").expect(t, 2, "reading the script", "secret.lua", "denied")
}

func TestScriptThatDoesNotLoadExitsWith1(t *testing.T) {
	for _, c := range []struct {
		name, script string
		want         []string
	}{
		{"syntax", "app:get(\"/\", function()\n", []string{"app.lua:1", "missing `end`"}},
		{"raised", "local x = nil\nprint(x.y)\n", []string{"app.lua:2", "`x`", "> 2 | print(x.y)"}},
		{"unknown option", "app:config { prt = 1 }\n", []string{"app.lua:1", `did you mean "port"?`}},
		{"option without a unit", "app:config { timeout = 30 }\n", []string{"app.lua:1", `"30" has no unit`}},
		{"bad pattern", "app:get(\"notes\", function() end)\n", []string{"app.lua:1", "notes"}},
		{"missing module", "require(\"users\")\n", []string{"app.lua:1", "users.lua"}},
		{"same route twice", hello + hello, []string{"app.lua:2", "already declared", "app.lua:1", "> 2 |"}},
		{"routes that tie", "app:get(\"/:a\", function() end)\napp:get(\"/:b\", function() end)\n", []string{"app.lua:2", "neither is more specific"}},
	} {
		t.Run(c.name, func(t *testing.T) {
			app(t, "app.lua", c.script)
			for _, command := range []string{"check", "routes", "config", "test", "app.lua"} {
				r := rws(t, command, "--port", "0")
				r.expect(t, 1, c.want...)
				r.refuse(t, "goroutine", ".go:")
			}
		})
	}
}

func TestHelp(t *testing.T) {
	app(t)
	rws(t, "--help").expect(t, 0, "Usage:\n  rws [app.lua]", "rws new", "check ", "--port 3000", "RWS_MAX_BODY", "-e, --eval line")
	rws(t, "help", "why").expect(t, 0, "rws why [METHOD] /path", "--host name", "Examples:")
	for _, name := range []string{"new", "check", "test", "routes", "why", "config", "types", "doc", "version"} {
		r := rws(t, name, "--help")
		r.expect(t, 0, "Usage:\n  rws "+name, "Examples:\n  rws "+name)
		r.refuse(t, "--stop-grace")
	}
	rws(t, "completion", "bash").expect(t, 0, "bash completion")
}

func TestVersion(t *testing.T) {
	rws(t, "--version").expect(t, 0, "rws "+command.Version)
	r := rws(t, "version")
	r.expect(t, 0, "rws "+command.Version, "go1.")
	r.refuse(t, "module")
	rws(t, "version", "--modules").expect(t, 0, "odule") // a test binary knows none, and says so
}

func TestCompletionKnowsScripts(t *testing.T) {
	rws(t, "__complete", "check", "").expect(t, 0, "lua", ":8") // filter by ending
	rws(t, "__complete", "che").expect(t, 0, "check\t")
}
