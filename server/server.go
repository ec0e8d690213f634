package server

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"log/slog"
	"net"
	"net/http"
	"sync"
	"sync/atomic"

	"rws/server/http1"
	"rws/server/listen"
	"rws/server/logs"
)

// Options of a [Server] do not change with the app. The zero value works.
type Options struct {
	Logger *slog.Logger       // default slog.Default()
	Access *logs.AccessLogger // one line for each request; nil for none. The caller closes it
	// Memory is the memory of the process in bytes, which Settings.MemoryLimit bounds; default
	// what the Go runtime has mapped. With the default the server also has the garbage collector
	// work harder near the limit, unless GOMEMLIMIT is set.
	Memory func() int64
	// Inherited are sockets that are open already, for addresses of the app. nil for none.
	Inherited *listen.Sockets
	// Released is closed when another process has let go of the UDP sockets of Inherited, which two
	// can't use at a time: each would get packets for the other. nil when there is none.
	Released <-chan struct{}
}

// Server serves one app at a time. Made by [New].
type Server struct {
	options Options
	around  around
	current atomic.Pointer[Handler]

	mu        sync.Mutex // held by Start and Swap, and by Shutdown while it begins
	started   bool
	stopping  atomic.Bool
	http1     *http1.Server
	http2     *http2
	entrances []*entrance
	sides     []net.Listener               // of App.Sides
	beside    []*http.Server               // on them
	redirects []net.Listener               // of TLS.Redirect, as package listen opened them
	plain     *http1.Server                // on them; nil for none
	streams   streams                      // of App.Streams
	shared    bool                         // another process has the sockets, and takes the place of this one
	certs     atomic.Pointer[certificates] // nil without TLS
	undo      func()                       // puts the garbage collector back

	drainMu  sync.Mutex
	draining map[*Handler]struct{}
	past     int64          // answers of apps that are closed
	discards sync.WaitGroup // of the apps that were replaced

	hasty context.Context // done when Shutdown must not wait any more
	hurry context.CancelFunc
	work  sync.WaitGroup // the goroutines of the server
	begin sync.Once      // of the stop
	quit  chan struct{}  // closed when the stop begins
	done  chan struct{}  // closed when it is over
	fatal error          // what stopped the server; set before done
	left  error          // of the stop; set before done
}

// New is a server that does nothing until Start.
func New(o Options) *Server {
	o.Logger = cmp.Or(o.Logger, slog.Default())
	if o.Released == nil {
		released := make(chan struct{})
		close(released)
		o.Released = released
	}
	s := &Server{options: o, undo: func() {}, draining: map[*Handler]struct{}{}, quit: make(chan struct{}), done: make(chan struct{})}
	s.around = around{log: o.Logger, access: o.Access, shed: &shed{}, stopping: s.quit, misdirected: s.misdirected, elsewhere: s.elsewhere}
	s.hasty, s.hurry = context.WithCancel(context.Background())
	s.streams.open = map[string]*stream{}
	s.streams.ctx, s.streams.end = context.WithCancel(context.Background())
	return s
}

// ServeHTTP answers with the present app.
func (s *Server) ServeHTTP(w http.ResponseWriter, r *http.Request) { s.serveAt(w, r, nil) }

// serveAt is ServeHTTP for a request that came in by an entrance; nil for none.
func (s *Server) serveAt(w http.ResponseWriter, r *http.Request, e *entrance) {
	for {
		h := s.current.Load()
		if h != nil && h.serve(w, r, e) {
			return
		}
		if h == nil || h == s.current.Load() { // not replaced, but closed
			closed(w, r)
			return
		}
	}
}

// Start compiles the app, opens its addresses, all or none, calls App.Start, and serves in the
// background. ctx bounds the start only. A server starts once; after an error it may be tried
// again.
func (s *Server) Start(ctx context.Context, app *App) error {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.started || s.stopping.Load() {
		return s.refuse(app, errors.New("starting the server: it has been started already"))
	}
	h, err := compile(app, s.around)
	if err != nil {
		return s.refuse(app, err)
	}
	if err := s.open(ctx, h.settings); err != nil {
		return s.refuse(app, err)
	}
	if err := s.openSides(ctx, app.Sides); err != nil {
		s.closeListeners()
		return s.refuse(app, err)
	}
	fresh, err := s.openStreams(ctx, app.Streams)
	if err != nil {
		s.closeListeners()
		return s.refuse(app, err)
	}
	if app.Start != nil {
		if err := app.Start(ctx); err != nil {
			closeAll(fresh)
			s.closeListeners()
			return s.refuse(app, err)
		}
	}
	s.current.Store(h)
	s.started = true
	s.serve(h.settings)
	s.serveSides()
	s.serveStreams(app.Streams, fresh)
	s.serveRedirects(h.settings)
	return nil
}

