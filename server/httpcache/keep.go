package httpcache

import (
	"errors"
	"net/http"
	"slices"
	"strings"
	"time"

	"rws/server/exchange"
)

// maxVariants is how many answers there are to one key.
const maxVariants = 64

// heuristicLimit bounds what Options.Heuristic gives.
const heuristicLimit = 24 * time.Hour

// understood reports whether the cache does what a status asks of one (RFC 9111 §3). 206 and 304 are
// parts of something else, and none is kept whatever it says.
func understood(status int) bool {
	return http.StatusText(status) != "" && !partly(status)
}

func partly(status int) bool {
	return status < 200 || status == http.StatusPartialContent || status == http.StatusNotModified
}

// lasting are the statuses that Options.TTL is for.
var lasting = []int{200, 203, 300, 301, 308, 410}

// byHeuristic are the statuses that Options.Heuristic is for (RFC 9110 §15.1).
var byHeuristic = []int{200, 203, 204, 300, 301, 308, 404, 405, 410, 414, 501}

// answer is what came from the handler.
type answer struct {
	status   int
	header   http.Header
	asked    time.Time // when the handler was called
	received time.Time
}

// plan returns the entry that an answer makes, without its body, or nil if it must not be kept
// (RFC 9111 §3).
func (c *Cache) plan(r *http.Request, spelling string, a answer) *entry {
	control, targeted := controlOf(a.header)
	e := &entry{status: a.status, spelling: spelling, control: control, targeted: targeted, received: a.received}
	switch {
	case partly(a.status), control.MustUnderstand && !understood(a.status):
		return nil
	case control.NoStore && !control.MustUnderstand, control.Private:
		return nil
	case len(a.header["Set-Cookie"]) > 0, len(a.header["Trailer"]) > 0:
		return nil
	case !e.allowed(credentialsOf(c, r)):
		return nil
	case strings.HasPrefix(a.header.Get("Content-Type"), "text/event-stream"), nonced(a.header):
		return nil
	}
	if ex := exchange.From(r.Context()); ex != nil {
		if ex.Private {
			return nil
		}
		e.route = ex.Route
	}
	names, ok := c.varying(a.header["Vary"])
	if !ok {
		return nil
	}
	e.vary = names
	for _, name := range names {
		e.selected = append(e.selected, selecting(r, name))
	}
	e.describe(a.header, a.asked)
	c.nameVary(e.header)
	if e.lifetime, ok = c.lifetime(e, a); !ok || !c.worth(e) {
		return nil
	}
	return e
}

// nonced reports whether the policy of an answer has a nonce, which is good for one answer only (CSP
// §7.1).
func nonced(h http.Header) bool {
	for _, name := range []string{"Content-Security-Policy", "Content-Security-Policy-Report-Only"} {
		if strings.Contains(strings.Join(h[name], " "), "'nonce-") {
			return true
		}
	}
	return false
}

// describe reads what the headers say of the answer.
func (e *entry) describe(h http.Header, asked time.Time) {
	e.etag = h.Get("Etag")
	e.modified, _ = parseTime(h.Get("Last-Modified"))
	e.tags = tagsOf(h)
	date, err := parseTime(h.Get("Date"))
	if err != nil {
		date = e.received
	}
	apparent := max(0, e.received.Sub(date))
	corrected := ageOf(h["Age"]) + max(0, e.received.Sub(asked))
	e.age = max(apparent, corrected)
	if apparent < time.Second && ageOf(h["Age"]) == 0 {
		e.age = max(0, e.received.Sub(asked)) // Date has whole seconds
	}
	e.header = kept(h)
	for _, name := range tagHeaders {
		delete(e.header, name)
	}
	if err != nil {
		e.header["Date"] = []string{e.received.UTC().Format(http.TimeFormat)}
	}
}

// ageOf reads the field Age: the first that is a number counts.
func ageOf(fields []string) time.Duration {
	for _, field := range fields {
		first, _, _ := strings.Cut(field, ",")
		first, _, _ = strings.Cut(strings.TrimSpace(first), ";")
		if first != "" && strings.Trim(first, "0123456789") == "" {
			return seconds(first)
		}
	}
	return 0
}

// lifetime is RFC 9111 §4.2.1. It reports false when nothing says how long the answer is fresh.
func (c *Cache) lifetime(e *entry, a answer) (time.Duration, bool) {
	switch {
	case e.control.SMaxAge != absent:
		return e.control.SMaxAge, true
	case e.control.MaxAge != absent:
		return e.control.MaxAge, true
	case len(a.header["Expires"]) > 0 && !e.targeted:
		return expires(e, a.header), true
	case c.o.TTL > 0 && slices.Contains(lasting, a.status) && !e.control.NoCache:
		return c.o.TTL, true
	case c.o.Heuristic > 0 && !e.modified.IsZero() && (slices.Contains(byHeuristic, a.status) || e.control.Public):
		since := max(0, e.received.Sub(e.modified))
		return min(time.Duration(float64(since)*c.o.Heuristic), heuristicLimit), true
	}
	return 0, e.control.NoCache // to be asked for again each time
}

