package repl_test

import (
	"context"
	"encoding/json"
	"io"
	"strings"
	"testing"
	"time"

	"rws/luabind/repl"
)

func mustJSON(v any) string {
	b, err := json.Marshal(v)
	if err != nil {
		panic(err)
	}
	return string(b)
}

func TestWhatALineGives(t *testing.T) {
	h := newHost(t, script)
	for _, test := range []struct {
		name, want string
		lines      []string
	}{
		{"an expression", "3", []string{"1 + 2"}},
		{"several values", "1\n\"a\"\nnil", []string{"1, 'a', nil"}},
		{"a statement", "", []string{"x = 5"}},
		{"nothing", "", []string{"", "-- a remark"}},
		{"the console of 5.1", "3", []string{"= 1 + 2"}},
		{"a local stays", "6", []string{"local x = 5", "x + 1"}},
		{"locals from one call", "1\n2\nnil", []string{"local a, b, c = (function() return 1, 2 end)()", "a, b, c"}},
		{"locals swapped", "2\n1", []string{"local a, b = 1, 2", "a, b = b, a", "a, b"}},
		{"a local sees the old one", "6", []string{"local x = 5", "local x = x + 1", "x"}},
		{"locals of blocks don't stay", "nil", []string{"do local inner = 1 end", "inner"}},
		{"a local function calls itself", "120", []string{"local function f(n) return n < 2 and 1 or n * f(n - 1) end", "f(5)"}},
		{"closures share the variable", "2", []string{"local n = 0; function inc() n = n + 1 end", "inc() inc()", "n"}},
		{"a new name is the session's", "nil\n5", []string{"fresh = 5", "_G.fresh", "fresh"}},
		{"a local of the script", "1", []string{"count"}},
		{"a function that is only a handler", "\"handled\"", []string{"only_a_handler()"}},
		{"a session variable hides it", "\"mine\"", []string{"local count = 'mine'", "count"}},
		{"also when it is nil", "nil", []string{"local count", "count"}},
		{"the last results", "1\n2\n3\n3\n2", []string{"1", "2", "3", "_, _2"}},
		{"print in order", "1\n2\n3", []string{"print(1)", "print(2) return 3"}},
		{"print calls tostring", "1\tnil\ttrue", []string{"print(1, nil, true)"}},
		{"many lines", "3", []string{"local function f(a)\n  return a + 1\nend", "f(2)"}},
		{"locals in many ways", "1\n2\nnil\n4\n5", []string{"local a --[[x]], -- y\n b = 1, 2 local c local\nd = 4; local function\nf() local e = 5 return e end", "a, b, c, d, f()"}},
		{"a local after a loop", "3\n9", []string{"for i = 1, 3 do local inner = i end local n = 3 if n then local m = 4 end local o = n * 3", "n, o"}},
		{"a local after repeat", "2", []string{"repeat local done = true until done local n = 2", "n"}},
		{"a loop that begins with a jump", "3", []string{"n = 0 for i = 1, 3 do n = n + 1 for j = 1, 3 do break end end", "n"}},
		{"a goto", "2", []string{"for i = 1, 3 do if i == 2 then got = i goto out end end ::out::", "got"}},
	} {
		t.Run(test.name, func(t *testing.T) {
			if got := newConsole(t, h).run(test.lines...); got != test.want {
				t.Errorf("got %q, want %q", got, test.want)
			}
		})
	}
}

func TestAssigningALocalOfTheScriptChangesWhatHandlersDo(t *testing.T) {
	c := newConsole(t, newHost(t, script))
	c.run("count = 100")
	if got := c.run(`get("/count").json().count`); got != "101" {
		t.Errorf("the handler counted to %s", got)
	}
	if got := c.run("count"); got != "101" {
		t.Errorf("the console sees %s", got)
	}
	c.run("function greet() return 'replaced' end")
	if got := c.run(`get("/").body`); got != `"replaced"` {
		t.Errorf("the handler said %s", got)
	}
	c.run("declared = 7")
	if got := c.run("_G.declared"); got != "7" {
		t.Errorf("the global is %s", got)
	}
}

func TestEachLineRunsOnce(t *testing.T) {
	c := newConsole(t, newHost(t, script))
	if got := c.run("n = 0", "function f() n = n + 1 return n end", "f()", "n"); got != "1\n1" {
		t.Errorf("got %q", got)
	}
}

