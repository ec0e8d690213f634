// Package httpcache is a shared HTTP cache (RFC 9111) that stands before a handler: what it has and
// may give out is answered without asking the handler.
//
// It keeps answers to GET in memory, bound by bytes; answers to HEAD, to conditional requests and to
// ranges from them; asks again with validators when they are stale; gives them out stale where the
// answer or the options allow that (RFC 5861); and asks for what it does not have once, however
// many want it. Each answer tells what happened in Cache-Status (RFC 9211).
//
// What it cannot know to be for everybody it does not keep: answers with Set-Cookie, and answers
// to requests with Authorization, Cookie or a user, unless they say themselves that they are
// public. An answer is given out only for the very bytes of host, path and query that it was made
// for, and for the same values of the headers that tell applications another host, scheme, path
// or method than the request has; so none of them can be used to plant an answer for others.
//
// No library does this: those there are for Go are private caches (RFC 9111 §1) around a client,
// and a shared cache that leaks one answer is worse than none.
//
//	cache, err := httpcache.New(httpcache.Options{TTL: time.Minute})
//	h = cache.Wrap(h)
package httpcache

import (
	"fmt"
	"net/http"
	"net/textproto"
	"sync"
	"time"
)

// Defaults of [Options].
const (
	DefaultSize    = 64 << 20         // bytes
	MinSize        = 64 << 10         // bytes; less is a mistake
	DefaultEntry   = 4 << 20          // bytes
	DefaultWait    = 10 * time.Second // for the answer that another request has asked for
	DefaultRefresh = 30 * time.Second // for asking again in the background
)

// Options of a [Cache]. The zero value keeps what says by itself how long it is fresh.
type Options struct {
	// TTL is how long an answer is fresh that does not say so and has one of the statuses 200,
	// 203, 300, 301, 308, 410; 0 does not keep it.
	TTL time.Duration
	// Size bounds what all answers take up, in bytes; default 64 MiB, at least 64 KiB. It counts bodies, headers,
	// keys and what the cache needs for each.
	Size int64
	// MaxEntry bounds a single answer; default 4 MiB, at most Size. Larger ones pass through.
	MaxEntry int64
	// StaleWhileRevalidate is how long after its freshness an answer is still given out while it
	// is asked for again in the background, unless the answer says otherwise.
	StaleWhileRevalidate time.Duration
	// StaleIfError is how long after its freshness an answer is given out in place of a status of
	// 500 or above, unless the answer says otherwise.
	StaleIfError time.Duration
	// Heuristic is the share of its age since Last-Modified for which an answer without TTL and
	// explicit freshness is fresh (RFC 9111 §4.2.2), such as 0.1; at most a day. 0 is none.
	Heuristic float64
	// Vary names request headers that choose between answers, in addition to those that the
	// answers name.
	Vary []string
	// IgnoreCookies are names of cookies that change no answer, such as those of statistics;
	// "_ga*" is all that begin like that. A request that has only those counts as one without.
	IgnoreCookies []string
	// IgnoreClient does not obey Cache-Control and Pragma of requests, nor If-Match and
	// If-Unmodified-Since, by which any client can have the handler asked. What has a header that
	// changes URL or method for applications, as X-HTTP-Method-Override, passes without being kept.
	IgnoreClient bool
	// Wait is how long a request waits for the answer that another one has asked for before it
	// asks by itself.
	Wait time.Duration
	// Name is how the cache is called in Cache-Status, a token; default "rws".
	Name string
	// Now is the clock, for tests; default [time.Now].
	Now func() time.Time
}

// Cache is a shared cache. Safe for concurrent use; made by [New].
type Cache struct {
	o     Options
	vary  []string // of the options, canonical
	store *store
	stats counters

	mu      sync.Mutex
	flights map[string]*flight
	fills   map[*fill]struct{}
	passes  map[string]time.Time // keys whose answers were not to be kept, until when
	work    sync.WaitGroup       // of refreshes without a server
}

// New makes a cache, which has no goroutines of its own.
func New(o Options) (*Cache, error) {
	for name, d := range map[string]time.Duration{"ttl": o.TTL, "stale while revalidate": o.StaleWhileRevalidate, "stale if error": o.StaleIfError, "wait": o.Wait} {
		if d < 0 {
			return nil, fmt.Errorf("http cache: %s %s: must not be negative", name, d)
		}
	}
	if o.Size < 0 || o.MaxEntry < 0 {
		return nil, fmt.Errorf("http cache: size %d, max entry %d: must not be negative", o.Size, o.MaxEntry)
	}
	if o.Size == 0 {
		o.Size = DefaultSize
	}
	if o.Size < MinSize {
		return nil, fmt.Errorf("http cache: size %d: there is room for nothing; want %d bytes or more", o.Size, MinSize)
	}
	if o.MaxEntry > o.Size {
		return nil, fmt.Errorf("http cache: an entry of %d bytes does not fit into a cache of %d", o.MaxEntry, o.Size)
	}
	if o.MaxEntry == 0 {
		o.MaxEntry = min(DefaultEntry, o.Size)
	}
	if !(o.Heuristic >= 0 && o.Heuristic <= 1) {
		return nil, fmt.Errorf("http cache: heuristic %v: want a share from 0 to 1", o.Heuristic)
	}
	if o.Wait == 0 {
		o.Wait = DefaultWait
	}
	if o.Name == "" {
		o.Name = "rws"
	}
	if !isToken(o.Name) {
		return nil, fmt.Errorf("http cache: name %q: want letters, digits, \"-\", \"_\" and \".\"", o.Name)
	}
	if o.Now == nil {
		o.Now = time.Now
	}
	c := &Cache{o: o, store: newStore(o.Size), flights: map[string]*flight{}, fills: map[*fill]struct{}{}, passes: map[string]time.Time{}}
	for _, name := range o.Vary {
		if !isToken(name) {
			return nil, fmt.Errorf("http cache: vary %q: want the name of a request header", name)
		}
		c.vary = append(c.vary, textproto.CanonicalMIMEHeaderKey(name))
	}
	return c, nil
}

// Wrap puts next behind the cache. One cache may stand before several handlers whose answers
// depend on nothing but the request.
func (c *Cache) Wrap(next http.Handler) http.Handler {
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) { c.serve(w, r, next) })
}

// Close waits for what goes on in the background outside of a server.
func (c *Cache) Close() error {
	c.work.Wait()
	return nil
}

func isToken(s string) bool {
	for i := range len(s) {
		b := s[i]
		if b|0x20 < 'a' || b|0x20 > 'z' {
			if (b < '0' || b > '9') && b != '-' && b != '_' && b != '.' {
				return false
			}
		}
	}
	return s != ""
}
