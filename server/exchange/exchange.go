// Package exchange holds one request on its way through the engine.
//
// An [Exchange] is made once for each request and is the context that the request carries, so
// every layer finds it with [From] and shares what it has learned: the id, the route, the
// parameters, the error for the log.
//
// Handlers, middleware and the tables of a front end use it; the server makes it. Tests and
// in-process requests make their own with [New].
package exchange

import (
	"context"
	"net/http"
	"net/netip"
	"sync"
	"time"

	"rws/server/cancel"
	"rws/server/router"
)

// Exchange is one request and what became of it. The fields belong to the goroutine that
// answers the request; the methods are safe for concurrent use, so the Exchange can be the
// context of other goroutines.
//
// As a context it ends with the request, at the deadline of [Exchange.Limit], or when the
// [Life] it is part of is cut short.
type Exchange struct {
	context.Context // of the request as it came in

	Start     time.Time     // when the header had been read
	Route     string        // the pattern that matched, "" before routing and when none did
	RouteName string        // the name of that route, often ""
	Params    router.Params // of the match

	// Fault is what failed, for the log (Err is the method of the context). A handler that sets it and writes nothing is answered
	// for by the app's Fail; once something is written it is only logged, and a handler that wants
	// the client to notice panics with [http.ErrAbortHandler].
	Fault error

	// Client is the address of the client when something knows better than the connection,
	// such as middleware that trusts a proxy. The zero value means the peer of the connection.
	Client netip.Addr

	// BodyUntil is when reading the request body ends with [context.DeadlineExceeded], whatever the
	// client still sends. Set it before the first read; the zero value means never.
	BodyUntil time.Time

	// User is who the request comes from, set by the guard that made sure; nil means nobody. It
	// is made of what JSON knows, with int64 and float64 for numbers: the claims of a token, or
	// a map with at least a "name". Nobody changes it: other requests may have the same.
	// Identity travels here and never in a header, which a client could send as well.
	User any

	// Secure says that the client spoke TLS with a proxy that middleware trusts. TLS with ourselves
	// is in the TLS field of the request.
	Secure bool

	// EarlyData says that the request may be one that somebody has recorded and sends again, for it came
	// before TLS was sure of the client (RFC 8470). It does no harm to repeat it here; a server behind us,
	// which can't know, is told by "Early-Data: 1".
	EarlyData bool

	// Private says that the answer is for this client alone, whatever its header says: no shared cache
	// keeps it.
	Private bool

	// Data is for the front end that owns the handlers: what it keeps for a request.
	Data any

	// Server is for the server that made the Exchange: what it keeps for a request.
	Server any

	bodyLimit   int64 // see LimitBody
	bodyLimited bool

	remote string // RemoteAddr
	host   string // see Host
	serial uint64 // the number of this request, for the id we make
	life   *Life

	own cancel.Context

	mu       sync.Mutex
	id       string    // that the client sent or [Exchange.SetID] set, "" for one we make
	deadline time.Time // zero for none
	tied     bool      // what may end own does so; see tie
	outlives bool      // see Outlive
	untie    [2]func() bool
	timer    *time.Timer
}

// New makes the Exchange of r, outside of any [Life]. r should then carry it:
//
//	r = r.WithContext(exchange.New(r))
func New(r *http.Request) *Exchange {
	e := &Exchange{}
	e.Begin(r, nil)
	return e
}

// Begin makes e, a zero Exchange that may be part of a bigger value, the one of r. A nil life
// never ends.
func (e *Exchange) Begin(r *http.Request, life *Life) {
	e.Context = r.Context()
	e.Start = time.Now()
	e.remote, e.host = r.RemoteAddr, r.Host
	e.SetID(sentID(r.Header))
	e.serial = serial.Add(1)
	e.life = life
}

// Host is the host that the client asked for, with the port if it sent one: that of the request may be
// another by now, as middleware makes it. "" for a request of HTTP/1.0 without.
func (e *Exchange) Host() string { return e.host }

// Follow has e, which stands for something done behind another request, know of that one's client.
func (e *Exchange) Follow(other *Exchange) {
	e.Client, e.Secure, e.remote, e.host = other.Client, other.Secure, other.remote, other.host
}

// From finds the Exchange that ctx is, or descends from; nil when there is none.
func From(ctx context.Context) *Exchange {
	if e, ok := ctx.(*Exchange); ok {
		return e
	}
	e, _ := ctx.Value(key{}).(*Exchange)
	return e
}

// Of returns the Exchange of r, and r itself; where there is none, as in a handler that no
// server calls, a new one and a request that carries it.
func Of(r *http.Request) (*Exchange, *http.Request) {
	if e := From(r.Context()); e != nil {
		return e, r
	}
	e := New(r)
	return e, r.WithContext(e)
}

type key struct{}

// ClientIP is the address of the client: Client if that is set, else the peer of the
// connection. It is the zero Addr for unix sockets and in-process requests without RemoteAddr.
func (e *Exchange) ClientIP() netip.Addr {
	if e.Client.IsValid() {
		return e.Client
	}
	peer, err := netip.ParseAddrPort(e.remote)
	if err != nil {
		return netip.Addr{}
	}
	return peer.Addr().Unmap()
}

// Detacher is what a server keeps in Server that can answer a request which nobody waits for.
type Detacher interface {
	Detach(r *http.Request, limit time.Duration, f func(http.ResponseWriter, *http.Request)) bool
}

// CanDetach reports whether [Exchange.Detach] has a server to do it.
func (e *Exchange) CanDetach() bool {
	_, ok := e.Server.(Detacher)
	return ok
}

// Detach calls f in the background with r in an Exchange of its own, which has the route of this one
// and no user, ends after limit, and belongs to the app as every request does: it is waited for
// when the app is replaced. What f writes goes nowhere. It reports false, and has done nothing, when
// the app takes no more requests.
func (e *Exchange) Detach(r *http.Request, limit time.Duration, f func(http.ResponseWriter, *http.Request)) bool {
	d, ok := e.Server.(Detacher)
	return ok && d.Detach(r, limit, f)
}
