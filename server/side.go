package server

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"net"
	"net/http"
	"slices"
	"time"

	"rws/server/listen"
)

// Side is an address beside those of Settings.Listen with a handler of its own: for metrics and
// health, which are nobody's business who uses the app. It speaks plain HTTP/1.1, is in no stats and
// no access log, and stays open while the server stops, until all requests are answered.
type Side struct {
	Listen  string // as in Settings.Listen. Restart
	Handler http.Handler
}

// What a side may take: its clients are few and quick.
const (
	sideTime  = 30 * time.Second
	sideConns = 100
)

// openSides opens the addresses of an app; closeListeners takes back what it has opened.
func (s *Server) openSides(ctx context.Context, sides []Side) error {
	for _, side := range sides {
		l, err := listen.Open(ctx, side.Listen, listen.Options{MaxConns: sideConns, Logger: s.options.Logger, Inherited: s.options.Inherited})
		if err != nil {
			return fmt.Errorf("listening beside the app: %w", err)
		}
		s.sides = append(s.sides, l)
	}
	return nil
}

// serveSides starts to answer there, with the handlers of whatever app is present.
func (s *Server) serveSides() {
	for i, l := range s.sides {
		side := &http.Server{
			Handler: http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
				s.current.Load().app.Sides[i].Handler.ServeHTTP(w, r) // Swap refuses an app with others
			}),
			ReadTimeout: sideTime, WriteTimeout: sideTime, IdleTimeout: 2 * sideTime, MaxHeaderBytes: 16 << 10,
			ErrorLog: slog.NewLogLogger(s.options.Logger.Handler(), slog.LevelDebug),
		}
		s.beside = append(s.beside, side)
		s.work.Go(func() {
			if err := side.Serve(l); !errors.Is(err, http.ErrServerClosed) {
				s.options.Logger.Error("accepting connections beside the app", "addr", l.Addr().String(), "err", err)
			}
		})
	}
}

// closeSides ends them at once.
func (s *Server) closeSides() {
	for _, side := range s.beside {
		_ = side.Close() // closes connections and listener; errors change nothing
	}
}

// SideAddrs are the addresses of App.Sides, in their order.
func (s *Server) SideAddrs() []net.Addr {
	s.mu.Lock()
	defer s.mu.Unlock()
	addrs := make([]net.Addr, len(s.sides))
	for i, l := range s.sides {
		addrs[i] = l.Addr()
	}
	return addrs
}

// sameSides reports whether two apps have the same addresses beside them.
func sameSides(a, b []Side) bool {
	return slices.EqualFunc(a, b, func(a, b Side) bool { return a.Listen == b.Listen })
}
