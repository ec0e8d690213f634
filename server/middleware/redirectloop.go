package middleware

import (
	"fmt"
	"regexp/syntax"
	"slices"
	"strings"

	"rws/server/rewrite"
)

// maxRedirects is where clients give up: Firefox and Chrome after 20.
const maxRedirects = 20

// checkLoops refuses rules that send a client around for ever: in a circle, or to a path that is longer
// each time. It follows the rules from paths that they match, made of their expressions; a loop that
// only others get into is not found. Rules for any path are left out, as they may be of one route.
func checkLoops(rules []*redirectRule) error {
	for i, rule := range rules {
		if rule.from == "" || rule.origin != "" {
			continue
		}
		for _, start := range samples(rule.from) {
			if trail := follow(rules, rule.host, start); len(trail) > 0 {
				return fmt.Errorf("rule %d: from %q: a client that asks for %q is sent on for ever, %s: let from match only what is to be sent elsewhere",
					i+1, rule.from, start, strings.Join(trail, " → "))
			}
		}
	}
	return nil
}

// follow returns the first steps of a way that does not end, nil for one that does.
func follow(rules []*redirectRule, host hostPattern, path string) []string {
	trail := []string{path}
	for {
		next, ok := step(rules, host, path)
		if !ok {
			return nil
		}
		again := slices.Contains(trail, next)
		trail = append(trail, next)
		switch {
		case again:
			return trail
		case len(trail) > maxRedirects:
			return append(trail[:4], "…")
		}
		path = next
	}
}

// step is where the rules for a host send a client that stays on it.
func step(rules []*redirectRule, host hostPattern, path string) (next string, ok bool) {
	for _, rule := range rules {
		if rule.from == "" || rule.host != "" && rule.host != host {
			continue
		}
		location, _, ok := rule.location(path)
		if !ok || location == rewrite.Escape(path) && rule.origin == "" {
			continue
		}
		if rule.origin != "" {
			return "", false
		}
		next, err := rewrite.Canonical(location)
		return next, err == nil
	}
	return "", false
}

// samples are paths that an expression matches: with nothing where there may be nothing, and with one
// of what may be there many times.
func samples(from string) []string {
	re, err := syntax.Parse(from, syntax.Perl)
	if err != nil {
		return nil // it has been compiled, so it can't be
	}
	var paths []string
	for _, more := range []bool{false, true} {
		var b strings.Builder
		writeSample(&b, re, more)
		if path, err := rewrite.Canonical(b.String()); err == nil && strings.HasPrefix(path, "/") {
			paths = append(paths, path)
		}
	}
	return slices.Compact(paths)
}

func writeSample(b *strings.Builder, re *syntax.Regexp, more bool) {
	switch re.Op {
	case syntax.OpLiteral:
		b.WriteString(string(re.Rune))
	case syntax.OpCharClass:
		b.WriteRune(oneOf(re.Rune))
	case syntax.OpAnyChar, syntax.OpAnyCharNotNL:
		b.WriteByte('a')
	case syntax.OpCapture, syntax.OpPlus, syntax.OpConcat:
		for _, sub := range re.Sub {
			writeSample(b, sub, more)
		}
	case syntax.OpAlternate:
		writeSample(b, re.Sub[0], more)
	case syntax.OpStar, syntax.OpQuest:
		if more {
			writeSample(b, re.Sub[0], more)
		}
	case syntax.OpRepeat:
		count := re.Min
		if more && re.Max != 0 {
			count = max(count, 1)
		}
		for range count {
			writeSample(b, re.Sub[0], more)
		}
	}
}

// oneOf is a rune of a class, given as pairs of its ranges: a letter if it has one.
func oneOf(ranges []rune) rune {
	for i := 0; i+1 < len(ranges); i += 2 {
		if ranges[i] <= 'a' && 'a' <= ranges[i+1] {
			return 'a'
		}
	}
	if len(ranges) == 0 {
		return 'a'
	}
	return ranges[0]
}
