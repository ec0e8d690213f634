package template

import (
	"bytes"
	"io"
	"slices"
	"strings"

	"github.com/yuin/goldmark/ast"
	"github.com/yuin/goldmark/renderer"
	"github.com/yuin/goldmark/util"
	"golang.org/x/net/html"
	"golang.org/x/net/html/atom"
)

// rawHTML renders the HTML in a text of strangers, piece by piece, so that none of them can
// swallow what follows it: a tag or comment that does not end is shown as the text it is, and
// an element whose content browsers read as something else loses its tags.
type rawHTML struct{}

// RegisterFuncs implements goldmark's interface.
func (rawHTML) RegisterFuncs(r renderer.NodeRendererFuncRegisterer) {
	r.Register(ast.KindHTMLBlock, func(w util.BufWriter, source []byte, n ast.Node, entering bool) (ast.WalkStatus, error) {
		block := n.(*ast.HTMLBlock)
		if !entering {
			return ast.WalkContinue, nil
		}
		piece := block.Lines().Value(source)
		if block.HasClosure() {
			piece = append(bytes.Clone(piece), block.ClosureLine.Value(source)...)
		}
		return ast.WalkContinue, writeRaw(w, piece)
	})
	r.Register(ast.KindRawHTML, func(w util.BufWriter, source []byte, n ast.Node, entering bool) (ast.WalkStatus, error) {
		if !entering {
			return ast.WalkSkipChildren, nil
		}
		return ast.WalkSkipChildren, writeRaw(w, n.(*ast.RawHTML).Segments.Value(source))
	})
}

// special are elements whose content is no HTML, or is dropped with them by the policy.
var special = map[atom.Atom]bool{
	atom.Script: true, atom.Style: true, atom.Iframe: true, atom.Noembed: true, atom.Noframes: true, atom.Noscript: true, atom.Plaintext: true,
	atom.Title: true, atom.Textarea: true, atom.Xmp: true, atom.Object: true, atom.Frame: true, atom.Frameset: true, atom.Template: true,
}

// handles are attributes by which scripts and styles of the page find elements, and by which
// an element can shadow a variable of a script.
var handles = []string{"id", "name", "class", "usemap"}

// writeRaw writes the tags and the text of a piece of HTML.
func writeRaw(w io.StringWriter, piece []byte) error {
	z := html.NewTokenizer(bytes.NewReader(piece))
	var b, program strings.Builder // program is the content of a script or style that is open
	inside, read := false, 0
	for kind := z.Next(); kind != html.ErrorToken; kind = z.Next() {
		raw := string(z.Raw())
		read += len(raw)
		switch {
		case inside && kind == html.TextToken:
			program.WriteString(raw)
		case inside: // nothing but its end tag ends a program
			inside = false
			program.Reset()
		case kind == html.TextToken:
			b.WriteString(strings.ReplaceAll(raw, "<", "&lt;"))
		case kind == html.CommentToken || kind == html.DoctypeToken:
			b.WriteString(unfinished(raw))
		default:
			inside = writeTag(&b, z, kind)
		}
	}
	b.WriteString(html.EscapeString(program.String() + string(piece[read:])))
	_, err := w.WriteString(b.String())
	return err
}

// writeTag writes the tag that z has read, and reports whether it begins a program.
func writeTag(b *strings.Builder, z *html.Tokenizer, kind html.TokenType) bool {
	token := z.Token()
	if special[token.DataAtom] {
		program := kind == html.StartTagToken && (token.DataAtom == atom.Script || token.DataAtom == atom.Style)
		if !program {
			z.NextIsNotRawText()
		}
		return program
	}
	token.Attr = slices.DeleteFunc(token.Attr, func(a html.Attribute) bool { return slices.Contains(handles, a.Key) })
	b.WriteString(token.String())
	return false
}

// unfinished returns a comment as text when it does not end, else nothing.
func unfinished(raw string) string {
	if strings.HasPrefix(raw, "<!--") && !strings.HasSuffix(raw, "-->") && !strings.HasSuffix(raw, "--!>") || !strings.HasSuffix(raw, ">") {
		return html.EscapeString(raw)
	}
	return ""
}

// maxOpen bounds how deep elements nest; browsers slow down with each.
const maxOpen = 100

// parents are elements that browsers close others for, up to the page around the text, when
// they do not stand in one of these.
var parents = map[string][]string{
	"li": {"ul", "ol"}, "dt": {"dl"}, "dd": {"dl"}, "rt": {"ruby"}, "rp": {"ruby"},
	"caption": {"table"}, "colgroup": {"table"}, "col": {"table"}, "thead": {"table"}, "tbody": {"table"}, "tfoot": {"table"},
	"tr": {"table"}, "td": {"tr"}, "th": {"tr"},
}

// void are elements without an end.
var void = []string{"area", "br", "col", "hr", "img", "input", "wbr"}

// balanced returns sanitised HTML in which each element ends within the one it began in, and
// within the text: tags that would end another element, or one of the page, are left out, and
// missing ones added.
func balanced(text string) string {
	z := html.NewTokenizer(strings.NewReader(text))
	var b strings.Builder
	b.Grow(len(text))
	var stack []string
	pop := func(depth int) {
		for len(stack) > depth {
			b.WriteString("</" + stack[len(stack)-1] + ">")
			stack = stack[:len(stack)-1]
		}
	}
	for kind := z.Next(); kind != html.ErrorToken; kind = z.Next() {
		raw := string(z.Raw())
		if kind == html.TextToken {
			b.WriteString(raw)
			continue
		}
		bytesOfName, _ := z.TagName()
		name := string(bytesOfName)
		switch {
		case kind == html.EndTagToken:
			if at := lastOf(stack, name); at >= 0 {
				pop(at)
			}
		case slices.Contains(void, name):
			b.WriteString(raw)
		case kind == html.StartTagToken && len(stack) < maxOpen && stands(stack, name):
			stack = append(stack, name)
			b.WriteString(raw)
		}
	}
	pop(0)
	return b.String()
}

// stands reports whether an element may begin within those that are open.
func stands(stack []string, name string) bool {
	around := parents[name]
	return around == nil || slices.ContainsFunc(stack, func(open string) bool { return slices.Contains(around, open) })
}

func lastOf(stack []string, name string) int {
	for i := len(stack) - 1; i >= 0; i-- {
		if stack[i] == name {
			return i
		}
	}
	return -1
}
