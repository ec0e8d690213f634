package template_test

import (
	"context"
	"errors"
	"fmt"
	"testing"
	"time"

	"rws/server/template"
)

func FuzzRender(f *testing.F) {
	for _, text := range []string{
		"{{ name|upper }}{% for k, v in user %}{{ loop.index }}{{ k ~ v }}{% else %}x{% endfor %}",
		"{% extends 'base.html' %}{% block a %}{{ super() }}{% endblock %}",
		"{% macro m(a, b=1, *c, **d) %}{{ caller() }}{% endmacro %}{% call(x) m(1) %}{{ x }}{% endcall %}",
		"{% set a = [1, {'b': none}] %}{{ a[0:1] }}{{ a[-1].b is defined }}{{ a|tojson }}",
		"{% filter upper|trim %}{% raw %}{{{% endraw %}{% endfilter %}{% with a=1 %}{% do hello(a) %}{% endwith %}",
		"{% include ['x', 'base.html'] ignore missing without context %}{% import 'base.html' as b %}{% from 'base.html' import y %}",
		"{{ users|groupby('age')|list }}{{ list|batch(2)|map('first')|join('-') }}{{ 'a%sb'|format(1) }}{{ list|random }}",
		"{{ 'x'.format(a=1) }}{{ '{:>10}'.format(1) }}{{ name.split('n', 1)[0] }}{{ (1, 2)[::-1] }}",
		"{%- if yes and not no or 1 in list -%} a {#- b -#} {%- elif x -%}{%- endif -%}",
		"{{ \"\\\\\" }}{{ 1.5e3 // 2 ** -1 }}{{ 0x1f }}{{ -1 % 3 }}{{ [][0] }}{{ {}|dictsort }}", "{{ self.a() }}{% block a %}{% endblock %}",
		"{{ in x }}", "{% for in in in %}{% endfor %}", "{{ x.0.1.2 }}", "{{ [1,2,3]|slice(0) }}", "{{ a[] }}", "{% raw %}", "{{", "{%", "{#", "{% set a.b = 1 %}",
	} {
		f.Add(text)
	}
	f.Fuzz(func(t *testing.T, text string) {
		m := files(map[string]string{"page.html": text, "base.html": "{% block a %}b{% endblock %}{% macro y() %}{% endmacro %}"})
		e := template.New(m, template.Options{MaxOutput: 1 << 16})
		if e.Check("page.html") != nil {
			return
		}
		ctx, cancel := context.WithTimeout(context.Background(), 2*time.Second)
		defer cancel()
		_, err := e.Render(ctx, "page.html", sample())
		if _, ok := errors.AsType[*template.Error](err); err != nil && !ok {
			t.Errorf("got a %T: %v", err, err)
		}
	})
}

// FuzzEscape looks for values that come out as markup.
func FuzzEscape(f *testing.F) {
	f.Add("<b>", "a'\"&")
	f.Fuzz(func(t *testing.T, a, b string) {
		page := "{{ a }}{{ [a] }}{{ {a: b} }}{{ a ~ b }}{{ a|upper }}{{ [a, b]|join(b) }}{{ a|urlencode }}{{ a|replace('x', b) }}{{ a|default(b) }}{{ (a ~ '')|trim }}{{ a|truncate(3) }}{{ a|urlize|striptags }}{{ [a]|first }}{% set c %}{{ a }}{% endset %}{{ c }}{{ a|tojson }}"
		out, err := render(t, page, map[string]any{"a": a, "b": b})
		if err != nil {
			t.Fatal(err)
		}
		for _, r := range out {
			if r == '<' || r == '>' || r == '\'' {
				t.Fatalf("%q and %q give %q", a, b, out)
			}
		}
	})
}

// BenchmarkPage is a page of 50 rows with a layout, a macro and an include.
func BenchmarkPage(b *testing.B) {
	m := files(map[string]string{
		"base.html": "<!doctype html><title>{% block title %}{% endblock %}</title><main>{% block body %}{% endblock %}</main>",
		"cell.html": "{% macro cell(v, kind='text') %}<td class=\"{{ kind }}\">{{ v }}</td>{% endmacro %}",
		"row.html":  "<tr>{{ cell(row.id, 'number') }}{{ cell(row.name) }}<td>{% if row.active %}yes{% else %}no{% endif %}</td></tr>\n",
		"page.html": "{% extends 'base.html' %}{% from 'cell.html' import cell %}{% block title %}{{ title|upper }}{% endblock %}" +
			"{% block body %}<table>{% for row in rows %}{% include 'row.html' %}{% endfor %}</table>{% endblock %}",
		"plain.html": "<table>{% for row in rows %}<tr><td>{{ row.id }}</td><td>{{ row.name }}</td><td>{% if row.active %}yes{% else %}no{% endif %}</td></tr>\n{% endfor %}</table>",
	})
	rows := make([]any, 50)
	for i := range rows {
		rows[i] = map[string]any{"id": int64(i), "name": fmt.Sprintf("Row <%d>", i), "active": i%2 == 0}
	}
	data := map[string]any{"title": "Rows", "rows": rows}
	for _, c := range []struct {
		name, page string
		o          template.Options
	}{{"plain", "plain.html", template.Options{}}, {"layout", "page.html", template.Options{}}, {"reload", "page.html", template.Options{Reload: true}}} {
		b.Run(c.name, func(b *testing.B) {
			e := template.New(m, c.o)
			b.ReportAllocs()
			for b.Loop() {
				if _, err := e.Render(context.Background(), c.page, data); err != nil {
					b.Fatal(err)
				}
			}
		})
	}
}

func BenchmarkMarkdown(b *testing.B) {
	text := "# Title\n\nSome *text* with a [link](https://a.example) and `code`.\n\n- one\n- two\n\n```go\nx := 1\n```\n"
	b.ReportAllocs()
	for b.Loop() {
		if _, err := template.Markdown(context.Background(), text, template.MarkdownOptions{}); err != nil {
			b.Fatal(err)
		}
	}
}
