package certs

import (
	"context"
	"errors"
	"maps"
	"os"
	"sync"
	"time"
)

// Ports are where a server can be reached, for sources whose authorities come to look: numbers of
// TCP ports on this machine, 0 for none.
type Ports struct {
	HTTP int // answers [Store.Challenge]
	TLS  int
}

// Starter is a [Source] that has work to do while it is served.
type Starter interface {
	// Start begins the work, in the background. ctx bounds what has to be done before that.
	Start(ctx context.Context, at Ports) error
	// Close ends the work and waits for its end.
	Close() error
}

// life is what a store does in the background.
type life struct {
	mu      sync.Mutex
	stop    context.CancelFunc // nil before Start
	done    sync.WaitGroup
	started []Starter
}

// Start begins what goes on while the store is served: its sources do their work, files are looked
// at, and read again when they have changed, and what [Store.Warnings] says is logged, now, each day,
// and when a list of revoked certificates runs out. A store that is started must be closed.
func (s *Store) Start(ctx context.Context, at Ports) error {
	s.life.mu.Lock()
	defer s.life.mu.Unlock()
	if s.life.stop != nil {
		return errors.New("starting the certificates: they have been started already")
	}
	for _, one := range s.sites {
		source, ok := one.spec.Source.(Starter)
		if !ok {
			continue
		}
		if err := source.Start(ctx, at); err != nil {
			return errors.Join(err, s.closeSources())
		}
		s.life.started = append(s.life.started, source)
	}
	background, stop := context.WithCancel(context.Background())
	s.life.stop = stop
	s.warn()
	s.life.done.Go(func() { s.watch(background) })
	return nil
}

// Close ends what Start began. Certificates go on to be found. Closing twice, or a store that was
// not started, does nothing.
func (s *Store) Close() error {
	s.life.mu.Lock()
	defer s.life.mu.Unlock()
	if s.life.stop == nil {
		return nil
	}
	s.life.stop()
	s.life.done.Wait()
	s.life.stop = nil
	return s.closeSources()
}

func (s *Store) closeSources() error {
	var failed []error
	for _, source := range s.life.started {
		failed = append(failed, source.Close())
	}
	s.life.started = nil
	return errors.Join(failed...)
}

// watch looks at the files. It asks the system each time instead of being told: what mounts secrets
// into containers swaps links in ways that notifications miss.
func (s *Store) watch(ctx context.Context) {
	tick, day := time.NewTicker(s.poll), time.NewTicker(24*time.Hour)
	defer tick.Stop()
	defer day.Stop()
	seen, ends := s.look(), s.listEnds(time.Now())
	for {
		select {
		case <-ctx.Done():
			return
		case <-day.C:
			s.warn()
		case at := <-tick.C:
			if now := s.look(); !maps.Equal(seen, now) {
				seen = now
				s.changed()
				ends = s.listEnds(at)
			}
			if !ends.IsZero() && at.After(ends) {
				s.warn()
				ends = s.listEnds(at)
			}
		}
	}
}

// stamp tells whether a file is what it was.
type stamp struct {
	size int64
	time time.Time
	gone bool
}

func (s *Store) look() map[string]stamp {
	seen := map[string]stamp{}
	for _, file := range s.Files() {
		info, err := os.Stat(file)
		if err != nil {
			seen[file] = stamp{gone: true}
			continue
		}
		seen[file] = stamp{size: info.Size(), time: info.ModTime()}
	}
	return seen
}

func (s *Store) changed() {
	if err := s.Reload(); err != nil {
		s.logger.Error("reloading certificates", "err", err)
		return
	}
	s.logger.Info("reloaded certificates")
	s.warn()
}

func (s *Store) warn() {
	for _, warning := range s.Warnings() {
		s.logger.Warn("certificate", "problem", warning)
	}
}
