package schema

import (
	"fmt"
	"math/big"
	"regexp"
	"strconv"
	"strings"
)

// Field is a parsed spec, as data for those who describe it (OpenAPI, typed clients, admin pages).
// It is read-only: what a check looks at was prepared when it was parsed.
type Field struct {
	Name string // "" for the items of a list
	Type Type

	Pattern    string   // RE2 a string must match, unanchored; "" for none
	Enum       []string // values of an enum, in the order of the spec
	MediaTypes []string // media types of a file, lower case, "image/*" included; none means any

	// Min and Max are the ends of the range in exact decimal text, both inclusive, "" for an open end: the value of
	// int, number and decimal, characters of texts, items of lists, bytes of files.
	Min, Max string

	Optional   bool // may be absent and then has no value; false when there is a default
	HasDefault bool
	Default    any // as a check yields it; nil without a default

	Items  *Field  // of a list
	Object *Object // members of an object; nil when any are allowed

	info    *typeInfo
	pattern *regexp.Regexp
	blank   bool // "" is a value rather than "absent" in text
	limits
}

// limits are the ends of the range in the form that the check compares, with defaults for open ends.
type limits struct {
	lo, hi   int64    // int, characters, items, bytes
	min, max *float64 // number
	from, to *big.Rat // decimal
}

// String is the spec in canonical form; [ParseField] makes the same field of it, but for the members of an object.
func (f *Field) String() string {
	var b strings.Builder
	f.writeValue(&b)
	if f.Optional {
		b.WriteByte('?')
	}
	if f.HasDefault {
		b.WriteString(" = ")
		writeLiteral(&b, f.Default)
	}
	return b.String()
}

func (f *Field) writeValue(b *strings.Builder) {
	if f.Type == TypeList {
		b.WriteByte('[')
		f.Items.writeValue(b)
		b.WriteByte(']')
	} else {
		b.WriteString(string(f.Type))
	}
	if f.Pattern != "" {
		b.WriteString(" /" + EscapePattern(f.Pattern) + "/")
	}
	for i, choice := range f.Enum {
		b.WriteByte(" |"[min(i, 1)])
		b.WriteString(quoteOdd(choice))
	}
	if f.MediaTypes != nil {
		b.WriteString(" " + strings.Join(f.MediaTypes, "|"))
	}
	if f.Min != "" || f.Max != "" {
		b.WriteString(" " + f.writeBound(f.Min) + ".." + f.writeBound(f.Max))
	}
}

func (f *Field) writeBound(bound string) string {
	if f.Type != TypeFile || bound == "" {
		return bound
	}
	n, _ := strconv.ParseInt(bound, 10, 64) // our own text
	return sizeText(n)
}

func writeLiteral(b *strings.Builder, v any) {
	switch v := v.(type) {
	case string:
		b.WriteString(Quote(v))
	case []any:
		b.WriteByte('[')
		for i, item := range v {
			if i > 0 {
				b.WriteString(", ")
			}
			writeLiteral(b, item)
		}
		b.WriteByte(']')
	default:
		fmt.Fprint(b, v)
	}
}

var quoteEscapes = strings.NewReplacer(`\`, `\\`, `'`, `\'`)

// Quote writes a text as a spec has it in quotes: an enum value or a default.
func Quote(s string) string { return "'" + quoteEscapes.Replace(s) + "'" }

// quoteOdd quotes an enum value that a bare word cannot spell.
func quoteOdd(s string) string {
	if s == "" || s[0] == '/' || strings.Contains(s, "..") || strings.ContainsAny(s, wordEnd) {
		return Quote(s)
	}
	return s
}

// EscapePattern writes a pattern as a spec has it between slashes; [ParseField] reads it back.
func EscapePattern(pattern string) string {
	var b strings.Builder
	for i := 0; i < len(pattern); i++ {
		switch {
		case pattern[i] == '\\' && i+1 < len(pattern):
			b.WriteByte('\\')
			i++
		case pattern[i] == '/':
			b.WriteByte('\\')
		}
		b.WriteByte(pattern[i])
	}
	return b.String()
}

// units are the sizes of the file ranges, largest first.
var units = []struct {
	name  string
	bytes int64
}{{"gb", 1 << 30}, {"mb", 1 << 20}, {"kb", 1 << 10}, {"b", 1}}

// sizeText is a number of bytes in the largest unit that spells it exactly.
func sizeText(n int64) string {
	for _, u := range units {
		if n >= u.bytes && n%u.bytes == 0 {
			return strconv.FormatInt(n/u.bytes, 10) + u.name
		}
	}
	return "0b"
}
