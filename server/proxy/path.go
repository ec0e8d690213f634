package proxy

import (
	"errors"
	"fmt"
	"net/http"
	"net/url"
	"strings"

	"rws/server/rewrite"
	"rws/server/router"
)

// Rule is a rewriting of the path by a regular expression, as package rewrite has them: "^/v1/(.*)$"
// and "/$1".
type Rule struct{ From, To string }

// Paths says which paths are passed on that a backend may read differently than the routes before it.
// The zero value refuses all of them with 400. Never passed on are those with "." or ".." as a segment,
// with control characters, or that are badly encoded, see [router.CheckPath].
type Paths struct {
	Slashes bool // pass on empty segments, "/a//b": many servers merge slashes, routes here do not
	Encoded bool // pass on "%2F" and "%5C": many servers decode them before they look for segments
}

// paths is what becomes of paths.
type paths struct {
	Paths
	strip string
	depth int // segments of strip
	rules []*rewrite.Pattern
}

func newPaths(o *Options) (p paths, err error) {
	p = paths{Paths: o.Paths, strip: o.Strip, depth: strings.Count(o.Strip, "/")}
	if err := rewrite.CheckPrefix(o.Strip); err != nil {
		return p, fmt.Errorf("strip: %w", err)
	}
	for _, rule := range o.Rewrite {
		if !strings.HasPrefix(rule.To, "/") && !strings.HasPrefix(rule.To, "$") {
			return p, fmt.Errorf(`rewrite %q: to %q: want a path, which begins with "/"`, rule.From, rule.To)
		}
		pattern, err := rewrite.Compile(rule.From, rule.To)
		if err != nil {
			return p, fmt.Errorf("rewrite: %w", err)
		}
		p.rules = append(p.rules, pattern)
	}
	return p, nil
}

// place makes to the target of the backend from that of the request. The bytes of the path are passed on
// as they came, unless a rule has made new ones.
func (p *paths) place(to, from *url.URL) error {
	escaped := from.EscapedPath()
	if err := p.check(escaped, from.RawQuery); err != nil {
		return err
	}
	to.Path, to.RawPath, to.RawQuery, to.ForceQuery = from.Path, from.RawPath, from.RawQuery, from.ForceQuery
	if p.strip == "" && len(p.rules) == 0 {
		if to.Path == "" {
			to.Path = "/"
		}
		return nil
	}
	return p.change(to, escaped)
}

func (p *paths) check(escaped, query string) error {
	if err := router.CheckPath(escaped); err != nil {
		return err
	}
	if hidesDots(escaped) {
		return errors.New(`the path has a segment "." or ".." with parameters behind a ";"`)
	}
	for i := range len(query) {
		if c := query[i]; c <= ' ' || c >= 0x7f || c == '#' {
			return errors.New("the query has a character that must be encoded")
		}
	}
	if !p.Slashes && strings.Contains(escaped, "//") {
		return errors.New(`the path has an empty segment, "//"`)
	}
	if !p.Encoded && hidesSeparator(escaped) {
		return errors.New(`the path has an encoded "/" or "\"`)
	}
	return nil
}

// hidesDots reports segments that are "." or ".." to servers which take parameters off first, as those of
// Java do: "/x/..;/admin" and "/x/..;a=b/admin" are "/admin" to them. The dots and the semicolon may be
// encoded, and so may the slash before them.
func hidesDots(escaped string) bool {
	if !strings.Contains(escaped, ";") && !strings.Contains(escaped, "%3") {
		return false
	}
	path, err := url.PathUnescape(escaped)
	if err != nil {
		return true
	}
	for segment := range strings.FieldsFuncSeq(path, func(c rune) bool { return c == '/' || c == '\\' }) {
		if name, _, _ := strings.Cut(segment, ";"); name == "." || name == ".." {
			return true
		}
	}
	return false
}

// hidesSeparator reports "%2F" and "%5C".
func hidesSeparator(escaped string) bool {
	for {
		i := strings.IndexByte(escaped, '%')
		if i < 0 || i+2 >= len(escaped) {
			return false
		}
		hi, lo := escaped[i+1], escaped[i+2]|0x20
		if hi == '2' && lo == 'f' || hi == '5' && lo == 'c' {
			return true
		}
		escaped = escaped[i+3:]
	}
}

// change strips and rewrites, and checks what has come of it like what came from the client.
func (p *paths) change(to *url.URL, escaped string) error {
	path, err := rewrite.Canonical(escaped)
	if err != nil {
		return err
	}
	if p.strips(path) {
		escaped, path = cutSegments(escaped, p.depth), cutSegments(path, p.depth)
	}
	made := ""
	for _, rule := range p.rules {
		if next, query, ok := rule.Replace(path); ok {
			path, made = next, rewrite.JoinQuery(query, made)
			escaped = rewrite.Escape(path)
		}
	}
	to.RawQuery = rewrite.JoinQuery(made, to.RawQuery)
	if strings.HasPrefix(escaped, "//") {
		return errors.New(`the path became one that begins with "//"`)
	}
	if err := p.check(escaped, to.RawQuery); err != nil {
		return err
	}
	to.RawPath = escaped // EscapedPath ignores it when it is what Path gives anyway
	to.Path, err = url.PathUnescape(escaped)
	return err
}

func (p *paths) strips(path string) bool {
	rest, ok := strings.CutPrefix(path, p.strip)
	return ok && p.strip != "" && (rest == "" || rest[0] == '/')
}

// cutSegments removes the first n segments. An encoded slash separates none, so that the escaped and the
// canonical form of a path have the same.
func cutSegments(path string, n int) string {
	for range n {
		i := strings.IndexByte(path[1:], '/')
		if i < 0 {
			return "/"
		}
		path = path[i+1:]
	}
	return path
}

// checkPlace is for a hook that may have made a target of its own.
func (p *paths) checkPlace(r *http.Request) error {
	return p.check(r.URL.EscapedPath(), r.URL.RawQuery)
}
