package template_test

import (
	"context"
	"errors"
	"io/fs"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"

	"rws/server/template"
)

func TestErrorsNameFileAndLine(t *testing.T) {
	others := map[string]string{
		"part.html":     "one\ntwo {{ user.address.street }}\nthree",
		"syntax.html":   "a\n\n{% if %}",
		"base.html":     "x\n{% block a %}{{ 1 / 0 }}{% endblock %}",
		"macros.html":   "{% macro m(a) %}\n{{ a.b.c }}{% endmacro %}",
		"loop.html":     "{% include 'loop.html' %}",
		"extloop.html":  "{% extends 'extloop.html' %}",
		"required.html": "{% block x required %}{% endblock %}",
	}
	for _, c := range []struct {
		name, text, file string
		line             int
		message          string
	}{
		{"unknown tag", "a\n{% fro x in y %}", "page.html", 2, `unknown tag "fro"; did you mean "for"?`},
		{"unknown filter", "\n\n{{ name|uper }}", "page.html", 3, `there is no filter "uper"; did you mean "upper"?`},
		{"unknown filter in a map", "{{ ['a']|map('uper') }}", "page.html", 1, `there is no filter "uper"`},
		{"unknown test", "{% if name is definde %}{% endif %}", "page.html", 1, `there is no test "definde"; did you mean "defined"?`},
		{"unclosed tag", "a\n{% for x in y %}\nb\nc", "page.html", 2, `tag "for" is not closed: {% endfor %} is missing`},
		{"unclosed inner tag", "{% if a %}\n{% for x in y %}\n{% endif %}", "page.html", 3, `tag "endif" stands without its opening tag`},
		{"stray end", "a\n\n{% endif %}", "page.html", 3, `tag "endif" stands without its opening tag`},
		{"unclosed output", "a\n{{ name", "page.html", 2, ""},
		{"unbalanced brackets", "a\n{{ (1 }}", "page.html", 2, "nbalanced"},
		{"unbalanced list", "a\n\n{{ [1, 2 }}", "page.html", 3, "expected ]"},
		{"open string", "a\n{{ 'abc }}", "page.html", 2, "a string is not closed"},
		{"odd character", "a\n{{ a ? b : c }}", "page.html", 2, `unexpected character '?'`},
		{"nothing to print", "a\n{{ }}", "page.html", 2, ""},
		{"two values", "a\n{{ name name }}", "page.html", 2, "does not belong here"},
		{"open comment", "a\n{# b", "page.html", 2, "unclosed comment"},
		{"break outside", "\n{% break %}", "page.html", 2, "outside of a loop"},
		{"same block twice", "{% block a %}{% endblock %}\n{% block a %}{% endblock %}", "page.html", 2, `another block "a"`},

		{"attribute of undefined", "a\n{{ missing.name }}", "page.html", 2, `cannot read "name" of missing, which is not defined`},
		{"attribute of nil", "{% if yes %}\n{{ user.address.street }}{% endif %}", "page.html", 2, `cannot read "street" of user.address, which is not defined`},
		{"item of undefined", "{{ missing['a'] }}", "page.html", 1, "cannot read [a] of missing"},
		{"call of undefined", "{{ nope(1) }}", "page.html", 1, "nope is not defined, so it cannot be called"},
		{"call of a string", "{{ name() }}", "page.html", 1, `name is the string "Ann", which cannot be called`},
		{"unknown method", "{{ list.append(1) }}", "page.html", 1, `list = list + [x]`},
		{"method of undefined", "{{ missing.upper() }}", "page.html", 1, `cannot call "upper" of missing`},
		{"function is printed", "{{ hello }}", "page.html", 1, "a function cannot be printed: call it with ()"},
		{"function fails", "a\n{{ fails() }}", "page.html", 2, "permission denied"},
		{"division by zero", "\n{{ 1 % 0 }}", "page.html", 2, "division by zero"},
		{"mixed addition", "{{ 'a' + 1 }}", "page.html", 1, "text is joined with ~"},
		{"mixed order", "{{ 'a' < 1 }}", "page.html", 1, `cannot order the string "a" and the number 1`},
		{"loop over a number", "{% for x in 5 %}{% endfor %}", "page.html", 1, "cannot loop over the number 5"},
		{"wrong unpack", "{% for a, b in [1] %}{% endfor %}", "page.html", 1, "2 names want a list of as many values"},
		{"filter misuse", "{{ name|trim(1, 2, 3) }}", "page.html", 1, `filter "trim"`},
		{"macro with too much", "{% macro m() %}{% endmacro %}\n{{ m(1) }}", "page.html", 2, "macro m takes 0 arguments, got 1"},
		{"macro with an unknown name", "{% macro m(size) %}{% endmacro %}\n{{ m(siez=1) }}", "page.html", 2, `did you mean "size"?`},
		{"set of data", "{% set user.name = 1 %}", "page.html", 1, "user is no namespace"},

		{"runtime error in an include", "a\n{% include 'part.html' %}", "part.html", 2, `"street" of user.address`},
		{"syntax error in an include", "a\n{% include 'syntax.html' %}", "syntax.html", 3, ""},
		{"error in a parent", "{% extends 'base.html' %}", "base.html", 2, "division by zero"},
		{"error in a block of the child", "{% extends 'base.html' %}\n\n{% block a %}{{ x.y }}{% endblock %}", "page.html", 3, "of x"},
		{"error in a macro", "{% from 'macros.html' import m %}{{ m(1) }}", "macros.html", 2, `of a.b`},
		{"missing include", "a\n{% include 'prat.html' %}", "page.html", 2, `template "prat.html": there is no such template; did you mean "part.html"? The template folder has base.html,`},
		{"include of nothing like it", "{% include 'zzzzzzzz.html' %}", "page.html", 1, `template "zzzzzzzz.html": there is no such template; the template folder has base.html,`},
		{"missing parent", "\n{% extends 'bse.html' %}", "page.html", 2, `did you mean "base.html"?`},
		{"missing macro", "{% from 'macros.html' import n %}", "page.html", 1, `template "macros.html" has no "n"; did you mean "m"?`},
		{"include without end", "{% include 'loop.html' %}", "loop.html", 1, "more than 100 deep"},
		{"extends without end", "{% extends 'extloop.html' %}", "extloop.html", 1, "more than 100 deep"},
		{"macro without end", "{% macro m() %}{{ m() }}{% endmacro %}{{ m() }}", "page.html", 1, "more than 100 deep"},
		{"block without end", "{% block a %}{{ self.a() }}{% endblock %}", "page.html", 1, "more than 100 deep"},
		{"required block", "{% extends 'required.html' %}", "required.html", 1, `block "x" is required`},
		{"name of an include", "{% include 5 %}", "page.html", 1, "the name of a template is a string"},
		{"climbing include", "a\n{% include '../secret.html' %}", "page.html", 2, "no template name"},
		{"absolute include", "{% include '/etc/passwd' %}", "page.html", 1, "no template name"},
		{"backslash include", `{% include '..\\\\secret.html' %}`, "page.html", 1, "no template name"},

		{"long range", "{% for x in range(1000000) %}{% endfor %}", "page.html", 1, "more than 100000 numbers"},
		{"long text", "{{ 'abc' * 1000000000 }}", "page.html", 1, "longer than"},
		{"growing text", "{% set n = namespace(s='0123456789') %}{% for x in range(100) %}{% set n.s = n.s ~ n.s %}{% endfor %}", "page.html", 1, "longer than"},
		{"doubling list", "{% set n = namespace(l=[1]) %}{% for x in range(90) %}{% set n.l = [n.l, n.l] %}{% endfor %}\n{{ n.l }}", "page.html", 2, "holds more than"},
		{"growing list", "{% set n = namespace(s=[1]) %}{% for x in range(100) %}{% set n.s = n.s + n.s %}{% endfor %}", "page.html", 1, "more than"},
		{"wide padding", "{{ 'a'|center(1000000000) }}", "page.html", 1, "too large"},
		{"wide method", "{{ 'a'.ljust(1000000000) }}", "page.html", 1, "too large"},
		{"long page", "{% for x in range(100000) %}{{ '0123456789' * 100 }}{% endfor %}", "page.html", 1, "the output is longer than"},
		{"captured in a loop", "{% macro m() %}{{ 'x' * 1000000 }}{% endmacro %}{% set n = namespace(l=[]) %}{% for x in range(1000) %}{% set n.l = n.l + [m()] %}{% endfor %}", "page.html", 1, "have captured more than"},
		{"deep brackets", "\n{{ " + strings.Repeat("(", 100_000) + "1" + strings.Repeat(")", 100_000) + " }}", "page.html", 2, "brackets nest more than 100 deep"},
		{"huge file", strings.Repeat("x", 2<<20), "page.html", 0, "a template may have"},
	} {
		t.Run(c.name, func(t *testing.T) {
			out, err := render(t, c.text, sample(), others)
			e, ok := errors.AsType[*template.Error](err)
			if !ok {
				t.Fatalf("got %q, %v", out, err)
			}
			if e.File != c.file || e.Line != c.line || !strings.Contains(e.Message, c.message) {
				t.Errorf("got %s:%d %q\nwant %s:%d %q", e.File, e.Line, e.Message, c.file, c.line, c.message)
			}
			if c.name == "runtime error in an include" && !slices.Equal(e.Via, []string{"page.html:2"}) {
				t.Errorf("it came by %q", e.Via)
			}
			if e.Line > 0 && !strings.Contains(e.Excerpt, ">") {
				t.Errorf("the excerpt marks no line:\n%s", e.Excerpt)
			}
		})
	}
}

