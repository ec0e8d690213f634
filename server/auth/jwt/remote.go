package jwt

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"net/http"
	"net/netip"
	"net/url"
	"sync"
	"time"

	"rws/server/client"
)

// Defaults of [RemoteOptions].
const (
	DefaultRefresh  = 15 * time.Minute
	DefaultCooldown = 10 * time.Second
	DefaultStale    = 24 * time.Hour
	DefaultTimeout  = 5 * time.Second
)

// RemoteOptions say where keys are published.
type RemoteOptions struct {
	// URL of the JWKS, with https. http is for loopback, or with Plain for any host: whoever
	// is on the way can put his own key there.
	URL   string
	Plain bool
	// Client that fetches; nil means one of its own.
	Client *client.Client
	// Timeout of a fetch.
	Timeout time.Duration
	// Refresh is how old the keys get before they are fetched anew, while the old are in use.
	Refresh time.Duration
	// Cooldown is how long after a fetch a token with an unknown key id brings about another:
	// so a provider may change its keys at any time, and nobody can make us flood it.
	Cooldown time.Duration
	// Stale is how old keys may get when they cannot be fetched anew. After that nothing is
	// verified.
	Stale time.Duration
	// Log is told of fetches that fail; nil means [slog.Default].
	Log *slog.Logger
}

// Remote are keys that somebody publishes. They are fetched when the first token comes, and
// then now and then as tokens come. Made by [NewRemote].
//
// It has a cache of its own and not that of MicahParks/keyfunc, which reads an answer of any
// size, and keeps a goroutine running for each set.
type Remote struct {
	o     RemoteOptions
	own   bool // the client
	ctx   context.Context
	close context.CancelFunc
	work  sync.WaitGroup

	mu      sync.Mutex
	keys    Keys
	fetched time.Time     // when keys were fetched
	tried   time.Time     // when the last fetch began
	err     error         // of the last fetch
	flight  chan struct{} // closed when the fetch under way is over; nil when there is none
}

var _ Source = (*Remote)(nil)

// NewRemote checks the options. It does not fetch yet, since a provider that is down must not
// keep a server from starting: [Remote.Fetch] does.
func NewRemote(o RemoteOptions) (*Remote, error) {
	if err := o.checkURL(); err != nil {
		return nil, fmt.Errorf("jwt: the address of the key set: %w", err)
	}
	for _, d := range []struct {
		value    *time.Duration
		standard time.Duration
	}{{&o.Timeout, DefaultTimeout}, {&o.Cooldown, DefaultCooldown}, {&o.Refresh, max(DefaultRefresh, o.Cooldown)}, {&o.Stale, max(DefaultStale, o.Refresh)}} {
		if *d.value == 0 {
			*d.value = d.standard
		}
		if *d.value < 0 {
			return nil, fmt.Errorf("jwt: the key set: a time of %s: must be positive", *d.value)
		}
	}
	if o.Cooldown > o.Refresh || o.Refresh > o.Stale {
		return nil, fmt.Errorf("jwt: the key set: cooldown (%s), refresh (%s) and stale (%s) must not be shorter than the one before", o.Cooldown, o.Refresh, o.Stale)
	}
	if o.Log == nil {
		o.Log = slog.Default()
	}
	r := &Remote{o: o}
	if o.Client == nil {
		r.own, r.o.Client = true, client.New(client.Options{})
	}
	r.ctx, r.close = context.WithCancel(context.Background())
	return r, nil
}

func (o RemoteOptions) checkURL() error {
	u, err := url.Parse(o.URL)
	switch {
	case o.URL == "":
		return errors.New("it is empty: is its environment variable set?")
	case err != nil || u.Host == "" || u.Scheme != "https" && u.Scheme != "http":
		return errors.New("want an absolute URL with https")
	case u.Scheme == "http" && !o.Plain && !loopback(u.Hostname()):
		return fmt.Errorf("%s has no TLS, so anybody on the way can put keys there; use https", u.Host)
	}
	return nil
}

func loopback(host string) bool {
	ip, err := netip.ParseAddr(host)
	return host == "localhost" || err == nil && ip.IsLoopback()
}

// Close ends a fetch under way and waits for it. Keys that are known stay in use.
func (r *Remote) Close() {
	r.mu.Lock()
	r.close() // after that start begins nothing
	r.mu.Unlock()
	r.work.Wait()
	if r.own {
		r.o.Client.Close()
	}
}