func TestErrorsTeach(t *testing.T) {
	h := newHost(t, script)
	for _, test := range []struct {
		name, line string
		want       []string
	}{
		{"place and excerpt", "local x\nreturn x.y", []string{"repl:2:", "> 2 | return x.y", "^"}},
		{"a syntax error", "x = = 1", []string{"repl:1", "unexpected", "^"}},
		{"an expression's syntax error", "1 +* 2", []string{"repl:1"}},
		{"a misspelt global", "prnt(1)", []string{"did you mean `print`?"}},
		{"a misspelt local of the script", "greeet('x')", []string{"did you mean `greet`?"}},
		{"an unknown name", "zzzzqqq()", []string{"zzzzqqq"}},
		{"an error in the script", "return 1 + greet()", []string{"app.lua:9", `return "hello " .. who`, "repl:1"}},
		{"raised text", "error('oops')", []string{"oops"}},
		{"raised table", "error({ code = 'no_cake', message = 'no cake' })", []string{"no cake"}},
		{"an unknown command", ":relaod", []string{"did you mean :reload?"}},
		{"a wrong option", `get("/", { heders = {} })`, []string{`did you mean "headers"?`}},
		{"a path without slash", `get "notes"`, []string{"stay in this app"}},
		{"no function", ":src count", []string{"count is a number, not a function"}},
	} {
		t.Run(test.name, func(t *testing.T) {
			got := newConsole(t, h).fails(test.line)
			for _, want := range test.want {
				if !strings.Contains(got, want) {
					t.Errorf("%q is missing in:\n%s", want, got)
				}
			}
		})
	}
}

func TestTheLastErrorIsKept(t *testing.T) {
	c := newConsole(t, newHost(t, script))
	c.fails("error({ code = 'no_cake', message = 'no cake' })")
	if got := c.run("_err.code"); got != `"no_cake"` {
		t.Errorf("_err.code is %s", got)
	}
}

func TestARequestThatFailsIsTheLastError(t *testing.T) {
	c := newConsole(t, newHost(t, script))
	c.run(`get "/fail"`)
	if got := c.run("_err.status, _err.message"); got != "500\n\"GET /fail was answered 500\"" {
		t.Errorf("_err is %s", got)
	}
}

func TestInterrupt(t *testing.T) {
	for name, line := range map[string]string{"a loop": "while true do end", "a wait": "wait()"} {
		t.Run(name, func(t *testing.T) {
			c := newConsole(t, newHost(t, script))
			started := make(writes, 1)
			ended := make(chan error, 1)
			go func() {
				_, err := c.Eval(context.Background(), "print('go') "+line, started, repl.Style{})
				ended <- err
			}()
			<-started
			c.Interrupt()
			if err := <-ended; err == nil || !strings.Contains(text(err), "interrupted") {
				t.Fatalf("got %v", err)
			}
			if got := c.run("1"); got != "1" {
				t.Fatalf("afterwards: %s", got)
			}
		})
	}
}

// writes is told of each write.
type writes chan []byte

func (w writes) Write(p []byte) (int, error) { w <- p; return len(p), nil }

func TestInterruptWhileAnotherRunHoldsLua(t *testing.T) {
	h := newHost(t, script)
	busy, c := newConsole(t, h), newConsole(t, h)
	ended := make(chan error, 2)
	go func() {
		_, err := busy.Eval(context.Background(), "ready() while true do end", io.Discard, repl.Style{})
		ended <- err
	}()
	<-h.ready
	go func() {
		_, err := c.Eval(context.Background(), "1", io.Discard, repl.Style{})
		ended <- err
	}()
	for h.Isolate().Queue() == 0 {
		time.Sleep(time.Millisecond)
	}
	c.Interrupt()
	if err := <-ended; err == nil || !strings.Contains(text(err), "interrupted") {
		t.Fatalf("the waiting line: %v", err)
	}
	busy.Interrupt()
	<-ended
}

func TestAReloadKeepsPlainVariables(t *testing.T) {
	c := newConsole(t, newHost(t, script))
	c.run("n = 5", "local s = 'text'", "local t = {}", "count = 50")
	c.run(":reload")
	got := c.run("n, s, t, count")
	if !strings.HasSuffix(got, "5\n\"text\"\nnil\n1") || !strings.Contains(got, "are gone: t") {
		t.Errorf("got %q", got)
	}
}

func TestAConsoleCannotBreakTheLibrary(t *testing.T) {
	h := newHost(t, script)
	c := &console{Session: repl.New(h, repl.Options{}), t: t}
	for _, line := range []string{"pairs = nil", "string.rep = 1", "_G.print = nil"} {
		if got := c.fails(line); !strings.Contains(got, "can't be set once the script has loaded") {
			t.Errorf("%s: %s", line, got)
		}
	}
	if got := c.run("declared = 5", "local pairs = 1", "declared, pairs"); got != "5\n1" {
		t.Errorf("what is allowed gave %q", got)
	}
}

