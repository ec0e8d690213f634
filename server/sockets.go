package server

import (
	"context"
	"crypto/tls"
	"errors"
	"fmt"
	"log/slog"
	"math"
	"net"
	"net/http"
	"time"

	"rws/server/certs"
	"rws/server/listen"
)

// open opens all addresses or none.
func (s *Server) open(ctx context.Context, settings Settings) error {
	config, err := s.certificates(settings.TLS)
	if err != nil {
		return err
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
	if faults == nil {
		return nil
	}
	for _, l := range s.listeners {
		_ = l.Close() // nothing was accepted
	}
	s.listeners = nil
	return errors.Join(faults...)
}

// certificates is the configuration for TLS, nil for none.
func (s *Server) certificates(t TLS) (*tls.Config, error) {
	if !t.on() {
		return nil, nil
	}
	s.store = t.Store
	if s.store == nil {
		store, err := certs.Load(t.Cert, t.Key)
		if err != nil {
			return nil, fmt.Errorf("tls: %w", err)
		}
		s.store = store
	}
	for _, warning := range s.store.Warnings() {
		s.options.Logger.Warn("certificate", "problem", warning)
	}
	return s.store.Config(), nil
}

// serve starts the goroutines. The mutex is held.
func (s *Server) serve(settings Settings) {
	protocols := new(http.Protocols)
	protocols.SetHTTP1(true)
	protocols.SetHTTP2(true)
	protocols.SetUnencryptedHTTP2(settings.H2C)
	maxHeader := settings.MaxHeaderBytes
	if maxHeader < 0 {
		maxHeader = math.MaxInt32
	}
	s.http = &http.Server{
		Handler:           s,
		ReadHeaderTimeout: settings.ReadHeader,
		IdleTimeout:       settings.KeepAlive,
		MaxHeaderBytes:    maxHeader,
		Protocols:         protocols,
		// Broken handshakes and the like: the client's fault, and there are many.
		ErrorLog: slog.NewLogLogger(s.options.Logger.Handler(), slog.LevelDebug),
		// A peer that vanished without a word is noticed by a ping, also in an endless stream.
		HTTP2: &http.HTTP2Config{SendPingTimeout: 30 * time.Second},
		// "OPTIONS *" is answered by the handler, so that it is counted and logged.
		DisableGeneralOptionsHandler: true,
	}
	for _, l := range s.listeners {
		s.work.Go(func() { s.accept(l) })
	}
	used := s.options.Memory
	if used == nil {
		used = goMemory()
	}
	s.collect(settings.MemoryLimit)
	limit := func() int64 { return s.current.Load().settings.MemoryLimit }
	s.work.Go(func() { s.around.shed.watchMemory(s.quit, limit, used, s.options.Logger) })
}

// accept serves one listener. One that fails stops the server: half of it is worse than none.
func (s *Server) accept(l net.Listener) {
	err := s.http.Serve(l)
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
