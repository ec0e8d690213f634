package fault

import (
	"bytes"
	_ "embed"
	"fmt"
	"html/template"
	"maps"
	"net/http"
	"slices"
	"strings"
	"sync"
	"time"
)

// PageContext is how many lines the page shows above and below a failing line.
const PageContext = 6

// PageData is what the page says about the request that failed. Zero values are left out.
type PageData struct {
	Method   string
	Path     string
	Status   int
	ID       string
	Duration time.Duration
	// Header are the headers of the request. Those that are named like a secret
	// (Authorization, Cookie, …) show as "[redacted]".
	Header http.Header
}

//go:embed page.html
var pageSource string

//go:embed page.css
var pageStyle string

var page = sync.OnceValue(func() *template.Template { return template.Must(template.New("page").Parse(pageSource)) })

type pageView struct {
	PageData
	Style   template.CSS
	Error   Error // with clean texts
	Title   string
	Took    string
	Lines   []pageLine
	Locals  []Local
	Frames  []pageFrame
	Headers []Local
}

type pageFrame struct {
	Frame
	Place string
	Verb  string
	Lines []pageLine
	Open  bool
}

type pageLine struct {
	Number int
	Bad    bool
	Parts  []pagePart
	Before string // what stands above the caret's column
	Caret  string
}

type pagePart struct{ Class, Text string }

// HTML is a page for the author of the script, complete in itself and without scripts:
// send it with Content-Security-Policy: default-src 'none'; style-src 'unsafe-inline'.
// It shows source and variables; never send it to visitors. src may be nil.
func (e *Error) HTML(src Source, d PageData) []byte {
	v := pageView{PageData: d, Style: template.CSS(pageStyle), Title: clean(e.Error())}
	v.Error = Error{At: clean(e.At), Code: clean(e.Code), Message: clean(e.Message), Hint: clean(e.Hint)}
	for _, f := range e.Fields {
		v.Error.Fields = append(v.Error.Fields, Field{Path: clean(f.Path), Message: clean(f.Message)})
	}
	v.ID, v.Method = clean(d.ID), clean(d.Method)
	if d.Duration > 0 {
		v.Took = roundDuration(d.Duration).String()
	}
	files := make(map[string]highlighted)
	file, line := splitAt(e.At)
	v.Lines = excerptView(files, src, file, line, e.mark)
	at := max(e.culprit(), 0)
	if at < len(e.Frames) {
		v.Locals = cleanLocals(e.Frames[at].Locals)
	}
	shown := false
	for i, f := range e.Frames {
		p := pageFrame{Frame: f, Place: clean(f.place()), Verb: f.verb(), Open: i == 0 && e.culprit() < 0}
		p.Function = clean(f.Function)
		if i == 0 {
			p.Verb = "in"
		}
		p.Lines = excerptView(files, src, f.File, f.Line, mark{})
		if len(v.Lines) == 0 && len(p.Lines) > 0 && !shown { // of a chunk, as of loadstring, no source is known
			p.Open, shown = true, true
		}
		v.Frames = append(v.Frames, p)
	}
	for _, name := range slices.Sorted(maps.Keys(d.Header)) {
		value := strings.Join(d.Header[name], ", ")
		if isSecret(name) {
			value = redacted
		}
		v.Headers = append(v.Headers, Local{Name: clean(name), Value: clean(value)})
	}
	var b bytes.Buffer
	if err := page().Execute(&b, v); err != nil {
		return []byte("<!doctype html><pre>" + template.HTMLEscapeString(v.Title) + "</pre>")
	}
	return b.Bytes()
}

// roundDuration keeps three digits.
func roundDuration(d time.Duration) time.Duration {
	for unit := time.Second; unit > time.Nanosecond; unit /= 1000 {
		if d >= unit {
			return d.Round(unit / 100)
		}
	}
	return d
}

func cleanLocals(list []Local) []Local {
	out := make([]Local, len(list))
	for i, l := range list {
		out[i] = Local{Name: clean(l.Name), Value: clean(l.Value)}
	}
	return out
}

// A highlighted file is its text with its tokens, scanned once for all frames.
type highlighted struct {
	source source
	tokens []token
	known  bool
}

// excerptView returns the lines around a place with their tokens marked by kind.
func excerptView(files map[string]highlighted, src Source, file string, line int, m mark) []pageLine {
	h, seen := files[file]
	if !seen {
		if src != nil {
			var text string
			if text, h.known = src(file); h.known {
				h.source, h.tokens = newSource(text), scan(text)
			}
		}
		files[file] = h
	}
	bad, ok := h.source.line(line)
	if !h.known || !ok {
		return nil
	}
	var out []pageLine
	for n := max(line-PageContext, 1); n <= line+PageContext; n++ {
		code, ok := h.source.line(n)
		if !ok {
			break
		}
		l := pageLine{Number: n, Bad: n == line, Parts: h.parts(n, code)}
		if from, to := m.find(bad); l.Bad && to > from {
			_, column, length := fit(code, from, to, 1<<20)
			l.Before, l.Caret = strings.Repeat(" ", column), strings.Repeat("^", length)
		}
		out = append(out, l)
	}
	return out
}

// parts cuts line n into pieces of one colour each.
func (h highlighted) parts(n int, code string) []pagePart {
	start := h.source.lines[n-1]
	end := start + len(code)
	var out []pagePart
	column := 0
	add := func(class string, from, to int) {
		if from < to {
			text, next := expand(h.source.text[from:to], column)
			column = next
			out = append(out, pagePart{class, text})
		}
	}
	at := start
	first, _ := slices.BinarySearchFunc(h.tokens, start, func(t token, at int) int { return t.end - at })
	for _, t := range h.tokens[first:] {
		if t.start >= end {
			break
		}
		from, to := max(t.start, start), min(t.end, end)
		if from >= to {
			continue
		}
		add("", at, from)
		add(h.class(t), from, to)
		at = to
	}
	add("", at, end)
	return out
}

// expand is the cells of s as text, with tabs as if s began at a column.
func expand(s string, column int) (string, int) {
	var b strings.Builder
	for _, c := range cells(s) {
		if s[c.offset] == '\t' {
			c.width = tabStop - column%tabStop
			c.text = strings.Repeat(" ", c.width)
		}
		b.WriteString(c.text)
		column += c.width
	}
	return b.String(), column
}

func (h highlighted) class(t token) string {
	switch t.kind {
	case word:
		if keywords[h.source.text[t.start:t.end]] {
			return "k"
		}
	case numeral:
		return "n"
	case text:
		return "s"
	case comment:
		return "c"
	}
	return ""
}

// Heading is the first line of the page: what was asked for and how it ended.
func (v pageView) Heading() string {
	return strings.TrimSpace(fmt.Sprintf("%s %s", v.Method, clean(v.Path)))
}
