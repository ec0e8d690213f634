package command_test

import "testing"

func TestEval(t *testing.T) {
	app(t, "app.lua", "local secret = 1\nshared = 7\napp:get(\"/n/:id\", function() end):name(\"n\")\n")
	t.Setenv("RWS_WORD", "word")
	for _, c := range []struct {
		name string
		args []string
		want string
	}{
		{"expression", []string{"1 + 1"}, "2\n"},
		{"several results", []string{`1, "a", nil, true`}, "1\na\nnil\ntrue\n"},
		{"statements", []string{"local a = 2 return a * 3"}, "6\n"},
		{"lines", []string{"x = 5", "-e", "return x"}, "5\n"},
		{"nothing", []string{"-- nothing"}, ""},
		{"printing", []string{`print("hi")`}, "hi\n"},
		{"the library", []string{"rws.version"}, "1.0\n"},
		{"the environment", []string{"env.RWS_WORD"}, "word\n"},
		{"waiting", []string{`rws.sleep("1ms") return "done"`}, "done\n"},
		{"an app", []string{`app:url("n", { id = "3" }), shared`, "app.lua"}, "/n/3\n7\n"},
		{"a setting", []string{"1", "--timeout", "1s"}, "1\n"},
	} {
		t.Run(c.name, func(t *testing.T) {
			r := rws(t, append([]string{"-e"}, c.args...)...)
			if r.code != 0 || r.out != c.want {
				t.Errorf("%+v, want %q", r, c.want)
			}
		})
	}
}

func TestEvalFails(t *testing.T) {
	app(t)
	for _, c := range []struct {
		line string
		want []string
	}{
		{"for", []string{"repl:1", "`for`"}},
		{"local a\nreturn a.b", []string{"repl:2", "`a` (nil)", "> 2 | return a.b"}},
		{"error('boom')", []string{"repl:1", "boom"}},
		{"rws.nothing", []string{"rws has no field"}},
	} {
		r := rws(t, "-e", c.line)
		r.expect(t, 1, c.want...)
		r.refuse(t, "goroutine")
	}
	rws(t, "-e", "1", "missing.lua").expect(t, 2, "there is no file missing.lua")
}

func TestTests(t *testing.T) {
	app(t, "app.lua", `app:get("/", function(c) return nil + 1 end)
app:test("answers", function(t)
  print("a hint")
  t.eq(t:get("/").status, 200)
end)
app:test("misses", function(t) print("unseen") t.eq(t:get("/x").status, 404) end)
`, "none.lua", hello)
	r := rws(t, "test")
	if r.code != 1 {
		t.Errorf("exit code %d", r.code)
	}
	r.code = 0 // what expect looks at
	r.expect(t, 0, "FAIL  answers  app.lua:2", "app.lua:4: got 500, expected 200", "> 4 |", "a hint", "error.at=app.lua:1", "ok    misses", "1 passed, 1 failed")
	r.refuse(t, "unseen")
	r = rws(t, "test", "app.lua", "--run", "miss")
	r.expect(t, 0, "1 passed, 0 failed")
	r.refuse(t, "answers")
	rws(t, "test", "none.lua").expect(t, 0, "no tests", "app:test(")
}
