package server

import (
	"context"
	"crypto/tls"
	"errors"
	"runtime/debug"
	"slices"

	"rws/server/http1"
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
	var faults []error
	for _, l := range settings.listeners() {
		e, err := s.enter(ctx, l, settings, config)
		if err != nil {
			faults = append(faults, err)
			continue
		}
		s.entrances = append(s.entrances, e)
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
	for _, e := range s.entrances {
		e.close()
	}
	for _, l := range slices.Concat(s.redirects, s.sides) {
		_ = l.Close() // there is nothing to be done about it
	}
	s.entrances, s.redirects, s.sides = nil, nil, nil
	s.end(s.certs.Swap(nil))
}

// serve starts the goroutines. The mutex is held.
func (s *Server) serve(settings Settings) {
	maxHeader := settings.maxHeader()
	s.http2 = newHTTP2(settings, maxHeader, s.options.Logger)
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
	for _, e := range s.entrances {
		e.serve()
	}
	s.work.Go(func() { _ = s.http2.server.Serve(s.http2) }) // ends with Shutdown; taking can't fail
}

// collect has the garbage collector mind the limit of the present app.
func (s *Server) collect(limit int64) {
	s.undo()
	if s.options.Memory == nil {
		s.undo = collectBefore(limit)
	}
}
