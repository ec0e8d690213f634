package template_test

import (
	"context"
	"runtime/debug"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
	"golang.org/x/net/html"
	"golang.org/x/net/html/atom"

	"rws/server/template"
)

// underRace reports whether the test runs under the race detector, which takes ten times as long.
var underRace = func() bool {
	info, ok := debug.ReadBuildInfo()
	return ok && slices.Contains(info.Settings, debug.BuildSetting{Key: "-race", Value: "true"})
}()

// Each of these took 0.3 to 2.5 s before there were bounds.
func TestMarkdownIsQuickWhateverTheText(t *testing.T) {
	size := 60_000
	if underRace {
		size = 6_000
	}
	for _, piece := range []string{"[a](", "[a](b", "![a](b", "[a](<", "*a_", "_a*", "*a~", "1. ", "- 1) ", "[x]\n", "# a\n", "\n#", "<b>", "[", "> "} {
		for _, end := range []string{"", ")"} {
			text := strings.Repeat(piece, size/len(piece)) + end
			start := time.Now()
			_, _ = template.Markdown(t.Context(), text, template.MarkdownOptions{}) // refused, or rendered
			assert.Less(t, time.Since(start), 2*time.Second, "%q", piece)
		}
	}
}

func TestMarkdownRefusesWhatTakesLong(t *testing.T) {
	for piece, want := range map[string]string{
		"[a](": "parentheses that are not closed", "*a_": "marks of emphasis", "1. ": "nested more than 50 deep", "[x]\n": "brackets",
	} {
		_, err := template.Markdown(t.Context(), strings.Repeat(piece, 15_000), template.MarkdownOptions{})
		assert.ErrorContains(t, err, want, "%q", piece)
	}
	long := strings.Repeat("* a **b** with _c_ and [d](e) and ~~f~~ (g)\n", 1_300) + strings.Repeat("(a) [b](c) *d*\n\n", 300)
	_, err := template.Markdown(t.Context(), long, template.MarkdownOptions{})
	assert.NoError(t, err, "an honest text")
}

func TestMarkdownEndsWithItsContext(t *testing.T) {
	slow := strings.Repeat("[a](", 12_000)
	if underRace {
		slow = slow[:12_000]
	}
	var wg sync.WaitGroup
	for range 6 {
		wg.Go(func() {
			ctx, cancel := context.WithTimeout(t.Context(), 50*time.Millisecond)
			defer cancel()
			start := time.Now()
			_, err := template.Markdown(ctx, slow, template.MarkdownOptions{Unsafe: true, MaxBytes: 1 << 20})
			assert.ErrorIs(t, err, context.DeadlineExceeded)
			assert.Less(t, time.Since(start), 2*time.Second)
		})
	}
	wg.Wait()
}

func TestMarkdownKeepsToItself(t *testing.T) {
	for text, want := range map[string]string{
		"</div></section> a":              " a",
		"<div>\n\na":                      "<div>\n<p>a</p>\n</div>",
		"*a <b>b* c":                      "<p><em>a <b>b</b></em> c</p>\n",
		"<li>a":                           "a",
		"<td>a</td>":                      "a",
		"<ul><li>a":                       "<ul><li>a</li></ul>",
		"<p id=x name=y class=z>a</p>":    "<p>a</p>",
		"a <b id=x>b</b>":                 "<p>a <b>b</b></p>\n",
		"<h2 id=\"login\">a</h2>":         "<h2>a</h2>",
		"# a":                             "<h1 id=\"a\">a</h1>\n",
		"# a\n# a\n# a-1":                 "<h1 id=\"a\">a</h1>\n<h1 id=\"a-1\">a</h1>\n<h1 id=\"a-1-1\">a-1</h1>\n",
		"<script>x()\n\nrest":             "x()\n\nrest",
		"<style>\np {}\n\nrest":           "\np {}\n\nrest",
		"<script>x()</script>\n\nrest":    "\n<p>rest</p>\n",
		"a <object> rest":                 "<p>a  rest</p>\n",
		"<object>\n\nrest":                "\n<p>rest</p>\n",
		"<textarea>\n\nrest":              "\n\nrest",
		"<!-- rest\n\nrest":               "&lt;!-- rest\n\nrest",
		"<!-- gone -->\n\nrest":           "\n<p>rest</p>\n",
		"<div title=\"\n\nrest \" rest":   "&lt;div title=&#34;\n<p>rest &#34; rest</p>\n",
		"<iframe src=x>\n\nrest":          "\n<p>rest</p>\n",
		"a <plaintext> rest\n\nmore <br>": "<p>a  rest</p>\n<p>more <br></p>\n",
	} {
		got, err := template.Markdown(t.Context(), text, template.MarkdownOptions{})
		require.NoError(t, err)
		assert.Equal(t, want, got, "%q", text)
		contained(t, text, got)
	}
}

// contained reads a page around the output as a browser does, and looks whether what comes
// behind the output is still where it belongs.
func contained(t *testing.T, text, out string) {
	t.Helper()
	for _, around := range [][2]string{{"<div><div id=in>", "</div><u id=after></u></div>"}, {"<ul><li><div id=in>", "</div><u id=after></u></li></ul>"},
		{"<table><tr><td><div id=in>", "</div><u id=after></u></td></tr></table>"}, {"<dl><dd><div id=in>", "</div><u id=after></u></dd></dl>"}} {
		body := &html.Node{Type: html.ElementNode, Data: "body", DataAtom: atom.Body}
		nodes, err := html.ParseFragment(strings.NewReader(around[0]+out+around[1]), body)
		require.NoError(t, err)
		ok := false
		for _, n := range nodes {
			for d := range n.Descendants() {
				if d.Data == "u" && len(d.Attr) == 1 && d.Attr[0].Val == "after" && d.PrevSibling != nil && len(d.PrevSibling.Attr) == 1 {
					ok = d.PrevSibling.Attr[0].Val == "in"
				}
			}
		}
		if !ok {
			t.Errorf("%q gives %q, which leaves %s", text, out, around[0])
		}
	}
}

func FuzzMarkdownKeepsToItself(f *testing.F) {
	for _, text := range append(scripts, "</div>", "<li>", "<td>", "<b><p>", "<table>a", "<a href=x><a href=y>", "*a <b>b* c", "<div\n\n>", "<p><ul><p>") {
		f.Add(text)
	}
	f.Fuzz(func(t *testing.T, text string) {
		if out, err := template.Markdown(context.Background(), text, template.MarkdownOptions{}); err == nil {
			contained(t, text, out)
		}
	})
}
