package middleware

import (
	"errors"
	"fmt"
	"net/http"
	"net/url"
	"strings"

	"golang.org/x/net/http/httpguts"

	"rws/server/rewrite"
	"rws/server/router"
)

// RewriteRule changes where a request goes. Of a rule the parts that are set apply in the order of the
// fields.
type RewriteRule struct {
	Host string // only requests for this host: "a.example.com", or "*.example.com" for names below it
	// Strip is a prefix to remove, by whole segments: "/api" is no prefix of "/apix". A request
	// without it does not match the rule.
	Strip string
	// From is a regular expression (RE2) on the path, and To what replaces all of the path: "$1" or
	// "${name}" is what a group has matched. Write "^…$" to match all of the path. To may end in
	// "?" and a query, which comes before the one of the request.
	From, To string
	Add      string // a prefix to add
	SetHost  string // the new host, for what comes behind
}

// Rewrite changes the path or host of requests, for what comes behind it, by the first rule that
// matches. The query is kept.
//
// Rules see a path as routes do: escapes that mean nothing are decoded ("%61" is "a"), those of
// "/", "\", "%", "?" and "#" stay, in capitals, so that they cannot pass for the character. A path that
// routes would refuse, before or after, is answered 400: ".." does not arise.
func Rewrite(rules ...RewriteRule) (Func, error) {
	if len(rules) == 0 {
		return nil, errors.New("rewrite: there are no rules")
	}
	compiled := make([]*rewriteRule, len(rules))
	for i, rule := range rules {
		var err error
		if compiled[i], err = newRewriteRule(rule); err != nil {
			return nil, fmt.Errorf("rewrite: rule %d: %w", i+1, err)
		}
	}
	return func(next http.Handler) http.Handler {
		return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) { rewriteBy(compiled, next, w, r) })
	}, nil
}

type rewriteRule struct {
	RewriteRule
	host    hostPattern
	pattern *rewrite.Pattern // nil without From
}

func newRewriteRule(rule RewriteRule) (*rewriteRule, error) {
	c := &rewriteRule{RewriteRule: rule}
	var err error
	if c.host, err = parseHostPattern(rule.Host); err != nil {
		return nil, err
	}
	for _, prefix := range []string{rule.Strip, rule.Add} {
		if err := rewrite.CheckPrefix(prefix); err != nil {
			return nil, err
		}
	}
	switch {
	case rule.Strip == "" && rule.From == "" && rule.Add == "" && rule.SetHost == "":
		return nil, errors.New("it changes nothing")
	case (rule.From == "") != (rule.To == ""):
		return nil, fmt.Errorf("from %q, to %q: both are needed", rule.From, rule.To)
	case rule.SetHost != "" && (!httpguts.ValidHostHeader(rule.SetHost) || strings.ContainsAny(rule.SetHost, "/@")):
		return nil, fmt.Errorf("set host %q: want a host, with a port or without", rule.SetHost)
	case rule.From == "":
		return c, nil
	case !strings.HasPrefix(rule.To, "/"):
		return nil, fmt.Errorf(`to %q: want a path, which begins with "/"`, rule.To)
	}
	c.pattern, err = rewrite.Compile(rule.From, rule.To)
	return c, err
}

func rewriteBy(rules []*rewriteRule, next http.Handler, w http.ResponseWriter, r *http.Request) {
	path, err := rewrite.Canonical(r.URL.EscapedPath())
	if err != nil {
		refuse(w, r, http.StatusBadRequest, "The path of the request is malformed.", nil)
		return
	}
	for _, rule := range rules {
		if !rule.host.matches(r.Host) {
			continue
		}
		to, query, ok := rule.apply(path)
		if !ok {
			continue
		}
		changed, err := redirected(r, rule.SetHost, to, query)
		if err != nil {
			refuse(w, r, http.StatusBadRequest, "The path of the request is malformed.", nil)
			return
		}
		next.ServeHTTP(w, changed)
		return
	}
	next.ServeHTTP(w, r)
}

// apply gives the new path in canonical form.
func (c *rewriteRule) apply(path string) (to, query string, ok bool) {
	if c.Strip != "" {
		rest, found := strings.CutPrefix(path, c.Strip)
		if !found || rest != "" && rest[0] != '/' {
			return "", "", false
		}
		if path = rest; path == "" {
			path = "/"
		}
	}
	if c.pattern != nil {
		if path, query, ok = c.pattern.Replace(path); !ok {
			return "", "", false
		}
	}
	return c.Add + path, query, true
}

// redirected is r with another place. The path has been made of parts, so it is checked again.
func redirected(r *http.Request, host, path, query string) (*http.Request, error) {
	escaped := rewrite.Escape(path)
	if strings.HasPrefix(path, "//") {
		return nil, errors.New(`the path begins with "//"`)
	}
	if err := router.CheckPath(escaped); err != nil {
		return nil, err
	}
	u := *r.URL
	var err error
	if u.Path, err = url.PathUnescape(escaped); err != nil {
		return nil, err
	}
	u.RawPath = escaped // EscapedPath ignores it when it is what Path gives anyway
	u.RawQuery = rewrite.JoinQuery(query, u.RawQuery)
	if u.Host != "" && host != "" {
		u.Host = host
	}
	changed := r.WithContext(r.Context())
	changed.URL = &u
	if host != "" {
		changed.Host = host
	}
	changed.RequestURI = u.RequestURI()
	return changed, nil
}
