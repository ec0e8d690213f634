// Package session remembers a client between its requests.
//
// A [Manager] gives each request a [Session], which costs nothing until it is used: then the
// record that the cookie names is loaded from a [Store], and [Session.Save], called before the
// header goes out, writes it back if it was changed. Requests of one session that run at the
// same time do not lose each other's changes: those of different keys are merged.
//
// The cookie has 128 random bits, of which the store knows a hash. An id that no store knows is
// never adopted, and a new one is given out when the user changes, so nobody can make a client
// log in to a session that he knows. Without a store the whole session is in the cookie, sealed.
//
// The package has stores of its own and not those of alexedwards/scs: that one replaces a
// whole session with each save, keeps the plain token as the key, and knows no users.
package session

import (
	"context"
	"crypto/rand"
	"crypto/sha256"
	"encoding/base64"
	"errors"
	"fmt"
	"net/http"
	"sync"
	"time"

	"rws/server/cookie"
	"rws/server/secret"
)

// Defaults of [Options].
const (
	DefaultName     = "rws_sid"
	DefaultIdle     = 24 * time.Hour
	DefaultAbsolute = 30 * 24 * time.Hour
	DefaultMaxSize  = 64 << 10 // bytes of JSON
	DefaultUserKey  = "uid"
	DefaultPurge    = 10 * time.Minute
)

// firstPurge is how long after the start what ended before is removed.
const firstPurge = time.Minute

// ErrNoStore is returned for what needs a list of sessions when they are in cookies.
var ErrNoStore = errors.New("session: sessions that are kept in cookies cannot be listed or revoked; use a store: memory, a database or Redis")

// Options of a manager. Either Store or Keys must be set.
type Options struct {
	// Store keeps the sessions. nil keeps them in the cookie itself, sealed with Keys: then the
	// browser's limit of 4096 bytes holds, of two requests at the same time the last one wins,
	// and a copy of the cookie is good until it ends, whatever is done here.
	Store Store
	Keys  *secret.Keys

	// Name of the cookie; "__Host-" is put in front under TLS where that is possible.
	Name string
	// Cookie has Path, Domain, SameSite and so on; its MaxAge is not used.
	Cookie cookie.Options

	// Idle is how long a session lasts without a request that uses it. It is noted at most
	// every twentieth of it, or 5 minutes, so a session may end that much earlier.
	Idle time.Duration
	// Absolute is how long a session lasts in all, from its last login.
	Absolute time.Duration
	// MaxSize of the data as JSON.
	MaxSize int
	// UserKey is the key in the data that says whose session it is, as a string or number. When
	// it changes, the id is renewed; List and RevokeUser go by it.
	UserKey string
	// Purge is how often what has ended is removed from the store; the first time after a minute.
	Purge time.Duration
	// OnError is told of failures that no request waits for. nil ignores them.
	OnError func(error)
	// Now is the clock, for tests; see [Memory.SetClock] for that of the store. Default: time.Now.
	Now func() time.Time
}

// Manager makes sessions. Safe for concurrent use; made by [New].
type Manager struct {
	o      Options
	keeper keeper
	stop   context.CancelFunc
	purger sync.WaitGroup
}

// New checks the options, fills in defaults and begins to purge. Close ends that; the store's
// database is the caller's to close, after it.
func New(o Options) (*Manager, error) {
	o = o.filled()
	if err := o.check(); err != nil {
		return nil, err
	}
	m := &Manager{o: o}
	ctx, stop := context.WithCancel(context.Background())
	m.stop = stop
	if o.Store == nil {
		m.keeper = &sealed{purpose: o.Keys.For("session"), now: o.Now}
		return m, nil
	}
	m.keeper = &stored{store: o.Store}
	m.purger.Go(func() { m.purge(ctx) })
	return m, nil
}

func (o Options) filled() Options {
	if o.Name == "" {
		o.Name = DefaultName
	}
	if o.Idle == 0 {
		o.Idle = DefaultIdle
	}
	if o.Absolute == 0 {
		o.Absolute = max(DefaultAbsolute, o.Idle)
	}
	if o.MaxSize == 0 {
		o.MaxSize = DefaultMaxSize
	}
	if o.UserKey == "" {
		o.UserKey = DefaultUserKey
	}
	if o.Purge == 0 {
		o.Purge = DefaultPurge
	}
	if o.OnError == nil {
		o.OnError = func(error) {}
	}
	if o.Now == nil {
		o.Now = time.Now
	}
	return o
}

