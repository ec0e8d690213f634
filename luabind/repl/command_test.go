package repl_test

import (
	"io"
	"slices"
	"strings"
	"testing"

	"rws/luabind/repl"
)

func TestCommands(t *testing.T) {
	h := newHost(t, script)
	for _, test := range []struct {
		line string
		want []string
	}{
		{":help", []string{":routes [part]", `get "/path"`, "_err"}},
		{":help app:get", []string{"Answers GET requests.", "options"}},
		{":help app.get", []string{"Answers GET requests."}},
		{":help rws.json", []string{"JSON."}},
		{"help(app.get)", []string{"Answers GET requests."}},
		{"help(rws.json.encode)", []string{"Writes a value as JSON."}},
		{"help(greet)", []string{"function greet(who, ...)  app.lua:8", "-- Says hello.", "-- In two lines."}},
		{"help()", []string{":routes"}},
		{"help((rws.json.encode))", []string{"Writes a value as JSON."}},
		{`help("rws.json.encode")`, []string{"Writes a value as JSON."}},
		{`help("app:get")`, []string{"Answers GET requests."}},
		{":help :top", []string{":top  slow routes"}},
		{":routes", []string{"method  route", "GET     /api/notes  app.lua:16", "POST    /login"}},
		{":routes login", []string{"/login"}},
		{":why GET /x", []string{"GET /x: app.lua:14"}},
		{":why /x", []string{"GET /x: app.lua:14"}},
		{":locals", []string{"count = ", "greet = function greet(who, ...)  app.lua:8", "rows = ", "only_a_handler = function only_a_handler(c)  app.lua:18"}},
		{":src only_a_handler", []string{"local function only_a_handler"}},
		{":src greet", []string{" 8 | local function greet(who, ...)", "10 | end"}},
		{":src 8", []string{"8 | local function greet"}},
		{":src app.lua:8", []string{"8 | local function greet"}},
		{":time 1 + 1", []string{"2\n-- "}},
		{":top", []string{"memory", "no route has been asked for yet"}},
		{":reload", []string{"reloaded in"}},
	} {
		t.Run(test.line, func(t *testing.T) {
			got := newConsole(t, h).run(test.line)
			for _, want := range test.want {
				if !strings.Contains(got, want) {
					t.Errorf("%q is missing in:\n%s", want, got)
				}
			}
		})
	}
}

func TestOpen(t *testing.T) {
	c := newConsole(t, newHost(t, script))
	for line, want := range map[string]string{":open": "http://localhost:3000", "o": "http://localhost:3000", ":open /notes": "http://localhost:3000/notes"} {
		r, err := c.Eval(t.Context(), line, &c.out, repl.Style{})
		if err != nil || r.Open != want {
			t.Errorf("%s: %q, %v", line, r.Open, err)
		}
	}
	if got := c.run("local o = 5", "o"); got != "5" {
		t.Errorf("a variable o: %s", got)
	}
	if got := c.fails(":open notes"); !strings.Contains(got, "a path such as /notes") {
		t.Errorf("got %s", got)
	}
}

func TestCommandErrors(t *testing.T) {
	c := newConsole(t, newHost(t, script))
	for line, want := range map[string]string{
		":nonsense": ":help lists them", ":src": "name a function", ":why": "write :why GET /path", ":time": "write :time",
		":help app.got": "did you mean app:get", ":src rws.json.encode": "is a function of rws",
	} {
		if got := c.fails(line); !strings.Contains(got, want) {
			t.Errorf("%s: %s", line, got)
		}
	}
}

func TestLocalsAreThoseOfTheMainChunk(t *testing.T) {
	c := newConsole(t, newHost(t, script))
	got := c.run(":locals")
	if strings.Contains(got, "not the top one") || strings.Contains(got, "secret") {
		t.Errorf("got %s", got)
	}
}

func TestEditAndQuit(t *testing.T) {
	h := newHost(t, script)
	c := newConsole(t, h)
	r, err := c.Eval(t.Context(), ":edit greet", &c.out, repl.Style{})
	if err != nil || r.Edit == nil || *r.Edit != (repl.Place{File: h.Path("app.lua"), Line: 8}) {
		t.Errorf("got %+v, %v", r.Edit, err)
	}
	if r, err := c.Eval(t.Context(), ":quit", &c.out, repl.Style{}); err != nil || !r.Quit {
		t.Errorf("got %+v, %v", r, err)
	}
}

