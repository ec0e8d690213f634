package logs

import (
	"context"
	"log/slog"
	"strings"
)

// prettyHandler writes lines for people:
//
//	07:31:02 INFO  purged  rows=12
//
// Values of several lines (an error with an excerpt of the source) follow below the line,
// indented, so that no value can look like a record of its own.
type prettyHandler struct {
	base
	paint paint
}

var _ slog.Handler = (*prettyHandler)(nil)

func (h *prettyHandler) WithGroup(name string) slog.Handler {
	if name == "" {
		return h
	}
	return &prettyHandler{h.with(scope{group: name}), h.paint}
}

func (h *prettyHandler) WithAttrs(attrs []slog.Attr) slog.Handler {
	if len(attrs) == 0 {
		return h
	}
	return &prettyHandler{h.with(scope{attrs: attrs}), h.paint}
}

func (h *prettyHandler) Handle(_ context.Context, r slog.Record) error {
	return emit(h.out, func(dst []byte) []byte {
		l := prettyLine{h: h, dst: dst}
		l.head(r)
		l.scopes(r)
		if h.source && r.PC != 0 {
			l.separate()
			l.dst = h.paint.add(l.dst, dim, place(r))
		}
		l.dst = append(l.dst, '\n')
		for _, b := range l.blocks {
			l.block(b)
		}
		return l.dst
	})
}

// prettyLine is one record in the making.
type prettyLine struct {
	h      *prettyHandler
	dst    []byte
	attrs  int     // pairs on the line so far
	blocks []block // values for below the line
}

// block is a value of several lines; an error stands without its key.
type block struct{ key, text string }

func (l *prettyLine) head(r slog.Record) {
	if !r.Time.IsZero() {
		l.dst = l.h.paint.add(l.dst, dim, r.Time.Local().Format("15:04:05"))
		l.dst = append(l.dst, ' ')
	}
	level := r.Level.String()
	l.dst = l.h.paint.add(l.dst, levelColor(r.Level), level)
	l.dst = append(l.dst, strings.Repeat(" ", max(1, 6-len(level)))...)
	l.dst = appendEscaped(l.dst, l.h.redact.masked(r.Message), false)
}

// scopes appends all attributes, their keys prefixed with the groups they are in.
func (l *prettyLine) scopes(r slog.Record) {
	prefix, secret := "", false
	for _, s := range l.h.scopes {
		if s.group != "" {
			prefix += s.group + "."
			secret = secret || l.h.redact.secret(s.group)
			continue
		}
		l.all(prefix, s.attrs, secret)
	}
	r.Attrs(func(a slog.Attr) bool {
		l.attr(prefix, a, secret)
		return true
	})
}

func (l *prettyLine) all(prefix string, attrs []slog.Attr, secret bool) {
	for _, a := range attrs {
		l.attr(prefix, a, secret)
	}
}

func (l *prettyLine) attr(prefix string, a slog.Attr, secret bool) {
	if a = l.h.redact.resolved(a); a.Equal(slog.Attr{}) {
		return
	}
	if a.Value.Kind() == slog.KindGroup {
		if a.Key != "" {
			prefix += a.Key + "."
		}
		l.all(prefix, a.Value.Group(), secret)
		return
	}
	if secret {
		a.Value = slog.StringValue(redacted)
	}
	l.pair(prefix+a.Key, a.Value)
}

func (l *prettyLine) pair(key string, v slog.Value) {
	s, isText := l.h.redact.text(v)
	if s = strings.TrimRight(s, "\r\n"); strings.Contains(s, "\n") {
		if _, isError := v.Any().(error); isError {
			key = ""
		}
		l.blocks = append(l.blocks, block{key, s})
		return
	}
	l.separate()
	l.dst = l.h.paint.start(l.dst, dim)
	l.dst = appendEscaped(l.dst, key, false)
	l.dst = append(l.dst, '=')
	l.dst = l.h.paint.end(l.dst, dim)
	l.value(v, s, isText)
}

func (l *prettyLine) value(v slog.Value, s string, isText bool) {
	var ok bool
	if l.dst, ok = appendScalar(l.dst, v); ok {
		return
	}
	switch {
	case isText && plain(s):
		l.dst = append(l.dst, s...)
	case isText:
		l.dst = appendQuoted(l.dst, s)
	default:
		l.dst = l.h.redact.appendCompound(l.dst, v.Any())
	}
}

// separate puts two blanks between the message and its attributes, one between attributes.
func (l *prettyLine) separate() {
	l.dst = append(l.dst, "  "[min(l.attrs, 1):]...)
	l.attrs++
}

// block appends a value of several lines. Tabs stay: excerpts align their caret with them.
func (l *prettyLine) block(b block) {
	indent := "  "
	if b.key != "" {
		l.dst = append(l.dst, indent...)
		l.dst = appendEscaped(l.dst, b.key, false)
		l.dst = append(l.dst, ":\n"...)
		indent = "    "
	}
	for line := range strings.Lines(b.text) {
		l.dst = append(l.dst, indent...)
		for i, cell := range strings.Split(strings.TrimRight(line, "\r\n"), "\t") {
			if i > 0 {
				l.dst = append(l.dst, '\t')
			}
			l.dst = appendEscaped(l.dst, cell, false)
		}
		l.dst = append(l.dst, '\n')
	}
}