// refuse closes an app that will not be served.
func (s *Server) refuse(app *App, err error) error {
	if app.Close == nil {
		return err
	}
	ctx, cancel := context.WithTimeout(context.Background(), closing)
	defer cancel()
	if fault := app.Close(ctx); fault != nil {
		return errors.Join(err, fmt.Errorf("closing the app: %w", fault))
	}
	return err
}

// Addrs are the addresses that are open, in the order of Settings.Listen or Listeners.
func (s *Server) Addrs() []net.Addr {
	s.mu.Lock()
	defer s.mu.Unlock()
	addrs := make([]net.Addr, len(s.entrances))
	for i, e := range s.entrances {
		addrs[i] = e.listener.Addr()
	}
	return addrs
}

// Handler is the handler of the present app, for requests without a socket; nil before Start.
func (s *Server) Handler() *Handler { return s.current.Load() }

// Swap puts app in the place of the present one: requests that come from now on go to it. The
// old one finishes its requests in the background, at most Settings.StopGrace but for those that
// outlive it (see [exchange.Exchange.Outlive]), and is closed. On
// an error the present app stays: a fault in a route, certificates that do not load, or a
// [*RestartError].
func (s *Server) Swap(app *App) error {
	s.mu.Lock()
	defer s.mu.Unlock()
	old := s.current.Load()
	if !s.started || s.stopping.Load() {
		return s.refuse(app, errors.New("replacing the app: the server is not running"))
	}
	h, err := compile(app, s.around)
	if err != nil {
		return s.refuse(app, err)
	}
	if err := old.settings.restart(h.settings); err != nil {
		return s.refuse(app, err)
	}
	if !sameSides(old.app.Sides, app.Sides) {
		return s.refuse(app, &RestartError{Settings: []string{"Sides"}})
	}
	present, err := s.nextCertificates(h)
	if err != nil {
		return s.refuse(app, err)
	}
	fresh, err := s.openStreams(context.Background(), app.Streams)
	if err != nil {
		if present != s.certs.Load() {
			s.end(present)
		}
		return s.refuse(app, err)
	}
	s.adoptCertificates(present)
	s.drainMu.Lock()
	s.draining[old] = struct{}{}
	s.drainMu.Unlock()
	s.current.Store(h)
	s.serveStreams(app.Streams, fresh)
	old.onSwap()
	s.collect(h.settings.MemoryLimit)
	s.discards.Go(func() { s.discard(old) })
	return nil
}

// discard drains and closes an app that was replaced. A stop shortens its grace, and that of the
// requests that outlive it.
func (s *Server) discard(h *Handler) {
	grace, cancel := graceful(s.hasty, h.settings.StopGrace)
	defer cancel()
	h.giveWay(grace, s.hasty, func(ended int64) {
		if err := brokenOff(ended); err != nil {
			s.options.Logger.Warn("the old app did not finish in time", "err", err)
		}
	})
	if err := h.closeApp(); err != nil {
		s.options.Logger.Error("closing the old app", "err", err)
	}
	s.drainMu.Lock()
	defer s.drainMu.Unlock()
	delete(s.draining, h)
	s.past += h.Stats().Total
}

// Stats are the counters now.
func (s *Server) Stats() Stats {
	var all Stats
	if h := s.current.Load(); h != nil {
		all = h.Stats()
	}
	s.drainMu.Lock()
	defer s.drainMu.Unlock()
	for h := range s.draining {
		old := h.Stats()
		all.InFlight += old.InFlight
		all.Total += old.Total
	}
	all.Draining = len(s.draining)
	all.Total += s.past
	all.Shed = s.around.shed.count.Load()
	return all
}