func TestReadOnly(t *testing.T) {
	h := newHost(t, script)
	c := &console{Session: repl.New(h, repl.Options{ReadOnly: true}), t: t}
	for name, line := range map[string]string{
		"a local of the script": "count = 2", "a global": "declared = 2", "a field": "rows[1].name = 'x'",
		"a function of a table": "function rows.f() end", "a field of a session variable": "local t = {} t.x = 1",
		"_G": "_G.x = 1", "rawset": "rawset(_G, 'x', 1)", "a method that writes": "app:push(1)",
		"a function that writes": "table.insert(rows, 1)", "within a function": "local f = function() count = 2 end f()",
		"within a loop": "for i = 1, 2 do rows.x = i end", "a request": `as({}).delete "/"`, "post": `post "/login"`, ":reload": ":reload",
		":src": ":src table.insert(rows, 1)", ":time": ":time count = 3", "loadstring": "loadstring('x = 1')()",
		"a computed name": `table["ins" .. "ert"](rows, {})`, "by pcall": `assert(pcall(rawget(table, "ins" .. "ert"), rows, {}))`,
		"by a coroutine": `assert(coroutine.resume(coroutine.create(table["ins" .. "ert"]), rows, {}))`,
		"by gsub":        `("x"):gsub("x", function() table["so" .. "rt"](rows) end)`, "a metatable": `_G["setmeta" .. "table"](rows, {})`,
		"compiled text": `_G["lo" .. "ad"]("rows[3] = 1")()`, "a function of the script": "bump()", "handed to another": "assert(pcall(bump))", "by an iterator": "for _ in bump do end",
	} {
		t.Run(name, func(t *testing.T) {
			if got := c.fails(line); !strings.Contains(got, "read-only") {
				t.Errorf("got %s", got)
			}
		})
	}
	if got := c.run("#rows", "bump", "names()", "names", "table.concat(names())"); !strings.Contains(got, "function bump()") || !strings.Contains(got, `{ "ann", "bob" }`) {
		t.Errorf("looking gave %q", got)
	}
	if got := c.run("local mine = count", "mine = mine + 1", "mine, count, declared", `get("/").status`); got != "2\n1\n1\n200" {
		t.Errorf("what is allowed gave %q", got)
	}
}

func TestPipe(t *testing.T) {
	h := newHost(t, script)
	for _, test := range []struct {
		name, in, out, errs string
		ok                  bool
	}{
		{"lines", "1 + 1\nlocal x = 3\nx\n", "2\n3\n", "", true},
		{"a line in parts", "local function f()\n  return 7\nend\nf()", "7\n", "", true},
		{"an error goes on", "nope()\n2\n", "2\n", "nope", false},
		{"an end too early", "f(", "", "repl:1", false},
		{"quit", ":quit\n1\n", "", "", true},
		{"a request", "get '/'\n", "200 OK", "", true},
		{"a request that fails", "get '/fail'\nget '/none'\n", "500 Internal", "", false},
		{"a request for nothing", "get '/none'\n", "404 Not Found", "", true},
		{"no colours", "{ a = 1 }\n", "{ a = 1 }\n", "", true},
	} {
		t.Run(test.name, func(t *testing.T) {
			var out, errs strings.Builder
			ok := repl.Pipe(t.Context(), repl.New(h, repl.Options{}), strings.NewReader(test.in), &out, &errs)
			if ok != test.ok || !strings.HasPrefix(out.String(), test.out) || !strings.Contains(errs.String(), test.errs) || strings.Contains(out.String(), "\x1b") {
				t.Errorf("ok %v, out %q, errors %q", ok, out.String(), errs.String())
			}
		})
	}
}

func TestComplete(t *testing.T) {
	for text, want := range map[string]bool{
		"": true, "1": true, "f(": false, "f()": true, "local x =": false, "if x then": false, "x +": false, "{ 1,": false,
		"[[": false, "--[[ x": false, "'abc": true, "x = = 1": true, "function f()": false, ":help": true, ":time (": true,
		"for i = 1, 3 do\nprint(i)": false, "return": true, "x = {\n  a = 1,\n": false, "repeat": false, "--[[ x ]]": true, "'abc\\": false,
	} {
		if got := repl.Complete(text); got != want {
			t.Errorf("Complete(%q) = %v", text, got)
		}
	}
}

func FuzzComplete(f *testing.F) {
	for _, seed := range []string{"", "1", "local x = ", "f({", "[[", "--[[", "'\\", "=1", ":help x", "get \"/", "a.b:c", ": :", "local a, b = 1 local function f() end", "local x -- y\nlocal z"} {
		f.Add(seed)
	}
	for _, text := range endless {
		f.Add(text[:2000] + text[len(text)-2000:])
	}
	h := newHost(f, script)
	f.Fuzz(func(t *testing.T, text string) {
		if len(text) > 1<<20 && !repl.Complete(text) {
			t.Fatal("more is asked for than a line may have")
		}
		if repl.Highlight(text); !repl.Complete(text) {
			return
		}
		ctx, cancel := context.WithTimeout(t.Context(), 100*time.Millisecond)
		defer cancel()
		_, _ = repl.New(h, repl.Options{ReadOnly: true}).Eval(ctx, text, io.Discard, repl.Style{Color: true})
	})
}
