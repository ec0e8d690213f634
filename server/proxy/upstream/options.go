package upstream

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"net"
	"net/http"
	"time"

	"rws/server/proxy/balance"
	"rws/server/proxy/breaker"
	"rws/server/proxy/discover"
	"rws/server/proxy/health"
	"rws/server/proxy/transport"
)

// Options of a pool. The zero value of each but Name is a good default.
type Options struct {
	// Name is the name in logs, metrics and the store of breakers.
	Name string
	// Targets are the backends to begin with, and sources of backends; [Pool.Update] changes them.
	Targets []Target
	// Sources are further sources of backends to begin with, as of [discover.Func].
	Sources []discover.Source
	// Every is how often sources are asked; default 10 s.
	Every time.Duration
	// Resolver looks up the names of sources; nil means that of the system.
	Resolver *net.Resolver

	// SourceMemory is what sources have named before, by the name of the pool; nil for nothing.
	SourceMemory *discover.Memory

	Balance   Balance
	Sticky    Sticky
	SlowStart time.Duration // until a backend that came up has its full share; 0 for at once

	Health *health.Check // nil for no active checks. Its TLS and Dial default to those here
	// HealthMemory is what checks have found out before, and who was ejected; nil for nothing.
	HealthMemory *health.Memory

	Passive *health.OutlierOptions // nil for none. Its Name, OnEject, Memory and Logger are the pool's
	Breaker *breaker.Options       // nil for none. Its Name, OnChange and Logger are the pool's
	Dial    func(ctx context.Context, network, address string) (net.Conn, error)
	TLS     TLS
	Timeout Timeout
	Limits  Limits
	// ProxyProtocol 1 or 2 tells backends the address of the client in that version; see
	// [transport.WithClientAddr].
	ProxyProtocol int
	// Makers make what carries requests to backends of further schemes, as "fastcgi".
	Makers map[string]Maker
	// Transport replaces the network, as tests do: it gets all requests, with the scheme and host of
	// their backend in the URL; of a socket that is "unix:/run/app.sock" followed by the path. There are no
	// active checks then.
	Transport http.RoundTripper

	// Logger hears what happens to backends; nil means [slog.Default].
	Logger *slog.Logger
}

// A Maker makes what carries requests to one backend. Address is "host:port", or a path that begins
// with "/" for a socket file. If the result has a Close method, it is called after the last request.
type Maker func(transport.Options) (http.RoundTripper, error)

// Timeout bounds waits of the connections; see [transport.Options] for the defaults.
type Timeout struct {
	Connect, Response, ReadIdle, Idle, MaxAge time.Duration
}

// Limits bound what a pool holds.
type Limits struct {
	// Idle is how many unused connections a backend keeps; default 64.
	Idle int
	// PerBackend is how many requests a backend has under way, each of which has a connection;
	// default 256. Where requests share connections (h2 h2c grpc grpcs) it is the number of those,
	// and requests are not counted.
	PerBackend int
	// Wait is how long a request waits while all backends are full; default 1 s, negative for not
	// at all. Waiting is how many may; default 1024.
	Wait    time.Duration
	Waiting int
	// Header is how many bytes the head of an answer may have; default 64 KiB.
	Header int
}

func (l Limits) withDefaults() Limits {
	if l.PerBackend == 0 {
		l.PerBackend = 256
	}
	if l.Wait == 0 {
		l.Wait = time.Second
	}
	if l.Waiting == 0 {
		l.Waiting = 1024
	}
	return l
}

// Balance says how backends are chosen.
type Balance struct {
	// Policy is one of [balance.Policies]; default round robin.
	Policy balance.Policy
	// Header is whose value is hashed, of [balance.HeaderHash].
	Header string
	// Cookie is whose value is hashed, of [balance.CookieHash].
	Cookie string
	// Bound is [balance.Options.Bound]: 1.25 keeps a popular key from drowning its backend.
	Bound float64
}

func (o *Options) check() error {
	b := o.Balance
	switch {
	case o.Name == "":
		return errors.New("it has no name")
	case b.Policy == balance.HeaderHash && b.Header == "":
		return errors.New("header_hash needs the name of a header")
	case b.Policy == balance.CookieHash && b.Cookie == "":
		return errors.New("cookie_hash needs the name of a cookie")
	case b.Header != "" && b.Policy != balance.HeaderHash:
		return fmt.Errorf("the header %q to balance by has no use but with header_hash", b.Header)
	case b.Cookie != "" && b.Policy != balance.CookieHash:
		return fmt.Errorf("the cookie %q to balance by has no use but with cookie_hash", b.Cookie)
	case o.Limits.Idle < 0 || o.Limits.PerBackend < 0 || o.Limits.Waiting < 0 || o.Limits.Header < 0:
		return errors.New("a limit is negative: leave it out for its default")
	case o.Every < 0:
		return fmt.Errorf("sources cannot be asked every %v", o.Every)
	}
	if err := o.Sticky.check(); err != nil {
		return err
	}
	return o.balancing().Check()
}

func (o *Options) balancing() balance.Options {
	return balance.Options{Policy: o.Balance.Policy, Bound: o.Balance.Bound, SlowStart: o.SlowStart}
}
