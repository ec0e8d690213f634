package httpcache

import (
	"errors"
	"fmt"
	"net/http"
	"runtime/debug"
	"slices"
	"strconv"
	"sync/atomic"
	"time"

	"rws/server/exchange"
)

// fill is one call of the handler: the writer the handler gets, which passes the answer on while
// it keeps a copy.
type fill struct {
	cache  *Cache
	q      *query
	w      http.ResponseWriter
	old    *entry // what is asked about; nil for none
	flight *flight
	key    string
	void   atomic.Bool // something has been invalidated since: keep nothing

	asked   time.Time
	header  http.Header // of the handler; what stands before the cache has its own
	status  int         // 0 until the header is there
	mode    mode
	plan    *entry // what is being kept; nil for nothing
	body    []byte
	dropped int64 // bytes of a body that nobody wants
}

// mode is what happens to the body.
type mode uint8

const (
	passing  mode = iota // to the client, and into the copy if there is a plan
	copying              // into the copy alone: the client has the answer already, or its copy is good
	dropping             // nowhere: the old answer goes out instead
)

// fill asks the handler, with the validators of old if there are any.
func (c *Cache) fill(w http.ResponseWriter, q *query, old *entry, f *flight) {
	t := &fill{cache: c, q: q, w: w, old: old, flight: f, key: q.key(), asked: c.o.Now(), header: http.Header{}}
	c.stats.misses.Add(1)
	c.begin(t)
	over := false
	defer func() {
		c.finish(t)
		if !over { // the handler panicked
			c.land(f, false, true)
		}
	}()
	t.ask()
	over = true
}

// begin and finish keep a list of who is asking, for [Cache.void].
func (c *Cache) begin(t *fill) {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.fills[t] = struct{}{}
}

func (c *Cache) finish(t *fill) {
	c.mu.Lock()
	defer c.mu.Unlock()
	delete(c.fills, t)
}

// ask calls the handler and deals with what came.
func (t *fill) ask() {
	failed := t.call()
	ex := exchange.From(t.q.r.Context())
	switch {
	case t.status != 0:
	case failed || ex != nil && ex.Fault != nil || t.q.r.Context().Err() != nil:
		if t.rescues() { // the fault stays for the log
			t.status, t.mode = http.StatusInternalServerError, dropping
			break
		}
		apply(t.w.Header(), t.header)
		t.cache.land(t.flight, false, t.q.r.Context().Err() != nil)
		return
	default:
		t.WriteHeader(http.StatusOK)
	}
	t.settle()
}

// call calls the handler. A panic passes on, unless the old answer can stand in.
func (t *fill) call() (failed bool) {
	if t.rescues() {
		defer func() {
			p := recover()
			if p == nil {
				return
			}
			ex := exchange.From(t.q.r.Context())
			if p == http.ErrAbortHandler || t.status != 0 || ex == nil {
				panic(p)
			}
			ex.Fault, failed = fmt.Errorf("panic: %v\n%s", p, debug.Stack()), true
		}()
	}
	t.q.next.ServeHTTP(t, t.request())
	return false
}

// conditions are what the client knows or wants of an answer. Those of changes only come so far with
// Options.IgnoreClient.
var conditions = []string{"If-None-Match", "If-Modified-Since", "If-Match", "If-Unmodified-Since"}

// request is what the handler gets: without the conditions of the client, which concern its own
// copy, and with ours.
func (t *fill) request() *http.Request {
	r := t.q.r
	conditional := slices.ContainsFunc(conditions, func(name string) bool { return len(r.Header[name]) > 0 })
	revalidates := t.old != nil && t.old.validators()
	ranged := len(r.Header["Range"]) > 0
	if ranged && t.old == nil || !conditional && !revalidates {
		return r // a part of something that may be large: not worth the whole
	}
	own := new(http.Request)
	*own = *r
	own.Header = r.Header.Clone()
	for _, name := range conditions {
		delete(own.Header, name)
	}
	if t.old == nil {
		return own
	}
	delete(own.Header, "Range")
	delete(own.Header, "If-Range")
	if t.old.etag != "" {
		own.Header["If-None-Match"] = []string{t.old.etag}
	}
	if !t.old.modified.IsZero() {
		own.Header["If-Modified-Since"] = []string{t.old.header.Get("Last-Modified")}
	}
	return own
}

