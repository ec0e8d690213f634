// Package proxy passes requests on to the backends of a pool.
//
// A [Handler], made by [New], is an [http.Handler]: it rebuilds the request for the backend, sends it,
// tries another backend where that is safe, and streams the answer to the client, neither of them ever
// held in memory. HTTP/1.1, HTTP/2 and gRPC go through it, and upgrades such as WebSocket. [Canary] and
// [Mirror] are handlers over others.
//
// What it takes from a message and what it adds is RFC 9110 §7.6: fields that are about the connection,
// those that its Connection field names, and what a client says of itself as only proxies may
// (X-Forwarded-For and the like) stay behind; paths that a backend could read differently than the
// routes before it are refused.
//
// Whose fault a failure is decides what comes of it: what a client does wrong is answered 4xx, is never
// tried again and never counts against a backend.
package proxy

import (
	"errors"
	"fmt"
	"log/slog"
	"net/http"
	"strings"
	"sync/atomic"
	"time"

	"golang.org/x/net/http/httpguts"

	"rws/server/proxy/upstream"
)

// Options of a [Handler]. All but Pool have good defaults.
type Options struct {
	Pool *upstream.Pool // needed; whoever made it closes it

	// Strip is a prefix of paths to leave out, by whole segments: "/api". A path without it stays as it
	// is. The backend finds it in X-Forwarded-Prefix.
	Strip string
	// Rewrite are rules for the path, applied one after the other, each to what the last has made. They
	// see it without Strip, decoded but for "%2F", "%5C", "%25", "%3F" and "%23". The query is kept.
	Rewrite []Rule
	Paths   Paths // which paths are passed on that are easily misread

	// Host is the Host that the backend sees: "upstream" for that of its URL, "keep" for that of the
	// client, or any name. Default "upstream" for backends over TLS, whose certificate and virtual host
	// go by that name, and "keep" for others, whose links, cookies and WebSocket origins go by the client's.
	// The client's is always in X-Forwarded-Host.
	Host string
	// Request edits what the backend gets, Response what it answers, also before the answer, as 103 is.
	Request, Response Edits
	// Forwarded adds the field of that name (RFC 7239) beside X-Forwarded-For, -Proto and -Host.
	Forwarded bool
	// Protect are names of request fields, with "*" at an end for many, that a client's Connection field
	// cannot have removed, beside the usual ones: what guards before the proxy set.
	Protect []string
	// MatchSNI answers 421 when the host of the request is not the one that the TLS connection was made
	// for: where clients are asked for certificates by host.
	MatchSNI bool

	MaxBody int64 // bytes of request body, more is answered 413; 0 for no limit but the server's
	Timeout Timeout
	Retry   Retry
	Hedge   Hedge

	// OnRequest sees the request that is about to be sent, and may change it, or answer in its place by
	// writing to w. An error is answered as one of a handler is: 500, or what its HTTPStatus() says.
	OnRequest func(w http.ResponseWriter, in, out *http.Request) error
	// OnResponse sees the answer that is about to be passed on, and may change its status and header; the
	// body is none of its business. An error is as with OnRequest; that of an upgrade, a 101, closes the
	// connection to the backend. Not called for what comes before the answer, as 103 does.
	OnResponse func(in *http.Request, res *http.Response) error
	// Fallback answers when no backend can be reached.
	Fallback http.Handler

	Logger *slog.Logger // hears of tries that failed and were repeated; default slog.Default()
}

// Timeout bounds a request. The pool has its own for connecting, for the answer and for silence.
type Timeout struct {
	Whole  time.Duration // from the arrival of the request to the end of the answer; 0 for none. Not for upgrades
	Header time.Duration // of one try, once the request has been sent, until the head of the answer; 0 for that of the pool, negative for no limit
	Tunnel time.Duration // an upgraded connection may be silent; default 1 h, negative for no limit
}

// Handler is a proxy. Safe for concurrent use; made by [New].
type Handler struct {
	o         Options
	log       *slog.Logger
	paths     paths
	request   edits
	response  edits
	protect   names // of requests
	answers   names // of answers
	retry     retry
	via       via
	stats     stats
	headerLen int // fields that are added to a request
}

type stats struct {
	requests, retries, hedges, failed, refused, left, upgrades atomic.Uint64
	active, tunnels                                            atomic.Int64
}

// Stats count what a handler did since it was made.
type Stats struct {
	Active, Tunnels int64  // requests under way, and upgraded connections among them
	Requests        uint64 // that came
	Retries, Hedges uint64 // tries beside the first
	Upgrades        uint64
	Failed          uint64 // answered 502, 503, 504, or broken off, for want of a backend that could answer
	Refused         uint64 // what clients did wrong
	Left            uint64 // clients that went before the end of the answer
}

const defaultTunnel = time.Hour

// New checks the options and makes a handler.
func New(o Options) (*Handler, error) {
	if o.Pool == nil {
		return nil, errors.New("proxy: there is no pool of backends")
	}
	h := &Handler{o: o, log: o.Logger, via: newVia()}
	if h.log == nil {
		h.log = slog.Default()
	}
	if h.o.Timeout.Tunnel == 0 {
		h.o.Timeout.Tunnel = defaultTunnel
	}
	if err := h.compile(); err != nil {
		return nil, fmt.Errorf("proxy to %s: %w", o.Pool.Name(), err)
	}
	return h, nil
}

func (h *Handler) compile() (err error) {
	if h.paths, err = newPaths(&h.o); err != nil {
		return err
	}
	if h.request, err = h.o.Request.compile(true); err != nil {
		return fmt.Errorf("request: %w", err)
	}
	if h.response, err = h.o.Response.compile(false); err != nil {
		return fmt.Errorf("response: %w", err)
	}
	if h.protect, err = parseNames(append(h.o.Protect, protected...)); err != nil {
		return fmt.Errorf("protect: %w", err)
	}
	if h.answers, err = parseNames(protected); err != nil {
		return err
	}
	if h.retry, err = h.o.Retry.compile(); err != nil {
		return fmt.Errorf("retry: %w", err)
	}
	h.headerLen = 6 + len(h.request.set) + len(h.request.add)
	return h.o.check()
}

func (o *Options) check() error {
	switch {
	case o.Host != "" && (!httpguts.ValidHostHeader(o.Host) || strings.ContainsAny(o.Host, "/@")):
		return fmt.Errorf(`host %q: want "upstream", "keep" or a name, with a port or without`, o.Host)
	case o.MaxBody < 0:
		return fmt.Errorf("max body %d: must not be negative; leave it out for no limit", o.MaxBody)
	case o.Timeout.Whole < 0:
		return fmt.Errorf("timeout %s: must not be negative; leave it out for none", o.Timeout.Whole)
	case o.Hedge.After < 0 || o.Hedge.Most < 0:
		return fmt.Errorf("hedge after %s, %d at most: must not be negative", o.Hedge.After, o.Hedge.Most)
	}
	return nil
}

// Stats are the counts.
func (h *Handler) Stats() Stats {
	s := &h.stats
	return Stats{
		Active: s.active.Load(), Tunnels: s.tunnels.Load(), Requests: s.requests.Load(), Retries: s.retries.Load(), Hedges: s.hedges.Load(),
		Upgrades: s.upgrades.Load(), Failed: s.failed.Load(), Refused: s.refused.Load(), Left: s.left.Load(),
	}
}

// Pool is that of the options.
func (h *Handler) Pool() *upstream.Pool { return h.o.Pool }
