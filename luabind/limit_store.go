package luabind

import (
	"context"
	"errors"
	"maps"
	"slices"
	"time"

	"rws/server/ratelimit"
	"rws/server/webhook"
)

// inRedis is the Redis that the app has anyway.
const inRedis = "redis"

// checkLimitStore reads the name of a store of limits.
func checkLimitStore(text string) error {
	return checkStore(text, []string{inMemory, inRedis}, slices.Concat(sqlSchemes, redisSchemes))
}

// errNoRedis says where "redis" is looked for.
var errNoRedis = errors.New(`"redis" is the one of the settings limits.store, cache.url or session.store, and none of them is the URL of a Redis: set app:config { limits = { store = "redis://…" } }, or give the URL here`)

// redisURL is the Redis that the app has anyway.
func (p *Program) redisURL() (string, error) {
	for _, url := range []string{p.Config.Limits.Store, p.Config.Cache.URL, p.Config.Session.Store} {
		if isRedis(url) {
			return url, nil
		}
	}
	return "", errNoRedis
}

// limitStore returns the store with a name, that a limit at a place of the script asks for; "" is that of the settings. One on a server is opened
// when the first request comes, so that a script can be looked at without it.
func (p *Program) limitStore(at, name string) (ratelimit.Store, error) {
	place := p.placeOfLimit(at, name)
	if name == "" {
		name = p.Config.Limits.Store
	}
	if name == inMemory || p.options.testing {
		return p.shared.kept.limitMemory(p.options.Clock), nil
	}
	if name == inRedis {
		var err error
		if name, err = p.redisURL(); err != nil {
			return nil, err
		}
	}
	if !isRedis(name) {
		return p.sqlLimits(name, place), nil
	}
	client, err := p.redisClient(name)
	if err != nil {
		return nil, err
	}
	return ratelimit.NewRedis(client, p.Config.Limits.Prefix), nil
}

// sqlLimits returns the store in a database; all limits in it share its pool.
func (p *Program) sqlLimits(url string, place limitPlace) ratelimit.Store {
	p.stores.mu.Lock()
	defer p.stores.mu.Unlock()
	if s := p.stores.limits[url]; s != nil {
		return s
	}
	if p.stores.limits == nil {
		p.stores.limits = make(map[string]*lateLimits)
	}
	s := &lateLimits{place, late[ratelimit.SQL]{open: func() (*ratelimit.SQL, error) { return p.openSQLLimits(url) }}}
	p.stores.limits[url] = s
	return s
}

// openSQLLimits finds the pool, as that of sessions, and makes the table.
func (p *Program) openSQLLimits(url string) (*ratelimit.SQL, error) {
	d, err := p.pools.acquire(p.storePool(url, "limits"))
	if err != nil {
		return nil, err
	}
	ctx, cancel := context.WithTimeout(context.Background(), openTime)
	defer cancel()
	store, err := ratelimit.NewSQL(ctx, d.DB)
	if err != nil {
		return nil, errors.Join(err, d.release())
	}
	return store, p.stores.atClose(func() error { return errors.Join(store.Close(), d.release()) })
}

// tryLimits opens the stores of limits that are files, at the start and before a reload takes over: one that can't be opened never
// will be, and a limit would refuse everybody or, with fail = "open", nobody. Servers may be away for a
// while.
func (p *Program) tryLimits() error {
	stores := p.limitFiles()
	for _, url := range slices.Sorted(maps.Keys(stores)) {
		a := stores[url].begin()
		if <-a.done; a.err != nil {
			return stores[url].place.fault(url, a.err)
		}
	}
	return nil
}

// lateLimits is a store that is opened when it is first used.
type lateLimits struct {
	place limitPlace
	late[ratelimit.SQL]
}

// Take implements ratelimit.Store. It waits no longer than ctx for the database; opening it goes on.
func (l *lateLimits) Take(ctx context.Context, key string, step, limit time.Duration) (time.Duration, bool, error) {
	store, err := l.get(ctx)
	if err != nil {
		return 0, false, err
	}
	return store.Take(ctx, key, step, limit)
}

// Close implements ratelimit.Store; the program closes what was opened.
func (l *lateLimits) Close() error { return nil }

// limitMemory returns the limits in memory, which a reload does not reset.
func (k *kept) limitMemory(clock Clock) *ratelimit.Memory {
	k.mu.Lock()
	defer k.mu.Unlock()
	if k.limits == nil {
		k.limits = ratelimit.NewMemory(0)
		if _, system := clock.(SystemClock); !system {
			k.limits.SetClock(clock.Now)
		}
	}
	return k.limits
}

// replayMemory returns the webhooks in memory, which a reload does not forget.
func (k *kept) replayMemory() *webhook.Memory {
	k.mu.Lock()
	defer k.mu.Unlock()
	if k.replays == nil {
		k.replays = webhook.NewMemory(0)
	}
	return k.replays
}

// replays returns the store of webhooks with a name, nil for "".
func (p *Program) replays(name string) (webhook.Replays, error) {
	switch {
	case name == "":
		return nil, nil
	case name == inMemory || p.options.testing:
		return p.shared.kept.replayMemory(), nil
	case name == inRedis:
		var err error
		if name, err = p.redisURL(); err != nil {
			return nil, err
		}
	}
	client, err := p.redisClient(name)
	if err != nil {
		return nil, err
	}
	return webhook.NewRedis(client, ""), nil
}