// rescues reports whether the old answer may go out in place of a failure.
func (t *fill) rescues() bool {
	e := t.old
	if e == nil || e.strict() {
		return false
	}
	window := e.window(e.control.StaleIfError, t.cache.o.StaleIfError)
	if e.control.StaleIfError == absent && t.q.wants.StaleIfError != absent && e.control.SMaxAge == absent {
		window = max(window, t.q.wants.StaleIfError)
	}
	left := e.left(t.cache.o.Now())
	return left > 0 || -left < window
}

// errUnwanted ends a handler that goes on writing what neither client nor cache want.
var errUnwanted = errors.New("the client has this answer already, and it is too large to keep")

// settle keeps the answer, or gives out the old one.
func (t *fill) settle() {
	if t.mode == dropping {
		t.standIn()
		return
	}
	lost := t.q.r.Context().Err() != nil
	stored := t.plan != nil && !lost && t.complete()
	if stored {
		t.plan.body = slices.Clip(t.body)
		if bodied(t.plan.status) {
			t.plan.header["Content-Length"] = []string{strconv.Itoa(len(t.body))}
		}
		stored = t.keep(t.plan)
	} else if t.old != nil && t.status < 500 && !lost && !t.q.wants.NoStore && t.q.r.Method == http.MethodGet {
		t.cache.store.drop(t.key, t.old) // it is not what is there any more
	}
	t.cache.land(t.flight, stored, lost && !stored)
}

// complete reports whether all of the body came.
func (t *fill) complete() bool {
	length := t.header.Get("Content-Length")
	return length == "" || length == strconv.Itoa(len(t.body)) || !bodied(t.status)
}

// keep stores an entry, unless something was invalidated since it was asked for.
func (t *fill) keep(e *entry) bool {
	c := t.cache
	if e.size() > c.o.MaxEntry {
		return false
	}
	c.mu.Lock() // so that an invalidation either sees the fill, or the entry
	defer c.mu.Unlock()
	if t.void.Load() {
		return false
	}
	c.store.put(t.key, t.q.place.path, e, t.q.r)
	delete(c.passes, t.key)
	c.stats.stored.Add(1)
	return true
}

// standIn gives out the old answer: it holds still, or the handler failed.
func (t *fill) standIn() {
	c, e := t.cache, t.old
	now := c.o.Now()
	if t.status != http.StatusNotModified {
		c.stats.rescued.Add(1)
		c.land(t.flight, false, false)
		c.hit(t.w, t.q.r, e, now, "hit; detail=stale-if-error")
		return
	}
	c.stats.validated.Add(1)
	fresh := c.plan(t.q.r, e.spelling, answer{e.status, e.merged(t.header), t.asked, now})
	stored := false
	if fresh != nil && !t.q.wants.NoStore {
		fresh.body = e.body
		stored = t.keep(fresh)
	} else {
		c.store.drop(t.key, e)
	}
	c.land(t.flight, stored, false)
	if cookies := t.header["Set-Cookie"]; len(cookies) > 0 { // for this client, and not kept
		t.w.Header()["Set-Cookie"] = append(slices.Clip(t.w.Header()["Set-Cookie"]), cookies...)
	}
	if fresh == nil {
		header := e.merged(t.header)
		delete(header, "Age")
		fresh = &entry{status: e.status, body: e.body, header: header, received: now, modified: e.modified, etag: e.etag}
	}
	c.hit(t.w, t.q.r, fresh, now, "fwd="+t.q.reason+"; fwd-status=304")
}
