package router

import (
	"fmt"
	"strings"
)

// Outcome says what became of a route in an Explanation.
type Outcome string

const (
	Matched     Outcome = "match"    // it answers the request
	Shadowed    Outcome = "shadowed" // it matches too, another one is preferred
	WrongMethod Outcome = "method"   // host and path match
	WrongPath   Outcome = "path"
	WrongHost   Outcome = "host"
)

// Step is what became of one route.
type Step struct {
	Route   Route
	Outcome Outcome
	Reason  string // as in `segment 2 "abc" is not {int}`; never empty
}

// Explanation is the story of one match.
type Explanation struct {
	Kind     Kind
	Reason   string // one sentence, never empty
	Allow    []string
	Location string
	Params   []Param
	Steps    []Step // all routes in the order of declaration; none for BadPath
}

// Explain does what Match does and says for every route why it did or did not match. It is for people and not fast.
func (t *Table[T]) Explain(host, method, path string) Explanation {
	var r Result
	kind, e := t.match(host, method, path, &r)
	x := Explanation{Kind: kind, Allow: r.Allow, Location: r.Location}
	x.Reason = t.summary(kind, path, &r)
	for p := range r.Params.All() {
		x.Params = append(x.Params, p)
	}
	clean, fault := decode(path)
	if fault != "" {
		return x
	}
	q := request{host, method, strings.Split(clean, "/")[1:]}
	for i := range t.routes {
		x.Steps = append(x.Steps, t.step(i, e, q))
	}
	return x
}

func (x *index) summary(kind Kind, path string, r *Result) string {
	switch kind {
	case Found:
		return fmt.Sprintf("%s answers", r.Route)
	case MethodNotAllowed, Options:
		return "routes have this path for other methods; allowed: " + strings.Join(r.Allow, ", ")
	case Redirect:
		return fmt.Sprintf("only %q has a route; the slash at the end differs", r.Location)
	case BadPath:
		return CheckPath(path).Error()
	}
	if len(x.routes) == 0 {
		return "no route is declared"
	}
	return "no route has this path"
}

// request is what Explain compares routes with.
type request struct {
	host, method string
	segments     []string // decoded, encoded slashes hidden
}

// step judges route i when e, which may be nil, answers the request.
func (x *index) step(i int, e *entry, q request) Step {
	r := &x.routes[i]
	if e != nil && e.route == i {
		return Step{r.Route, Matched, matchReason(r.Method, q.method)}
	}
	if !r.hasHost(q.host) {
		return Step{r.Route, WrongHost, fmt.Sprintf("host is %q", q.host)}
	}
	if reason := r.pattern.mismatch(q.segments); reason != "" {
		return Step{r.Route, WrongPath, reason}
	}
	if r.Method != "" && r.Method != q.method && (r.Method != "GET" || q.method != "HEAD") {
		return Step{r.Route, WrongMethod, "method is " + q.method}
	}
	return Step{r.Route, Shadowed, x.shadow(r, e)}
}

func matchReason(declared, asked string) string {
	switch declared {
	case asked:
		return "the most specific route"
	case "":
		return "the most specific route; it takes any method"
	}
	return fmt.Sprintf("the most specific route; %s answers %s", declared, asked)
}

// shadow says why r, which matches, is not the one that answers.
func (x *index) shadow(r *route, e *entry) string {
	if e == nil {
		return "a more specific host has this path for other methods"
	}
	winner := &x.routes[e.route]
	why := "more specific"
	switch {
	case winner.host != r.host:
		why = "its host is more specific"
	case r.Method != winner.Method && winner.pattern.alike(r.pattern):
		why = "its method is more specific"
	}
	return fmt.Sprintf("shadowed by %s: %s", winner.Route, why)
}

// alike reports whether two patterns share a variant.
func (p *Pattern) alike(other *Pattern) bool {
	shapes := map[string]bool{}
	for _, v := range p.variants {
		shapes[v.shape()] = true
	}
	for _, v := range other.variants {
		if shapes[v.shape()] {
			return true
		}
	}
	return false
}

func (r *route) hasHost(host string) bool {
	host = cleanHost(host)
	if suffix, ok := strings.CutPrefix(r.host, "*"); ok {
		return strings.HasSuffix(host, suffix)
	}
	return r.host == "" || r.host == host
}

// mismatch is why no variant matches the segments, "" if one does: the reason of the variant that comes furthest.
func (p *Pattern) mismatch(segments []string) string {
	best, reason := -1, ""
	for _, v := range p.variants {
		n, why := v.mismatch(segments)
		if why == "" {
			return ""
		}
		if n >= best { // of two that come as far, the longer one has the better reason
			best, reason = n, why
		}
	}
	return reason
}

// mismatch is the index of the first segment that does not match and why, "" if all do.
func (v variant) mismatch(segments []string) (int, string) {
	for i, s := range v {
		if s.kind == restSegment {
			return i, ""
		}
		if i == len(segments) {
			return i, missing(s, i)
		}
		if why := s.mismatch(segments[i]); why != "" {
			return i, fmt.Sprintf("segment %d %q %s", i+1, strings.ReplaceAll(segments[i], hidden, "%2F"), why)
		}
	}
	switch extra := len(segments) - len(v); {
	case extra == 0:
		return len(v), ""
	case extra == 1 && segments[len(v)] == "":
		return len(v), "the path ends with a slash, the pattern does not"
	}
	return len(v), fmt.Sprintf("the path goes on after segment %d", len(v))
}

func missing(s segment, i int) string {
	if s.String() == "" {
		return "the pattern ends with a slash, the path does not"
	}
	return fmt.Sprintf("the path ends before segment %d %q", i+1, s)
}

func (s *segment) mismatch(text string) string {
	if s.kind == staticSegment {
		if text == s.prefix {
			return ""
		}
		return fmt.Sprintf("is not %q", s.prefix)
	}
	if _, ok := s.value(text); ok {
		return ""
	}
	switch {
	case text == "":
		return "is empty"
	case !strings.HasPrefix(text, s.prefix):
		return fmt.Sprintf("does not start with %q", s.prefix)
	case !strings.HasSuffix(text, s.suffix):
		return fmt.Sprintf("does not end with %q", s.suffix)
	case s.typ == None || len(text) <= len(s.prefix)+len(s.suffix):
		return fmt.Sprintf("leaves nothing for :%s", s.name)
	}
	return fmt.Sprintf("is not {%s}", s.typ)
}
