package server

import (
	"sync/atomic"
	"time"
)

// Stats are counters at one moment.
type Stats struct {
	InFlight int64        // requests being answered, also by apps that are being replaced
	Total    int64        // requests answered since the server started
	Shed     int64        // of these, refused because memory was short
	Draining int          // apps that were replaced and still have requests
	Routes   []RouteStats // of the present app, in the order of App.Routes
}

// RouteStats are the counters of a route since its app was put in place.
type RouteStats struct {
	Route   Route
	Count   int64         // answers
	Errors  int64         // of these, with status 500 or above, or broken off
	Time    time.Duration // sum
	Slowest time.Duration
}

// counters are the stats of a route; each answer costs four uncontended atomic operations.
type counters struct {
	answers, errors, nanos, slowest atomic.Int64
}

func (c *counters) count(took time.Duration, failed bool) {
	c.answers.Add(1)
	c.nanos.Add(int64(took))
	if failed {
		c.errors.Add(1)
	}
	for {
		slowest := c.slowest.Load()
		if int64(took) <= slowest || c.slowest.CompareAndSwap(slowest, int64(took)) {
			return
		}
	}
}

// Stats are the counters of this handler alone.
func (h *Handler) Stats() Stats {
	s := Stats{InFlight: h.inflight.Load(), Total: h.missed.Load(), Routes: make([]RouteStats, len(h.routes))}
	for i, r := range h.routes {
		s.Routes[i] = RouteStats{
			Route: *r.Route, Count: r.answers.Load(), Errors: r.errors.Load(),
			Time: time.Duration(r.nanos.Load()), Slowest: time.Duration(r.slowest.Load()),
		}
		s.Total += s.Routes[i].Count
	}
	return s
}
