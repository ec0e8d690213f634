package server

import (
	"context"
	"crypto/tls"
	"errors"
	"fmt"
	"math"
	"net"
	"net/http"
	"runtime/debug"
	"slices"

	"rws/server/http1"
	"rws/server/listen"
)

// open opens all addresses or none.
func (s *Server) open(ctx context.Context, settings Settings) error {
	present, err := s.openCertificates(settings.TLS)
	if err != nil {
		return err
	}
	var config *tls.Config
	s.certs.Store(present)
	if present != nil {
		config = s.tlsConfig()
	}
	options := listen.Options{MaxConns: settings.MaxConns, MaxConnsPerIP: settings.MaxConnsPerIP, Logger: s.options.Logger}
	var faults []error
	for _, addr := range settings.Listen {
		l, err := listen.Open(ctx, addr, options)
		if err != nil {
			faults = append(faults, err)
			continue
		}
		if settings.WriteIdle > 0 {
			l = idleListener{l, settings.WriteIdle}
		}
		if config != nil && l.Addr().Network() == "tcp" {
			l = tls.NewListener(l, config)
		}
		s.listeners = append(s.listeners, l)
	}
	faults = append(faults, s.openRedirects(ctx, settings))
	if err := errors.Join(faults...); err != nil {
		s.closeListeners()
		return err
	}
	if err := present.start(ctx, s.ports()); err != nil {
		s.closeListeners()
		return err
	}
	return nil
}

// closeListeners takes back what open and openSides did; nothing was accepted.
func (s *Server) closeListeners() {
	for _, l := range slices.Concat(s.listeners, s.redirects, s.sides) {
		_ = l.Close() // there is nothing to be done about it
	}
	s.listeners, s.redirects, s.sides = nil, nil, nil
	s.end(s.certs.Swap(nil))
}

// serve starts the goroutines. The mutex is held.
func (s *Server) serve(settings Settings) {
	maxHeader := settings.MaxHeaderBytes
	if maxHeader < 0 {
		maxHeader = math.MaxInt32
	}
	s.http2 = newHTTP2(s, settings, maxHeader, s.options.Logger)
	refused := &refusals{log: s.options.Logger}
	s.http1 = &http1.Server{
		Handler:        s,
		Refused:        refused.tell,
		ReadHeader:     max(settings.ReadHeader, 0),
		KeepAlive:      max(settings.KeepAlive, 0),
		MaxHeaderBytes: maxHeader,
		HTTP2:          s.http2.take,
		Log:            s.options.Logger,
	}
	if settings.H2C {
		s.http1.H2C = s.http2.take
	}
	used := s.options.Memory
	if used == nil {
		used = goMemory()
		s.around.shed.free = debug.FreeOSMemory
	}
	s.collect(settings.MemoryLimit)
	limit := func() int64 { return s.current.Load().settings.MemoryLimit }
	s.around.shed.measure(settings.MemoryLimit, used, s.options.Logger) // before the first request
	s.work.Go(func() { s.around.shed.watchMemory(s.quit, limit, used, s.options.Logger) })
	for _, l := range s.listeners {
		s.work.Go(func() { s.accept(l) })
	}
	s.work.Go(func() { _ = s.http2.server.Serve(s.http2) }) // ends with Shutdown; taking can't fail
}

// accept serves one listener. One that fails stops the server: half of it is worse than none.
func (s *Server) accept(l net.Listener) {
	err := s.http1.Serve(l)
	if errors.Is(err, http.ErrServerClosed) {
		return
	}
	s.options.Logger.Error("accepting connections", "addr", l.Addr().String(), "err", err)
	s.stop(fmt.Errorf("accepting connections on %s: %w", l.Addr(), err))
}

// collect has the garbage collector mind the limit of the present app.
func (s *Server) collect(limit int64) {
	s.undo()
	if s.options.Memory == nil {
		s.undo = collectBefore(limit)
	}
}
