package db

import (
	"encoding/hex"
	"fmt"
	"math"
	"strconv"
	"strings"
	"time"
)

// writeArray writes the text form of a Postgres array.
func writeArray(b *strings.Builder, values []any) error {
	b.WriteByte('{')
	for i, v := range values {
		if i > 0 {
			b.WriteByte(',')
		}
		if err := writeElement(b, v); err != nil {
			return fmt.Errorf("element %d: %w", i+1, err)
		}
	}
	b.WriteByte('}')
	return nil
}

func writeElement(b *strings.Builder, v any) error {
	switch v := v.(type) {
	case nil:
		b.WriteString("NULL")
	case bool:
		b.WriteString(strconv.FormatBool(v))
	case int:
		b.WriteString(strconv.Itoa(v))
	case int64:
		b.WriteString(strconv.FormatInt(v, 10))
	case float64:
		b.WriteString(floatText(v))
	case string:
		writeQuoted(b, v)
	case JSON:
		writeQuoted(b, string(v))
	case []byte:
		writeQuoted(b, `\x`+hex.EncodeToString(v))
	case Blob:
		writeQuoted(b, `\x`+hex.EncodeToString(v))
	case time.Time:
		writeQuoted(b, v.UTC().Format("2006-01-02 15:04:05.999999999Z07:00"))
	case []any:
		return writeArray(b, v)
	default:
		return fmt.Errorf("a %T cannot be stored", v)
	}
	return nil
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

func writeQuoted(b *strings.Builder, s string) {
	b.WriteByte('"')
	for i := range len(s) {
		if s[i] == '"' || s[i] == '\\' {
			b.WriteByte('\\')
		}
		b.WriteByte(s[i])
	}
	b.WriteByte('"')
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
