package password

import (
	"context"
	"sync/atomic"
)

// WatchRoom reports how many hashes ran at once at most.
func WatchRoom(h *Hasher) (peak func() int64) {
	var now, most atomic.Int64
	h.watch = func(n int64) {
		for n := now.Add(n); n > most.Load(); {
			most.Store(n)
		}
	}
	return most.Load
}

// FillRoom takes all room until release is called.
func FillRoom(h *Hasher) (release func()) {
	if err := h.room.Acquire(context.Background(), h.budget); err != nil {
		panic(err)
	}
	return func() { h.room.Release(h.budget) }
}
