package template_test

import (
	"context"
	"errors"
	"fmt"
	"io/fs"
	"strings"
	"sync"
	"testing"
	"testing/fstest"

	"rws/server/template"
)

// files is a template folder in memory.
func files(texts map[string]string) fstest.MapFS {
	m := fstest.MapFS{}
	for name, text := range texts {
		m[name] = &fstest.MapFile{Data: []byte(text)}
	}
	return m
}

// render renders page.html, which is text, beside the other files.
func render(t testing.TB, text string, data map[string]any, others ...map[string]string) (string, error) {
	t.Helper()
	m := files(map[string]string{"page.html": text})
	for _, o := range others {
		for name, f := range files(o) {
			m[name] = f
		}
	}
	out, err := template.New(m, template.Options{}).Render(context.Background(), "page.html", data)
	if err != nil && out != nil {
		t.Errorf("a failed render returned %q", out)
	}
	return string(out), err
}

func sample() map[string]any {
	return map[string]any{
		"name": "Ann", "evil": "<b>&'\"", "yes": true, "no": false, "none": nil,
		"int": int64(42), "big": int64(1) << 60, "float": 3.0, "half": 2.5, "huge": 1e21, "whole": 12345678901.0,
		"list": []any{"a", int64(2), 3.0, true, nil}, "empty": []any{}, "safe": template.Safe("<i>ok</i>"),
		"user":  map[string]any{"name": "Ann", "tags": []any{"x", "y"}, "address": nil, "nested": map[string]any{"deep": "end"}},
		"users": []any{map[string]any{"name": "Ann", "age": int64(30)}, map[string]any{"name": "Bob", "age": 25.0}},
		"hello": template.Func(func(args ...any) (any, error) { return fmt.Sprintf("hello %v", args), nil }),
		"html":  template.Func(func(...any) (any, error) { return template.Safe("<br>"), nil }),
		"fails": template.Func(func(...any) (any, error) { return nil, fs.ErrPermission }),
		"types": template.Func(func(args ...any) (any, error) {
			var b strings.Builder
			for _, a := range args {
				fmt.Fprintf(&b, "%T ", a)
			}
			return b.String(), nil
		}),
	}
}

