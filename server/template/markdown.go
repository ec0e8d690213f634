package template

import (
	"fmt"
	"regexp"
	"strings"
	"sync"

	"github.com/microcosm-cc/bluemonday"
	"github.com/yuin/goldmark"
	"github.com/yuin/goldmark/extension"
	"github.com/yuin/goldmark/parser"
	"github.com/yuin/goldmark/renderer/html"
)

// MarkdownOptions changes how Markdown is rendered. The zero value is for text
// of strangers.
type MarkdownOptions struct {
	// Unsafe leaves raw HTML, links with any scheme and all attributes as they
	// are. Only for text that is as trusted as a template.
	Unsafe bool

	// HardWraps makes each line break of the text one of the page.
	HardWraps bool
}

// maxMarkdown bounds the text, which is parsed in memory.
const maxMarkdown = 4 << 20

// Markdown renders CommonMark with GitHub's tables, task lists, strikethrough
// and bare links. Headings have ids made from their text ("#my-heading"), code
// blocks the class "language-x". HTML in the text passes if a page for strangers
// may have it: no scripts, styles, forms, frames, event handlers or odd links.
//
// It fails for a text above 4 MiB.
func Markdown(text string, o MarkdownOptions) (string, error) {
	if len(text) > maxMarkdown {
		return "", fmt.Errorf("template: markdown of %d bytes: the limit is %d", len(text), maxMarkdown)
	}
	var b strings.Builder
	if err := converter(o).Convert([]byte(text), &b); err != nil {
		return "", fmt.Errorf("template: render markdown: %w", err)
	}
	if o.Unsafe {
		return b.String(), nil
	}
	return policy().Sanitize(b.String()), nil
}

// converter makes a goldmark for the options; it is cheap next to a text.
func converter(o MarkdownOptions) goldmark.Markdown {
	// Raw HTML goes through in any case: the policy decides, after parsing the
	// whole, which of it may stay.
	render := []goldmark.Option{
		goldmark.WithExtensions(extension.Linkify, extension.Strikethrough, extension.TaskList,
			extension.NewTable(extension.WithTableCellAlignMethod(extension.TableCellAlignAttribute))),
		goldmark.WithParserOptions(parser.WithAutoHeadingID()),
		goldmark.WithRendererOptions(html.WithUnsafe()),
	}
	if o.HardWraps {
		render = append(render, goldmark.WithRendererOptions(html.WithHardWraps()))
	}
	return goldmark.New(render...)
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
