package repl_test

import (
	"regexp"
	"strings"
	"testing"
)

var times = regexp.MustCompile(`\d+(\.\d+)? (µs|ms|s)\b`)

func TestRequests(t *testing.T) {
	h := newHost(t, script)
	for _, test := range []struct {
		name, want string
		lines      []string
	}{
		{"text", "200 OK  T  text/plain\nhello world", []string{`get "/"`}},
		{"nothing found", "404 Not Found  T  text/plain; charset=utf-8\nno route", []string{`get "/none"`}},
		{"json is indented", "200 OK  T  application/json\n{\n  \"cookie\": \"seen=1\",\n  \"query\": \"\"\n}", []string{`get "/api/notes"`}},
		{"a response is a table", "200\n\"text/plain\"\n\"hello world\"", []string{`local r = get "/"`, "r.status, r.headers.content_type, r.body"}},
		{"json()", "2", []string{`get("/count").json().rows[2].id`}},
		{"a query", `"a=1&b=x+y"`, []string{`get("/api/notes", { query = { a = 1, b = "x y" } }).json().query`}},
		{"a query with a list", `"a=1&a=2&z=0"`, []string{`get("/api/notes?z=0", { query = { a = { 1, 2 } } }).json().query`}},
		{"a form", `{ form = "email=a%40b&n=1", type = "application/x-www-form-urlencoded" }`,
			[]string{`post("/login", { form = { email = "a@b", n = 1 } }).json()`}},
		{"json sent", `{ form = "{\"a\":[1]}", type = "application/json" }`, []string{`post("/login", { json = { a = { 1 } } }).json()`}},
		{"a header", `"text/x"`, []string{`post("/login", { body = "b", headers = { ["Content-Type"] = "text/x" } }).json().type`}},
		{"cookies stay", `"seen=1"`, []string{`local r = get "/"`, `get("/api/notes").json().cookie`}},
		{"a cookie given", `"a=b"`, []string{`get("/api/notes", { cookies = { a = "b" } }).json().cookie`}},
		{"for a user", `"ann"`, []string{`as({ name = "ann" }).get("/api/notes").json().user`}},
		{"with a colon", `"ann"`, []string{`as({ name = "ann" }):get("/api/notes").json().user`}},
		{"head", "404", []string{`head("/x").status`}},
		{"curl", `curl -i -X POST -H 'Content-Type: application/json' --data-binary '{"a":"it'\''s"}' 'http://localhost:3000/login?x=1'`,
			[]string{`local r = post("/login", { json = { a = "it's" }, query = { x = 1 } })`, "curl(r)"}},
		{"curl of get", `curl -i 'http://localhost:3000/'`, []string{`local r = get("/")`, "curl(r)"}},
		{"a failure", "500 Internal Server Error  T\nsomething failed", []string{`get "/fail"`}},
	} {
		t.Run(test.name, func(t *testing.T) {
			c := newConsole(t, h)
			if strings.Contains(test.want, "seen=1") && len(test.lines) == 1 {
				c.run(`local first = get "/"`)
			}
			got := times.ReplaceAllString(c.run(test.lines...), "T")
			if got != test.want {
				t.Errorf("got  %s\nwant %s", got, test.want)
			}
		})
	}
}

func TestTheLastResponseIsTheLastResult(t *testing.T) {
	c := newConsole(t, newHost(t, script))
	c.run(`get "/"`)
	if got := c.run("curl(_)"); got != "curl -i 'http://localhost:3000/'" {
		t.Errorf("got %s", got)
	}
}

func TestARequestErrorIsClear(t *testing.T) {
	h := newHost(t, script)
	h.noAs = true
	c := newConsole(t, h)
	for line, want := range map[string]string{
		`as({}).get "/"`: "can't act for a user", `get("/", { form = {}, json = {} })`: "one body", `get()`: "argument 1",
		`get "http://example.com/"`: "stay in this app", `curl({})`: "a response expected", `post("/", { json = print })`: "json",
	} {
		if got := c.fails(line); !strings.Contains(got, want) {
			t.Errorf("%s: %s", line, got)
		}
	}
}

// The line of the console that names something else than a response is told what it is, not that
// there is no such variable.
func TestCurlOfSomethingElse(t *testing.T) {
	c := newConsole(t, newHost(t, script))
	c.run(`get "/"`, "1", "2")
	for _, line := range []string{"curl(_2)", "curl(_)", "curl(get)", "local n = curl(count)"} {
		got := c.fails(line)
		if !strings.Contains(got, `a response expected, as in curl(_) after get "/", got `) || strings.Contains(got, "there is no variable") || strings.Contains(got, "did you mean") {
			t.Errorf("%s: %s", line, got)
		}
	}
	if got := c.fails("curl(_3)"); !strings.Contains(got, "got nil") || !strings.Contains(got, "_3") {
		t.Error(got)
	}
}

func TestSeveralSessionsAtOnce(t *testing.T) {
	h := newHost(t, script)
	done := make(chan string)
	for range 8 {
		c := newConsole(t, h)
		go func() {
			got := ""
			for range 20 {
				got = c.run(`local n = (n or 0) + 1`, `get("/").status, n`)
			}
			done <- got
		}()
	}
	for range 8 {
		if got := <-done; got != "200\n20" {
			t.Errorf("got %q", got)
		}
	}
}
