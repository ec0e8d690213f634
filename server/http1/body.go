package http1

import (
	"io"
	"net/http"
	"sync"
	"sync/atomic"

	"rws/server/http1/wire"
)

// maxDrain is how much of a body that a handler has not read is read for it, so that the
// connection can go on. More costs more than a new connection.
const maxDrain = 256 << 10

// A body is what a request carries. The goroutine of a proxy may still read when the handler
// returns.
type body struct {
	t *transaction

	pending   atomic.Bool // there is a body that has not been read to the end
	abandoned atomic.Bool // and will not be

	mu       sync.Mutex
	from     io.Reader
	left     int64 // of a body of known length; -1 for a chunked one
	expect   bool  // the client waits for 100 Continue
	ended    bool  // read to the end
	fault    error // what reading gave, and gives ever after
	finished bool
}

func (b *body) begin(t *transaction, h *head) {
	b.t = t
	b.pending.Store(true)
	b.left = h.contentLength()
	if h.framing.Chunked {
		b.from = &wire.Chunked{From: &t.conn.in, Trailer: t.addTrailer}
		return
	}
	b.from = &t.conn.in
}

// Read sends 100 Continue first when the client waits for it. A body that is not framed properly
// gives an error, and the connection is closed after the answer.
func (b *body) Read(p []byte) (int, error) {
	b.mu.Lock()
	defer b.mu.Unlock()
	switch {
	case b.finished:
		return 0, http.ErrBodyReadAfterClose
	case b.fault != nil:
		return 0, b.fault
	case len(p) == 0:
		return 0, nil
	}
	if b.expect {
		b.expect = false
		if err := b.t.writeContinue(); err != nil {
			b.fault = err
			return 0, err
		}
	}
	return b.read(p)
}

func (b *body) read(p []byte) (int, error) {
	if b.left > 0 && int64(len(p)) > b.left {
		p = p[:b.left]
	}
	n, err := b.from.Read(p)
	if b.left > 0 {
		b.left -= int64(n)
		switch {
		case err == io.EOF:
			err = io.ErrUnexpectedEOF
		case b.left == 0 && err == nil:
			err = io.EOF
		}
	}
	if err != nil {
		b.fault = refusal(err)
		b.ended = err == io.EOF
	}
	if b.ended {
		b.pending.Store(false)
		b.t.life.bodyEnded()
	}
	return n, b.fault
}

// Buffered is how much of a body of known length can be read without waiting for the client.
func (b *body) Buffered() int {
	if !b.mu.TryLock() {
		return 0 // somebody waits for it
	}
	defer b.mu.Unlock()
	if b.finished || b.fault != nil || b.expect || b.left <= 0 {
		return 0
	}
	return int(min(b.left, int64(b.t.conn.in.Len())))
}

// Close leaves the rest to the end of the request.
func (b *body) Close() error { return nil }

// drainable reports whether the rest is known to be short enough to be read after the answer, so
// that the answer may promise another request. The rest of a chunked body may be of any length, and that
// of one which a goroutine is waiting for may take any time.
func (b *body) drainable() bool {
	if !b.mu.TryLock() {
		return false
	}
	defer b.mu.Unlock()
	return b.t == nil || b.ended || !b.abandoned.Load() && !b.expect && b.fault == nil && b.left >= 0 && b.left <= maxDrain
}

// continued notes that the handler has told the client to send the body.
func (b *body) continued() {
	b.mu.Lock()
	defer b.mu.Unlock()
	b.expect = false
}

// finish reads what the handler has not, and reports whether the connection is at the next
// request.
func (b *body) finish() bool {
	b.take()
	defer b.mu.Unlock()
	if b.t == nil || b.ended {
		b.finished = true
		return true
	}
	if !b.expect && b.fault == nil && b.left >= 0 && b.left <= maxDrain {
		b.drain()
	}
	b.finished = true
	return b.ended
}

// take locks mu. A goroutine that still waits for the client has it no longer: the answer is complete.
func (b *body) take() {
	if b.mu.TryLock() {
		return
	}
	_ = b.t.conn.nc.SetReadDeadline(past) // fails on a closed connection, as the read does
	b.mu.Lock()
}

// giveUp has nobody read any more.
func (b *body) giveUp() {
	if b.t == nil {
		return
	}
	b.take()
	defer b.mu.Unlock()
	b.finished = true
}

func (b *body) drain() {
	scratch := copies.Get().(*[]byte)
	defer copies.Put(scratch)
	if c := b.t.conn; int64(c.in.Len()) < b.left { // the client has an answer, and no more time than to notice
		c.deadline(moment)
	}
	for b.fault == nil {
		_, _ = b.read(*scratch)
	}
}
