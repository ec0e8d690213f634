// Package basic guards handlers with names and passwords (RFC 7617). The users come from a list
// or from an htpasswd file, which is read again when it changes.
//
// Passwords are sent with every request: use it under TLS only, or on loopback.
//
// The reading of the file is its own, as tg123/go-htpasswd knows no line numbers and takes what
// is no hash for a password; the old hashes of Apache are checked by that package.
package basic

import (
	"context"
	"crypto/sha256"
	"encoding/hex"
	"errors"
	"fmt"
	"hash/maphash"
	"log/slog"
	"net/http"
	"strconv"
	"strings"
	"time"

	"rws/server/auth/password"
	"rws/server/exchange"
	"rws/server/problem"
	"rws/server/ratelimit"
	"rws/server/secret"
)

// Defaults of [Options].
const (
	DefaultRealm    = "restricted"
	DefaultRemember = time.Minute
	DefaultAttempts = 10 // a minute
)

// Options of a guard. Either Users or File must be set.
type Options struct {
	// Users are hashes by name: argon2id, argon2i, scrypt or bcrypt, as [password.Hasher] reads,
	// or {SHA} or $apr1$ of htpasswd, which are weak. Passwords as they are, are refused.
	Users map[string]string
	// File is an htpasswd file with such hashes. It is looked at every second in which
	// somebody comes. One that is broken or gone is logged, at most once a minute, and the users
	// stay as they were; one that has become empty lets nobody in any more.
	File string
	// Realm is shown to people who are asked for a password.
	Realm string
	// Hasher verifies; nil means one of its own. Share one to bound the memory of all hashing.
	Hasher *password.Hasher
	// Remember is how long a password that was right is not verified again, as that costs much
	// more than most requests; negative verifies each time. A keyed hash is kept, in memory.
	Remember time.Duration
	// Attempts is how often one client may have a password verified for one name, and ten
	// times as often for any names. Who goes on is answered with 429; a password that is
	// remembered passes all the same. The zero value means DefaultAttempts a minute.
	Attempts ratelimit.Rate
	// Store counts attempts; nil means memory. When it is down nobody new enters.
	Store ratelimit.Store
	// Log is told of broken files and weak hashes; nil means [slog.Default].
	Log *slog.Logger
}

// Guard lets users in. Safe for concurrent use; made by [New].
type Guard struct {
	o             Options
	users         source
	remembered    remembered
	byName, byIP  *ratelimit.Limiter
	challenge     string
	keys          *secret.Purpose // of this process
	seed          maphash.Seed    // of this process
	verifications func()          // for tests: called when a password is verified
}

// New returns a guard, or an error for options that guard nothing and files that are broken.
func New(o Options) (*Guard, error) {
	g, err := newGuard(o)
	if err != nil {
		return nil, fmt.Errorf("basic auth: %w", err)
	}
	return g, nil
}

func newGuard(o Options) (*Guard, error) {
	if err := o.complete(); err != nil {
		return nil, err
	}
	g := &Guard{o: o, keys: secret.Random().For("basic"), seed: maphash.MakeSeed(), verifications: func() {},
		challenge: `Basic realm="` + o.Realm + `", charset="UTF-8"`}
	var err error
	if g.users, err = o.source(); err != nil {
		return nil, err
	}
	wide := o.Attempts
	wide.Count, wide.Burst = wide.Count*10, wide.Burst*10
	if g.byName, err = ratelimit.New(o.Store, "basic:name:"+o.Realm, o.Attempts); err != nil {
		return nil, err
	}
	g.byIP, err = ratelimit.New(o.Store, "basic:ip:"+o.Realm, wide)
	return g, err
}

