package logs

import (
	"context"
	"log/slog"
)

// jsonHandler writes {"time":…,"level":…,"msg":…,attributes}, one line per record.
type jsonHandler struct{ base }

var _ slog.Handler = (*jsonHandler)(nil)

func (h *jsonHandler) WithGroup(name string) slog.Handler {
	if name == "" {
		return h
	}
	return &jsonHandler{h.with(scope{group: name})}
}

func (h *jsonHandler) WithAttrs(attrs []slog.Attr) slog.Handler {
	if len(attrs) == 0 {
		return h
	}
	return &jsonHandler{h.with(scope{attrs: attrs})}
}

func (h *jsonHandler) Handle(_ context.Context, r slog.Record) error {
	return emit(h.out, func(dst []byte) []byte {
		dst = append(dst, '{')
		if !r.Time.IsZero() {
			dst = append(dst, `"time":"`...)
			dst = appendTime(dst, r.Time)
			dst = append(dst, `",`...)
		}
		dst = append(dst, `"level":"`...)
		dst = append(dst, r.Level.String()...)
		dst = append(dst, `","msg":`...)
		dst = appendQuoted(dst, h.redact.masked(r.Message))
		if h.source && r.PC != 0 {
			dst = appendKey(dst, slog.SourceKey)
			dst = appendQuoted(dst, place(r))
		}
		dst = h.appendScopes(dst, h.scopes, r)
		return append(dst, "}\n"...)
	})
}

// appendScopes appends the attributes of the scopes and, innermost, those of the record.
// A group without members leaves no trace.
func (h *jsonHandler) appendScopes(dst []byte, scopes []scope, r slog.Record) []byte {
	for i, s := range scopes {
		if s.group == "" {
			dst = h.appendAttrs(dst, s.attrs)
			continue
		}
		return h.appendGroup(dst, s.group, func(dst []byte) []byte {
			return h.appendScopes(dst, scopes[i+1:], r)
		})
	}
	r.Attrs(func(a slog.Attr) bool {
		dst = h.appendAttr(dst, a)
		return true
	})
	return dst
}

func (h *jsonHandler) appendGroup(dst []byte, name string, members func([]byte) []byte) []byte {
	before := len(dst)
	dst = appendKey(dst, name)
	if h.redact.secret(name) {
		return appendQuoted(dst, redacted)
	}
	dst = append(dst, '{')
	empty := len(dst)
	dst = members(dst)
	if len(dst) == empty {
		return dst[:before]
	}
	return append(dst, '}')
}

func (h *jsonHandler) appendAttrs(dst []byte, attrs []slog.Attr) []byte {
	for _, a := range attrs {
		dst = h.appendAttr(dst, a)
	}
	return dst
}

func (h *jsonHandler) appendAttr(dst []byte, a slog.Attr) []byte {
	a = h.redact.resolved(a)
	if a.Equal(slog.Attr{}) {
		return dst
	}
	if a.Value.Kind() == slog.KindGroup {
		if a.Key == "" {
			return h.appendAttrs(dst, a.Value.Group())
		}
		return h.appendGroup(dst, a.Key, func(dst []byte) []byte {
			return h.appendAttrs(dst, a.Value.Group())
		})
	}
	dst = appendKey(dst, a.Key)
	if dst, ok := appendScalar(dst, a.Value); ok {
		return dst
	}
	if s, ok := h.redact.text(a.Value); ok {
		return appendQuoted(dst, s)
	}
	return h.redact.appendCompound(dst, a.Value.Any())
}

// appendKey appends the name of a member, after a comma unless it is the first of its object.
func appendKey(dst []byte, name string) []byte {
	if dst[len(dst)-1] != '{' {
		dst = append(dst, ',')
	}
	return append(appendQuoted(dst, name), ':')
}
