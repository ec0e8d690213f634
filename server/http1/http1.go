// Package http1 serves HTTP/1.0 and HTTP/1.1 (RFC 9110, RFC 9112) to an [http.Handler], over TCP,
// unix sockets and TLS.
//
// It does what the server of net/http does, with these differences:
//
//   - It is strict. A request that two parsers could read differently is refused: bare line feeds,
//     folded fields, Content-Length together with Transfer-Encoding or more than once, white space
//     in odd places. The connection is closed, so that what follows can't pass for another request.
//   - It is lean. One goroutine serves a connection, which holds no buffer while the handler works
//     or nothing is to be read. Whether the client is still there is watched only for
//     requests whose context somebody waits for.
//   - It notices sooner that a client has left: also while the handler has not read the body, or the
//     next request is here already. Only on Linux, where epoll(7) tells without reading; elsewhere
//     a watch reads, and as in net/http waits until there is no body left, and ends with the first
//     byte of a next request.
//   - HTTP/2 is somebody else's: connections that speak it are handed over, see [Server.HTTP2].
//
// A client has left, as in net/http, when it has closed its half of the connection: over TCP that
// looks the same as closing all of it. The context then ends under a handler that waits for it, and
// a client that goes on reading gets what the handler makes of that. Handlers that do not wait
// answer as ever, also the requests that were sent ahead.
package http1

import (
	"cmp"
	"context"
	"crypto/tls"
	"errors"
	"log/slog"
	"net"
	"net/http"
	"sync"
	"sync/atomic"
	"time"
)

// Server serves connections. Set the fields before the first call and do not copy it.
type Server struct {
	Handler http.Handler
	// ReadHeader is the time for a TLS handshake, and for a request head from its first byte.
	// 0 means no limit.
	ReadHeader time.Duration
	// KeepAlive is how long a connection may wait for its next request. 0 means no limit.
	KeepAlive time.Duration
	// MaxHeaderBytes is the size of a request head, the request line included. More is answered
	// 431. Default 16 KiB.
	MaxHeaderBytes int
	// HTTP2 takes over a connection whose client has chosen HTTP/2 in the TLS handshake. It
	// returns at once; the connection is the taker's to close. It gets the handler of the connection. nil:
	// clients are not offered it.
	HTTP2 func(net.Conn, http.Handler)
	// H2C takes over a connection that begins with the preface of HTTP/2 (RFC 9113 §3.4), which
	// it reads again. nil answers such a connection 505.
	H2C func(net.Conn, http.Handler)
	// Refused is told of each request that the server answers by itself because it can't be read, with
	// the address of the client; nil tells nobody. No handler sees these.
	Refused func(client string, fault *RequestError)
	// Log gets panics of the handler as errors, and what clients do wrong at debug level. Default
	// [slog.Default].
	Log *slog.Logger

	hangups   hangupWatch
	closing   atomic.Bool // nothing listens any more, and answers close their connections
	hasty     atomic.Bool // and those that wait for a request are closed
	mu        sync.Mutex
	listeners map[net.Listener]struct{}
	conns     map[*conn]struct{}
	ended     bool          // it is closed, and the last connection gone
	empty     chan struct{} // closed when it has ended; nil while nobody waits
}

const defaultMaxHeaderBytes = 16 << 10

// Serve accepts connections until the listener fails or the server is closed, for which the error
// is [http.ErrServerClosed]. It closes the listener.
func (s *Server) Serve(l net.Listener) error { return s.ServeHandler(l, s.Handler) }

// ServeHandler is Serve with a handler for this listener alone.
func (s *Server) ServeHandler(l net.Listener, h http.Handler) error {
	defer l.Close()
	if !s.track(l) {
		return http.ErrServerClosed
	}
	defer s.untrack(l)
	for {
		nc, err := l.Accept()
		if err == nil {
			s.serveConn(nc, h)
			continue
		}
		if s.closing.Load() {
			return http.ErrServerClosed
		}
		return err
	}
}

