package logs

import (
	"io"
	"sync"
)

// Output is a destination that can be swapped while loggers write to it, so that a prompt can
// print log lines above itself. The zero value discards. Safe for concurrent use.
type Output struct {
	mu sync.Mutex
	w  io.Writer
}

// NewOutput returns an Output that writes to w.
func NewOutput(w io.Writer) *Output { return &Output{w: w} }

// Write passes p on to the present destination, one call at a time.
func (o *Output) Write(p []byte) (int, error) {
	o.mu.Lock()
	defer o.mu.Unlock()
	if o.w == nil {
		return len(p), nil
	}
	return o.w.Write(p)
}

// Redirect sends everything that follows to w and returns the destination until now, for
// putting it back. When it returns, no write to the old destination is under way.
// A nil w discards.
func (o *Output) Redirect(w io.Writer) (previous io.Writer) {
	o.mu.Lock()
	defer o.mu.Unlock()
	previous, o.w = o.w, w
	return previous
}

func (o *Output) destination() io.Writer {
	o.mu.Lock()
	defer o.mu.Unlock()
	return o.w
}

// lockedWriter serialises the records of one logger and its descendants.
type lockedWriter struct {
	mu sync.Mutex
	w  io.Writer
}

func (l *lockedWriter) Write(p []byte) (int, error) {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.w.Write(p)
}
