package reload

import "time"

// debounce fires its timer when nothing has touched it for a while, and at the latest ten
// times as long after the first touch.
type debounce struct {
	wait  time.Duration
	timer *time.Timer
	first time.Time // of the touches since the last reset; zero when there was none
}

func newDebounce(wait time.Duration) *debounce {
	d := &debounce{wait: wait, timer: time.NewTimer(wait)}
	d.timer.Stop()
	return d
}

func (d *debounce) touch() {
	now := time.Now()
	if d.first.IsZero() {
		d.first = now
	}
	if now.Sub(d.first) < 9*d.wait {
		d.timer.Reset(d.wait)
	}
}

func (d *debounce) pending() bool { return !d.first.IsZero() }

// reset is called when the timer has fired.
func (d *debounce) reset() { d.first = time.Time{} }

func (d *debounce) stop() { d.timer.Stop() }
