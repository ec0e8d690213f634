package proxy

// Restore puts a trial where another one stood, as that of the configuration before: its share, and whether it
// was rolled back, of which nobody is told again. It counts anew.
func (c *Canary) Restore(s CanaryState) {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.state.Share, c.state.RolledBack, c.state.Reason, c.state.Since = s.Share, s.RolledBack, s.Reason, s.Since
}
