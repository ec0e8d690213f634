package httpcache

import (
	"bytes"
	"cmp"
	"context"
	"net/http"
	"slices"
	"strconv"
	"strings"
	"time"

	"rws/server/discard"
	"rws/server/exchange"
	"rws/server/problem"
	"rws/server/static"
)

// query is a request as the cache sees it.
type query struct {
	r      *http.Request
	place  place
	wants  directives
	by     credentials
	next   http.Handler
	since  time.Time // when it came
	reason string    // why the handler is asked, for Cache-Status
}

// key is the place as the maps of the cache have it.
func (q *query) key() string { return string(q.place.key) }

func (c *Cache) serve(w http.ResponseWriter, r *http.Request, next http.Handler) {
	if r.Method != http.MethodGet && r.Method != http.MethodHead {
		c.change(w, r, next)
		return
	}
	var buf [256]byte // stays on the stack
	at, ok := placeOf(r, buf[:0])
	if !ok || c.unsuitable(r) {
		c.bypass(w, r, next)
		return
	}
	if c.quick(w, r, at) {
		return
	}
	c.slow(w, r, next, place{bytes.Clone(at.key), at.path, strings.Clone(at.spelling)})
}

// quick answers the usual request by the usual entry, without an allocation of its own: fresh, and
// with no wishes of the client.
func (c *Cache) quick(w http.ResponseWriter, r *http.Request, at place) bool {
	if !c.o.IgnoreClient && (len(r.Header["Cache-Control"]) > 0 || len(r.Header["Pragma"]) > 0) {
		return false
	}
	e := c.store.find(at, r)
	if e == nil || e.control.NoCache || !e.allowed(credentialsOf(c, r)) {
		return false
	}
	now := c.o.Now()
	if e.left(now) <= 0 {
		return false
	}
	c.stats.hits.Add(1)
	c.hit(w, r, e, now, "")
	return true
}

// slow is for all other requests.
func (c *Cache) slow(w http.ResponseWriter, r *http.Request, next http.Handler, at place) {
	q := query{r: r, next: next, place: at}
	if !c.o.IgnoreClient {
		q.wants = requested(r.Header["Cache-Control"], r.Header["Pragma"])
	} else {
		q.wants = requested(nil, nil)
	}
	q.by = credentialsOf(c, r)
	c.answer(w, &q)
}

// unsuitable reports whether a GET or HEAD is none of the cache's business: one with a body, which
// no key has; one that becomes another protocol; and one that wants a certain state to be there,
// which only the handler knows. With IgnoreClient the last is answered as any other, and one with a
// header that tells applications another URL or method is not: no proxy writes these, and anybody can
// invent as many values as fit into the cache.
func (c *Cache) unsuitable(r *http.Request) bool {
	h := r.Header
	switch {
	case r.ContentLength != 0, len(r.TransferEncoding) > 0, len(h["Upgrade"]) > 0:
		return true
	case c.o.IgnoreClient:
		return slices.ContainsFunc(rerouting, func(name string) bool { return len(h[name]) > 0 })
	}
	return len(h["If-Match"]) > 0 || len(h["If-Unmodified-Since"]) > 0
}

// bypass asks the handler and keeps nothing.
func (c *Cache) bypass(w http.ResponseWriter, r *http.Request, next http.Handler) {
	c.stats.bypasses.Add(1)
	c.tell(w.Header(), "fwd=bypass")
	next.ServeHTTP(w, r)
}

// maxWaits bounds for how many flights one request waits.
const maxWaits = 3

