package proxy

import (
	"fmt"
	"time"
)

// count notes what came of a request, and ends the trial when New is bad.
func (c *Canary) count(isNew bool, v verdict) {
	if v == nothing {
		return
	}
	c.mu.Lock()
	defer c.mu.Unlock()
	n := &c.state.Old
	if isNew {
		n = &c.state.New
	}
	n.Requests++
	if v == failed {
		n.Errors++
	}
	b := c.o.Rollback
	if !isNew || b == nil || c.state.RolledBack {
		return
	}
	c.recent.Add(v == failed)
	all, bad := c.recent.Sum()
	if all >= b.Least && float64(bad) > b.Errors*float64(all) {
		c.rollback(fmt.Sprintf("%d of %d answers in the last %s were errors", bad, all, b.Window))
	}
}

// State tells how the trial stands.
func (c *Canary) State() CanaryState {
	c.mu.Lock()
	defer c.mu.Unlock()
	return c.state
}

// SetShare changes the share, 0 to 1.
func (c *Canary) SetShare(share float64) error {
	if !isShare(share) {
		return fmt.Errorf("canary %s: share %v: want 0 to 1", c.o.Name, share)
	}
	c.mu.Lock()
	defer c.mu.Unlock()
	c.state.Share = share
	return nil
}

// Resume begins the trial anew after a rollback, with nothing counted in the window.
func (c *Canary) Resume() {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.state.RolledBack, c.state.Reason, c.state.Since = false, "", time.Time{}
	if c.recent != nil {
		c.recent.Reset()
	}
}

// Rollback ends the trial by hand: all clients get Old, until Resume.
func (c *Canary) Rollback(reason string) {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.rollback(reason)
}

// rollback is called with mu held.
func (c *Canary) rollback(reason string) {
	if c.state.RolledBack {
		return
	}
	c.state.RolledBack, c.state.Reason, c.state.Since = true, reason, time.Now()
	c.o.Logger.Warn("canary rolled back: all clients get the old version", "canary", c.o.Name, "reason", reason)
	if b := c.o.Rollback; b != nil && b.OnRollback != nil {
		go b.OnRollback(c.state)
	}
}

// Restore puts a trial where another one stood, as that of the configuration before: its share, and whether it
// was rolled back, of which nobody is told again. It counts anew.
func (c *Canary) Restore(s CanaryState) {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.state.Share, c.state.RolledBack, c.state.Reason, c.state.Since = s.Share, s.RolledBack, s.Reason, s.Since
}