func TestRender(t *testing.T) {
	for _, c := range []struct{ name, text, want string }{
		{"text", "plain", "plain"},
		{"string", "{{ name }}", "Ann"},
		{"escaped", "{{ evil }}", "&lt;b&gt;&amp;&#39;&#34;"},
		{"safe", "{{ safe }} {{ evil|safe }}", "<i>ok</i> <b>&'\""},
		{"safe does not stick", "{% set x = evil %}{{ x|safe }}{{ x }}", "<b>&'\"&lt;b&gt;&amp;&#39;&#34;"},
		{"booleans", "{{ yes }} {{ no }} {{ true }} {{ 1 == 1 }}", "true false true true"},
		{"nil and undefined", "[{{ none }}{{ missing }}{{ user.missing }}{{ None }}]", "[]"},
		{"whole floats", "{{ float }} {{ whole }} {{ 6 / 2 }} {{ half }} {{ huge }} {{ big }}", "3 12345678901 3 2.5 1e+21 1152921504606846976"},
		{"joined text", "{{ 'a' ~ 1 ~ true ~ 3.0 ~ none ~ half }}", "a1true32.5"},
		{"join keeps safe parts", "{{ safe ~ evil }}", "<i>ok</i>&lt;b&gt;&amp;&#39;&#34;"},
		{"list and map", "{{ list }} {{ user.nested }}", "[&#34;a&#34;,2,3,true,null] {&#34;deep&#34;:&#34;end&#34;}"},
		{"markup in a list", "{{ [evil] }}", "[&#34;&lt;b&gt;&amp;&#39;\\&#34;&#34;]"},
		{"arithmetic", "{{ 1 + 2 * 3 }} {{ 7 // 2 }} {{ -7 // 2 }} {{ -7 % 3 }} {{ 2 ** 10 }} {{ 7 / 2 }} {{ 1.5 + 1.5 }} {{ -int }}", "7 3 -4 2 1024 3.5 3 -42"},
		{"text arithmetic", "{{ 'a' + 'b' }} {{ 'ab' * 2 }} {{ [1] + [2] }}", "ab abab [1,2]"},
		{"comparison", "{{ 1 < 2 }} {{ 'a' < 'b' }} {{ 3 == float }} {{ 'a' != 'a' }} {{ big == big }} {{ safe == '<i>ok</i>' }} {{ none == missing }}", "true true true false true true true"},
		{"logic", "{{ none or 'x' }} {{ name and 'y' }} {{ not no }} {{ 1 in [1, 2] }} {{ 'z' not in 'abc' }} {{ 'name' in user }}", "x y true true true true"},
		{"inline if", "{{ 'a' if yes }}{{ 'b' if no }}{{ 'c' if no else 'd' }}", "ad"},
		{"access", "{{ user.name }} {{ user['name'] }} {{ user.tags.0 }} {{ user.tags[1] }} {{ user.tags[-2] }} {{ list[float - 1] }} {{ user.nested.deep }}", "Ann Ann x y x 3 end"},
		{"slices", "{{ 'hello'[1:3] }} {{ list[:2] }} {{ 'abc'[::-1] }} {{ 'hello'[-3:] }} {{ 'abc'[5:] }}", "el [&#34;a&#34;,2] cba llo "},
		{"literals", "{{ {'a': 1}.a }} {{ {name: 2}.name }} {{ (1, 2) }} {{ 1_000 }} {{ 'it\\'s' }}", "1 2 [1,2] 1000 it&#39;s"},
		{"if", "{% if no %}a{% elif missing %}b{% else %}c{% endif %}", "c"},
		{"for", "{% for x in user.tags %}{{ loop.index }}{{ x }}{{ ',' if not loop.last }}{% endfor %}", "1x,2y"},
		{"for else", "{% for x in empty %}x{% else %}none{% endfor %}{% for x in missing %}x{% else %}!{% endfor %}", "none!"},
		{"for pairs", "{% for k, v in {'b': 1, 'a': 2} %}{{ k }}{{ v }}{% endfor %} {% for k, v in user.nested.items() %}{{ k }}{{ v }}{% endfor %}", "b1a2 deepend"},
		{"for keys", "{% for k in user %}{{ k }} {% endfor %}", "address name nested tags "},
		{"for filter", "{% for u in users if u.age > 26 %}{{ u.name }}{{ loop.length }}{% endfor %}", "Ann1"},
		{"for text", "{% for c in 'aé' %}{{ c }}.{% endfor %}", "a.é."},
		{"for unpack", "{% for a, b, c in [[1, 2, 3]] %}{{ a }}{{ b }}{{ c }}{% endfor %}", "123"},
		{"loop variables", "{% for x in 'abc' %}{{ loop.index0 }}{{ loop.revindex }}{{ loop.first }}{{ loop.previtem }}{{ loop.nextitem }}{{ loop.cycle('o', 'e') }} {% endfor %}", "03truebo 12falseace 21falsebo "},
		{"loop changed", "{% for x in [1, 1, 2] %}{{ loop.changed(x) }} {% endfor %}", "true false true "},
		{"nested loops", "{% for a in [1, 2] %}{% set outer = loop %}{% for b in [1] %}{{ outer.index }}{{ loop.index }} {% endfor %}{% endfor %}", "11 21 "},
		{"recursive loop", "{% for x in [{'n': 1, 'c': [{'n': 2, 'c': []}]}] recursive %}<{{ x.n }}{{ loop.depth }}{{ loop(x.c) }}>{% endfor %}", "<11<22>>"},
		{"break and continue", "{% for x in range(9) %}{% if x == 1 %}{% continue %}{% endif %}{% if x > 2 %}{% break %}{% endif %}{{ x }}{% endfor %}", "02"},
		{"range", "{{ range(3) }} {{ range(1, 3) }} {{ range(3, 0, -1) }}", "[0,1,2] [1,2] [3,2,1]"},
		{"set", "{% set a = 1 %}{% if yes %}{% set a = 2 %}{% endif %}{{ a }}{% for x in [1] %}{% set a = 3 %}{% endfor %}{{ a }}{% set b, c = [4, 5] %}{{ b }}{{ c }}{% set d = 6 if no else 7 %}{{ d }}", "22457"},
		{"set block", "{% set x %}<b>{{ evil }}</b>{% endset %}{{ x }}", "<b>&lt;b&gt;&amp;&#39;&#34;</b>"},
		{"set block with filter", "{% set x | upper %}a{{ name }}{% endset %}{{ x }}", "AANN"},
		{"namespace", "{% set n = namespace(found=false) %}{% for x in [1] %}{% set n.found = true %}{% endfor %}{{ n.found }}", "true"},
		{"with", "{% with a = 1, b = 2 %}{{ a }}{{ b }}{% endwith %}{{ a }}", "12"},
		{"filter block", "{% filter upper %}a{{ evil }}{% endfilter %}", "A&LT;B&GT;&AMP;&#39;&#34;"},
		{"raw", "{% raw %}{{ x }}{% endraw %}{% raw %}{% endraw %}", "{{ x }}"},
		{"comment", "a{# {{ x }} #}b", "ab"},
		{"trim", "a {{- 1 -}} b {%- if yes -%} c {%- endif %} d", "a1bc d"},
		{"lines", "a\n{% if yes %}\nb\n{% endif %}\nc\n", "a\n\nb\n\nc"},
		{"do", "{% do hello('x') %}", ""},
		{"autoescape", "{% autoescape false %}{{ evil }}{% endautoescape %}{{ evil }}", "<b>&'\"&lt;b&gt;&amp;&#39;&#34;"},
		{"expression over lines", "{{\nname\n}}{{ yes and\nname }}{% if yes or\nno %}!{% endif %}", "AnnAnn!"},

		{"tests", "{{ name is defined }} {{ missing is undefined }} {{ none is none }} {{ 3 is odd }} {{ 4 is not odd }} {{ 4 is divisibleby 2 }} {{ 'a' is in 'abc' }} {{ list is sequence }} {{ user is mapping }} {{ name is string }}", "true true true true true true true true true true"},
		{"default", "{{ missing|default('x') }} {{ none|default('x') }} {{ no|default('x') }} {{ ''|default('x', true) }}", "x x false x"},
		{"text filters", "{{ name|upper }} {{ yes|upper }} {{ float|string }} {{ ' a '|trim }} {{ 'a-b'|replace('-', '+') }} {{ 'hello wide world'|truncate(9) }} {{ 'abc'|capitalize }}", "ANN TRUE 3 a a+b hello... Abc"},
		{"list filters", "{{ [3, 1, 2]|sort|join(',') }} {{ [1, 3, 2]|reverse }} {{ list|length }} {{ users|map(attribute='name')|join(', ') }} {{ ['a']|map('upper')|first }} {{ users|selectattr('age', 'gt', 26)|map(attribute='name')|list }} {{ [1, 2]|sum }}", "1,2,3 [2,3,1] 5 Ann, Bob A [&#34;Ann&#34;] 3"},
		{"groupby", "{% for age, list in users|groupby('age') %}{{ age }}:{{ list|length }} {% endfor %}", "25:1 30:1 "},
		{"join escapes", "{{ [evil, safe]|join('<') }}", "&lt;b&gt;&amp;&#39;&#34;&lt;<i>ok</i>"},
		{"numbers", "{{ 3.7|round }} {{ '5'|int + 1 }} {{ -3|abs }}", "4 6 3"},
		{"tojson", "<script>x = {{ {'a': '</script>&\\'', 'b': [1.0, true, none]}|tojson }}</script>", `<script>x = {"a":"\u003c/script\u003e\u0026\u0027","b":[1,true,null]}</script>`},
		{"tojson indent", "{{ [1]|tojson(2) }}", "[\n  1\n]"},
		{"urlencode", "{{ 'a b&c=d/é+'|urlencode }} {{ {'q': 'a b', 'x': '&'}|urlencode }} {{ [['a', 1]]|urlencode }}", "a%20b%26c%3Dd/%C3%A9%2B q=a+b&amp;x=%26 a=1"},
		{"urlize", "{{ 'see <b> http://a.example/?x=\"y, ok javascript:x'|urlize }}", `see &lt;b&gt; <a href="http://a.example/?x=&#34;y" rel="nofollow noopener">http://a.example/?x=&#34;y</a>, ok javascript:x`},
		{"xmlattr", "<p{{ {'class': 'a\"b', 'x': none}|xmlattr }}>", `<p class="a&#34;b">`},
		{"markdown", "{{ '# A <script>x</script>'|markdown }}", "<h1 id=\"a-scriptxscript\">A x</h1>\n"},
		{"filters keep html", "{% filter upper %}<b>{{ '<' }}</b>{% endfilter %} {% set x | title %}<i>a</i>{% endset %}{{ x }} {{ safe|replace('k', '<') }} {{ '<i>'|upper }}", "<B>&LT;</B> <I>A</I> <i>o&lt;</i> &lt;I&gt;"},
		{"maps in order", "{{ {'b': 1, 'A': 3, 'c': 2}|dictsort }} {{ {'b': 1, 'a': 3}|dictsort(by='value', reverse=true) }} {{ {'b': 1}|items }} {{ user.nested|items }} {% for k, v in {'b': 1, 'a': 2}|dictsort %}{{ k }}{{ v }}{% endfor %}",
			`[[&#34;A&#34;,3],[&#34;b&#34;,1],[&#34;c&#34;,2]] [[&#34;a&#34;,3],[&#34;b&#34;,1]] [[&#34;b&#34;,1]] [[&#34;deep&#34;,&#34;end&#34;]] a2b1`},
		{"format", "{{ '%s is %d, %.2f %05d %x %%, %-4s|'|format(name, int, half, 7, 255, 'a') }} {{ '%(a)s'|format(a=1) }} {{ '%s'|format(evil) }}", "Ann is 42, 2.50 00007 ff %, a   | 1 &lt;b&gt;&amp;&#39;&#34;"},
		{"methods", "{{ name.upper() }} {{ 'a,b'.split(',') }} {{ user.get('name') }} {{ user.get('x', 1) }} {{ user.nested.keys() }}", "ANN [&#34;a&#34;,&#34;b&#34;] Ann 1 [&#34;deep&#34;]"},

		{"functions", "{{ hello('x', 1, [evil]) }} {{ html() }}", "hello [x 1 [&lt;b&gt;&amp;&#39;&#34;]] <br>"},
		{"function arguments", "{{ types('s', safe, 1, 1.5, true, none, [1], {'a': 1}, user, key=2) }}", "string template.Safe int64 float64 bool &lt;nil&gt; []interface {} map[string]interface {} map[string]interface {} map[string]interface {} "},
		{"named arguments", "{{ hello('profile', name='ann') }} {{ hello('profile', {name: 'ann'}) }}", "hello [profile map[name:ann]] hello [profile map[name:ann]]"},
		{"macro", "{% macro m(a, b=2, *rest, **named) %}{{ a }}{{ b }}{{ rest }}{{ named }}{% endmacro %}{{ m(1) }} {{ m(1, 3, 4, x=5) }} {{ m(b=evil, a=safe) }}", "12[]{} 13[4]{&#34;x&#34;:5} <i>ok</i>&lt;b&gt;&amp;&#39;&#34;[]{}"},
		{"call block", "{% macro box(t) %}<{{ t }}>{{ caller('x') }}</>{% endmacro %}{% call(a) box('t') %}{{ a }}{{ evil }}{% endcall %}", "<t>x&lt;b&gt;&amp;&#39;&#34;</>"},
		{"macro without caller", "{% macro m() %}{% if caller %}{{ caller() }}{% else %}no{% endif %}{% endmacro %}{{ m() }}", "no"},
		{"recursive macro", "{% macro f(n) %}{{ n }}{% if n > 0 %}{{ f(n - 1) }}{% endif %}{% endmacro %}{{ f(3) }}", "3210"},
	} {
		t.Run(c.name, func(t *testing.T) {
			got, err := render(t, c.text, sample())
			if err != nil {
				t.Fatal(err)
			}
			if got != c.want {
				t.Errorf("%s\n got %q\nwant %q", c.text, got, c.want)
			}
		})
	}
}

