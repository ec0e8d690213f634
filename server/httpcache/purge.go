package httpcache

import (
	"net/http"
	"net/url"
	"strings"
	"sync/atomic"

	"rws/server/exchange"
)

// counters are the stats as they count.
type counters struct {
	hits, stale, rescued, misses, bypasses, validated, collapsed, stored, purged atomic.Int64
}

// Stats are counts since the cache was made.
type Stats struct {
	Hits      int64 // answered without the handler, fresh
	Stale     int64 // the same, stale
	Rescued   int64 // answered stale because the handler failed
	Misses    int64 // calls of the handler, also those in the background
	Validated int64 // of these, answered 304: what was there holds still
	Collapsed int64 // requests that waited for another one
	Bypasses  int64 // requests that are none of the cache's business
	Stored    int64 // answers that were kept
	Purged    int64 // answers that were removed by the purge methods and by unsafe requests

	Entries, Bytes int64 // present
	Evictions      int64 // entries that had to go to make room
}

// Stats returns the present counts.
func (c *Cache) Stats() Stats {
	s := Stats{
		Hits: c.stats.hits.Load(), Stale: c.stats.stale.Load(), Rescued: c.stats.rescued.Load(), Misses: c.stats.misses.Load(),
		Validated: c.stats.validated.Load(), Collapsed: c.stats.collapsed.Load(), Bypasses: c.stats.bypasses.Load(),
		Stored: c.stats.stored.Load(), Purged: c.stats.purged.Load(),
	}
	s.Entries, s.Bytes, s.Evictions = c.store.usage()
	return s
}

// Purge removes what is kept for a path, whatever its host, and returns how many answers there
// were. With a query, as "/search?q=a", it is for that query alone, else for all. The path may be
// spelled in any way. Answers that are on their way when it is called are not kept.
func (c *Cache) Purge(target string) int {
	path, query, exact := strings.Cut(target, "?")
	want := string(appendPath(nil, path))
	return c.purge(func(key, resource string) bool {
		return afterHost(resource) == want && (!exact || strings.TrimPrefix(key, resource) == "?"+query)
	})
}

// PurgePrefix removes what is kept for paths that begin like that, as "/blog/".
func (c *Cache) PurgePrefix(prefix string) int {
	want := string(appendPath(nil, prefix))
	return c.purge(func(_, resource string) bool { return strings.HasPrefix(afterHost(resource), want) })
}

// Clear removes everything.
func (c *Cache) Clear() int {
	return c.purge(func(string, string) bool { return true })
}

func (c *Cache) purge(want func(key, path string) bool) int {
	c.void(func(t *fill) bool { return want(t.key, t.key[:t.q.place.path]) })
	n := c.store.dropAll(want)
	c.stats.purged.Add(int64(n))
	return n
}

// PurgeTag removes what belongs to one of the groups, which answers name in Cache-Tag (parted by
// commas) or Surrogate-Key (by spaces).
func (c *Cache) PurgeTag(tags ...string) int {
	c.void(func(*fill) bool { return true }) // the tags of what is on its way are not known yet
	n := c.store.dropTags(tags)
	c.stats.purged.Add(int64(n))
	return n
}

// void has fills keep nothing.
func (c *Cache) void(want func(*fill) bool) {
	c.mu.Lock()
	defer c.mu.Unlock()
	for t := range c.fills {
		if want(t) {
			t.void.Store(true)
		}
	}
}

// Forget puts next behind what removes the answers for a path when a request to it that may change
// something succeeds, as [Cache.Wrap] does for its own requests: for handlers that do not have the
// cache before them.
func (c *Cache) Forget(next http.Handler) http.Handler {
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		switch r.Method {
		case http.MethodGet, http.MethodHead, "QUERY":
			next.ServeHTTP(w, r)
		default:
			c.change(w, r, next)
		}
	})
}

// change lets a request through that is no GET or HEAD. When one that may change something has
// succeeded, what is kept for its path is not true any more, nor for those the answer names on the
// same host (RFC 9111 §4.4).
func (c *Cache) change(w http.ResponseWriter, r *http.Request, next http.Handler) {
	if r.Method == http.MethodOptions || r.Method == http.MethodTrace || r.Method == http.MethodConnect {
		next.ServeHTTP(w, r)
		return
	}
	if r.Method == "QUERY" { // safe, with a body
		c.bypass(w, r, next)
		return
	}
	watch := &watcher{ResponseWriter: w}
	watch.succeeded = func() { c.outdate(r, w.Header()) }
	next.ServeHTTP(watch, r)
	if e := exchange.From(r.Context()); watch.status == 0 && (e == nil || e.Fault == nil) {
		watch.begin(http.StatusOK)
	}
}

// outdate removes what a request that may have changed something makes untrue.
func (c *Cache) outdate(r *http.Request, h http.Header) {
	p, ok := placeOf(r, nil)
	if !ok {
		return
	}
	c.invalidate(string(p.key[:p.path]))
	base := &url.URL{Scheme: scheme(r), Host: r.Host, Path: r.URL.Path}
	for _, name := range []string{"Location", "Content-Location"} {
		to, err := base.Parse(h.Get(name))
		if h.Get(name) == "" || err != nil || !strings.EqualFold(to.Host, base.Host) || to.Scheme != base.Scheme {
			continue
		}
		other := (&http.Request{Host: r.Host, URL: to, TLS: r.TLS}).WithContext(r.Context())
		if p, ok := placeOf(other, nil); ok {
			c.invalidate(string(p.key[:p.path]))
		}
	}
}

func (c *Cache) invalidate(path string) {
	c.void(func(t *fill) bool { return t.key[:t.q.place.path] == path })
	c.stats.purged.Add(int64(c.store.dropPath(path)))
}