func (o *Options) complete() (err error) {
	switch {
	case len(o.Users) == 0 && o.File == "":
		return errors.New("no users and no file are given, so nobody could enter")
	case len(o.Users) > 0 && o.File != "":
		return errors.New("users and a file are given; use one of the two")
	}
	if o.Realm == "" {
		o.Realm = DefaultRealm
	}
	if strings.ContainsFunc(o.Realm, func(c rune) bool { return c < ' ' || c > '~' || c == '"' || c == '\\' }) {
		return fmt.Errorf(`the realm %q: use letters, digits and signs but \ and "`, o.Realm)
	}
	if o.Remember == 0 {
		o.Remember = DefaultRemember
	}
	if o.Attempts == (ratelimit.Rate{}) {
		o.Attempts = ratelimit.Rate{Count: DefaultAttempts, Per: time.Minute}
	}
	if o.Store == nil {
		o.Store = ratelimit.NewMemory(0)
	}
	if o.Log == nil {
		o.Log = slog.Default()
	}
	if o.Hasher == nil {
		o.Hasher, err = password.New(password.Options{})
	}
	return err
}

// Wrap guards next. The User of the exchange is {"name": …}.
func (g *Guard) Wrap(next http.Handler) http.Handler {
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		e, r := exchange.Of(r)
		name, ok, err := g.enter(r, e)
		switch {
		case err != nil:
			g.fail(w, r, e, err)
		case !ok:
			problem.Write(w, r, problem.Details{Status: http.StatusUnauthorized, ID: e.ID(),
				Detail: "A name and a password are needed.", Extra: http.Header{"Www-Authenticate": {g.challenge}}})
		default:
			e.User = map[string]any{"name": name}
			next.ServeHTTP(w, r)
		}
	})
}

// enter says who comes. The error means that this cannot be said.
func (g *Guard) enter(r *http.Request, e *exchange.Exchange) (name string, ok bool, err error) {
	if len(r.Header["Authorization"]) != 1 { // of two, another reader may take the other
		return "", false, nil
	}
	name, pass, ok := r.BasicAuth()
	if !ok || len(pass) > password.MaxLength || len(name) > maxName {
		return "", false, nil
	}
	hash, known := g.users.users().find(name, g.seed)
	if hash.text == "" { // there is nobody
		return "", false, nil
	}
	key := g.key(name, pass, hash.text)
	if g.remembered.has(key) && known {
		return name, true, nil
	}
	if err := g.attempt(r.Context(), name, e); err != nil {
		return "", false, err
	}
	right, err := g.verify(r.Context(), hash, pass)
	if !right || !known || err != nil {
		return "", false, err
	}
	g.remembered.add(key, g.o.Remember)
	return name, true, nil
}

func (g *Guard) verify(ctx context.Context, h hash, pass string) (bool, error) {
	g.verifications()
	if h.old != nil {
		return h.old.MatchesPassword(pass), nil
	}
	return g.o.Hasher.Verify(ctx, h.text, pass)
}

// tooOften is the error for somebody who has tried too often.
type tooOften struct{ wait time.Duration }

func (e tooOften) Error() string { return "too many attempts to log in" }

// attempt counts one.
func (g *Guard) attempt(ctx context.Context, name string, e *exchange.Exchange) error {
	client := clientKey(e.ClientIP())
	sum := sha256.Sum256([]byte(name)) // names are of any length and no business of a store
	for _, count := range []struct {
		limiter *ratelimit.Limiter
		key     string
	}{{g.byName, client + " " + hex.EncodeToString(sum[:16])}, {g.byIP, client}} {
		r, err := count.limiter.Take(ctx, count.key)
		if err != nil {
			return err
		}
		if !r.Allowed {
			return tooOften{r.RetryAfter}
		}
	}
	return nil
}

// fail answers for what is neither a yes nor a no.
func (g *Guard) fail(w http.ResponseWriter, r *http.Request, e *exchange.Exchange, err error) {
	e.Fault = err
	d := problem.Details{Status: http.StatusServiceUnavailable, ID: e.ID(), Detail: "Passwords cannot be checked at the moment."}
	if often, ok := errors.AsType[tooOften](err); ok {
		seconds := int(often.wait/time.Second) + 1
		d.Status, d.Detail = http.StatusTooManyRequests, "Too many attempts to log in."
		d.Extra = http.Header{"Retry-After": {strconv.Itoa(seconds)}}
	}
	problem.Write(w, r, d)
}
