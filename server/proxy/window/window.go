// Package window counts what succeeded and what failed in the time just past.
package window

import (
	"sync/atomic"
	"time"
)

// slices is into how many parts a window is cut; the oldest is dropped as a whole, so a window is
// between nine and ten tenths of its span.
const slices = 10

// Counts are the counts of one window. Safe for concurrent use and without locks: adding is one
// compare-and-swap. Made by [New].
type Counts struct {
	start time.Time
	slice time.Duration
	slots [slices]atomic.Uint64
}

// A slot holds which slice of time it counts, how much there was, and how much of that failed, in one
// word so that none of it can be torn from the rest.
const (
	countBits = 18
	countMask = 1<<countBits - 1 // 262,143 in a slice; more are not counted
)

// New makes counts of a span of time, at least 10 ns.
func New(span time.Duration) *Counts {
	// From a span in the past, so that slots which are empty, of slice 0, are out of the window.
	return &Counts{start: time.Now().Add(-span), slice: max(span/slices, 1)}
}

// now is the number of the slice that it is.
func (c *Counts) now() uint64 { return uint64(time.Since(c.start) / c.slice) }

// Add counts one more, which failed or did not.
func (c *Counts) Add(failed bool) {
	now := c.now()
	slot := &c.slots[now%slices]
	for {
		old := slot.Load()
		epoch, all, bad := split(old)
		if epoch != now&epochMask {
			all, bad = 0, 0
		}
		if all == countMask {
			return
		}
		all++
		if failed {
			bad++
		}
		if slot.CompareAndSwap(old, join(now, all, bad)) {
			return
		}
	}
}

// Sum returns how many were counted and how many of them failed.
func (c *Counts) Sum() (all, failed int) {
	now := c.now()
	for i := range c.slots {
		epoch, n, bad := split(c.slots[i].Load())
		if (now-epoch)&epochMask < slices {
			all += int(n)
			failed += int(bad)
		}
	}
	return all, failed
}

// Reset forgets everything. What is added meanwhile may be forgotten or not.
func (c *Counts) Reset() {
	for i := range c.slots {
		c.slots[i].Store(0)
	}
}

// epochMask is of the bits that are left for the number of a slice: after 2^28 slices, which is
// eight years of seconds, the numbers begin again.
const epochMask = 1<<(64-2*countBits) - 1

func split(word uint64) (epoch, all, failed uint64) {
	return word >> (2 * countBits), word >> countBits & countMask, word & countMask
}

func join(epoch, all, failed uint64) uint64 {
	return epoch<<(2*countBits) | all<<countBits | failed
}
