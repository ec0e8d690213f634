package logs

import (
	"bytes"
	"encoding"
	"encoding/json"
	"fmt"
	"log/slog"
	"math"
	"net/url"
	"strconv"
	"time"
)

// appendTime appends t in UTC with milliseconds. The layout time.RFC3339 has a fast path in
// package time that a layout with fractions has not: 33 ns against 131 ns.
func appendTime(dst []byte, t time.Time) []byte {
	dst = t.UTC().AppendFormat(dst, time.RFC3339)
	ms := t.Nanosecond() / 1e6
	return append(dst[:len(dst)-len("Z")], '.', byte('0'+ms/100), byte('0'+ms/10%10), byte('0'+ms%10), 'Z')
}

// resolved returns the attribute with its value computed and, where its name says that it is a
// secret, replaced.
func (r redactor) resolved(a slog.Attr) slog.Attr {
	if !r.secret(a.Key) {
		a.Value = a.Value.Resolve()
		return a
	}
	if resolved := a.Value.Resolve(); isNumber(resolved) && !r.hides(a.Key, true) {
		return slog.Attr{Key: a.Key, Value: resolved}
	}
	return slog.String(a.Key, redacted)
}

func isNumber(v slog.Value) bool {
	switch v.Kind() {
	case slog.KindInt64, slog.KindUint64, slog.KindFloat64:
		return true
	}
	return false
}

// appendScalar appends numbers and booleans, which print alike in both forms, and reports
// whether v was one.
func appendScalar(dst []byte, v slog.Value) ([]byte, bool) {
	switch v.Kind() {
	case slog.KindInt64:
		return strconv.AppendInt(dst, v.Int64(), 10), true
	case slog.KindUint64:
		return strconv.AppendUint(dst, v.Uint64(), 10), true
	case slog.KindBool:
		return strconv.AppendBool(dst, v.Bool()), true
	case slog.KindFloat64:
		return appendFloat(dst, v.Float64()), true
	}
	return dst, false
}

// appendFloat quotes what JSON has no number for (RFC 8259 §6).
func appendFloat(dst []byte, f float64) []byte {
	if math.IsNaN(f) || math.IsInf(f, 0) {
		return appendQuoted(dst, strconv.FormatFloat(f, 'g', -1, 64))
	}
	return strconv.AppendFloat(dst, f, 'g', -1, 64)
}

// text returns v as text if it is something that has a text of its own: strings, durations,
// times, errors, text marshalers, stringers. Compound values do not. Secrets in it are masked.
func (r redactor) text(v slog.Value) (s string, ok bool) {
	switch v.Kind() {
	case slog.KindString:
		return r.masked(v.String()), true
	case slog.KindDuration:
		return v.Duration().String(), true
	case slog.KindTime:
		return string(appendTime(nil, v.Time())), true
	case slog.KindAny:
		s, ok = anyText(v.Any())
		return r.masked(s), ok
	}
	return "", false
}

// anyText calls the value's own methods; one that panics must not take the request with it.
func anyText(v any) (s string, ok bool) {
	defer func() {
		if p := recover(); p != nil {
			s, ok = fmt.Sprintf("!panic: %v", p), true
		}
	}()
	switch v := v.(type) {
	case *url.URL:
		return v.Redacted(), true
	case error:
		return v.Error(), true
	case json.Marshaler:
		return "", false
	case encoding.TextMarshaler:
		b, err := v.MarshalText()
		return string(b), err == nil
	case fmt.Stringer:
		return v.String(), true
	case []byte:
		return string(v), true
	}
	return "", false
}

// appendCompound appends a map, slice or struct as JSON on one line without its secrets. What
// JSON cannot hold prints as a text that says so: falling back to Go syntax would print the
// secrets.
func (r redactor) appendCompound(dst []byte, v any) []byte {
	encoded, err := r.marshal(v)
	if err != nil {
		return appendQuoted(dst, "!cannot be logged: "+err.Error())
	}
	return appendDangerousEscaped(dst, encoded)
}

func (r redactor) marshal(v any) (encoded []byte, err error) {
	defer func() {
		if p := recover(); p != nil {
			err = fmt.Errorf("panic: %v", p)
		}
	}()
	raw, err := json.Marshal(v)
	if err != nil {
		return nil, err
	}
	decoder := json.NewDecoder(bytes.NewReader(raw))
	decoder.UseNumber()
	var tree any
	if err := decoder.Decode(&tree); err != nil {
		return nil, err
	}
	tree = r.scrub(tree)
	var out bytes.Buffer
	encoder := json.NewEncoder(&out)
	encoder.SetEscapeHTML(false)
	if err := encoder.Encode(tree); err != nil {
		return nil, err
	}
	return bytes.TrimSuffix(out.Bytes(), []byte("\n")), nil
}

// appendDangerousEscaped appends valid JSON and escapes what JSON allows but [dangerous] forbids;
// such runes only occur inside its strings.
func appendDangerousEscaped(dst, encoded []byte) []byte {
	for _, r := range string(encoded) {
		if dangerous(r) {
			dst = appendRune(dst, r)
			continue
		}
		dst = append(dst, string(r)...)
	}
	return dst
}
