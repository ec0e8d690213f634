package middleware

import (
	"errors"
	"fmt"
	"net/http"
	"net/netip"
	"net/textproto"
	"net/url"
	"slices"
	"strconv"
	"strings"
	"time"

	"golang.org/x/net/http/httpguts"
	"golang.org/x/net/publicsuffix"
)

// CORSOptions say which pages of other origins may read answers.
//
// rs/cors would do, but takes any text before and after the "*" of a pattern, origins that no browser
// sends, and "*" beside credentials.
type CORSOptions struct {
	// Origins are exact, as "https://app.example.com" and "http://localhost:5173"; or have a "*" for
	// one or more labels in front, as "https://*.example.com", which is not example.com itself; or
	// are just "*" for all, which goes without Credentials. Needed.
	Origins []string
	// Credentials lets pages send cookies and read what they bring.
	Credentials bool
	// Methods default to GET, HEAD and POST.
	Methods []string
	// Headers are what pages may send beyond the safelisted ones (Fetch §2.2.2): Content-Type for
	// JSON, Authorization. "*" is any but Authorization, and goes without Credentials.
	Headers []string
	// Expose are headers of answers that pages may read beyond the safelisted ones.
	Expose []string
	// MaxAge is how long browsers may keep the answer to a preflight; default 10 minutes. Negative
	// for not at all.
	MaxAge time.Duration
}

// CORS answers preflights and marks answers for the origins that are allowed (Fetch §3.3). A preflight
// that is not allowed is answered 403; other requests go on without the mark, so that browsers keep the
// answer from the page: this protects answers, not actions, for which there is [CSRF].
//
// What a handler behind it says in Vary is kept, and Access-Control-Allow-Origin and -Credentials are
// decided here whatever it says.
func CORS(o CORSOptions) (Func, error) {
	c, err := newCORS(o)
	if err != nil {
		return nil, fmt.Errorf("cors: %w", err)
	}
	return func(next http.Handler) http.Handler {
		return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) { c.serve(next, w, r) })
	}, nil
}

type cors struct {
	any         bool
	exact       map[string][]string // the origin as the value of a header
	patterns    []originPattern
	credentials bool
	methods     []string // of preflights, allowed
	headers     map[string]bool
	anyHeader   bool

	allowMethods, allowHeaders, expose, maxAge []string // values of headers, nil for none
}

// originPattern is "https://*.example.com:8443" in parts.
type originPattern struct{ scheme, rest string } // "https://", ".example.com:8443"

var yes, star, varyOrigin = []string{"true"}, []string{"*"}, []string{"Origin"}

func newCORS(o CORSOptions) (*cors, error) {
	c := &cors{exact: map[string][]string{}, headers: map[string]bool{}, credentials: o.Credentials, methods: o.Methods}
	if len(o.Origins) == 0 {
		return nil, errors.New(`no origins are allowed: name them, as in {"https://app.example.com"}`)
	}
	for _, origin := range o.Origins {
		if err := c.addOrigin(origin); err != nil {
			return nil, err
		}
	}
	if c.any && len(o.Origins) > 1 {
		return nil, errors.New(`origin "*" allows all: leave out the others`)
	}
	if c.any && o.Credentials {
		return nil, errors.New(`origin "*" with credentials would let every page act as its visitor: name the origins`)
	}
	switch {
	case c.methods != nil && len(c.methods) == 0:
		return nil, errors.New("the list of methods is empty: leave it out for GET, HEAD and POST")
	case c.methods == nil:
		c.methods = []string{http.MethodGet, http.MethodHead, http.MethodPost}
	}
	for _, m := range c.methods {
		if !httpguts.ValidHeaderFieldName(m) || m != strings.ToUpper(m) || m == "*" {
			return nil, fmt.Errorf("method %q: want methods in capitals, as in PUT", m)
		}
	}
	if err := c.addHeaders(o.Headers); err != nil {
		return nil, err
	}
	for _, h := range o.Expose {
		if !httpguts.ValidHeaderFieldName(h) || h == "*" {
			return nil, fmt.Errorf("expose %q: want the name of a header", h)
		}
	}
	c.allowMethods, c.allowHeaders, c.expose = join(c.methods), join(o.Headers), join(o.Expose)
	c.maxAge = preflightAge(o.MaxAge)
	return c, nil
}

