package template

import (
	"cmp"
	"fmt"
	"regexp"
	"strings"
	"sync"

	"github.com/microcosm-cc/bluemonday"
	"github.com/yuin/goldmark"
	"github.com/yuin/goldmark/extension"
	"github.com/yuin/goldmark/parser"
	"github.com/yuin/goldmark/renderer"
	"github.com/yuin/goldmark/renderer/html"
)

// MarkdownOptions changes how Markdown is rendered. The zero value is for text
// of strangers.
type MarkdownOptions struct {
	// Unsafe leaves raw HTML, links with any scheme and all attributes as they
	// are. Only for text that is as trusted as a template.
	Unsafe bool

	// MaxBytes bounds the text; 0 means 64 KiB. Time grows with the square of
	// text that is made to be slow: 64 KiB of "[](" took 2.3 s, 20 KB 0.3 s.
	MaxBytes int

	// HardWraps makes each line break of the text one of the page.
	HardWraps bool
}

// maxMarkdown is the default of MaxBytes.
const maxMarkdown = 64 << 10

// Markdown renders CommonMark with GitHub's tables, task lists, strikethrough
// and bare links. Headings have ids made from their text ("#my-heading"), code
// blocks the class "language-x". HTML in the text passes if a page for strangers
// may have it: no scripts, styles, forms, frames, event handlers or odd links.
//
// It fails for a text longer than MaxBytes.
func Markdown(text string, o MarkdownOptions) (string, error) {
	limit := cmp.Or(o.MaxBytes, maxMarkdown)
	if len(text) > limit {
		return "", fmt.Errorf("template: markdown of %d bytes: the limit is %d; a larger MaxBytes is for text that is trusted", len(text), limit)
	}
	if line := tooDeep(text); line > 0 {
		return "", fmt.Errorf("markdown line %d: quotes or lists are nested more than %d deep", line, maxMarkers)
	}
	var b strings.Builder
	convert := converter
	if o.HardWraps {
		convert = wrapping
	}
	if err := convert().Convert([]byte(text), &b); err != nil {
		return "", fmt.Errorf("template: render markdown: %w", err)
	}
	if o.Unsafe {
		return b.String(), nil
	}
	return policy().Sanitize(b.String()), nil
}

// maxMarkers bounds the nesting of one line: 50 KB of ">" took 3 s and made 1.3 MB.
const maxMarkers = 50

// tooDeep returns the first line that opens more than maxMarkers quotes or lists, or 0.
func tooDeep(text string) int {
	number := 0
	for line := range strings.Lines(text) {
		number++
		markers := 0
		for _, ch := range line {
			if ch == '>' || ch == '-' || ch == '*' || ch == '+' {
				markers++
			} else if ch != ' ' && ch != '\t' {
				break
			}
		}
		if markers > maxMarkers && strings.Trim(line, "- \t\r\n") != "" && strings.Trim(line, "* \t\r\n") != "" {
			return number
		}
	}
	return 0
}

// converter and wrapping are made once: making one takes 200 allocations, 22 KB.
var (
	converter = sync.OnceValue(func() goldmark.Markdown { return newConverter() })
	wrapping  = sync.OnceValue(func() goldmark.Markdown { return newConverter(html.WithHardWraps()) })
)

// newConverter lets raw HTML through in any case: the policy decides, after the
// whole is parsed, which of it may stay.
func newConverter(o ...renderer.Option) goldmark.Markdown {
	return goldmark.New(
		goldmark.WithExtensions(extension.Linkify, extension.Strikethrough, extension.TaskList,
			extension.NewTable(extension.WithTableCellAlignMethod(extension.TableCellAlignAttribute))),
		goldmark.WithParserOptions(parser.WithAutoHeadingID()),
		goldmark.WithRendererOptions(append(o, html.WithUnsafe())...),
	)
}

// policy is bluemonday's for content of users, with what our Markdown makes
// beside: classes of code, ids of headings, boxes of task lists.
var policy = sync.OnceValue(func() *bluemonday.Policy {
	p := bluemonday.UGCPolicy()
	p.AllowAttrs("class").Matching(regexp.MustCompile(`^language-[\w+#.-]{1,40}$`)).OnElements("code")
	p.AllowAttrs("id").Matching(regexp.MustCompile(`^[\p{L}\p{N}_-]{1,200}$`)).OnElements("h1", "h2", "h3", "h4", "h5", "h6")
	p.AllowAttrs("type").Matching(regexp.MustCompile(`^checkbox$`)).OnElements("input")
	p.AllowAttrs("checked", "disabled").Matching(regexp.MustCompile(`^$`)).OnElements("input")
	return p
})