// Fetch fetches the keys now, to find out at the start whether that works.
func (r *Remote) Fetch(ctx context.Context) error {
	r.mu.Lock()
	flight := r.start()
	r.mu.Unlock()
	if err := r.wait(ctx, flight); err != nil {
		return err
	}
	r.mu.Lock()
	defer r.mu.Unlock()
	return r.err
}

// Find implements [Source]. A key with an unknown id may be a new one: while no keys can be fetched
// the error is [ErrKeys].
func (r *Remote) Find(ctx context.Context, id, algorithm string) ([]*Key, error) {
	keys, err := r.current(ctx)
	if err != nil {
		return nil, err
	}
	found, _ := keys.Find(ctx, id, algorithm) // which never fails
	if len(found) > 0 || id == "" {
		return found, nil
	}
	if r.renew(ctx) {
		if keys, err = r.current(ctx); err != nil {
			return nil, err
		}
		found, _ = keys.Find(ctx, id, algorithm)
	}
	if len(found) > 0 {
		return found, nil
	}
	return nil, r.unknown(ctx)
}

// unknown is nil if an id that is not known is surely not published: the last fetch had an answer.
func (r *Remote) unknown(ctx context.Context) error {
	r.mu.Lock()
	defer r.mu.Unlock()
	switch {
	case ctx.Err() != nil:
		return ctx.Err()
	case r.err != nil:
		return fmt.Errorf("%w: %w", ErrKeys, r.err)
	}
	return nil
}

// current is the set in use. It is waited for only when there is none.
func (r *Remote) current(ctx context.Context) (Keys, error) {
	r.mu.Lock()
	keys, age, flight := r.keys, time.Since(r.fetched), r.flight
	if age > r.o.Refresh && time.Since(r.tried) > r.o.Cooldown {
		flight = r.start()
	}
	if keys != nil && age <= r.o.Stale {
		r.mu.Unlock()
		return keys, nil
	}
	r.mu.Unlock()
	if flight != nil {
		if err := r.wait(ctx, flight); err != nil {
			return nil, err
		}
	}
	r.mu.Lock()
	defer r.mu.Unlock()
	if r.keys == nil || time.Since(r.fetched) > r.o.Stale {
		return nil, fmt.Errorf("%w: %w", ErrKeys, r.err)
	}
	return r.keys, nil
}

// renew fetches once more unless that was done a moment ago, and reports whether it did.
func (r *Remote) renew(ctx context.Context) bool {
	r.mu.Lock()
	flight := r.flight
	if flight == nil && time.Since(r.tried) > r.o.Cooldown {
		flight = r.start()
	}
	r.mu.Unlock()
	return flight != nil && r.wait(ctx, flight) == nil
}

func (r *Remote) wait(ctx context.Context, flight chan struct{}) error {
	select {
	case <-flight:
		return nil
	case <-ctx.Done():
		return ctx.Err()
	}
}

// start begins a fetch unless one is under way; called with mu held.
func (r *Remote) start() chan struct{} {
	if r.flight != nil {
		return r.flight
	}
	r.flight, r.tried = make(chan struct{}), time.Now()
	if r.err = r.ctx.Err(); r.err != nil {
		over := r.flight
		close(over)
		r.flight = nil
		return over
	}
	r.work.Go(func() {
		keys, err := r.fetch()
		r.mu.Lock()
		defer r.mu.Unlock()
		if r.err = err; err == nil {
			r.keys, r.fetched = keys, time.Now()
		}
		close(r.flight)
		r.flight = nil
	})
	return r.flight
}

func (r *Remote) fetch() (Keys, error) {
	keys, err := r.get()
	if err != nil {
		err = fmt.Errorf("fetching the key set: %w", err)
		r.o.Log.LogAttrs(r.ctx, slog.LevelError, "the keys for tokens cannot be fetched", slog.String("err", err.Error()))
	}
	return keys, err
}

func (r *Remote) get() (Keys, error) {
	res, err := r.o.Client.Do(r.ctx, client.Request{
		URL: r.o.URL, Timeout: r.o.Timeout, MaxBody: MaxKeySet, MaxRedirects: client.NoRedirects,
		Header: http.Header{"Accept": {"application/jwk-set+json, application/json"}},
	})
	if err != nil {
		return nil, err
	}
	if res.Status != http.StatusOK {
		return nil, fmt.Errorf("%s answered with status %d", res.URL, res.Status)
	}
	return parseJSON(res.Body, false)
}
