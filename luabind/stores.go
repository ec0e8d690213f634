package luabind

import (
	"errors"
	"path/filepath"
	"sync"
	"sync/atomic"

	"rws/luabind/bind"
	"rws/luabind/fault"
	"rws/server/auth/password"
	"rws/server/cache"
	"rws/server/cookie"
	"rws/server/metrics"
	"rws/server/proxy/breaker"
	"rws/server/proxy/discover"
	"rws/server/proxy/health"
	"rws/server/ratelimit"
	"rws/server/redis"
	"rws/server/secret"
	"rws/server/session"
	"rws/server/storage"
	"rws/server/webhook"
)

// stores are what a program uses to keep things outside of Lua. Each is made when it is first
// used, so that commands that only look at a script need no server, and one that failed is
// tried again.
type stores struct {
	keys     lazy[secret.Keys] // of cookies
	codec    lazy[cookie.Codec]
	sessions lazy[session.Manager]
	cache    lazy[cache.Cache]

	mu       sync.Mutex
	redis    map[string]*redis.Client // by URL
	limits   map[string]*lateLimits   // by URL
	storages map[string]storage.Store // by URL, and that of tests
	closers  []func() error           // in the order of opening
	closed   bool
}

// A lazy value is made when it is first asked for. The zero value is ready.
type lazy[T any] struct {
	mu    sync.Mutex
	value *T
}

// get returns the value, or makes it. An error is not kept.
func (l *lazy[T]) get(make func() (*T, error)) (*T, error) {
	l.mu.Lock()
	defer l.mu.Unlock()
	if l.value != nil {
		return l.value, nil
	}
	v, err := make()
	if err == nil {
		l.value = v
	}
	return v, err
}

// errClosedStores is for what comes too late.
var errClosedStores = errors.New("this version of the app has been replaced or stopped")

// atClose has f called when the program is closed; in one that is closed already it calls f
// at once and fails.
func (s *stores) atClose(f func() error) error {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.closed {
		return errors.Join(errClosedStores, f())
	}
	s.closers = append(s.closers, f)
	return nil
}

// close ends what was opened, the last first. No request uses it any more.
func (s *stores) close() error {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.closed = true
	var errs []error
	for len(s.closers) > 0 {
		last := len(s.closers) - 1
		errs = append(errs, s.closers[last]())
		s.closers = s.closers[:last]
	}
	for _, client := range s.redis {
		errs = append(errs, client.Close())
	}
	s.redis = nil
	return errors.Join(errs...)
}

// redisClient returns the pool for a URL: all isolates share it, and with it sessions, cache and
// app:redis of the same URL.
func (p *Program) redisClient(url string) (*redis.Client, error) {
	s := &p.stores
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.closed {
		return nil, errClosedStores
	}
	if client := s.redis[url]; client != nil {
		return client, nil
	}
	client, err := redis.Open(url)
	if err != nil {
		return nil, err
	}
	if s.redis == nil {
		s.redis = make(map[string]*redis.Client)
	}
	s.redis[url] = client
	return client, nil
}

// errNoSecret is what production says where development would make a secret: a file that
// appears by itself is another one on each machine and after each deployment, and what one of
// them has signed the others would refuse.
var errNoSecret = errors.New(`there is no secret to sign and encrypt with: set the variable RWS_SECRET, or app:config { secret = env.MY_SECRET }, to 32 random characters or more, as "openssl rand -hex 32" prints them`)

// secretKeys returns the keys of the app. Those of one list stand in for those of the other.
func (p *Program) secretKeys(first, second []string) (*secret.Keys, error) {
	switch {
	case len(first) > 0:
		return secret.New(first...)
	case len(second) > 0:
		return secret.New(second...)
	case p.options.testing:
		return secret.Random(), nil
	case p.Config.Production():
		return nil, bind.Errorf("secret", "%w", errNoSecret)
	}
	return secret.Load(filepath.Join(p.dir, filepath.FromSlash(secret.DefaultFile)))
}

