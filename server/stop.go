package server

import (
	"context"
	"errors"
	"fmt"
	"sync"
	"time"
)

// Shutdown stops accepting, lets requests finish until StopGrace or ctx is over, then ends their
// contexts, and closes the app. HTTP/2 clients are told (GOAWAY), streams and sockets too, by
// [exchange.Exchange.Leaving] and Stopping. The error says what had to be broken off.
//
// A second call with a ctx that ends sooner shortens the wait of the first; both return the same.
func (s *Server) Shutdown(ctx context.Context) error {
	defer context.AfterFunc(ctx, s.hurry)()
	s.stop(nil)
	<-s.done
	return s.left
}

// Wait returns when the server has stopped, with the error that stopped it, if it was not
// Shutdown.
func (s *Server) Wait() error {
	<-s.done
	return s.fatal
}

// stop begins the stop, once, and does not wait for it.
func (s *Server) stop(fatal error) {
	s.begin.Do(func() {
		s.stopping.Store(true)
		s.fatal = fatal
		close(s.quit)
		go func() {
			defer close(s.done)
			defer s.hurry()
			s.mu.Lock() // a start or swap under way ends first
			started := s.started
			s.mu.Unlock()
			if started {
				s.left = s.finish()
			}
		}()
	})
}

// graceful is ctx with a time limit; negative is none.
func graceful(ctx context.Context, grace time.Duration) (context.Context, context.CancelFunc) {
	if grace < 0 {
		return context.WithCancel(ctx)
	}
	return context.WithTimeout(ctx, grace)
}

// finish is the stop of a server that runs: first what comes over connections, including what is
// on its way already, then what net/http does not see (hijacked connections, requests in process).
func (s *Server) finish() error {
	h := s.current.Load()
	grace, cancel := graceful(s.hasty, h.settings.StopGrace)
	defer cancel()
	h.leave()
	var streams sync.WaitGroup
	streams.Go(func() { s.closeStreams(grace) })
	late := s.shutdown(grace)
	unhook := context.AfterFunc(grace, s.hurry) // apps that were replaced get the same time
	ended := h.drain(grace)
	s.discards.Wait()
	unhook()
	if late != nil { // some connections did not come to rest
		_ = s.http1.Close()
		_ = s.http2.server.Close()
		for _, e := range s.entrances {
			if e.http3 != nil {
				_ = e.http3.Close()
			}
		}
	}
	streams.Wait()
	s.closeSides()
	if s.plain != nil {
		_ = s.plain.Close() // nothing there takes long
	}
	s.end(s.certs.Load())
	s.work.Wait()
	fault := h.closeApp()
	if fault != nil {
		fault = fmt.Errorf("closing the app: %w", fault)
	}
	s.undo()
	return errors.Join(brokenOff(ended), fault)
}

// shutdown ends the connections of all protocols at the same time. Those of HTTP/1 end first where
// they still may become HTTP/2.
func (s *Server) shutdown(ctx context.Context) error {
	stops := []func(context.Context) error{s.leaveHTTP1, s.http2.server.Shutdown}
	for _, e := range s.entrances {
		if e.http3 != nil {
			stops = append(stops, e.http3.Shutdown)
		}
	}
	faults := make(chan error, len(stops))
	for _, stop := range stops {
		go func() { faults <- stop(ctx) }()
	}
	var all []error
	for range stops {
		all = append(all, <-faults)
	}
	return errors.Join(all...)
}

// lastRequest is how long a connection of HTTP/1 may wait for a request when another process serves
// in place of this one.
const lastRequest = 5 * time.Second

func (s *Server) leaveHTTP1(ctx context.Context) error {
	s.mu.Lock()
	shared := s.shared
	s.mu.Unlock()
	if shared {
		return s.http1.Leave(ctx, lastRequest)
	}
	return s.http1.Shutdown(ctx)
}
