package proxy

import (
	"fmt"
	"time"
)

// slots are the parts of a window: old counts leave it a part at a time.
const slots = 10

// window counts what happened lately.
type window struct {
	slot   time.Duration
	begins [slots]int64 // the number of the slot that is counted here
	all    [slots]int
	bad    [slots]int
}

// add counts one, and returns the sums of the window.
func (w *window) add(now time.Time, bad bool) (all, failed int) {
	n := now.UnixNano() / int64(max(w.slot, 1))
	i := n % slots
	if w.begins[i] != n {
		w.begins[i], w.all[i], w.bad[i] = n, 0, 0
	}
	w.all[i]++
	if bad {
		w.bad[i]++
	}
	for i := range w.begins {
		if n-w.begins[i] < slots {
			all += w.all[i]
			failed += w.bad[i]
		}
	}
	return all, failed
}

func (w *window) clear() { *w = window{slot: w.slot} }

// count notes what came of a request, and ends the trial when New is bad.
func (c *Canary) count(isNew bool, v verdict) {
	if v == nothing {
		return
	}
	c.mu.Lock()
	defer c.mu.Unlock()
	n, version, result := &c.state.Old, "old", "ok"
	if isNew {
		n, version = &c.state.New, "new"
	}
	n.Requests++
	if v == failed {
		n.Errors++
		result = "error"
	}
	if c.requests != nil {
		_ = c.requests.Add(1, c.o.Name, version, result) // too many series: the registry has told
	}
	b := c.o.Rollback
	if !isNew || b == nil || c.state.RolledBack {
		return
	}
	all, bad := c.window.add(time.Now(), v == failed)
	if all >= b.Least && float64(bad) > b.Errors*float64(all) {
		c.rollback(fmt.Sprintf("%d of %d answers in the last %s were errors", bad, all, b.Window))
	}
}