func join(list []string) []string {
	if len(list) == 0 {
		return nil
	}
	return []string{strings.Join(list, ", ")}
}

func preflightAge(d time.Duration) []string {
	switch {
	case d == 0:
		d = 10 * time.Minute
	case d < 0:
		d = 0
	}
	return []string{strconv.FormatInt(int64(d/time.Second), 10)}
}

func (c *cors) addHeaders(list []string) error {
	for _, h := range list {
		switch {
		case h == "*" && (c.credentials || len(list) > 1):
			return errors.New(`header "*" stands alone, and not beside credentials, where browsers take it for a name`)
		case h == "*":
			c.anyHeader = true
		case !httpguts.ValidHeaderFieldName(h):
			return fmt.Errorf("header %q is no name of a header", h)
		}
		c.headers[strings.ToLower(h)] = true
	}
	return nil
}

func (c *cors) addOrigin(origin string) error {
	if origin == "*" {
		c.any = true
		return nil
	}
	scheme, host, ok := strings.Cut(origin, "://")
	name, wild := strings.CutPrefix(host, "*.")
	if !ok || strings.Contains(name, "*") {
		return fmt.Errorf(`origin %q: want scheme and host, as in "https://app.example.com" or "https://*.example.com"`, origin)
	}
	plain := scheme + "://" + name
	u, err := url.Parse(plain)
	if err != nil || u.Host != name || u.Hostname() == "" || u.User != nil || plain != strings.ToLower(plain) || strings.HasSuffix(u.Hostname(), ".") {
		return fmt.Errorf(`origin %q: browsers send scheme, host and port in lower case and nothing behind them, not even "/"`, origin)
	}
	if port := u.Port(); scheme == "http" && port == "80" || scheme == "https" && port == "443" || strings.HasSuffix(u.Host, ":") {
		return fmt.Errorf("origin %q: browsers leave out the usual port; write %q", origin, scheme+"://"+u.Hostname())
	}
	if !wild {
		c.exact[origin] = []string{origin}
		return nil
	}
	if _, err := netip.ParseAddr(u.Hostname()); err == nil || !strings.Contains(u.Hostname(), ".") && u.Hostname() != "localhost" {
		return fmt.Errorf("origin %q: anybody can have a name below that", origin)
	}
	if suffix, _ := publicsuffix.PublicSuffix(u.Hostname()); suffix == u.Hostname() && suffix != "localhost" {
		return fmt.Errorf("origin %q: anybody can have a name below that, which is a public suffix (publicsuffix.org)", origin)
	}
	c.patterns = append(c.patterns, originPattern{scheme + "://", "." + name})
	return nil
}

// matches reports whether what stands for the "*" is one or more labels of a host name.
func (p originPattern) matches(origin string) bool {
	labels, ok := strings.CutPrefix(origin, p.scheme)
	if !ok {
		return false
	}
	if labels, ok = strings.CutSuffix(labels, p.rest); !ok {
		return false
	}
	for label := range strings.SplitSeq(labels, ".") {
		if label == "" || len(label) > 63 || strings.Trim(label, "abcdefghijklmnopqrstuvwxyz0123456789-_") != "" {
			return false
		}
	}
	return true
}

// allowed is the value of Access-Control-Allow-Origin, nil for none.
func (c *cors) allowed(origin string) []string {
	if c.any {
		return star
	}
	if value := c.exact[origin]; value != nil {
		return value
	}
	for _, p := range c.patterns {
		if p.matches(origin) {
			return []string{origin}
		}
	}
	return nil
}

