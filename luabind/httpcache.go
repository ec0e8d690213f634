package luabind

import (
	"net/http"
	"time"

	lua "github.com/yuin/gopher-lua"

	"rws/luabind/bind"
	"rws/server/httpcache"
)

const httpCacheType = "rws.HttpCache"

// httpCacheFuncs make the cache that stands before handlers.
func httpCacheFuncs() []bind.Func {
	return []bind.Func{bind.Raw("http_cache(options?)", httpCacheOf)}
}

// httpCacheOptions are the options of rws.http_cache.
type httpCacheOptions struct {
	TTL                  time.Duration `json:"ttl"`
	Size                 bind.Size     `json:"size"`
	MaxEntry             bind.Size     `json:"max_entry"`
	StaleWhileRevalidate time.Duration `json:"stale_while_revalidate"`
	StaleIfError         time.Duration `json:"stale_if_error"`
	Vary                 []string      `json:"vary"`
	IgnoreCookies        []string      `json:"ignore_cookies"`
	IgnoreClient         bool          `json:"ignore_client"`
}

// httpCacheOf makes a cache: one for all isolates, of which each declares the same ones in the
// same order. It ends with the program, so that a new version of the script, which may give other
// answers, begins with an empty one.
func httpCacheOf(L *lua.LState) int {
	const name = "rws.http_cache"
	s := stateOf(L)
	s.root.mustLoad(L, name)
	o := bind.Options[httpCacheOptions](L, name, 1)
	p, n := s.program, s.httpCaches
	s.httpCaches++
	if n == len(p.httpCaches) {
		cache, err := httpcache.New(httpcache.Options{
			TTL: o.TTL, Size: int64(o.Size), MaxEntry: int64(o.MaxEntry), StaleWhileRevalidate: o.StaleWhileRevalidate, StaleIfError: o.StaleIfError,
			Vary: o.Vary, IgnoreCookies: o.IgnoreCookies, IgnoreClient: o.IgnoreClient, Now: p.options.Clock.Now,
		})
		if err == nil {
			err = p.stores.atClose(cache.Close)
		}
		if err != nil {
			bind.Raise(L, name, bind.Errorf("option", "%w", err))
		}
		p.httpCaches = append(p.httpCaches, cache)
	}
	cache := p.httpCaches[n]
	L.Push(bind.New(L, httpCacheType, &Middleware{Name: "http_cache", Wrap: func(next http.Handler) http.Handler { return cache.Wrap(next) }, cache: cache}))
	return 1
}

// httpCacheOfType describes what rws.http_cache returns.
func httpCacheOfType() bind.Type {
	return bind.Type{Name: httpCacheType, As: "pages", String: func(self any) string { return self.(*Middleware).Name }, Methods: append(bind.Writing(
		bind.RawMethod("purge(...)", purgeBy("purge", "a path such as \"/notes\"", func(c *httpcache.Cache, targets []string) (n int) {
			for _, target := range targets {
				n += c.Purge(target)
			}
			return n
		})),
		bind.RawMethod("purge_prefix(...)", purgeBy("purge_prefix", "the beginning of paths such as \"/blog/\"", func(c *httpcache.Cache, prefixes []string) (n int) {
			for _, prefix := range prefixes {
				n += c.PurgePrefix(prefix)
			}
			return n
		})),
		bind.RawMethod("purge_tag(...)", purgeBy("purge_tag", "a tag", func(c *httpcache.Cache, tags []string) int { return c.PurgeTag(tags...) })),
		bind.RawMethod("clear()", func(L *lua.LState, m *Middleware) int {
			L.Push(lua.LNumber(m.cache.Clear()))
			return 1
		}),
	), bind.RawMethod("stats()", httpCacheStats))}
}

// purgeBy is a method that takes texts and returns how many answers it removed. Nothing would be
// what a mistake looks like, and removing everything has a name of its own.
func purgeBy(method, want string, purge func(*httpcache.Cache, []string) int) func(*lua.LState, *Middleware) int {
	name := "pages:" + method
	return func(L *lua.LState, m *Middleware) int {
		list := argumentTexts(L, name, 2)
		for i, s := range append(list, "")[:max(1, len(list))] {
			if s == "" || method != "purge_tag" && s[0] != '/' {
				bind.ArgError(L, name, i+1, "%s expected, got %q; pages:clear() removes everything", want, s)
			}
		}
		L.Push(lua.LNumber(purge(m.cache, list)))
		return 1
	}
}

func httpCacheStats(L *lua.LState, m *Middleware) int {
	s := m.cache.Stats()
	t := L.CreateTable(0, 12)
	for name, n := range map[string]int64{
		"hits": s.Hits, "stale": s.Stale, "rescued": s.Rescued, "misses": s.Misses, "validated": s.Validated, "collapsed": s.Collapsed,
		"bypasses": s.Bypasses, "stored": s.Stored, "purged": s.Purged, "entries": s.Entries, "bytes": s.Bytes, "evictions": s.Evictions,
	} {
		t.RawSetString(name, bind.Integer(n))
	}
	L.Push(t)
	return 1
}
