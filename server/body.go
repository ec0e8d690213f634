package server

import (
	"context"
	"errors"
	"io"
	"math"
	"net/http"
	"os"
	"sync"
	"time"

	"rws/server/exchange"
)

// minRate is the bytes per second that a slow client must reach on average; see
// Settings.BodyIdle.
const minRate = 240

// body is a request body that does not wait for the client forever. Only the time spent waiting
// for bytes counts, not the time the handler takes between reads.
type body struct {
	inner  io.ReadCloser // nil without a body
	writer *writer
	ex     *exchange.Exchange
	idle   time.Duration // not positive for no limit
	size   int64         // Content-Length, -1 if unknown
	h1     bool

	// The goroutine of a proxy may still read when the handler returns.
	mu     sync.Mutex
	armed  time.Time // the deadline that is set
	got    int64
	waited time.Duration
	over   bool  // read to the end, or given up
	fault  error // why it was given up
}

func hasBody(r *http.Request) bool {
	return r.ContentLength != 0 && r.Body != nil && r.Body != http.NoBody
}

func (b *body) begin(r *http.Request, w *writer, ex *exchange.Exchange, idle time.Duration) {
	b.inner, b.writer, b.ex, b.idle, b.size, b.h1 = r.Body, w, ex, idle, r.ContentLength, r.ProtoMajor < 2
}

// limit bounds a body of unknown length; a known one has been checked.
func (b *body) limit(n int64) {
	if b.inner != nil && b.size < 0 && n >= 0 {
		b.inner = http.MaxBytesReader(b.writer.ResponseWriter, b.inner, n)
	}
}

// Read gives ErrSlowBody when the client is too slow, [context.DeadlineExceeded] after the
// exchange's BodyUntil, and *http.MaxBytesError beyond the limit.
func (b *body) Read(p []byte) (int, error) {
	if b.idle <= 0 && b.ex.BodyUntil.IsZero() {
		return b.inner.Read(p)
	}
	start := time.Now()
	if err := b.before(start); err != nil {
		return 0, err
	}
	n, err := b.inner.Read(p)
	return n, b.after(start, n, err)
}

// Buffered is how much can be read without waiting for the client; 0 where that is not known.
func (b *body) Buffered() int {
	if inner, ok := b.inner.(interface{ Buffered() int }); ok {
		return inner.Buffered()
	}
	return 0
}

func (b *body) Close() error { return b.inner.Close() }

// before sets the deadline of a read. Setting one costs more than reading from a buffer, so one
// that is off by less than a quarter stays.
func (b *body) before(now time.Time) error {
	b.mu.Lock()
	defer b.mu.Unlock()
	if b.over {
		return b.fault
	}
	left, fault := b.left(now)
	if left <= 0 {
		return b.fail(fault)
	}
	if at := now.Add(left); b.armed.IsZero() || at.Before(b.armed) || at.Sub(b.armed) > b.idle/4 {
		b.set(at)
	}
	return nil
}

// left is how long a read may take, and what it means when it takes longer.
func (b *body) left(now time.Time) (time.Duration, error) {
	left, fault := time.Duration(math.MaxInt64), ErrSlowBody
	if b.idle > 0 {
		left = min(b.idle, b.idle+time.Duration(b.got)*time.Second/minRate-b.waited)
	}
	if until := b.ex.BodyUntil; !until.IsZero() && until.Sub(now) < left {
		left, fault = until.Sub(now), context.DeadlineExceeded
	}
	return left, fault
}

func (b *body) after(start time.Time, n int, err error) error {
	b.mu.Lock()
	defer b.mu.Unlock()
	b.got += int64(n)
	now := time.Now()
	b.waited += now.Sub(start)
	switch {
	case err == io.EOF: // the deadline stays: from here on net/http sets its own
		b.over = true
	case errors.Is(err, os.ErrDeadlineExceeded):
		if until := b.ex.BodyUntil; !until.IsZero() && !now.Before(until) {
			return b.fail(context.DeadlineExceeded)
		}
		return b.fail(ErrSlowBody)
	}
	return err
}

// fail leaves nothing to read for the engine, which would otherwise wait for the rest.
func (b *body) fail(fault error) error {
	b.over, b.fault = true, fault
	b.set(time.Unix(1, 0))
	return fault
}

func (b *body) set(at time.Time) {
	b.armed = at
	_ = http.NewResponseController(b.writer.ResponseWriter).SetReadDeadline(at) // fails without a connection: nothing to wait for
}

// finish bounds the time in which net/http discards what the handler did not read of an HTTP/1
// body; on HTTP/2 it resets the stream.
func (b *body) finish() {
	if b.inner == nil || b.idle <= 0 || !b.h1 || b.writer.hijacked {
		return
	}
	b.mu.Lock()
	defer b.mu.Unlock()
	if !b.over {
		b.set(time.Now().Add(b.idle))
	}
}
