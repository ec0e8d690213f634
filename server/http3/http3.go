// Package http3 serves HTTP/3 (RFC 9114) over QUIC to an [http.Handler], by quic-go. It bounds what
// clients may ask for, answers what comes before the handshake is complete as RFC 8470 says, and
// stops without losing a request.
package http3

import (
	"cmp"
	"context"
	"crypto/tls"
	"errors"
	"fmt"
	"log/slog"
	"net"
	"net/http"
	"sync/atomic"
	"time"

	"github.com/quic-go/quic-go"
	"github.com/quic-go/quic-go/http3"
)

// Options of a [Server]. Handler and TLS are needed, the rest has defaults.
type Options struct {
	Handler http.Handler
	// TLS is the configuration that TCP has, certificates and the checks of clients with it; QUIC
	// adds ALPN and wants TLS 1.3.
	TLS *tls.Config
	// EarlyData takes requests in the first flight of a client that has been here before (0-RTT), which
	// who listens can send again. The handler gets those at once that may come twice and say nothing of
	// who sends them: GET, HEAD and OPTIONS without a body, cookies, Authorization or a certificate, of a
	// client whose address is proven by a token that it was given before (RFC 9000 §8.1.3). It can tell
	// them by [IsEarly]. The rest waits until the handshake is complete, and is no early data then (RFC
	// 8470 §3): none is refused. Without the token anybody could have requests counted, limited and
	// logged as those of another address.
	EarlyData bool

	// Admit may refuse clients by their address; nil admits all.
	Admit func(client net.Addr) bool

	Handshake      time.Duration // of a connection; default 10 s
	Idle           time.Duration // between two requests; default 75 s
	MaxHeaderBytes int           // of a request, decoded; default 16 KiB. More is answered 431
	MaxStreams     int           // requests of a connection at a time; default 128
	MaxConns       int           // open connections; default 10,000. More are refused
	MaxConnsPerIP  int           // of one client (/64 for IPv6); 0 means no limit
	Logger         *slog.Logger  // at debug level, connections that are refused; default slog.Default()
}

// Windows of flow control: what a client may send that no handler has read. quic-go lets them grow
// to 15 MB a connection, which is 150 GB for all.
const (
	streamWindow     = 256 << 10
	maxStreamWindow  = 1 << 20
	maxConnWindow    = 2 << 20
	maxUniStreams    = 8   // a client needs three
	unverified       = 128 // handshakes at a time, beyond which clients first have to prove their address (RFC 9000 §8.1.2)
	lastWords        = time.Second
	excessiveLoad    = quic.ApplicationErrorCode(http3.ErrCodeExcessiveLoad)
	defaultMaxHeader = 16 << 10
)

// Server serves one UDP socket. Made by [New].
type Server struct {
	options Options
	inner   *http3.Server
	active  atomic.Int64 // requests
	clients *clients
	serving atomic.Bool
	halted  context.Context // ends when the socket may be closed
	halt    context.CancelFunc
	stopped chan struct{} // closed when it is
}

// New is a server that does nothing until Serve.
func New(o Options) *Server {
	o.Handshake = cmp.Or(o.Handshake, 10*time.Second)
	o.Idle = cmp.Or(o.Idle, 75*time.Second)
	o.MaxHeaderBytes = cmp.Or(o.MaxHeaderBytes, defaultMaxHeader)
	o.MaxStreams = cmp.Or(o.MaxStreams, 128)
	o.MaxConns = cmp.Or(o.MaxConns, 10_000)
	o.Logger = cmp.Or(o.Logger, slog.Default())
	s := &Server{options: o, stopped: make(chan struct{})}
	s.halted, s.halt = context.WithCancel(context.Background())
	s.clients = newClients(o.Admit, o.MaxConns, o.MaxConnsPerIP, o.MaxStreams)
	s.inner = &http3.Server{Handler: s, MaxHeaderBytes: o.MaxHeaderBytes, IdleTimeout: o.Idle}
	return s
}

