package template_test

import (
	"regexp"
	"strings"
	"testing"

	"golang.org/x/net/html"
	"rws/server/template"
)

func TestMarkdown(t *testing.T) {
	for _, c := range []struct{ name, text, want string }{
		{"paragraph", "a *b* **c** `d`", "<p>a <em>b</em> <strong>c</strong> <code>d</code></p>\n"},
		{"heading ids", "# Hello *World*\n## Hello World\n### Ölfaß", "<h1 id=\"hello-world\">Hello <em>World</em></h1>\n<h2 id=\"hello-world-1\">Hello World</h2>\n<h3 id=\"lfa\">Ölfaß</h3>\n"},
		{"link", "[a](https://a.example/?x=1&y=2 \"t\")", "<p><a href=\"https://a.example/?x=1&amp;y=2\" title=\"t\" rel=\"nofollow\">a</a></p>\n"},
		{"relative link", "[a](/b)", "<p><a href=\"/b\" rel=\"nofollow\">a</a></p>\n"},
		{"bare link", "see https://a.example.", "<p>see <a href=\"https://a.example\" rel=\"nofollow\">https://a.example</a>.</p>\n"},
		{"image", "![a](https://a.example/b.png)", "<p><img src=\"https://a.example/b.png\" alt=\"a\"></p>\n"},
		{"code block", "```go\na < b\n```", "<pre><code class=\"language-go\">a &lt; b\n</code></pre>\n"},
		{"table", "|a|b|\n|:-|-:|\n|1|2|", "<table>\n<thead>\n<tr>\n<th align=\"left\">a</th>\n<th align=\"right\">b</th>\n</tr>\n</thead>\n<tbody>\n<tr>\n<td align=\"left\">1</td>\n<td align=\"right\">2</td>\n</tr>\n</tbody>\n</table>\n"},
		{"tasks", "- [x] a\n- [ ] b", "<ul>\n<li><input checked=\"\" disabled=\"\" type=\"checkbox\"> a</li>\n<li><input disabled=\"\" type=\"checkbox\"> b</li>\n</ul>\n"},
		{"strikethrough", "~~a~~", "<p><del>a</del></p>\n"},
		{"harmless html", "a <b>b</b><br>", "<p>a <b>b</b><br></p>\n"},
	} {
		t.Run(c.name, func(t *testing.T) {
			got, err := template.Markdown(t.Context(), c.text, template.MarkdownOptions{})
			if err != nil || got != c.want {
				t.Errorf("got %q, %v\nwant %q", got, err, c.want)
			}
		})
	}
	if got, _ := template.Markdown(t.Context(), "a\nb", template.MarkdownOptions{HardWraps: true}); got != "<p>a<br>\nb</p>\n" {
		t.Errorf("hard wraps: got %q", got)
	}
	if got, _ := template.Markdown(t.Context(), "<script>x</script>", template.MarkdownOptions{Unsafe: true}); got != "<script>x</script>" {
		t.Errorf("unsafe: got %q", got)
	}
	long := strings.Repeat("x", 65<<10)
	if _, err := template.Markdown(t.Context(), long, template.MarkdownOptions{}); err == nil || !strings.Contains(err.Error(), "MaxBytes") {
		t.Errorf("a long text: got %v", err)
	}
	if _, err := template.Markdown(t.Context(), long, template.MarkdownOptions{MaxBytes: 1 << 20}); err != nil {
		t.Error(err)
	}
}

// scripts are texts that try to run something in the page.
var scripts = []string{
	"<script>alert(1)</script>", "<ScRiPt src=//x>", "<scr<script>ipt>alert(1)</script>", "<script\n>x</script\n>", "<<script>x",
	"<img src=x onerror=alert(1)>", "<img src=x oNeRrOr = alert(1)>", "<svg onload=alert(1)>", "<svg><script>x</script></svg>",
	"<body onload=x>", "<iframe src=javascript:x>", "<iframe srcdoc='<script>x</script>'>", "<object data=x>", "<embed src=x>",
	"<a href=javascript:alert(1)>x</a>", "<a href=' javascript:alert(1)'>x</a>", "<a href='java\tscript:x'>x</a>", "<a href='&#106;avascript:x'>x</a>",
	"[a](javascript:alert(1))", "[a](JaVaScRiPt:alert(1))", "[a](java&#115;cript:x)", "[a](&#x6A;avascript:x)", "[a](\x01javascript:x)",
	"[a](data:text/html,<script>x</script>)", "[a](vbscript:x)", "![a](javascript:x)", "![a\" onerror=\"x](y)", "[a](x \"t\\\" onclick=\\\"y\")",
	"<javascript:alert(1)>", "[a]: javascript:x\n[a]", "<a href=x onclick=y>", "<p style='background:url(javascript:x)'>", "<style>@import 'javascript:x'</style>",
	"<form action=javascript:x><input type=submit>", "<button formaction=javascript:x>", "<input autofocus onfocus=x>", "<input type=image src=x onerror=y>",
	"<math><mtext><table><mglyph><style><img src=x onerror=y>", "<noscript><p title='</noscript><img src=x onerror=y>'>", "<template><script>x</script></template>",
	"<base href=javascript:x>", "<meta http-equiv=refresh content='0;javascript:x'>", "<link rel=stylesheet href=x>", "<details open ontoggle=x>", "<video><source onerror=x>",
	"```\" onclick=\"x\ncode\n```", "```<script>\nx\n```", "# a <script>x</script>", "`<script>`", "|<script>x</script>|\n|-|\n|<img onerror=x>|", "<!--><script>x</script>-->",
	"<a\x00 href=javascript:x>", "<img/src=x/onerror=y>", "<x onclick=y>", "<h1 id='x\" onclick=\"y'>", "\\<script>", "&lt;script&gt;",
}

func TestMarkdownRunsNothing(t *testing.T) {
	for _, text := range scripts {
		harmless(t, text)
	}
}

func FuzzMarkdown(f *testing.F) {
	for _, text := range scripts {
		f.Add(text)
	}
	f.Fuzz(harmless)
}

var schemes = regexp.MustCompile(`^(https?:|mailto:|[^:]*$|[^:]*[/?#])`)

// harmless reads the output as a browser does and looks at each element and
// attribute; text that only speaks of "<script" is escaped and thus harmless.
func harmless(t *testing.T, text string) {
	out, err := template.Markdown(t.Context(), text, template.MarkdownOptions{})
	if err != nil {
		t.Fatal(err)
	}
	if strings.Contains(strings.ToLower(out), "<script") {
		t.Errorf("%q gives %q", text, out)
	}
	z := html.NewTokenizer(strings.NewReader(out))
	for kind := z.Next(); kind != html.ErrorToken; kind = z.Next() {
		token := z.Token()
		if kind == html.TextToken {
			continue
		}
		switch token.Data {
		case "script", "style", "iframe", "object", "embed", "form", "base", "meta", "link", "svg", "math", "template", "button":
			t.Errorf("%q gives the element %q in %q", text, token.Data, out)
		}
		for _, a := range token.Attr {
			link := a.Key == "href" || a.Key == "src"
			if strings.HasPrefix(a.Key, "on") || a.Key == "style" || a.Key == "srcdoc" || link && !schemes.MatchString(strings.ToLower(a.Val)) {
				t.Errorf("%q gives %s=%q in %q", text, a.Key, a.Val, out)
			}
		}
	}
}
