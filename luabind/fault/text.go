package fault

import (
	"cmp"
	"fmt"
	"slices"
	"strconv"
	"strings"
)

// Defaults of TextOptions.
const (
	DefaultContext = 2
	DefaultWidth   = 100
)

// maxLocals bounds the line of variables.
const maxLocals = 6

// TextOptions say how an error is shown on a terminal or in a log for people.
type TextOptions struct {
	Color   bool // with ANSI colours
	Context int  // lines above the one that failed; 0 means DefaultContext, negative none
	Width   int  // columns; 0 means DefaultWidth
	Locals  bool // the variables of the frame
	Trace   bool // the calls that led there
}

// Text is the error for its author: place and message, the lines around it with a caret,
// then variables, hint and calls, each only if known. src may be nil.
func (e *Error) Text(src Source, o TextOptions) string {
	o.Width = max(cmp.Or(o.Width, DefaultWidth), 20)
	o.Context = cmp.Or(o.Context, DefaultContext)
	p := printer{o: o}
	p.headline(e)
	file, line := splitAt(e.At)
	x, found := excerptAt(src, file, line, max(o.Context, 0), 0, e.mark)
	if found {
		p.line("")
		p.excerpt(x)
	} else {
		p.nearest(e, src)
	}
	if o.Locals {
		p.locals(e, x)
	}
	for _, f := range e.Fields {
		p.line("  " + clean(f.Path+": "+f.Message))
	}
	if calls := e.calls(); e.Hint != "" || o.Trace && len(calls) > 0 {
		p.line("")
		if e.Hint != "" {
			p.styled(cyan, "  "+clean(e.Hint))
		}
		if o.Trace {
			for _, call := range calls {
				p.styled(dim, "  "+clean(call))
			}
		}
	}
	return p.b.String()
}

// nearest prints the first call whose source is known: that of a chunk, as of loadstring, is not.
func (p *printer) nearest(e *Error, src Source) {
	for _, f := range e.Frames[min(len(e.Frames), e.culprit()+1):] {
		if x, found := excerptAt(src, f.File, f.Line, max(p.o.Context, 0), 0, mark{}); found {
			p.line("")
			p.line(clean(f.verb() + " " + f.place() + ":"))
			p.excerpt(x)
			return
		}
	}
}

func (f Frame) verb() string {
	if f.loaded {
		return "loaded at"
	}
	return "called from"
}

// calls lists the frames around the one that At is in.
func (e *Error) calls() []string {
	var calls []string
	at := e.culprit()
	for i, f := range e.Frames {
		if i <= at {
			continue
		}
		verb := f.verb()
		if i == 0 {
			switch e.Code {
			case "":
				verb = "raised again at"
			case codeSyntax:
				verb = "loaded from"
			case "template":
				verb = "rendered at"
			}
		}
		call := fmt.Sprintf("%s %s", verb, f.place())
		if f.Function != "" {
			call += " in " + f.Function
		}
		calls = append(calls, call)
	}
	return calls
}

type style string

const (
	bold style = "1"
	red  style = "1;31"
	cyan style = "36"
	dim  style = "2"
)

type printer struct {
	b strings.Builder
	o TextOptions
}

func (p *printer) line(s string) { p.b.WriteString(s + "\n") }

func (p *printer) paint(s style, text string) string {
	if !p.o.Color || text == "" {
		return text
	}
	return "\x1b[" + string(s) + "m" + text + "\x1b[0m"
}

func (p *printer) styled(s style, text string) { p.line(p.paint(s, text)) }

func (p *printer) headline(e *Error) {
	at := ""
	if e.At != "" {
		at = p.paint(bold, clean(e.At)+":") + " "
	}
	p.line(at + p.paint(red, clean(e.Message)))
}

// excerpt prints the lines, the one that failed with ">", and the caret under it.
func (p *printer) excerpt(x excerpt) {
	digits := len(strconv.Itoa(x.first + len(x.lines) - 1))
	room := p.o.Width - digits - len("> ") - len(" | ")
	for i, code := range x.lines {
		sign, from, to := " ", 0, 0
		if i == x.bad {
			sign, from, to = ">", x.from, x.to
		}
		shown, column, length := fit(code, from, to, room)
		number := fmt.Sprintf("%s %*d |", sign, digits, x.first+i)
		if i != x.bad {
			number = p.paint(dim, number)
		}
		p.line(strings.TrimRight(number+" "+shown, " "))
		if i == x.bad && x.to > x.from {
			p.line(strings.Repeat(" ", digits+len("> ")+len(" | ")+column) + p.paint(red, strings.Repeat("^", length)))
		}
	}
}

// locals prints the variables on one line.
func (p *printer) locals(e *Error, x excerpt) {
	at := e.culprit()
	if at < 0 {
		at = 0
	}
	if at >= len(e.Frames) || len(e.Frames[at].Locals) == 0 {
		return
	}
	line, used := "", 0
	for _, l := range relevant(e.Frames[at].Locals, x) {
		text := clean(l.Name + " = " + l.Value)
		if used > 0 {
			text = "   " + text
		} else {
			text = "  " + text
		}
		if free := p.o.Width - columns(line); columns(text) > free {
			if used == 0 || free > 20 {
				shown, _, _ := fit(text, 0, 0, free)
				line += shown
			}
			break
		}
		line += text
		used++
	}
	p.line(line)
}

// relevant orders variables by how near they are to the failing line, the newest first,
// and keeps some.
func relevant(list []Local, x excerpt) []Local {
	rank := make(map[string]int)
	for i, code := range x.lines {
		for _, t := range scan(code) {
			if name := code[t.start:t.end]; t.kind == word && (i == x.bad || rank[name] == 0) {
				rank[name] = 1
				if i == x.bad {
					rank[name] = 2
				}
			}
		}
	}
	list = slices.Clone(list)
	slices.Reverse(list)
	slices.SortStableFunc(list, func(a, b Local) int { return cmp.Compare(rank[b.Name], rank[a.Name]) })
	return list[:min(len(list), maxLocals)]
}
