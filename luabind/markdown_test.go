package luabind_test

import (
	"testing"
)

func TestMarkdown(t *testing.T) {
	scripts(t, map[string]string{
		"text becomes HTML": `eq(rws.markdown("# Hi *there*"), '<h1 id="hi-there">Hi <em>there</em></h1>\n')`,
		"scripts are taken out": `
			eq(rws.markdown("a <script>alert(1)</script> b"):find("script"), nil)
			eq(rws.markdown("[x](javascript:alert(1))"):find("javascript"), nil)`,
		"ids and open tags too":           `eq(rws.markdown("a <b id=x>b</div>"), "<p>a <b>b</b></p>\n")`,
		"what would take long is refused": `raises("too_complex", "parentheses that are not closed", rws.markdown, ("[a]("):rep(15000))`,
		"unsafe leaves HTML":              `assert(rws.markdown("<b onclick='x()'>a</b>", { unsafe = true }):find("onclick"))`,
		"hard_wraps keeps lines":          `assert(rws.markdown("a\nb", { hard_wraps = true }):find("<br"))`,
		"long text is refused":            `raises("too_large", "the limit is 64kb", rws.markdown, ("a "):rep(40000))`,
		"max_size raises the limit":       `assert(#rws.markdown(("a "):rep(40000), { max_size = "100kb" }) > 79000)`,
		"options are strict":              `raises("option", 'did you mean "hard_wraps"?', rws.markdown, "a", { hard_wrap = true })`,
	})
}

func TestMarkdownEndsAtTheDeadline(t *testing.T) {
	p := newApp(t, `app:get("/", { timeout = "100ms" }, function() return rws.markdown(("[a]("):rep(6000), { unsafe = true }) end)`, nil)
	many(t, 6, func() {
		if a := do(t, p, "GET /"); a.Status != 504 {
			t.Error(summary(a))
		}
	})
}