func TestErrorShowsItsPlace(t *testing.T) {
	_, err := render(t, "one\ntwo\nthree {{ a.b }}\nfour\nfive\nsix", nil)
	e, _ := errors.AsType[*template.Error](err)
	if want := `template "page.html" line 3: cannot read "b" of a, which is not defined`; e.Error() != want {
		t.Errorf("got %q, want %q", e, want)
	}
	if want := "    1 | one\n    2 | two\n>   3 | three {{ a.b }}\n    4 | four\n    5 | five\n"; e.Excerpt != want {
		t.Errorf("got\n%swant\n%s", e.Excerpt, want)
	}
}

func TestErrorsKeepTheirCause(t *testing.T) {
	_, err := render(t, "{{ fails() }}", sample())
	if !errors.Is(err, fs.ErrPermission) {
		t.Errorf("got %v", err)
	}
	_, err = render(t, "{% include 'x' %}", nil)
	if !errors.Is(err, fs.ErrNotExist) {
		t.Errorf("got %v", err)
	}
	_, err = render(t, "a\n{{ boom() }}", map[string]any{"boom": template.Func(func(...any) (any, error) { panic("ouch") })})
	if e, ok := errors.AsType[*template.Error](err); !ok || e.Line != 2 || !strings.Contains(e.Message, "ouch") {
		t.Errorf("got %v", err)
	}
	loop := map[string]any{}
	loop["self"] = loop
	if _, err = render(t, "{{ x }}", map[string]any{"x": loop}); err == nil || !strings.Contains(err.Error(), "nests more than") {
		t.Errorf("got %v", err)
	}
}