func (c *cors) serve(next http.Handler, w http.ResponseWriter, r *http.Request) {
	h := w.Header()
	if !c.any {
		addVary(h, varyOrigin)
	}
	var allow []string
	origin := r.Header["Origin"]
	if len(origin) == 1 {
		allow = c.allowed(origin[0])
	}
	if r.Method == http.MethodOptions && len(origin) > 0 && len(r.Header["Access-Control-Request-Method"]) > 0 {
		c.preflight(w, r, allow)
		return
	}
	c.mark(h, allow) // also for an answer that somebody outside of us writes
	marked := &corsWriter{through: through{ResponseWriter: w}, mark: corsMark{c, allow, w}}
	marked.hook = &marked.mark
	next.ServeHTTP(marked, r)
	if !marked.started {
		c.mark(h, allow)
	}
}

// corsWriter marks the answer when it begins.
type corsWriter struct {
	through
	mark corsMark
}

type corsMark struct {
	*cors
	allow []string
	w     http.ResponseWriter
}

func (m *corsMark) start() { m.cors.mark(m.w.Header(), m.allow) }

// mark sets the header fields of an answer, and removes those that a handler has made up: what is
// allowed is decided here.
func (c *cors) mark(h http.Header, allow []string) {
	if !c.any {
		addVary(h, varyOrigin)
	}
	delete(h, "Access-Control-Allow-Origin")
	delete(h, "Access-Control-Allow-Credentials")
	if allow == nil {
		return
	}
	h["Access-Control-Allow-Origin"] = allow
	if c.credentials {
		h["Access-Control-Allow-Credentials"] = yes[:1:1]
	}
	if c.expose != nil && h["Access-Control-Expose-Headers"] == nil {
		h["Access-Control-Expose-Headers"] = c.expose[:1:1]
	}
}

func (c *cors) preflight(w http.ResponseWriter, r *http.Request, allow []string) {
	h := w.Header()
	h.Add("Vary", "Access-Control-Request-Method, Access-Control-Request-Headers")
	if why := c.objection(r.Header, allow); why != "" {
		refuse(w, r, http.StatusForbidden, why, nil)
		return
	}
	h["Access-Control-Allow-Origin"] = allow
	h["Access-Control-Allow-Methods"] = c.allowMethods
	h["Access-Control-Max-Age"] = c.maxAge
	if c.allowHeaders != nil {
		h["Access-Control-Allow-Headers"] = c.allowHeaders
	}
	if c.credentials {
		h["Access-Control-Allow-Credentials"] = yes
	}
	w.WriteHeader(http.StatusNoContent)
}

// objection says why a preflight is refused, "" if it is not.
func (c *cors) objection(h http.Header, allow []string) string {
	if allow == nil {
		return "Pages of this origin may not read answers."
	}
	methods := h["Access-Control-Request-Method"]
	if len(methods) != 1 || !slices.Contains(c.methods, methods[0]) {
		return "Pages of other origins may not use this method."
	}
	for _, line := range h["Access-Control-Request-Headers"] {
		for name := range strings.SplitSeq(line, ",") {
			name = strings.ToLower(strings.Trim(name, " \t"))
			if name != "" && !c.headers[name] && !(c.anyHeader && name != "authorization") {
				return "Pages of other origins may not send the header " + strconv.Quote(textproto.CanonicalMIMEHeaderKey(name)) + "."
			}
		}
	}
	return ""
}

// addVary adds one name to Vary, without an allocation when it is the first. The values are shared.
func addVary(h http.Header, name []string) {
	old := h["Vary"]
	if len(old) == 0 {
		h["Vary"] = name[:1:1]
		return
	}
	for _, line := range old {
		for have := range strings.SplitSeq(line, ",") {
			if strings.EqualFold(strings.TrimSpace(have), name[0]) {
				return
			}
		}
	}
	h["Vary"] = append(old, name[0])
}
