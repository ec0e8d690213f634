package router

import (
	"slices"
	"strings"
)

// maxVariants bounds what optional parts of one pattern may expand to: six independent ones.
const maxVariants = 64

// variantsOf expands the optional parts and cuts the results into segments.
func variantsOf(pattern string, parts []part) ([]variant, error) {
	fail := (&parser{src: pattern}).fail
	choices := expand(parts)
	if choices == nil {
		return nil, fail(0, "optional parts stand for more than %d paths; declare several routes", maxVariants)
	}
	var variants []variant
	seen := map[string]variant{}
	for _, flat := range choices {
		v, err := cut(pattern, flat)
		if err != nil {
			return nil, err
		}
		shape := v.shape()
		if old, ok := seen[shape]; ok {
			if slices.Equal(old, v) {
				continue
			}
			return nil, fail(0, "its optional parts make it both %q and %q, which match the same paths", old, v)
		}
		seen[shape] = v
		variants = append(variants, v)
	}
	return variants, nil
}

// expand lists the ways to take or leave optional parts, nil when there are too many.
func expand(parts []part) [][]part {
	list := [][]part{nil}
	for _, p := range parts {
		if p.kind != optionalPart {
			for i := range list {
				list[i] = append(list[i], p)
			}
			continue
		}
		inner := expand(p.parts)
		if inner == nil || len(list)*(len(inner)+1) > maxVariants {
			return nil
		}
		for _, left := range slices.Clone(list) {
			for _, taken := range inner {
				list = append(list, slices.Concat(left, taken))
			}
		}
	}
	return list
}

// cutter builds the segments of one variant.
type cutter struct {
	pattern string
	done    variant
	now     segment
	start   int // offset of the slash before now
}

func cut(pattern string, parts []part) (variant, error) {
	c := &cutter{pattern: pattern}
	for i, p := range parts {
		if i == 0 {
			p.text = p.text[1:] // the first slash opens the first segment
			p.pos++
		}
		if err := c.add(p); err != nil {
			return nil, err
		}
	}
	return c.done, c.close(true)
}

func (c *cutter) fail(offset int, format string, args ...any) error {
	return (&parser{src: c.pattern}).fail(offset, format, args...)
}

func (c *cutter) add(p part) error {
	if p.kind == textPart {
		return c.text(p)
	}
	if c.now.kind != staticSegment {
		return c.fail(p.pos, `a segment holds one parameter; put a "/" between %q and %q`, c.now.name, p.text)
	}
	c.now.name, c.now.typ, c.now.kind = p.text, p.typ, paramSegment
	if p.kind == paramPart {
		return nil
	}
	c.now.kind = restSegment
	if c.now.prefix != "" {
		return c.fail(p.pos, `"*" must be a whole segment; ":name" may have text around it`)
	}
	return nil
}

func (c *cutter) text(p part) error {
	for text := p.text; text != ""; {
		head, tail, slash := strings.Cut(text, "/")
		if c.now.kind == restSegment {
			return c.fail(p.pos, `"*" takes the rest of the path, nothing may follow`)
		}
		if c.now.kind == staticSegment {
			c.now.prefix += head
		} else {
			c.now.suffix += head
		}
		text = tail
		if !slash {
			return nil
		}
		if err := c.close(false); err != nil {
			return err
		}
		c.start = p.pos + len(p.text) - len(tail) - 1
	}
	return nil
}

// close ends a segment.
func (c *cutter) close(last bool) error {
	s := c.now
	if s.kind == staticSegment && s.prefix == "" && !last {
		return c.fail(c.start, `"//" matches no request`)
	}
	sample := s.prefix
	if s.kind == paramSegment {
		sample += "x" + s.suffix
	}
	if hasDotSegment("/" + sample) {
		return c.fail(c.start+1, `a path with a "." or ".." segment is always refused`)
	}
	c.done = append(c.done, s)
	c.now = segment{}
	return nil
}