// Serve accepts connections on the socket, which becomes the server's own, until the server is
// closed, for which the error is [http.ErrServerClosed]. It is called once.
func (s *Server) Serve(socket net.PacketConn) error {
	defer socket.Close()
	if s.halted.Err() != nil || !s.serving.CompareAndSwap(false, true) {
		return http.ErrServerClosed
	}
	defer close(s.stopped)
	transport := &quic.Transport{Conn: socket, ConnContext: s.enter, VerifySourceAddress: s.clients.suspicious}
	defer transport.Close()
	l, err := transport.ListenEarly(http3.ConfigureTLSConfig(s.options.TLS), s.config())
	if err != nil {
		return fmt.Errorf("listening for HTTP/3 on %s: %w", socket.LocalAddr(), err)
	}
	defer l.Close()
	err = s.inner.ServeListener(watched{l, s.clients})
	if !errors.Is(err, http.ErrServerClosed) {
		return err
	}
	_ = l.Close() // no handshake begins any more; what came so far ends by Shutdown or Close
	<-s.halted.Done()
	return http.ErrServerClosed
}

// enter lets a connection in, or says why not.
func (s *Server) enter(ctx context.Context, info *quic.ClientInfo) (context.Context, error) {
	ctx, err := s.clients.enter(ctx, info)
	if err != nil {
		s.options.Logger.Debug("refusing a connection of HTTP/3", "client", info.RemoteAddr.String(), "err", err)
	}
	return ctx, err
}

func (s *Server) config() *quic.Config {
	return &quic.Config{
		HandshakeIdleTimeout:           max(s.options.Handshake/2, time.Second), // of which it takes two at most
		MaxIdleTimeout:                 s.options.Idle + s.options.Handshake,    // of HTTP/3 ends first, see Idle
		InitialStreamReceiveWindow:     streamWindow,
		MaxStreamReceiveWindow:         maxStreamWindow,
		InitialConnectionReceiveWindow: maxStreamWindow,
		MaxConnectionReceiveWindow:     maxConnWindow,
		MaxIncomingStreams:             int64(s.options.MaxStreams),
		MaxIncomingUniStreams:          maxUniStreams,
		Allow0RTT:                      s.options.EarlyData,
	}
}

// ServeHTTP runs the handler for a request of HTTP/3, when its connection has not as many running as
// it may: also one that the client has reset counts until its handler returns.
func (s *Server) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	s.active.Add(1)
	defer s.active.Add(-1)
	c := clientOf(r.Context())
	r, ok := c.prove(withoutBody(w, r))
	if !ok {
		panic(http.ErrAbortHandler) // the handshake has failed
	}
	if !c.begin(r.Context()) {
		panic(http.ErrAbortHandler) // the client is gone, or will be
	}
	defer c.finish()
	s.options.Handler.ServeHTTP(w, r)
}

// Shutdown takes no more connections, tells clients to send no more requests (GOAWAY), and returns
// when all have been answered and the clients had a moment to read the answers, or with the error
// of ctx, when what is left is broken off. The socket is closed then.
func (s *Server) Shutdown(ctx context.Context) error {
	rest, cancel := context.WithCancel(ctx)
	defer cancel()
	go func() {
		defer cancel()
		s.rest(rest)
	}()
	s.give(func() error { return s.inner.Shutdown(rest) }, rest)
	s.halt()
	if s.serving.Load() {
		<-s.stopped
	}
	return ctx.Err()
}

// give calls f, and waits for it until a moment after ctx is done: it waits for handlers, also those
// that don't mind that their clients are gone.
func (s *Server) give(f func() error, ctx context.Context) {
	done := make(chan struct{})
	go func() {
		defer close(done)
		_ = f() // who calls knows by ctx
	}()
	select {
	case <-done:
		return
	case <-ctx.Done():
	}
	select {
	case <-done:
	case <-time.After(lastWords / 10):
	}
}

// rest waits until no request is left, and then for clients to leave of their own accord, as they do
// when they have read all.
func (s *Server) rest(ctx context.Context) {
	tick := time.NewTicker(10 * time.Millisecond)
	defer tick.Stop()
	var since time.Time
	for {
		select {
		case <-ctx.Done():
			return
		case now := <-tick.C:
			switch {
			case s.active.Load() > 0:
				since = time.Time{}
			case since.IsZero():
				since = now
			case now.Sub(since) >= lastWords:
				return
			}
		}
	}
}

// Close breaks off all requests and closes the socket.
func (s *Server) Close() error {
	past, cancel := context.WithCancel(context.Background())
	cancel()
	s.give(s.inner.Close, past)
	s.halt()
	return nil
}
