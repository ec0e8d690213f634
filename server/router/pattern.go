package router

import (
	"fmt"
	"slices"
	"strings"
)

// Pattern is a parsed path pattern; the package comment has the language. It is immutable.
type Pattern struct {
	source   string
	parts    []part
	variants []variant
}

// Parse reads a pattern. The error is a *PatternError.
func Parse(pattern string) (*Pattern, error) {
	parts, err := parse(pattern)
	if err != nil {
		return nil, err
	}
	variants, err := variantsOf(pattern, parts)
	if err != nil {
		return nil, err
	}
	return &Pattern{source: pattern, parts: parts, variants: variants}, nil
}

// String is the pattern as it was written.
func (p *Pattern) String() string { return p.source }

// ParamInfo describes one parameter of a pattern.
type ParamInfo struct {
	Name     string // "*" for an unnamed wildcard
	Type     Type
	Optional bool // stands in an optional part
	Rest     bool // a wildcard: the rest of the path, may be empty
}

// Params describes the parameters of the pattern in order.
func (p *Pattern) Params() []ParamInfo { return describe(p.parts, false) }

func describe(parts []part, optional bool) []ParamInfo {
	var list []ParamInfo
	for _, p := range parts {
		switch p.kind {
		case optionalPart:
			list = append(list, describe(p.parts, true)...)
		case paramPart, restPart:
			list = append(list, ParamInfo{p.text, p.typ, optional, p.kind == restPart})
		}
	}
	return list
}

// Templates are the paths the pattern stands for, one for each choice of optional parts, with "{name}" for a parameter:
// "/posts(/:page{int})" gives "/posts" and "/posts/{page}". OpenAPI writes paths so.
func (p *Pattern) Templates() []string {
	list := make([]string, len(p.variants))
	for i, v := range p.variants {
		var b strings.Builder
		for _, s := range v {
			b.WriteByte('/')
			b.WriteString(s.prefix)
			if s.kind != staticSegment {
				b.WriteString("{" + s.name + "}")
			}
			b.WriteString(s.suffix)
		}
		list[i] = b.String()
	}
	return list
}

// PatternError says what is wrong with a pattern and how to write it instead.
type PatternError struct {
	Pattern string
	Pos     int    // byte position, counted from 1 as Lua does
	Problem string // with the advice
}

func (e *PatternError) Error() string {
	return fmt.Sprintf("pattern %q, byte %d: %s", e.Pattern, e.Pos, e.Problem)
}

type segmentKind uint8

const (
	staticSegment segmentKind = iota
	paramSegment
	restSegment
)

// segment is what stands between two slashes of a variant.
type segment struct {
	kind   segmentKind
	prefix string // the whole text of a static segment; "" for the trailing slash
	suffix string
	name   string
	typ    Type
}

func (s segment) String() string {
	switch {
	case s.kind == staticSegment:
		return s.prefix
	case s.kind == restSegment && s.name == "*":
		return "*"
	case s.kind == restSegment:
		return "*" + s.name
	case s.typ == None:
		return s.prefix + ":" + s.name + s.suffix
	}
	return s.prefix + ":" + s.name + "{" + s.typ.String() + "}" + s.suffix
}

// value is the parameter in text, the content of one segment of a path.
func (s *segment) value(text string) (string, bool) {
	size := len(text) - len(s.prefix) - len(s.suffix)
	if size <= 0 || !strings.HasPrefix(text, s.prefix) || !strings.HasSuffix(text, s.suffix) {
		return "", false
	}
	v := text[len(s.prefix) : len(s.prefix)+size]
	return v, s.typ == None || s.typ.accepts(v)
}

// compare orders parameter segments by rank, the most specific first: int, uuid, slug, any; then the longer text before
// the parameter, then the longer text after it. Segments of equal rank are either alike or match no common text, so two
// patterns clash only when they are alike segment by segment.
func (s *segment) compare(other *segment) int {
	order := func(x *segment) [3]int {
		return [3]int{(int(x.typ) + 3) % 4, -len(x.prefix), -len(x.suffix)}
	}
	a, b := order(s), order(other)
	return slices.Compare(a[:], b[:])
}

// variant is a pattern with its optional parts chosen.
type variant []segment

func (v variant) String() string {
	var b strings.Builder
	for _, s := range v {
		b.WriteString("/" + s.String())
	}
	return b.String()
}

// shape is equal for two variants that match the same paths with the same rank: everything but the names.
func (v variant) shape() string {
	var b strings.Builder
	for _, s := range v {
		fmt.Fprintf(&b, "/%d%d%s\x00%s", s.kind, s.typ, s.prefix, s.suffix)
	}
	return b.String()
}

// params are the parameters of the variant without values.
func (v variant) params() []Param {
	var list []Param
	for _, s := range v {
		if s.kind != staticSegment {
			list = append(list, Param{Name: s.name, Type: s.typ})
		}
	}
	return list
}
