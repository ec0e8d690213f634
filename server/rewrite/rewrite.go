// Package rewrite changes the paths of requests by regular expressions.
//
// Paths are matched and made in a canonical form: everything is decoded but what would then be read
// as something else, which are the escapes of "/", "\\", "%", "?" and "#", in capitals. A path in that
// form has no "." or ".." segment, nor has what [Escape] makes of it.
package rewrite

import (
	"errors"
	"fmt"
	"net/url"
	"regexp"
	"strconv"
	"strings"

	"rws/server/router"
)

// meaningful is what stays escaped in the canonical form.
const meaningful = `/\%?#`

// Canonical is an escaped path in canonical form, or why routes refuse it, see [router.CheckPath].
func Canonical(escaped string) (string, error) {
	if err := router.CheckPath(escaped); err != nil {
		return "", err
	}
	if escaped == "" {
		return "/", nil
	}
	if !strings.Contains(escaped, "%") {
		return escaped, nil
	}
	var b strings.Builder
	for i := 0; i < len(escaped); i++ {
		if escaped[i] != '%' {
			b.WriteByte(escaped[i])
			continue
		}
		c, err := strconv.ParseUint(escaped[i+1:i+3], 16, 8) // CheckPath has seen the digits
		if err != nil {
			return "", err
		}
		writeCanonical(&b, byte(c))
		i += 2
	}
	return b.String(), nil
}

func writeCanonical(b *strings.Builder, c byte) {
	if strings.IndexByte(meaningful, c) >= 0 {
		fmt.Fprintf(b, "%%%02X", c)
		return
	}
	b.WriteByte(c)
}

// Escape is the escaped form of a canonical path.
func Escape(path string) string {
	var b strings.Builder
	for i := range len(path) {
		c := path[i]
		if c == '%' || c == '/' || isUnreserved(c) || strings.IndexByte("!$&'()*+,;=:@", c) >= 0 {
			b.WriteByte(c)
			continue
		}
		fmt.Fprintf(&b, "%%%02X", c)
	}
	return b.String()
}

// isUnreserved is RFC 3986 §2.3.
func isUnreserved(c byte) bool {
	return 'a' <= c && c <= 'z' || 'A' <= c && c <= 'Z' || '0' <= c && c <= '9' || c == '-' || c == '.' || c == '_' || c == '~'
}

// Pattern replaces a path that matches. Made by [Compile]; safe for concurrent use.
type Pattern struct {
	from        *regexp.Regexp
	path, query template
}

// template is text with groups in between.
type template []piece

type piece struct {
	text  string
	group int // of the expression, when text is ""
}

// Compile reads an expression (RE2) and its replacement: "$1" or "${name}" is what a group has
// matched, "$$" is "$". The replacement takes the place of all of the path, and may end in "?" and a
// query.
func Compile(from, to string) (*Pattern, error) {
	re, err := regexp.Compile(from)
	if err != nil {
		return nil, fmt.Errorf("from %q: %w", from, err)
	}
	p := &Pattern{from: re}
	if strings.ContainsAny(to, "\\#\r\n\x00") {
		return nil, fmt.Errorf(`to %q: "\", "#" and control characters do not belong into a path; groups are $1`, to)
	}
	path, query, _ := strings.Cut(to, "?")
	if p.path, err = parseTemplate(re, path); err != nil {
		return nil, fmt.Errorf("to %q: %w", to, err)
	}
	if p.query, err = parseTemplate(re, query); err != nil {
		return nil, fmt.Errorf("to %q: %w", to, err)
	}
	return p, nil
}

var groupRef = regexp.MustCompile(`\$(?:\{(\w+)\}|(\d+)|(\$))`)

// parseTemplate reads "$1", "${name}" and "$$", which is "$".
func parseTemplate(re *regexp.Regexp, text string) (t template, err error) {
	at := 0
	literal := func(s string) error {
		if strings.Contains(s, "$") {
			return errors.New(`a "$" is neither $1, ${name} nor $$`)
		}
		if s != "" {
			t = append(t, piece{text: s})
		}
		return nil
	}
	for _, m := range groupRef.FindAllStringSubmatchIndex(text, -1) {
		if err := literal(text[at:m[0]]); err != nil {
			return nil, err
		}
		at = m[1]
		if m[6] >= 0 {
			t = append(t, piece{text: "$"})
			continue
		}
		name := strings.Trim(text[m[0]+1:m[1]], "{}")
		group, err := strconv.Atoi(name)
		if err != nil {
			group = re.SubexpIndex(name)
		}
		if group < 0 || group > re.NumSubexp() {
			return nil, fmt.Errorf("the expression has no group %q", name)
		}
		t = append(t, piece{group: group})
	}
	return t, literal(text[at:])
}

// expand puts the groups in.
func (t template) expand(path string, groups []int, edit func(string) string) string {
	var b strings.Builder
	for _, p := range t {
		if p.text != "" {
			b.WriteString(p.text)
		} else if from := groups[2*p.group]; from >= 0 {
			b.WriteString(edit(path[from:groups[2*p.group+1]]))
		}
	}
	return b.String()
}

func asIs(s string) string { return s }

// forQuery encodes a part of a canonical path as a value.
func forQuery(s string) string {
	plain, err := url.PathUnescape(s)
	if err != nil {
		plain = s // half of an escape
	}
	return url.QueryEscape(plain)
}

// Replace gives a new path in canonical form and a query in escaped form; ok says that the path, in
// canonical form, matched. The new path has not been checked: what groups hold may meet to "..".
func (p *Pattern) Replace(path string) (to, query string, ok bool) {
	groups := p.from.FindStringSubmatchIndex(path)
	if groups == nil {
		return "", "", false
	}
	return p.path.expand(path, groups, asIs), p.query.expand(path, groups, forQuery), true
}

// CheckPrefix says why a text is no prefix of paths by whole segments, as "/api/v1" is; "" is one.
func CheckPrefix(prefix string) error {
	if prefix == "" {
		return nil
	}
	if !strings.HasPrefix(prefix, "/") || strings.HasSuffix(prefix, "/") || strings.Contains(prefix, "//") || router.CheckPath(prefix) != nil {
		return fmt.Errorf(`prefix %q: want whole segments, as in "/api/v1"`, prefix)
	}
	return nil
}

// JoinQuery puts the query of a replacement before that of the request.
func JoinQuery(first, second string) string {
	if first == "" || second == "" {
		return first + second
	}
	return first + "&" + second
}
