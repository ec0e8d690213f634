package router

import (
	"fmt"
	"maps"
	"net/url"
	"slices"
	"strings"
)

// Build makes the escaped path that the pattern matches with the given parameters. An optional part is left out when
// none of its parameters is given. A parameter that is missing, unknown, empty (a wildcard may be) or not of its type
// is an error that names it, and so is a value that would make a path Match refuses, such as "..".
func (p *Pattern) Build(params map[string]string) (string, error) {
	path, err := p.build(params)
	if err != nil {
		return "", fmt.Errorf("building a path for %q: %w", p.source, err)
	}
	return path, nil
}

func (p *Pattern) build(params map[string]string) (string, error) {
	if err := p.checkNames(params); err != nil {
		return "", err
	}
	var b strings.Builder
	if err := build(&b, p.parts, params); err != nil {
		return "", err
	}
	path := b.String()
	if strings.HasPrefix(path, "//") {
		return "", fmt.Errorf("%q would name another host; drop the slash at the start of the value", path)
	}
	return path, CheckPath(path)
}

func (p *Pattern) checkNames(params map[string]string) error {
	var known []string
	for _, info := range p.Params() {
		known = append(known, info.Name)
	}
	for _, name := range slices.Sorted(maps.Keys(params)) {
		if !slices.Contains(known, name) {
			return fmt.Errorf("it has no parameter %q%s", name, didYouMean(name, known))
		}
	}
	return nil
}

func build(b *strings.Builder, parts []part, params map[string]string) error {
	for _, p := range parts {
		switch p.kind {
		case textPart:
			b.WriteString(escapePath(p.text))
		case optionalPart:
			if !given(p.parts, params) {
				continue
			}
			if err := build(b, p.parts, params); err != nil {
				return err
			}
		default:
			text, err := p.escape(params)
			if err != nil {
				return err
			}
			b.WriteString(text)
		}
	}
	return nil
}

// given reports whether params has one of the parameters in parts.
func given(parts []part, params map[string]string) bool {
	return slices.ContainsFunc(describe(parts, true), func(info ParamInfo) bool {
		_, ok := params[info.Name]
		return ok
	})
}

// escape is the value of a parameter part as it stands in a path.
func (p part) escape(params map[string]string) (string, error) {
	value, ok := params[p.text]
	switch {
	case !ok:
		return "", fmt.Errorf("parameter %q is missing", p.text)
	case p.kind == restPart:
		return escapePath(value), nil
	case value == "":
		return "", fmt.Errorf("parameter %q is empty", p.text)
	case !p.typ.accepts(value):
		return "", fmt.Errorf("parameter %q is %q, not {%s}", p.text, value, p.typ)
	}
	return url.PathEscape(value), nil
}

// escapePath escapes everything but the slashes.
func escapePath(text string) string {
	segments := strings.Split(text, "/")
	for i, s := range segments {
		segments[i] = url.PathEscape(s)
	}
	return strings.Join(segments, "/")
}