// answer gives out what is there or asks for it.
func (c *Cache) answer(w http.ResponseWriter, q *query) {
	q.since = c.o.Now()
	alone, waits, last := false, 0, ""
	for {
		e := c.usable(q)
		now := c.o.Now()
		if e != nil && c.tryHit(w, q, e, now, waits > 0) {
			return
		}
		if q.wants.OnlyIfCached {
			c.refuse(w, q.r)
			return
		}
		q.reason = reason(q, e, now)
		variant := c.variant(q)
		if !c.joins(q, e) || alone || waits > 0 && variant == last || waits == maxWaits {
			c.fill(w, q, e, nil)
			return
		}
		ex := exchange.From(q.r.Context())
		f, mine := c.board(variant, ex)
		if !mine && ex != nil && f.by == ex { // the same cache stands before the handler twice
			q.next.ServeHTTP(w, q.r)
			return
		}
		if mine {
			if c.usable(q) != e || c.variant(q) != variant { // the last one has just landed
				c.land(f, false, true)
				continue
			}
			c.fill(w, q, e, f)
			return
		}
		landed := f.wait(q.r.Context(), c.o.Wait)
		c.stats.collapsed.Add(1)
		if landed && f.lost { // the next asks
			continue
		}
		// An answer that was kept may tell that there are several, and which one this request wants.
		alone, last = !landed || !f.kept, variant
		waits++
	}
}

// usable is the entry that may be given out to who asks.
func (c *Cache) usable(q *query) *entry {
	e := c.store.find(q.place, q.r)
	if e == nil || !e.allowed(q.by) {
		return nil
	}
	return e
}

// joins reports whether a request waits for others that ask for the same, and they for it. Ranges
// and HEAD get what is of no use to others, unless they only ask whether what is there still holds.
func (c *Cache) joins(q *query, e *entry) bool {
	switch {
	case q.wants.NoStore, c.passing(q.place.key):
		return false
	case e == nil:
		return q.r.Method == http.MethodGet && len(q.r.Header["Range"]) == 0 && !q.by.authorization && !q.by.personal
	}
	return true
}

// reason is why the cache asks the handler, as Cache-Status names it.
func reason(q *query, e *entry, now time.Time) string {
	switch {
	case e == nil:
		return "uri-miss"
	case e.left(now) <= 0 || e.control.NoCache:
		return "stale"
	}
	return "request"
}

// tryHit answers from the cache if it may.
func (c *Cache) tryHit(w http.ResponseWriter, q *query, e *entry, now time.Time, waited bool) bool {
	left, age := e.left(now), e.currentAge(now)
	switch {
	case waited && !e.received.Before(q.since): // it was asked for since the request came
		c.stats.hits.Add(1)
		c.hit(w, q.r, e, now, "hit; collapsed")
		return true
	case q.wants.NoCache, e.control.NoCache, q.wants.MaxAge != absent && age > q.wants.MaxAge, q.wants.MinFresh != absent && q.wants.MinFresh > left:
		return false
	case left > 0:
		c.stats.hits.Add(1)
	case e.strict():
		return false
	case q.wants.MaxStale != absent && e.control.SMaxAge == absent && -left <= q.wants.MaxStale:
		c.stats.stale.Add(1)
	case -left < e.window(e.control.StaleWhileRevalidate, c.o.StaleWhileRevalidate):
		c.stats.stale.Add(1)
		c.refresh(q, e)
	default:
		return false
	}
	c.hit(w, q.r, e, now, "")
	return true
}

// refuse answers a request that wants no other answer than one that is there.
func (c *Cache) refuse(w http.ResponseWriter, r *http.Request) {
	d := problem.Details{Status: http.StatusGatewayTimeout, Detail: "The cache has no such answer, and the request wants no other (only-if-cached)."}
	if e := exchange.From(r.Context()); e != nil {
		d.ID = e.ID()
	}
	c.tell(w.Header(), "fwd=miss")
	problem.Write(w, r, d)
}

// hit answers with an entry.
func (c *Cache) hit(w http.ResponseWriter, r *http.Request, e *entry, now time.Time, status string) {
	if ex := exchange.From(r.Context()); ex != nil && ex.Route == "" { // the cache stands before the routing
		ex.Route = e.route
	}
	h := w.Header()
	apply(h, e.header)
	told := c.told(e, now)
	h["Age"] = told.age
	if status == "" && len(h["Cache-Status"]) == 0 {
		h["Cache-Status"] = told.hit
	} else {
		c.tell(h, cmp.Or(status, "hit")+told.ttl)
	}
	if e.status == http.StatusOK && selective(r.Header) {
		http.ServeContent(w, static.Heeded(r), "", e.modified, bytes.NewReader(e.body))
		return
	}
	w.WriteHeader(e.status)
	if r.Method != http.MethodHead && len(e.body) > 0 {
		_, _ = w.Write(e.body) // there is nobody left to tell
	}
}

