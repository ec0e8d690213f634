package local

import "time"

// SetNow replaces the clock.
func (a *Authority) SetNow(now func() time.Time) { a.now = now }