func TestCheck(t *testing.T) {
	e := template.New(files(map[string]string{
		"good.html":     "{% extends 'base.html' %}{% include 'nope.html' ignore missing %}{% include name %}{{ undefined.x }}",
		"base.html":     "{% include 'part.html' %}",
		"part.html":     "ok",
		"include.html":  "\n{% include 'bad.html' %}",
		"bad.html":      "a\nb {{ x|nope }}",
		"missing.html":  "\n\n{% import 'prt.html' as p %}",
		"optional.html": "{% include 'bad.html' ignore missing %}",
		"self.html":     "{% include 'self.html' %}",
	}), template.Options{})
	for name, want := range map[string]string{
		"good.html":     "",
		"self.html":     "",
		"include.html":  `template "bad.html" line 2: there is no filter "nope"`,
		"optional.html": `template "bad.html" line 2: there is no filter "nope"`,
		"missing.html":  `template "missing.html" line 3: template "prt.html": there is no such template; did you mean "part.html"?`,
		"goood.html":    `template "goood.html": there is no such template; did you mean "good.html"?`,
	} {
		err := e.Check(name)
		if want == "" && err != nil || want != "" && (err == nil || !strings.HasPrefix(err.Error(), want)) {
			t.Errorf("Check(%q): got %v, want %q", name, err, want)
		}
	}
}

