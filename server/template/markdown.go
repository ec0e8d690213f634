package template

import (
	"cmp"
	"context"
	"fmt"
	"regexp"
	"runtime"
	"strings"
	"sync"

	"github.com/microcosm-cc/bluemonday"
	"github.com/yuin/goldmark"
	"github.com/yuin/goldmark/extension"
	"github.com/yuin/goldmark/parser"
	"github.com/yuin/goldmark/renderer"
	"github.com/yuin/goldmark/renderer/html"
	"github.com/yuin/goldmark/util"
)

// MarkdownOptions changes how Markdown is rendered. The zero value is for text
// of strangers.
type MarkdownOptions struct {
	// Unsafe leaves raw HTML, links with any scheme and all attributes as they
	// are. Only for text that is as trusted as a template.
	Unsafe bool

	// MaxBytes bounds the text; 0 means 64 KiB.
	MaxBytes int

	// HardWraps makes each line break of the text one of the page.
	HardWraps bool
}

// maxMarkdown is the default of MaxBytes.
const maxMarkdown = 64 << 10

// Markdown renders CommonMark with GitHub's tables, task lists, strikethrough
// and bare links. Headings have ids made from their text ("#my-heading"), code
// blocks the class "language-x". HTML in the text passes if a page for strangers
// may have it: no scripts, styles, forms, frames, event handlers, odd links, ids
// or classes. What is left is balanced: it ends no element of the page around it,
// and leaves none open.
//
// It fails for a text longer than MaxBytes, for one that nests so deep or leaves
// so much open that it would take long, and with the cause of ctx when that ends
// first. Texts wait for each other: as many are rendered at a time as there are
// processors.
func Markdown(ctx context.Context, text string, o MarkdownOptions) (string, error) {
	limit := cmp.Or(o.MaxBytes, maxMarkdown)
	if len(text) > limit {
		return "", fmt.Errorf("template: markdown of %d bytes: the limit is %d; a larger MaxBytes is for text that is trusted", len(text), limit)
	}
	if !o.Unsafe {
		if err := tooComplex(text); err != nil {
			return "", err
		}
	}
	select {
	case rendering() <- struct{}{}:
	case <-ctx.Done():
		return "", context.Cause(ctx)
	}
	done := make(chan struct{})
	var page string
	var err error
	go func() { // the parser can't be interrupted, but it can be left
		defer func() { <-rendering() }()
		defer close(done)
		page, err = o.render(text)
	}()
	select {
	case <-done:
		return page, err
	case <-ctx.Done():
		return "", context.Cause(ctx)
	}
}

// rendering holds a token for each text that is being rendered.
var rendering = sync.OnceValue(func() chan struct{} { return make(chan struct{}, runtime.GOMAXPROCS(0)) })

func (o MarkdownOptions) render(text string) (string, error) {
	var b strings.Builder
	if err := o.converter()().Convert([]byte(text), &b, parser.WithContext(parser.NewContext(parser.WithIDs(&headingIDs{})))); err != nil {
		return "", fmt.Errorf("template: render markdown: %w", err)
	}
	if o.Unsafe {
		return b.String(), nil
	}
	return balanced(policy().Sanitize(b.String())), nil
}

// converters are made once each: making one takes 200 allocations, 22 KB.
var (
	safePlain      = sync.OnceValue(func() goldmark.Markdown { return newConverter(guarded) })
	safeWrapping   = sync.OnceValue(func() goldmark.Markdown { return newConverter(guarded, html.WithHardWraps()) })
	unsafePlain    = sync.OnceValue(func() goldmark.Markdown { return newConverter(html.WithUnsafe()) })
	unsafeWrapping = sync.OnceValue(func() goldmark.Markdown { return newConverter(html.WithUnsafe(), html.WithHardWraps()) })
)

// guarded leaves links with any scheme to the policy, and HTML to rawHTML.
var guarded = rendererOptions{html.WithUnsafe(), renderer.WithNodeRenderers(util.Prioritized(rawHTML{}, 100))}

func (o MarkdownOptions) converter() func() goldmark.Markdown {
	switch {
	case o.Unsafe && o.HardWraps:
		return unsafeWrapping
	case o.Unsafe:
		return unsafePlain
	case o.HardWraps:
		return safeWrapping
	}
	return safePlain
}

// rendererOptions are several options as one.
type rendererOptions []renderer.Option

// SetConfig applies all of them.
func (list rendererOptions) SetConfig(c *renderer.Config) {
	for _, o := range list {
		o.SetConfig(c)
	}
}

func newConverter(o ...renderer.Option) goldmark.Markdown {
	return goldmark.New(
		goldmark.WithExtensions(extension.Linkify, extension.Strikethrough, extension.TaskList,
			extension.NewTable(extension.WithTableCellAlignMethod(extension.TableCellAlignAttribute))),
		goldmark.WithParserOptions(parser.WithAutoHeadingID()),
		goldmark.WithRendererOptions(o...),
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
