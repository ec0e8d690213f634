package problem

import (
	"crypto/sha256"
	"encoding/base64"
	"fmt"
	"html"
	"strings"
)

const style = `:root{color-scheme:light dark}
body{font:1rem/1.6 system-ui,sans-serif;max-width:34rem;margin:15vh auto 0;padding:0 1.5rem}
h1{font-size:1.6rem;margin:0 0 .5rem}h1 span{opacity:.5;font-weight:400;margin-right:.5rem}
code{font:.9em ui-monospace,monospace}footer{margin-top:2rem;opacity:.6;font-size:.85rem}`

// pagePolicy lets the page apply its own style and do nothing else.
var pagePolicy = policyFor(style)

func policyFor(style string) string {
	sum := sha256.Sum256([]byte(style))
	return "default-src 'none'; style-src 'sha256-" + base64.StdEncoding.EncodeToString(sum[:]) +
		"'; base-uri 'none'; form-action 'none'; frame-ancestors 'none'"
}

func (d Details) page() []byte {
	var b strings.Builder
	title := html.EscapeString(d.Title)
	fmt.Fprintf(&b, `<!doctype html>
<html lang="en"><head><meta charset="utf-8"><meta name="viewport" content="width=device-width"><title>%s</title>
<style>%s</style></head><body>
<h1><span>%d</span>%s</h1>
`, title, style, d.Status, title)
	if d.Detail != "" {
		fmt.Fprintf(&b, "<p>%s</p>\n", html.EscapeString(d.Detail))
	}
	if len(d.Fields) > 0 {
		b.WriteString("<ul>\n")
		for _, f := range d.Fields {
			fmt.Fprintf(&b, "<li><code>%s</code> %s</li>\n", html.EscapeString(f.Path), html.EscapeString(f.Message))
		}
		b.WriteString("</ul>\n")
	}
	if d.ID != "" {
		fmt.Fprintf(&b, "<footer>Request <code>%s</code></footer>\n", html.EscapeString(d.ID))
	}
	b.WriteString("</body></html>\n")
	return []byte(b.String())
}