func TestManyFiles(t *testing.T) {
	others := map[string]string{
		"base.html":       "[{% block title %}base{% endblock %}|{% block body %}{% endblock %}|{% block foot %}foot{% endblock %}]",
		"mid.html":        "{% extends 'base.html' %}{% block body %}mid({% block inner %}in{% endblock %}){% endblock %}",
		"required.html":   "{% block x required %}{% endblock %}",
		"macros.html":     "{% set prefix = 'p-' %}{% macro input(n) %}<{{ prefix }}{{ n }}:{{ name }}>{% endmacro %}{% set _hidden = 1 %}",
		"part.html":       "part {{ name }}{% set leak = 1 %}",
		"sub/part.html":   "sub{% include 'part.html' %}",
		"part.txt":        "{{ evil }}",
		"in-parent.html":  "{% set inherited = 'yes' %}{% block body %}{% endblock %}",
		"broken.html":     "{% if %}",
		"twice.html":      "{{ self.a() }}{% block a %}x{% endblock %}",
		"loop-block.html": "{% for x in [1, 2] %}{% block item scoped %}{{ x }}{% endblock %}{% endfor %}",
	}
	for _, c := range []struct{ name, text, want string }{
		{"extends", "{% extends 'base.html' %}{% block title %}mine{% endblock %}ignored", "[mine||foot]"},
		{"two levels", "{% extends 'mid.html' %}{% block inner %}deep{% endblock %}{% block foot %}{{ super() }}!{% endblock %}", "[base|mid(deep)|foot!]"},
		{"super is not escaped again", "{% extends 'mid.html' %}{% block body %}<{{ super() }}>{% endblock %}", "[base|<mid(in)>|foot]"},
		{"variables of a child", "{% extends 'base.html' %}{% set x = 'v' %}{% from 'macros.html' import input %}{% block body %}{{ x }}{{ input('n') }}{% endblock %}", "[base|v<p-n:Ann>|foot]"},
		{"name from the data", "{% extends layout %}{% block title %}t{% endblock %}", "[t||foot]"},
		{"self", "{% extends 'twice.html' %}{% block a %}y{% endblock %}", "yy"},
		{"block in a loop", "{% extends 'loop-block.html' %}{% block item %}<{{ x }}>{% endblock %}", "<1><2>"},
		{"include", "{% include 'part.html' %}{{ leak }}", "part Ann"},
		{"include below a folder", "{% include 'sub/part.html' %}", "subpart Ann"},
		{"include sees variables", "{% for name in ['x'] %}{% include 'part.html' %}{% endfor %}", "part x"},
		{"include without context", "{% include 'part.html' without context %}", "part "},
		{"ignore missing", "a{% include 'nope.html' ignore missing %}b", "ab"},
		{"first of a list", "{% include ['nope.html', 'part.html'] %}", "part Ann"},
		{"include of text is escaped", "{% include 'part.txt' %}", "&lt;b&gt;&amp;&#39;&#34;"},
		{"import", "{% import 'macros.html' as m %}{{ m.input('a') }}{{ m.prefix }}{{ m._hidden }}", "<p-a:Ann>p-"},
		{"import without context", "{% import 'macros.html' as m without context %}{{ m.input('a') }}", "<p-a:>"},
		{"from import as", "{% from 'macros.html' import input as i, prefix %}{{ i('a') }}{{ prefix }}", "<p-a:Ann>p-"},
	} {
		t.Run(c.name, func(t *testing.T) {
			data := sample()
			data["layout"] = "base.html"
			got, err := render(t, c.text, data, others)
			if err != nil {
				t.Fatal(err)
			}
			if got != c.want {
				t.Errorf("%s\n got %q\nwant %q", c.text, got, c.want)
			}
		})
	}
}

