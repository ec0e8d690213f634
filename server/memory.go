package server

import (
	"log/slog"
	"math"
	"runtime/debug"
	"runtime/metrics"
	"sync/atomic"
	"time"
)

// shed knows whether memory is short. A nil shed says no.
type shed struct {
	on    atomic.Bool
	count atomic.Int64 // requests refused
	free  func()       // gives back what is garbage; nil when the memory is somebody else's
	freed time.Time    // when it last did
}

// active asks for one request.
func (s *shed) active() bool {
	if s == nil || !s.on.Load() {
		return false
	}
	s.count.Add(1)
	return true
}

// freeEvery is how often the memory is collected while it is short.
const freeEvery = 2 * time.Second

// sampling is how often memory is measured. Reading it takes some 10 µs.
const sampling = 100 * time.Millisecond

// watchMemory measures until stop is closed. limit is asked each time, as it may change with the
// app; not positive is none.
func (s *shed) watchMemory(stop <-chan struct{}, limit func() int64, used func() int64, log *slog.Logger) {
	ticker := time.NewTicker(sampling)
	defer ticker.Stop()
	for {
		s.measure(limit(), used, log)
		select {
		case <-ticker.C:
		case <-stop:
			return
		}
	}
}

func (s *shed) measure(limit int64, used func() int64, log *slog.Logger) {
	was := s.on.Load()
	if limit <= 0 {
		s.on.Store(false)
		return
	}
	bytes := used()
	switch {
	case !was && bytes > limit:
		s.on.Store(true)
		log.Error("memory is short: new requests are answered 503", "used", bytes, "limit", limit)
	case was && bytes >= limit/20*19 && s.free != nil && time.Since(s.freed) > freeEvery:
		// Nobody allocates while requests are refused, so the collector would not run by itself.
		s.free()
		s.freed = time.Now()
	case was && bytes < limit/20*19:
		s.on.Store(false)
		log.Info("memory is back: requests are served again", "used", bytes, "limit", limit, "refused", s.count.Load())
	}
}

// goMemory is the memory the Go runtime has mapped and not given back, which is what GOMEMLIMIT
// counts.
func goMemory() func() int64 {
	samples := []metrics.Sample{{Name: "/memory/classes/total:bytes"}, {Name: "/memory/classes/heap/released:bytes"}}
	return func() int64 {
		metrics.Read(samples)
		return int64(samples[0].Value.Uint64() - samples[1].Value.Uint64())
	}
}

// collectBefore makes the garbage collector work harder before requests are refused, at 90 % of
// the limit, unless GOMEMLIMIT or the program says otherwise. Garbage alone must not shed. The
// result puts things back.
func collectBefore(limit int64) (undo func()) {
	if limit <= 0 || debug.SetMemoryLimit(-1) != math.MaxInt64 {
		return func() {}
	}
	debug.SetMemoryLimit(limit / 10 * 9)
	return func() { debug.SetMemoryLimit(math.MaxInt64) }
}
