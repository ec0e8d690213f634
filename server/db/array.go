package db

import (
	"encoding/hex"
	"fmt"
	"math"
	"strconv"
	"strings"
	"time"
	"unicode/utf8"
)

// An element is what the elements of an array are to Postgres: how times and lists are written.
type element uint8

const (
	elementPlain  element = iota // times in the form of RFC 3339
	elementMoment                // timestamps, which the driver cuts to microseconds by themselves
	elementDate
	elementTime
	elementTimetz
	elementBytea
	elementJSON // in which a list is JSON, and no dimension
)

// layouts of times in arrays.
var layouts = map[element]string{
	elementPlain: time.RFC3339Nano, elementMoment: "2006-01-02T15:04:05.999999Z07:00", elementDate: time.DateOnly,
	elementTime: "15:04:05.999999", elementTimetz: timetzLayout, elementBytea: time.RFC3339Nano,
	elementJSON: `"` + time.RFC3339Nano + `"`,
}

// appendArray writes the text form of a Postgres array.
func appendArray(b []byte, values []any, of element) (_ []byte, err error) {
	b = append(b, '{')
	for i, v := range values {
		if i > 0 {
			b = append(b, ',')
		}
		if b, err = appendElement(b, v, of); err != nil {
			return nil, fmt.Errorf("element %d: %w", i+1, err)
		}
	}
	return append(b, '}'), nil
}

func appendElement(b []byte, v any, of element) ([]byte, error) {
	switch v := v.(type) {
	case nil:
		return append(b, "NULL"...), nil
	case bool:
		return strconv.AppendBool(b, v), nil
	case int:
		return strconv.AppendInt(b, int64(v), 10), nil
	case int64:
		return strconv.AppendInt(b, v, 10), nil
	case float64:
		return append(b, floatText(v)...), nil
	case string:
		return appendString(b, v, of), nil
	case JSON:
		return appendString(b, string(v), of), nil
	case []byte:
		return appendBytes(b, v), nil
	case Blob:
		return appendBytes(b, v), nil
	case time.Time:
		return appendQuoted(b, v.UTC().Format(layouts[of])), nil
	case []any:
		return appendArray(b, v, of)
	case Either:
		return v.appendElement(b, of)
	}
	return nil, fmt.Errorf("a %T cannot be stored", v)
}

// appendString writes what is no text, and all that is for bytea, as bytes.
func appendString(b []byte, s string, of element) []byte {
	if of == elementBytea || !utf8.ValidString(s) {
		return appendBytes(b, []byte(s))
	}
	return appendQuoted(b, s)
}

func appendBytes(b, v []byte) []byte { return appendQuoted(b, `\x`+hex.EncodeToString(v)) }

func (e Either) appendElement(b []byte, of element) ([]byte, error) {
	if of != elementJSON || e.onlyArray() {
		return appendArray(b, e.List, of)
	}
	return appendQuoted(b, string(e.JSON)), e.err()
}

// floatText writes whole numbers with each of their digits as long as 64 bits are near: no integer is
// read from 1e+15, and the shortest digits of the same float64 are another integer above 2^53.
func floatText(f float64) string {
	if math.IsInf(f, 0) {
		return strings.TrimPrefix(strconv.FormatFloat(f, 'g', -1, 64), "+") + "inity"
	}
	if f == math.Trunc(f) && wholeDigits(f) == 0 {
		return strconv.FormatFloat(f, 'f', 0, 64)
	}
	return strconv.FormatFloat(f, 'g', -1, 64)
}

func appendQuoted(b []byte, s string) []byte {
	b = append(b, '"')
	for i := range len(s) {
		if s[i] == '"' || s[i] == '\\' {
			b = append(b, '\\')
		}
		b = append(b, s[i])
	}
	return append(b, '"')
}

// readArray reads the text form, such as {{1,2},{3,NULL}}. element turns the text of one into
// its value. Bounds as in [0:1]={7,8} are skipped: arrays here begin where they begin.
func readArray(text string, element func(string) (any, error)) ([]any, error) {
	if strings.HasPrefix(text, "[") {
		if _, after, ok := strings.Cut(text, "="); ok {
			text = after
		}
	}
	r := arrayReader{text: text, element: element}
	if r.peek() != '{' {
		return nil, fmt.Errorf("%q is no array", excerpt(text, 40))
	}
	out, err := r.array(0)
	if err == nil && r.pos != len(text) {
		err = fmt.Errorf("the array %q does not end where it should", excerpt(text, 40))
	}
	return out, err
}

// maxDimensions is what Postgres allows.
const maxDimensions = 6

type arrayReader struct {
	text    string
	pos     int
	element func(string) (any, error)
}

func (r *arrayReader) peek() byte {
	if r.pos < len(r.text) {
		return r.text[r.pos]
	}
	return 0
}

func (r *arrayReader) array(depth int) ([]any, error) {
	if depth >= maxDimensions {
		return nil, fmt.Errorf("an array has at most %d dimensions", maxDimensions)
	}
	r.pos++
	out := []any{}
	if r.peek() == '}' {
		r.pos++
		return out, nil
	}
	for {
		v, err := r.value(depth)
		if err != nil {
			return nil, err
		}
		out = append(out, v)
		c := r.peek()
		r.pos++
		if c == '}' {
			return out, nil
		}
		if c != ',' {
			return nil, fmt.Errorf("the array %q is broken", excerpt(r.text, 40))
		}
	}
}

func (r *arrayReader) value(depth int) (any, error) {
	switch r.peek() {
	case '{':
		return r.array(depth + 1)
	case '"':
		return r.quoted()
	}
	start := r.pos
	for c := r.peek(); c != 0 && c != ',' && c != '}'; c = r.peek() {
		r.pos++
	}
	text := r.text[start:r.pos]
	if strings.EqualFold(text, "null") {
		return nil, nil
	}
	return r.element(text)
}

func (r *arrayReader) quoted() (any, error) {
	var b strings.Builder
	for r.pos++; r.pos < len(r.text); r.pos++ {
		switch c := r.text[r.pos]; c {
		case '"':
			r.pos++
			return r.element(b.String())
		case '\\':
			r.pos++
			b.WriteByte(r.peek())
		default:
			b.WriteByte(c)
		}
	}
	return nil, fmt.Errorf("the array %q does not end", excerpt(r.text, 40))
}
