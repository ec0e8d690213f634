package middleware

import (
	"fmt"
	"slices"
	"strings"

	"rws/server/suggest"
)

// CSP is a Content-Security-Policy (CSP Level 3): sources by directive, as in
//
//	CSP{"default-src": {"'self'"}, "script-src": {"'self'", "'nonce'"}, "upgrade-insecure-requests": nil}
//
// The source 'nonce' stands for the nonce of each answer, see [Nonce].
type CSP map[string][]string

// directives of CSP Level 3, and whether they take sources.
var directives = map[string]bool{
	"default-src": true, "script-src": true, "script-src-elem": true, "script-src-attr": true, "style-src": true,
	"style-src-elem": true, "style-src-attr": true, "img-src": true, "font-src": true, "connect-src": true, "media-src": true,
	"object-src": true, "frame-src": true, "child-src": true, "worker-src": true, "manifest-src": true, "prefetch-src": true,
	"base-uri": true, "form-action": true, "frame-ancestors": true, "sandbox": false, "report-to": true, "report-uri": true,
	"require-trusted-types-for": true, "trusted-types": false, "upgrade-insecure-requests": false, "block-all-mixed-content": false,
}

// keywords that stand in quotes.
var keywords = []string{"self", "none", "unsafe-inline", "unsafe-eval", "unsafe-hashes", "wasm-unsafe-eval", "strict-dynamic",
	"report-sample", "inline-speculation-rules", "nonce", "script", "allow-duplicates"}

const nonceSource = "'nonce'"

// ParseCSP reads the text form, as "default-src 'self'; img-src *".
func ParseCSP(text string) (CSP, error) {
	policy := CSP{}
	for part := range strings.SplitSeq(text, ";") {
		words := strings.Fields(part)
		if len(words) == 0 {
			continue
		}
		name := strings.ToLower(words[0])
		if _, twice := policy[name]; twice {
			return nil, fmt.Errorf("csp: %s stands twice: browsers ignore the second", name)
		}
		policy[name] = words[1:]
	}
	return policy, policy.check()
}

// check refuses what browsers would ignore, or take for something else.
func (p CSP) check() error {
	if len(p) == 0 {
		return fmt.Errorf(`csp: the policy is empty; begin with "default-src 'self'"`)
	}
	for name, sources := range p {
		wants, known := directives[name]
		if !known {
			return fmt.Errorf("csp: unknown directive %q%s", name, suggest.DidYouMean(name, directiveNames()))
		}
		if wants && len(sources) == 0 {
			return fmt.Errorf("csp: %s has no sources; write 'none' to allow nothing", name)
		}
		if len(sources) > 1 && slices.Contains(sources, "'none'") {
			return fmt.Errorf("csp: %s: 'none' stands alone, beside other sources browsers ignore it", name)
		}
		for _, source := range sources {
			if err := checkSource(name, source); err != nil {
				return err
			}
		}
	}
	return nil
}

func checkSource(directive, source string) error {
	inner, quoted := strings.CutPrefix(source, "'")
	inner, closed := strings.CutSuffix(inner, "'")
	switch {
	case source == "" || strings.Trim(source, sourceChars) != "":
		return fmt.Errorf("csp: %s: source %q: spaces, commas, semicolons and what is not ASCII must be percent-encoded", directive, source)
	case quoted != closed:
		return fmt.Errorf("csp: %s: source %s: a quote is missing", directive, source)
	case !quoted && slices.Contains(keywords, source) && source != "script":
		return fmt.Errorf("csp: %s: %s without quotes is the name of a host; write '%s'", directive, source, source)
	case strings.HasPrefix(inner, "nonce-") && quoted:
		return fmt.Errorf("csp: %s: a nonce that stays the same protects nothing; write 'nonce' for a new one in each answer", directive)
	case quoted && !slices.Contains(keywords, inner) && !isHash(inner):
		return fmt.Errorf("csp: %s: unknown keyword %s%s", directive, source, suggest.DidYouMean(inner, keywords))
	}
	return nil
}

// sourceChars may stand in a source: visible ASCII but comma and semicolon.
const sourceChars = "!\"#$%&'()*+-./0123456789:<=>?@ABCDEFGHIJKLMNOPQRSTUVWXYZ[\\]^_`abcdefghijklmnopqrstuvwxyz{|}~"

func isHash(text string) bool {
	for _, kind := range []string{"sha256-", "sha384-", "sha512-"} {
		if digest, ok := strings.CutPrefix(text, kind); ok {
			return len(digest) >= 43 && strings.Trim(digest, "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/-_=") == ""
		}
	}
	return false
}

func directiveNames() []string {
	var names []string
	for name := range directives {
		names = append(names, name)
	}
	slices.Sort(names)
	return names
}

// String is the text form: default-src first, the others by name.
func (p CSP) String() string {
	names := make([]string, 0, len(p))
	for name := range p {
		names = append(names, name)
	}
	slices.SortFunc(names, func(a, b string) int {
		if a == "default-src" || b == "default-src" {
			return map[bool]int{true: -1, false: 1}[a == "default-src"]
		}
		return strings.Compare(a, b)
	})
	for i, name := range names {
		names[i] = strings.Join(append([]string{name}, p[name]...), " ")
	}
	return strings.Join(names, "; ")
}