// expires is how long an answer with Expires is fresh, 0 if the field cannot be read.
func expires(e *entry, h http.Header) time.Duration {
	until, err := parseTime(h.Get("Expires"))
	if err != nil || len(h["Expires"]) > 1 {
		return 0
	}
	date, err := parseTime(h.Get("Date"))
	if err != nil {
		date = e.received
	}
	return max(0, until.Sub(date))
}

// worth reports whether e can be of use: while it is fresh, stale, or to ask again with.
func (c *Cache) worth(e *entry) bool {
	return e.left(e.received) > 0 && !e.control.NoCache || e.validators() ||
		e.window(e.control.StaleWhileRevalidate, c.o.StaleWhileRevalidate) > 0 || e.window(e.control.StaleIfError, c.o.StaleIfError) > 0
}

// parseTime reads a date in one of the three forms of RFC 9110 §5.6.7, to the letter.
func parseTime(s string) (time.Time, error) {
	t, err := http.ParseTime(s)
	if err != nil {
		if len(s) > 3 && strings.EqualFold(s[len(s)-3:], "GMT") { // the one freedom that is taken often
			t, err = http.ParseTime(s[:len(s)-3] + "GMT")
		}
		if err != nil {
			return time.Time{}, err
		}
	}
	_, given, _ := strings.Cut(s, " ") // nobody minds the wrong day of the week
	for _, form := range []string{http.TimeFormat, "Monday, 02-Jan-06 15:04:05 GMT", time.ANSIC} {
		if _, want, _ := strings.Cut(t.UTC().Format(form), " "); strings.EqualFold(want, given) {
			return t, nil
		}
	}
	return time.Time{}, errDate
}

var errDate = errors.New("no date of HTTP")

// varying are the headers that choose this answer; false for "*".
func (c *Cache) varying(fields []string) ([]string, bool) {
	names := slices.Clone(c.vary)
	for _, field := range fields {
		for name := range strings.SplitSeq(field, ",") {
			if name = strings.TrimSpace(name); name == "*" {
				return nil, false
			}
			if name != "" {
				names = append(names, http.CanonicalHeaderKey(name))
			}
		}
	}
	slices.Sort(names)
	return slices.Compact(names), true
}

// nameVary tells other caches what the options say of this one.
func (c *Cache) nameVary(h http.Header) {
	for _, name := range c.vary {
		if !slices.ContainsFunc(h["Vary"], func(field string) bool { return strings.Contains(strings.ToLower(field), strings.ToLower(name)) }) {
			h["Vary"] = append(slices.Clip(h["Vary"]), name)
		}
	}
}

// credentials tell whom a request comes from.
type credentials struct{ authorization, personal bool }

// credentialsOf reads them off r. The handler may have learned who it is since the request came.
func credentialsOf(c *Cache, r *http.Request) credentials {
	e := exchange.From(r.Context())
	return credentials{
		authorization: len(r.Header["Authorization"]) > 0,
		personal:      e != nil && e.User != nil || c.hasCookies(r),
	}
}

// allowed reports whether e may be kept from, and given to, a request like that: RFC 9111 §3.5 for
// Authorization, and only what is explicitly for everybody for who is known in other ways.
func (e *entry) allowed(by credentials) bool {
	if by.personal {
		return e.shared()
	}
	return !by.authorization || e.shared() || e.control.MustRevalidate
}

// hasCookies reports whether r has cookies that count.
func (c *Cache) hasCookies(r *http.Request) bool {
	fields := r.Header["Cookie"]
	if len(fields) == 0 {
		return false
	}
	if len(c.o.IgnoreCookies) == 0 {
		return true
	}
	for _, field := range fields {
		for pair := range strings.SplitSeq(field, ";") {
			name, _, _ := strings.Cut(pair, "=")
			if name = strings.TrimSpace(name); name != "" && !slices.ContainsFunc(c.o.IgnoreCookies, func(p string) bool { return covers(p, name) }) {
				return true
			}
		}
	}
	return false
}

// covers reports whether a pattern, a name or the beginning of one and "*", stands for name.
func covers(pattern, name string) bool {
	if start, ok := strings.CutSuffix(pattern, "*"); ok {
		return strings.HasPrefix(name, start)
	}
	return pattern == name
}

// tagHeaders name the groups that an answer belongs to. They are for this cache and go no further.
var tagHeaders = []string{"Cache-Tag", "Surrogate-Key"}

// tagsOf reads them: commas part those of the first, spaces those of the second.
func tagsOf(h http.Header) []string {
	var tags []string
	for _, field := range h["Cache-Tag"] {
		for tag := range strings.SplitSeq(field, ",") {
			if tag = strings.TrimSpace(tag); tag != "" {
				tags = append(tags, tag)
			}
		}
	}
	for _, field := range h["Surrogate-Key"] {
		tags = append(tags, strings.Fields(field)...)
	}
	slices.Sort(tags)
	return slices.Compact(tags)
}