func TestEscapingByName(t *testing.T) {
	e := template.New(files(map[string]string{
		"a.html": "{{ x }}", "a.txt": "{{ x }}", "a.json": "{{ x|tojson }}", "a.html.j2": "{{ x }}", "a.txt.jinja": "{{ x }}", "a": "{{ x }}",
		"mail.txt": "{% set y %}{{ x }}{% endset %}{{ y }}{{ x|e }}", "child.txt": "{% extends 'a.html' %}",
	}), template.Options{})
	for name, want := range map[string]string{
		"a.html": "&lt;", "a.txt": "<", "a.json": `"\u003c"`, "a.html.j2": "&lt;", "a.txt.jinja": "<", "a": "&lt;", "mail.txt": "<&lt;", "child.txt": "&lt;",
	} {
		got, err := e.Render(context.Background(), name, map[string]any{"x": "<"})
		if err != nil || string(got) != want {
			t.Errorf("%s: got %q, %v, want %q", name, got, err, want)
		}
	}
}

func TestRendersShareDataAndTemplates(t *testing.T) {
	e := template.New(files(map[string]string{
		"base.html": "<{% block b %}{% endblock %}>",
		"row.html":  "{{ u.name }}",
		"page.html": "{% extends 'base.html' %}{% block b %}{% for u in users|sort(attribute='name') %}{% include 'row.html' %}{% endfor %}{{ list|reverse }}{{ user|tojson }}{{ name|markdown }}{% endblock %}",
	}), template.Options{Reload: true})
	data := sample()
	want, err := e.Render(context.Background(), "page.html", data)
	if err != nil {
		t.Fatal(err)
	}
	var wg sync.WaitGroup
	for range 8 {
		wg.Go(func() {
			for range 20 {
				got, err := e.Render(context.Background(), "page.html", data)
				if err != nil || string(got) != string(want) {
					t.Errorf("got %q, %v", got, err)
				}
			}
		})
	}
	wg.Wait()
}