// cookieCodec signs and encrypts cookies.
func (p *Program) cookieCodec() (*cookie.Codec, error) {
	return p.stores.codec.get(func() (*cookie.Codec, error) {
		keys, err := p.stores.keys.get(func() (*secret.Keys, error) { return p.secretKeys(p.Config.Secret, p.Config.Session.Secret) })
		if err != nil {
			return nil, err
		}
		return cookie.NewCodec(keys).WithClock(p.options.Clock.Now), nil
	})
}

// cacheOf returns the cache.
func (p *Program) cacheOf() (*cache.Cache, error) {
	return p.stores.cache.get(func() (*cache.Cache, error) {
		store, err := p.cacheStore()
		if err != nil {
			return nil, err
		}
		c := cache.New(store, cache.Options{Now: p.options.Clock.Now, OnError: func(err error) { p.logCache(err) }})
		return c, p.stores.atClose(c.Close)
	})
}

func (p *Program) cacheStore() (cache.Store, error) {
	if !p.cacheWaits() {
		return p.shared.kept.cacheMemory(p.Config.Cache.Size, p.options.Clock)
	}
	client, err := p.redisClient(p.Config.Cache.URL)
	if err != nil {
		return nil, err
	}
	return cache.NewRedis(client, p.Config.Cache.Prefix), nil
}

// cacheWaits reports whether the cache is on a server; that of tests never is.
func (p *Program) cacheWaits() bool { return p.Config.Cache.URL != inMemory && !p.options.testing }

// logCache notes what fails where no request waits for it.
func (p *Program) logCache(err error) {
	e := asFault(err)
	p.logger.Warn("cache: "+e.Message, "error", e)
}

// kept is the part of the stores that outlives a reload, like app.shared. It ends with the
// last program that uses it.
type kept struct {
	mu       sync.Mutex
	users    int
	sessions *session.Memory
	files    map[string]*storage.Memory // by URL
	cache    *cache.Memory
	size     int64
	hasher   *password.Hasher
	limits   *ratelimit.Memory
	replays  *webhook.Memory
	breakers *breaker.Memory
	notes    *breaker.Notes
	checks   *health.Memory   // of backends
	sources  *discover.Memory // of them, too
	metrics  *metrics.Registry
	present  atomic.Pointer[Program] // whose isolates the metrics are about
	ledger   ledger
	refused  refusals
}

func (k *kept) acquire() {
	k.mu.Lock()
	defer k.mu.Unlock()
	k.users++
}

func (k *kept) release() error {
	k.mu.Lock()
	defer k.mu.Unlock()
	if k.users--; k.users > 0 || k.cache == nil {
		return nil
	}
	old := k.cache
	k.cache, k.sessions = nil, nil
	return old.Close()
}

func (k *kept) sessionMemory(clock Clock) *session.Memory {
	k.mu.Lock()
	defer k.mu.Unlock()
	if k.sessions == nil {
		k.sessions = session.NewMemory(0)
		k.sessions.SetClock(clock.Now)
	}
	return k.sessions
}

// cacheMemory returns the cache in memory; a new size makes a new one.
func (k *kept) cacheMemory(size int64, clock Clock) (cache.Store, error) {
	k.mu.Lock()
	defer k.mu.Unlock()
	if k.cache != nil && k.size == size {
		return lent{k.cache}, nil
	}
	m, err := cache.NewMemory(size)
	if err != nil {
		return nil, &fault.Error{Code: "option", Message: "the setting cache.size: " + err.Error(), Cause: err}
	}
	m.SetClock(clock.Now)
	if k.cache != nil {
		_ = k.cache.Close() // it can still be used, by the program that is being replaced
	}
	k.cache, k.size = m, size
	return lent{m}, nil
}

// lent is a store that its user does not close.
type lent struct{ cache.Store }

func (lent) Close() error { return nil }

// passwords returns the hasher: one for the whole process, because it bounds the memory that
// all hashing takes.
func (k *kept) passwords() (*password.Hasher, error) {
	k.mu.Lock()
	defer k.mu.Unlock()
	if k.hasher == nil {
		h, err := password.New(password.Options{})
		if err != nil {
			return nil, err
		}
		k.hasher = h
	}
	return k.hasher, nil
}
