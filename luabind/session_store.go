package luabind

import (
	"context"
	"errors"
	"time"

	"rws/server/redis"
	"rws/server/session"
)

// sessionStore is the setting, but for tests: those need no server, and have a clock of their
// own.
func (p *Program) sessionStore() string {
	if p.options.testing && p.Config.Session.Store != inCookie {
		return inMemory
	}
	return p.Config.Session.Store
}

// sessionsWait reports whether using sessions may wait for a server or a disk.
func (p *Program) sessionsWait() bool {
	store := p.sessionStore()
	return store != inMemory && store != inCookie
}

// openTime is what opening a store may take.
const openTime = 10 * time.Second

// tryStores finds out at the start whether sessions can be kept, and not when the first visitor
// comes. A file that can't be opened is an error. A server may be away for a while, so one that
// does not answer is a warning, and nobody waits for it.
func (p *Program) tryStores(ctx context.Context) error {
	if !p.sessionsWait() {
		return nil
	}
	if !isRedis(p.sessionStore()) && p.placeOf(p.sessionStore()).isSQLite() {
		if _, err := p.sessions(); err != nil {
			return settingError("session.store", p.Config, err)
		}
		return nil
	}
	go func() {
		_, err := p.sessions()
		if err == nil && isRedis(p.sessionStore()) {
			err = p.pingRedis(ctx, p.sessionStore())
		}
		if err != nil && !errors.Is(err, errClosedStores) && ctx.Err() == nil {
			p.logger.Warn("sessions can't be loaded or saved now: their store does not answer; requests that use them get 503 until it does", "store", shownURL(p.sessionStore()), "error", err)
		}
	}()
	return nil
}

func (p *Program) pingRedis(ctx context.Context, url string) error {
	client, err := p.redisClient(url)
	if err != nil {
		return err
	}
	ctx, cancel := context.WithTimeout(ctx, openTime)
	defer cancel()
	return client.Ping(ctx)
}

// sessions returns what gives requests their sessions.
func (p *Program) sessions() (*session.Manager, error) {
	return p.stores.sessions.get(func() (*session.Manager, error) {
		o := p.Config.sessionOptions()
		o.Now = p.options.Clock.Now
		o.OnError = func(err error) { p.logger.Warn("sessions", "error", err) }
		if err := p.openSessions(&o); err != nil {
			return nil, err
		}
		m, err := session.New(o)
		if err != nil {
			return nil, err
		}
		return m, p.stores.atClose(func() error { m.Close(); return nil })
	})
}

// openSessions fills in the store or the keys.
func (p *Program) openSessions(o *session.Options) (err error) {
	url := p.sessionStore()
	switch {
	case url == inMemory:
		o.Store = p.shared.kept.sessionMemory(p.options.Clock)
	case url == inCookie:
		o.Keys, err = p.secretKeys(p.Config.Session.Secret, p.Config.Secret)
	case isRedis(url):
		var client *redis.Client
		if client, err = p.redisClient(url); err == nil {
			o.Store = session.NewRedis(client, p.Config.Session.Prefix)
		}
	default:
		o.Store, err = p.openSQLSessions(url)
	}
	return err
}

// openSQLSessions makes the table. The app's own pool of a SQLite file is used, so that there is
// one writer; a server has a pool of its own for sessions, of which small statements need few
// connections, and which requests that hold all of the app's do not exhaust.
func (p *Program) openSQLSessions(url string) (session.Store, error) {
	d, err := p.pools.acquire(p.storePool(url, "sessions"))
	if err != nil {
		return nil, err
	}
	ctx, cancel := context.WithTimeout(context.Background(), openTime)
	defer cancel()
	store, err := session.NewSQL(ctx, d.DB)
	if err != nil {
		return nil, errors.Join(err, d.release())
	}
	return store, p.stores.atClose(d.release)
}

// storePool says which pool sessions or limits use: name is that of one of their own.
func (p *Program) storePool(url, name string) poolKey {
	pl := p.placeOf(url)
	p.databases.mu.Lock()
	defer p.databases.mu.Unlock()
	for _, s := range p.databases.list {
		if s.place.path != "" && s.place.url == pl.url && !s.options.ReadOnly && s.pool != nil {
			return s.pool.key
		}
	}
	return poolKey{url: pl.url, name: name}
}
