package middleware

import (
	"errors"
	"fmt"
	"net/http"
	"net/netip"
	"net/url"
	"regexp"
	"slices"
	"strings"

	"golang.org/x/net/http/httpguts"

	"rws/server/rewrite"
	"rws/server/router"
)

// RedirectRule sends a request elsewhere.
type RedirectRule struct {
	Host string // only requests for this host: "a.example.com", or "*.example.com"
	// From is a regular expression (RE2) on the path in the form of [Rewrite]; "" is any.
	From string
	// To is a path, or an URL with scheme and host; groups, "$1" or "${name}", stand in its path
	// and query only. $0 is the path that has matched. The query of the request is kept. Who is
	// there already is not sent.
	To string
	// Status is 301, 302, 303, 307 or 308, the default: for good, with the same method.
	Status int
}

// Redirect answers by the first rule that matches.
func Redirect(rules ...RedirectRule) (Func, error) {
	if len(rules) == 0 {
		return nil, errors.New("redirect: there are no rules")
	}
	compiled := make([]*redirectRule, len(rules))
	for i, rule := range rules {
		var err error
		if compiled[i], err = newRedirectRule(rule); err != nil {
			return nil, fmt.Errorf("redirect: rule %d: %w", i+1, err)
		}
	}
	if err := checkLoops(compiled); err != nil {
		return nil, fmt.Errorf("redirect: %w", err)
	}
	return func(next http.Handler) http.Handler {
		return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
			if !redirect(compiled, w, r) {
				next.ServeHTTP(w, r)
			}
		})
	}, nil
}

type redirectRule struct {
	host    hostPattern
	origin  string // "https://example.com", or ""
	pattern *rewrite.Pattern
	status  int
	from    string // "" for any path
}

var origins = regexp.MustCompile(`^(https?://[^/?#$]+)(.*)$`)

func newRedirectRule(rule RedirectRule) (*redirectRule, error) {
	c := &redirectRule{status: orInt(rule.Status, http.StatusPermanentRedirect), from: rule.From}
	if !slices.Contains([]int{301, 302, 303, 307, 308}, c.status) {
		return nil, fmt.Errorf("status %d: want 301, 302, 303, 307 or 308", c.status)
	}
	var err error
	if c.host, err = parseHostPattern(rule.Host); err != nil {
		return nil, err
	}
	path := rule.To
	if m := origins.FindStringSubmatch(rule.To); m != nil {
		c.origin, path = m[1], m[2]
		if u, err := url.Parse(c.origin); err != nil || u.User != nil || !httpguts.ValidHostHeader(u.Host) {
			return nil, fmt.Errorf("to %q: %q is no host", rule.To, c.origin)
		}
		if path == "" {
			path = "/"
		}
	}
	if !strings.HasPrefix(path, "/") && !(c.origin != "" && strings.HasPrefix(path, "$0")) || strings.HasPrefix(path, "//") {
		return nil, fmt.Errorf(`to %q: want a path, or an URL whose host is fixed, as in "/new/$1" or "https://example.com/$1"`, rule.To)
	}
	if c.pattern, err = rewrite.Compile(orInt(rule.From, "^.*$"), path); err != nil || c.origin != "" || rule.From == "" { // any path: of one route, perhaps
		return c, err
	}
	for _, from := range []string{path, "/", "/a", "/a/b"} {
		if to, _, ok := c.pattern.Replace(from); ok && to == from {
			return nil, fmt.Errorf("from %q to %q: a client that asks for %q is sent there again, for ever: let from not match it", rule.From, rule.To, from)
		}
	}
	return c, nil
}

func redirect(rules []*redirectRule, w http.ResponseWriter, r *http.Request) (done bool) {
	path, err := rewrite.Canonical(r.URL.EscapedPath())
	if err != nil {
		refuse(w, r, http.StatusBadRequest, "The path of the request is malformed.", nil)
		return true
	}
	for _, rule := range rules {
		if !rule.host.matches(r.Host) {
			continue
		}
		location, query, ok := rule.location(path)
		if !ok {
			continue
		}
		if router.CheckPath(location) != nil {
			refuse(w, r, http.StatusBadRequest, "The path of the request is malformed.", nil)
			return true
		}
		if location == r.URL.EscapedPath() && rule.leadsTo(r) {
			continue
		}
		send(w, rule.status, rule.origin+location, rewrite.JoinQuery(query, r.URL.RawQuery))
		return true
	}
	return false
}

