package server

import (
	"errors"
	"io"
	"net/http"
	"os"
	"sync"
	"time"
)

// minRate is the bytes per second that a slow client must reach on average; see
// Settings.BodyIdle.
const minRate = 240

// body is a request body that does not wait for the client forever. Only the time spent waiting
// for bytes counts, not the time the handler takes between reads.
type body struct {
	inner  io.ReadCloser // nil without a body
	writer *writer
	idle   time.Duration // not positive for no limit
	size   int64         // Content-Length, -1 if unknown
	h1     bool

	// The goroutine of a proxy may still read when the handler returns.
	mu     sync.Mutex
	armed  time.Time // the deadline that is set
	until  time.Time // when reading must end, zero for never; see EndBodyAt
	got    int64
	waited time.Duration
	over   bool // read to the end, or slow
	slow   bool // given up
}

func hasBody(r *http.Request) bool {
	return r.ContentLength != 0 && r.Body != nil && r.Body != http.NoBody
}

func (b *body) begin(r *http.Request, w *writer, idle time.Duration) {
	b.inner, b.writer, b.idle, b.size, b.h1 = r.Body, w, idle, r.ContentLength, r.ProtoMajor < 2
}

// limit bounds a body of unknown length; a known one has been checked.
func (b *body) limit(n int64) {
	if b.inner != nil && b.size < 0 && n >= 0 {
		b.inner = http.MaxBytesReader(b.writer.ResponseWriter, b.inner, n)
	}
}

// Read gives ErrSlowBody when the client is too slow, and *http.MaxBytesError beyond the limit.
func (b *body) Read(p []byte) (int, error) {
	if b.idle <= 0 {
		return b.inner.Read(p)
	}
	start := time.Now()
	if !b.before(start) {
		return 0, ErrSlowBody
	}
	n, err := b.inner.Read(p)
	return n, b.after(start, n, err)
}

func (b *body) Close() error { return b.inner.Close() }

// EndBodyAt makes the reads of the body of a request that this package serves fail with
// [ErrSlowBody] from a time on, so that a client can't hold its handler for longer.
func EndBodyAt(r *http.Request, at time.Time) {
	if b, ok := r.Body.(*body); ok {
		b.mu.Lock()
		b.until = at
		b.mu.Unlock()
	}
}

// before sets the deadline of a read. Setting one costs more than reading from a buffer, so one
// that is off by less than a quarter stays.
func (b *body) before(now time.Time) bool {
	b.mu.Lock()
	defer b.mu.Unlock()
	if b.over {
		return !b.slow
	}
	left := b.idle + time.Duration(b.got)*time.Second/minRate - b.waited
	if left <= 0 {
		b.fail()
		return false
	}
	at := now.Add(min(left, b.idle))
	if !b.until.IsZero() && b.until.Before(at) {
		at = b.until
	}
	if b.armed.IsZero() || at.Before(b.armed) || at.Sub(b.armed) > b.idle/4 {
		b.set(at)
	}
	return true
}

func (b *body) after(start time.Time, n int, err error) error {
	b.mu.Lock()
	defer b.mu.Unlock()
	b.got += int64(n)
	b.waited += time.Since(start)
	switch {
	case err == io.EOF: // the deadline stays: from here on net/http sets its own
		b.over = true
	case errors.Is(err, os.ErrDeadlineExceeded):
		b.fail()
		return ErrSlowBody
	}
	return err
}

// fail leaves nothing to read for net/http, which would otherwise wait for the rest.
func (b *body) fail() {
	b.over, b.slow = true, true
	b.set(time.Unix(1, 0))
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