func (o Options) check() error {
	switch {
	case o.Store == nil && o.Keys == nil:
		return errors.New("session: neither a store nor keys are given; without a store the cookies need keys")
	case o.Idle < time.Second || o.Absolute < o.Idle:
		return fmt.Errorf("session: an idle time of %s and %s in all: the first must be a second at least, and not longer than the second", o.Idle, o.Absolute)
	case o.MaxSize < 64 || o.Purge < 0:
		return fmt.Errorf("session: a size of %d bytes, purged every %s, makes no sense", o.MaxSize, o.Purge)
	}
	// Both names are tried, so that a mistake is found at the start and not by the first visitor.
	for _, tls := range []bool{false, true} {
		if err := cookie.Set(http.Header{}, o.name(tls), "x", o.Cookie, tls); err != nil {
			return fmt.Errorf("session: %w", err)
		}
	}
	return nil
}

// name of the cookie, with the prefix that keeps neighbour hosts from setting it where possible.
func (o Options) name(tls bool) string {
	secure := tls && (o.Cookie.Secure == nil || *o.Cookie.Secure)
	if secure && o.Cookie.Domain == "" && (o.Cookie.Path == "" || o.Cookie.Path == "/") {
		return "__Host-" + o.Name
	}
	return o.Name
}

// Close ends the purging. Sessions can still be used.
func (m *Manager) Close() {
	m.stop()
	m.purger.Wait()
}

func (m *Manager) purge(ctx context.Context) {
	// Soon after the start, too: a process that never runs for long would never purge.
	tick := time.NewTimer(min(m.o.Purge, firstPurge))
	defer tick.Stop()
	for {
		select {
		case <-ctx.Done():
			return
		case <-tick.C:
		}
		tick.Reset(m.o.Purge)
		if _, err := m.o.Store.Purge(ctx, m.o.Now()); err != nil && ctx.Err() == nil {
			m.o.OnError(fmt.Errorf("session: removing what has ended: %w", err))
		}
	}
}

// Purge removes what has ended, which also happens by itself, and returns how many it were.
func (m *Manager) Purge(ctx context.Context) (int, error) {
	if m.o.Store == nil {
		return 0, nil
	}
	return m.o.Store.Purge(ctx, m.o.Now())
}

// Start returns the session of a request. It does nothing yet. tls says whether the client
// came over TLS, to us or to a proxy that is trusted.
func (m *Manager) Start(h http.Header, tls bool) *Session {
	s := &Session{m: m, tls: tls}
	s.token, _ = cookie.Get(h, m.o.name(tls))
	return s
}

// Info describes a session to those who look after them. What is in it is not shown.
type Info struct {
	ID                     string // good for Revoke; nobody can log in with it
	User                   string
	Keys                   []string
	Size                   int // bytes of JSON
	Created, Seen, Expires time.Time
}

func (r *Record) info(d data) Info {
	return Info{ID: r.ID, User: r.User, Keys: d.keys(), Size: len(r.Data), Created: r.Created, Seen: r.Seen, Expires: r.Expires}
}

// List returns up to limit sessions of a user, or with "" of everybody.
func (m *Manager) List(ctx context.Context, user string, limit int) ([]Info, error) {
	if m.o.Store == nil {
		return nil, ErrNoStore
	}
	records, err := m.o.Store.List(ctx, user, limit)
	if err != nil {
		return nil, err
	}
	list := make([]Info, 0, len(records))
	for _, r := range records {
		d, err := parseData(r.Data)
		if err != nil {
			return nil, err
		}
		list = append(list, r.info(d))
	}
	return list, nil
}

// Revoke ends a session by the ID of its Info and reports whether there was one.
func (m *Manager) Revoke(ctx context.Context, id string) (bool, error) {
	if m.o.Store == nil {
		return false, ErrNoStore
	}
	return m.o.Store.Remove(ctx, id, 0)
}

// RevokeUser ends all sessions of a user, but for those with the given IDs, and returns how many
// it were. Call it when a password changes, except for [Session.ID].
func (m *Manager) RevokeUser(ctx context.Context, user string, except ...string) (int, error) {
	switch {
	case m.o.Store == nil:
		return 0, ErrNoStore
	case user == "":
		return 0, errors.New("session: revoking the sessions of a user needs the user")
	}
	return revokeUser(ctx, m.o.Store, user, except)
}

const (
	tokenLength = 22 // 128 bits in base64
	idLength    = 43 // 256 bits
)

// newToken returns what the client gets.
func newToken() string {
	b := make([]byte, 16)
	rand.Read(b) // never fails
	return base64.RawURLEncoding.EncodeToString(b)
}

// idOf returns what the store knows of a token: a hash needs no salt where nothing can be
// guessed.
func idOf(token string) string {
	sum := sha256.Sum256([]byte(token))
	return base64.RawURLEncoding.EncodeToString(sum[:])
}