// location is the path in escaped form, and the query, that a path in canonical form is sent to.
func (rule *redirectRule) location(path string) (location, query string, ok bool) {
	to, query, ok := rule.pattern.Replace(path)
	// "//evil.example" and "/\evil.example" are other hosts to browsers.
	return "/" + strings.TrimLeft(rewrite.Escape(to), "/"), query, ok
}

// leadsTo reports whether the origin of a rule is that of the request: a redirect to where the client
// is would go on for ever.
func (rule *redirectRule) leadsTo(r *http.Request) bool {
	scheme := "http://"
	if secure(r) {
		scheme = "https://"
	}
	return rule.origin == "" || strings.EqualFold(rule.origin, scheme+r.Host)
}

func send(w http.ResponseWriter, status int, location, query string) {
	if query != "" {
		location += "?" + query
	}
	w.Header().Set("Location", location)
	w.WriteHeader(status)
}

// RedirectHTTPSOptions of [RedirectHTTPS].
type RedirectHTTPSOptions struct {
	Port   int      // of TLS; 0 is the usual one
	Hosts  []string // those that are redirected to, as in RedirectRule; nil is any that is asked for, an empty list an error
	Status int      // as in RedirectRule
}

// RedirectHTTPS sends clients that do not speak TLS, with us or a proxy that [ClientIP] trusts, to the
// same place over TLS.
func RedirectHTTPS(o RedirectHTTPSOptions) (Func, error) {
	status := orInt(o.Status, http.StatusPermanentRedirect)
	switch {
	case !slices.Contains([]int{301, 302, 303, 307, 308}, status):
		return nil, fmt.Errorf("redirect https: status %d: want 301, 302, 303, 307 or 308", status)
	case o.Port < 0 || o.Port > 65535:
		return nil, fmt.Errorf("redirect https: port %d: want one from 1 to 65535", o.Port)
	case o.Hosts != nil && len(o.Hosts) == 0:
		return nil, errors.New("redirect https: hosts: the list is empty, so that everybody would be refused: leave it out, or name one")
	}
	port := ""
	if o.Port != 0 && o.Port != 443 {
		port = fmt.Sprintf(":%d", o.Port)
	}
	var hosts []hostPattern
	for _, h := range o.Hosts {
		p, err := parseHostPattern(h)
		if err == nil && p == "" {
			err = errors.New("hosts: a name is empty, which would stand for all of them: name one, or leave hosts out")
		}
		if err != nil {
			return nil, fmt.Errorf("redirect https: %w", err)
		}
		hosts = append(hosts, p)
	}
	return func(next http.Handler) http.Handler {
		return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
			if secure(r) {
				next.ServeHTTP(w, r)
				return
			}
			known := o.Hosts == nil || slices.ContainsFunc(hosts, func(p hostPattern) bool { return p.matches(r.Host) })
			host := (&url.URL{Host: r.Host}).Hostname()
			if strings.Contains(host, ":") {
				host = "[" + host + "]"
			}
			path := r.URL.EscapedPath()
			if !known || !hostName(host) || router.CheckPath(path) != nil {
				refuse(w, r, http.StatusBadRequest, "The host of the request is not known here.", nil)
				return
			}
			send(w, status, "https://"+host+port+path, r.URL.RawQuery)
		})
	}, nil
}

// hostName reports a name of letters, digits, "-" and "." (RFC 1123 §2.1), or an address, one of IPv6 in brackets
// and without a zone: nothing else that a client sends as its host is sent back as a place to go to.
func hostName(host string) bool {
	if inner, ok := strings.CutPrefix(host, "["); ok {
		ip, err := netip.ParseAddr(strings.TrimSuffix(inner, "]"))
		return err == nil && ip.Is6() && ip.Zone() == ""
	}
	for label := range strings.SplitSeq(strings.TrimSuffix(host, "."), ".") {
		if label == "" || len(label) > 63 || label[0] == '-' || label[len(label)-1] == '-' || strings.Trim(strings.ToLower(label), "abcdefghijklmnopqrstuvwxyz0123456789-") != "" {
			return false
		}
	}
	return len(host) <= 254
}