// told is what a hit says of its age, which is the same for a second.
type told struct {
	second   time.Duration
	age, hit []string
	ttl      string
}

func (c *Cache) told(e *entry, now time.Time) *told {
	second := e.currentAge(now).Truncate(time.Second)
	if t := e.told.Load(); t != nil && t.second == second {
		return t
	}
	t := &told{second: second, age: []string{strconv.FormatInt(int64(second/time.Second), 10)}}
	t.ttl = "; ttl=" + strconv.FormatInt(int64((e.lifetime-second)/time.Second), 10)
	t.hit = []string{c.o.Name + "; hit" + t.ttl}
	e.told.Store(t)
	return t
}

// selective reports whether a request wants a part, or nothing where it has the answer already.
func selective(h http.Header) bool {
	return len(h["If-None-Match"]) > 0 || len(h["If-Modified-Since"]) > 0 || len(h["Range"]) > 0
}

func bodied(status int) bool {
	return status != http.StatusNoContent && status != http.StatusNotModified
}

// apply puts the headers of an answer over those that what stands before the cache has set; of
// Vary both count.
func apply(h, over http.Header) {
	for name, values := range over {
		if name == "Vary" && len(h[name]) > 0 {
			h[name] = append(h[name][:len(h[name]):len(h[name])], values...)
			continue
		}
		h[name] = values
	}
}

// tell adds to Cache-Status, behind what caches before this one have said.
func (c *Cache) tell(h http.Header, what string) {
	h["Cache-Status"] = append(h["Cache-Status"][:len(h["Cache-Status"]):len(h["Cache-Status"])], c.o.Name+"; "+what)
}

// refresh asks for an entry again behind the answer, unless somebody does already.
func (c *Cache) refresh(q *query, e *entry) {
	f, mine := c.board(c.variant(q), nil)
	if !mine {
		return
	}
	again := *q
	again.place.key = []byte(q.key())
	again.reason = "stale"
	again.wants = requested(nil, nil)
	begin := func(w http.ResponseWriter, r *http.Request) {
		again.r = r
		c.fill(w, &again, e, f)
	}
	if !c.background(q.r, e.vary, begin) {
		c.land(f, false, true)
	}
}

// asker are the headers of a request that are about who asks and what for.
var asker = []string{"Range", "If-Range", "If-None-Match", "If-Modified-Since", "Cache-Control", "Pragma", "Authorization", "Cookie", "Proxy-Authorization"}

// background calls f with a copy of r that nobody waits for, and which has nothing of who asked, but
// for what chooses the answer: what it gets is for everybody.
func (c *Cache) background(r *http.Request, vary []string, f func(http.ResponseWriter, *http.Request)) bool {
	own := new(http.Request)
	*own = *r
	own.Method = http.MethodGet
	own.Header = r.Header.Clone()
	own.Body, own.ContentLength = http.NoBody, 0
	for _, name := range asker {
		if !slices.Contains(vary, name) {
			delete(own.Header, name)
		}
	}
	e := exchange.From(r.Context())
	if e != nil && e.CanDetach() {
		return e.Detach(own, DefaultRefresh, f)
	}
	route := ""
	if e != nil {
		route = e.Route
	}
	c.work.Go(func() {
		ctx, cancel := context.WithTimeout(context.WithoutCancel(r.Context()), DefaultRefresh)
		defer cancel()
		defer func() { _ = recover() }() // the entry stays as it is
		own = own.WithContext(ctx)
		if e != nil { // which belongs to the one who asked
			of := exchange.New(own)
			of.Route = route
			defer of.End()
			own = own.WithContext(of)
		}
		f(discard.Writer(), own)
	})
	return true
}