func TestNames(t *testing.T) {
	names, err := template.New(files(map[string]string{"b.html": "", "a/c.html": "", ".git/x": "", ".hidden": ""}), template.Options{}).Names()
	if err != nil || strings.Join(names, " ") != "a/c.html b.html" {
		t.Errorf("got %v, %v", names, err)
	}
}

func TestContextStopsARender(t *testing.T) {
	cause := errors.New("the client has gone")
	for _, text := range []string{
		"{{ stop() }}{% for a in range(100000) %}{% for b in range(100000) %}{% for c in range(100000) %}{% endfor %}{% endfor %}{% endfor %}",
		"{{ stop() }}{% for a in range(100000) %}{% for b in range(100000) %}{% set x = b %}{% endfor %}{% endfor %}",
		"{{ stop() }}{% macro m() %}{% for a in range(100000) %}{{ a }}{% endfor %}{% endmacro %}{% for a in range(100000) %}{{ m()|length }}{% endfor %}",
	} {
		ctx, cancel := context.WithCancelCause(context.Background())
		e := template.New(files(map[string]string{"page.html": text}), template.Options{})
		stop := template.Func(func(...any) (any, error) { cancel(cause); return nil, nil })
		out, err := e.Render(ctx, "page.html", map[string]any{"stop": stop})
		if !errors.Is(err, cause) || out != nil {
			t.Errorf("%s: got %q, %v", text, out, err)
		}
	}
}