// ServeConn serves one connection in the background and closes it in the end.
func (s *Server) ServeConn(nc net.Conn) { s.serveConn(nc, s.Handler) }

func (s *Server) serveConn(nc net.Conn, h http.Handler) {
	c := &conn{server: s, handler: h, nc: nc, since: time.Now()}
	c.tls, _ = nc.(*tls.Conn)
	if !s.add(c) {
		_ = nc.Close()
		return
	}
	go c.serve()
}

// Shutdown closes the listeners and the connections that wait for a request, lets the requests
// under way end, with an answer that closes the connection, and returns when all connections are
// gone, or with the error of ctx.
func (s *Server) Shutdown(ctx context.Context) error { return s.Leave(ctx, 0) }

// Leave is Shutdown for a server in whose place another one serves already: connections that wait for
// a request get the given time to send one more, which is answered and told that the connection
// closes. So no request is lost on a connection that the client takes for open.
func (s *Server) Leave(ctx context.Context, idle time.Duration) error {
	s.closing.Store(true)
	if idle > 0 {
		defer time.AfterFunc(idle, s.closeIdle).Stop()
	}
	s.mu.Lock()
	fault := s.closeListeners()
	if s.empty == nil {
		s.empty = make(chan struct{})
	}
	empty := s.empty
	s.checkEmpty()
	s.mu.Unlock()
	if idle <= 0 {
		s.closeIdle()
	}
	select {
	case <-empty:
		return fault
	case <-ctx.Done():
		return errors.Join(fault, ctx.Err())
	}
}

// closeIdle closes the connections that wait for a request, also those that will.
func (s *Server) closeIdle() {
	s.hasty.Store(true)
	s.mu.Lock()
	defer s.mu.Unlock()
	for c := range s.conns {
		c.closeIdle()
	}
}

// Close closes the listeners and all connections at once.
func (s *Server) Close() error {
	s.closing.Store(true)
	s.hasty.Store(true)
	s.mu.Lock()
	defer s.mu.Unlock()
	fault := s.closeListeners()
	for c := range s.conns {
		_ = c.nc.Close()
	}
	s.hangups.leftAll()
	s.checkEmpty()
	return fault
}

// closeListeners is called with mu held.
func (s *Server) closeListeners() error {
	var faults []error
	for l := range s.listeners {
		if err := l.Close(); err != nil && !errors.Is(err, net.ErrClosed) {
			faults = append(faults, err)
		}
	}
	return errors.Join(faults...)
}

func (s *Server) track(l net.Listener) bool {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.closing.Load() {
		return false
	}
	if s.listeners == nil {
		s.listeners = map[net.Listener]struct{}{}
	}
	s.listeners[l] = struct{}{}
	return true
}

func (s *Server) untrack(l net.Listener) {
	s.mu.Lock()
	defer s.mu.Unlock()
	delete(s.listeners, l)
	s.checkEmpty()
}

// add takes a connection, also one that was accepted while the listener was closed: its client would
// lose a request.
func (s *Server) add(c *conn) bool {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.hasty.Load() || s.ended {
		return false
	}
	if s.conns == nil {
		s.conns = map[*conn]struct{}{}
	}
	s.conns[c] = struct{}{}
	return true
}

// remove forgets a connection that is closed or in other hands.
func (s *Server) remove(c *conn) {
	s.mu.Lock()
	defer s.mu.Unlock()
	delete(s.conns, c)
	s.checkEmpty()
}

// checkEmpty ends what a closed server has when its last connection is gone, and no other can come; mu
// is held.
func (s *Server) checkEmpty() {
	if !s.closing.Load() || len(s.conns) > 0 || len(s.listeners) > 0 {
		return
	}
	s.ended = true
	s.hangups.close()
	if s.empty != nil {
		close(s.empty)
		s.empty = nil
	}
}

func (s *Server) maxHeader() int { return cmp.Or(s.MaxHeaderBytes, defaultMaxHeaderBytes) }

func (s *Server) log() *slog.Logger { return cmp.Or(s.Log, slog.Default()) }