func TestCompletion(t *testing.T) {
	h := newHost(t, script)
	c := newConsole(t, h)
	c.run("session_variable = { field = 1, other = { deep = 2 } }", "local http = rws.json", `local word = "x"`)
	for _, test := range []struct {
		text string
		from int
		want []string // some of them
		not  []string
	}{
		{"cou", 0, []string{"count"}, []string{"greet"}},
		{"1 + gre", 4, []string{"greet"}, nil},
		{"session_v", 0, []string{"session_variable"}, nil},
		{"session_variable.", 17, []string{"field", "other"}, nil},
		{"session_variable.other.d", 23, []string{"deep"}, nil},
		{"app:", 4, []string{"get", "db"}, []string{"shared"}},
		{"app.", 4, []string{"shared"}, []string{"get"}},
		{"app.shared:g", 11, []string{"get"}, nil},
		{"rws.json.enc", 9, []string{"encode"}, nil},
		{"http.", 5, []string{"encode"}, nil},
		{"word:up", 5, []string{"upper"}, nil},
		{"rows[1].", 8, []string{"id", "name"}, nil},
		{"rows[ 2 ].n", 10, []string{"name"}, nil},
		{`session_variable["other"].`, 26, []string{"deep"}, nil},
		{"rows[9].", 8, nil, []string{"id"}},
		{"rows[count].", 12, nil, []string{"id"}},
		{`app:get("/", { `, 15, []string{"timeout", "limit"}, []string{"app", "count"}},
		{`app:get("/", { timeout = cou`, 25, []string{"count"}, []string{"timeout"}},
		{`get "/`, 5, []string{"/", "/count", "/api/notes"}, []string{"/login"}},
		{`post("/lo`, 6, []string{"/login"}, nil},
		{`x = "cou`, 8, nil, []string{"count"}},
		{"-- cou", 6, nil, []string{"count"}},
		{`app:get("/", { ti`, 15, []string{"timeout"}, nil},
		{`app:get("/", { timeout = "1s", l`, 31, []string{"limit"}, nil},
		{`app:db("x", { m`, 14, []string{"max_open"}, nil},
		{`get("/", { `, 11, []string{"headers", "query", "json"}, nil},
		{":he", 1, []string{"help"}, []string{"routes"}},
		{":help app:g", 6, []string{"app:get"}, nil},
		{":why GET /co", 9, []string{"/count"}, nil},
		{":src gre", 5, []string{"greet"}, nil},
		{":src app.sh", 9, []string{"shared"}, nil},
		{"fun", 0, []string{"function"}, nil},
		{"", 0, []string{"app", "count"}, []string{"while"}},
		{"12", 2, nil, []string{"count"}},
	} {
		t.Run(test.text, func(t *testing.T) {
			from, list := c.Complete(t.Context(), test.text+"rest of the line", len(test.text))
			names := make([]string, len(list))
			for i, one := range list {
				names[i] = one.Text
			}
			if len(test.want) > 0 && from != test.from {
				t.Errorf("from %d, want %d", from, test.from)
			}
			for _, want := range test.want {
				if !slices.Contains(names, want) {
					t.Errorf("%q is not among %v", want, names)
				}
			}
			for _, no := range test.not {
				if slices.Contains(names, no) {
					t.Errorf("%q is among %v", no, names)
				}
			}
		})
	}
}

func TestCompletionRunsNoLua(t *testing.T) {
	c := newConsole(t, newHost(t, script))
	c.run("calls = 0", "local bait = setmetatable({}, { __index = function() calls = calls + 1 return {} end, __tostring = function() calls = calls + 1 end })")
	for _, line := range []string{"bait.", "bait.x.", "bait:", "bait", "bait.x"} {
		c.Complete(t.Context(), line, len(line))
	}
	if got := c.run("calls"); got != "0" {
		t.Errorf("Lua ran %s times", got)
	}
}

func TestCompletionOfAFreshSession(t *testing.T) {
	c := newConsole(t, newHost(t, script))
	if _, list := c.Complete(t.Context(), "coun", 4); len(list) != 1 || list[0] != (repl.Candidate{Text: "count", Detail: "1"}) {
		t.Errorf("got %v", list)
	}
}

func TestCompletionGivesUpWhileLuaIsBusy(t *testing.T) {
	h := newHost(t, script)
	c := newConsole(t, h)
	ended := make(chan struct{})
	go func() {
		defer close(ended)
		_, _ = c.Eval(t.Context(), "ready() while true do end", io.Discard, repl.Style{})
	}()
	<-h.ready
	if _, list := c.Complete(t.Context(), "coun", 4); list != nil {
		t.Errorf("got %v", list)
	}
	c.Interrupt()
	<-ended
}

func FuzzCompletion(f *testing.F) {
	h := newHost(f, script)
	c := newConsole(f, h)
	for _, seed := range []string{"", "app:get(\"/\", { ", "a.b:c.", "get \"/", ":help ", ":time x.", "{ a = { ", "x[1].", "--[[", "=1"} {
		f.Add(seed, len(seed))
	}
	f.Fuzz(func(t *testing.T, text string, pos int) {
		from, _ := c.Complete(t.Context(), text, pos)
		if from < 0 || from > len(text) {
			t.Errorf("from %d in %q", from, text)
		}
	})
}
