package server

import (
	"context"
	"log/slog"
	"net"

	"rws/server/logs"
)

// Options of a [Server] do not change with the app. The zero value works.
type Options struct {
	Logger *slog.Logger       // default slog.Default()
	Access *logs.AccessLogger // one line for each request; nil for none. The caller closes it
	// Memory is the memory of the process in bytes, which Settings.MemoryLimit bounds; default
	// what the Go runtime has mapped.
	Memory func() int64
}

// Server serves one app at a time. Made by [New].
type Server struct {
	options Options
}

// New is a server that does nothing until Start.
func New(o Options) *Server { return &Server{options: o} }

// Start compiles the app, opens its addresses, all or none, and serves in the background. ctx
// bounds the start only. A server starts once.
func (s *Server) Start(ctx context.Context, app *App) error { return nil }

// Addrs are the addresses that are open, in the order of Settings.Listen.
func (s *Server) Addrs() []net.Addr { return nil }

// Handler is the handler of the present app, for requests without a socket; nil before Start.
func (s *Server) Handler() *Handler { return nil }

// Swap puts app in the place of the present one: requests that come from now on go to it. The
// old one finishes its requests in the background, at most Settings.StopGrace, and is closed. On
// an error the present app stays: a fault in a route, or a [RestartError].
func (s *Server) Swap(app *App) error { return nil }

// Shutdown stops accepting, lets requests finish until StopGrace or ctx is over, then ends their
// contexts, and closes the app. The error says what had to be broken off.
func (s *Server) Shutdown(ctx context.Context) error { return nil }

// Wait returns when the server has stopped, with the error that stopped it, if it was not
// Shutdown.
func (s *Server) Wait() error { return nil }

// Stats are the counters now.
func (s *Server) Stats() Stats { return Stats{} }

// RestartError says that an app has settings that only a restart applies.
type RestartError struct {
	Settings []string // their names, as in "Listen"
}

// Error names the settings.
func (e *RestartError) Error() string { return "" }

// Status is the HTTP status for an error of a handler: 413 for a body over the limit, 408 for one
// that the client did not send in time, 503 for a deadline, else 500.
func Status(err error) int { return 500 }