// folder writes templates into a real folder.
func folder(t testing.TB, texts map[string]string) string {
	t.Helper()
	dir := t.TempDir()
	for name, text := range texts {
		write(t, dir, name, text)
	}
	return dir
}

func write(t testing.TB, dir, name, text string) {
	t.Helper()
	file := filepath.Join(dir, name)
	if err := os.MkdirAll(filepath.Dir(file), 0o755); err != nil {
		t.Fatal(err)
	}
	if err := os.WriteFile(file, []byte(text), 0o644); err != nil {
		t.Fatal(err)
	}
}

func TestFolderIsTheLimit(t *testing.T) {
	base := folder(t, map[string]string{"secret.html": "top secret", "t/ok.html": "ok", "t/page.html": "{% include name %}"})
	dir := filepath.Join(base, "t")
	for name, target := range map[string]string{"out.html": "../secret.html", "up": "..", "in.html": "ok.html"} {
		if err := os.Symlink(target, filepath.Join(dir, name)); err != nil {
			t.Skip("no symbolic links here:", err)
		}
	}
	e, err := template.Open(dir, template.Options{})
	if err != nil {
		t.Fatal(err)
	}
	for _, name := range []string{
		"../secret.html", "/secret.html", filepath.Join(base, "secret.html"), "out.html", "up/secret.html", "./ok.html", "x/../ok.html",
		"..\\secret.html", "ok.html\x00", "", ".", "..", "ok.html/", "//ok.html", "%2e%2e/secret.html",
	} {
		for _, try := range []struct {
			name string
			data map[string]any
		}{{name, nil}, {"page.html", map[string]any{"name": name}}} {
			got, err := e.Render(context.Background(), try.name, try.data)
			if err == nil {
				t.Errorf("%q: got %q", name, got)
			}
		}
	}
	for _, name := range []string{"ok.html", "in.html"} {
		if got, err := e.Render(context.Background(), "page.html", map[string]any{"name": name}); string(got) != "ok" {
			t.Errorf("%q: got %q, %v", name, got, err)
		}
	}
	if _, err := template.Open(filepath.Join(base, "nope"), template.Options{}); err == nil || !strings.Contains(err.Error(), "create") {
		t.Errorf("a missing folder: got %v", err)
	}
}

func TestReloadSeesEveryFileOfAPage(t *testing.T) {
	dir := folder(t, map[string]string{
		"base.html": "base1 {% block b %}{% endblock %}", "part.html": "part1", "m.html": "{% macro m() %}m1{% endmacro %}",
		"page.html": "{% extends 'base.html' %}{% import 'm.html' as m %}{% block b %}page1 {% include 'part.html' %} {{ m.m() }}{% endblock %}",
	})
	reload, err := template.Open(dir, template.Options{Reload: true})
	if err != nil {
		t.Fatal(err)
	}
	cached, err := template.Open(dir, template.Options{})
	if err != nil {
		t.Fatal(err)
	}
	expect := func(e *template.Engine, want string) {
		t.Helper()
		if got, err := e.Render(context.Background(), "page.html", nil); string(got) != want {
			t.Errorf("got %q, %v, want %q", got, err, want)
		}
	}
	expect(reload, "base1 page1 part1 m1")
	expect(cached, "base1 page1 part1 m1")
	at := time.Now()
	change := func(name, text string) {
		t.Helper()
		write(t, dir, name, text)
		at = at.Add(time.Minute)
		if err := os.Chtimes(filepath.Join(dir, name), at, at); err != nil {
			t.Fatal(err)
		}
	}
	change("base.html", "base2 {% block b %}{% endblock %}")
	expect(reload, "base2 page1 part1 m1")
	change("part.html", "part2")
	expect(reload, "base2 page1 part2 m1")
	change("m.html", "{% macro m() %}m2{% endmacro %}")
	expect(reload, "base2 page1 part2 m2")
	change("part.html", "{% if %}")
	if _, err := reload.Render(context.Background(), "page.html", nil); err == nil || !strings.Contains(err.Error(), "part.html") {
		t.Errorf("got %v", err)
	}
	change("part.html", "part3")
	expect(reload, "base2 page1 part3 m2")
	expect(cached, "base1 page1 part1 m1")
}
