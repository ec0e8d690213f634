package transport

import (
	"context"
	"io"
	"net/http"
	"sync"
	"time"

	"golang.org/x/net/http/httpguts"

	"rws/server/http1/wire"
)

// What is read of a body that nobody wants, so that the connection can go on: more costs more than a
// new connection, and so does waiting for it.
const (
	maxDrain  = 64 << 10
	drainTime = 50 * time.Millisecond
)

// A body is what an answer carries. Its end gives the connection back.
type body struct {
	x        *exchange
	kind     int
	reusable bool // the connection, after the body

	mu     sync.Mutex
	left   int64 // of a body of known length
	chunks wire.Chunked
	fault  error // what reading gave, and gives ever after
	over   bool  // the connection is no longer ours
}

func (b *body) begin(x *exchange, kind int, length int64) {
	b.x, b.kind, b.left = x, kind, length
	unsent := x.m.expect && x.up == nil // the backend waits for what never comes
	b.reusable = kind != untilClose && !x.response.Close && !unsent && !closes(x.r)
	switch kind {
	case empty: // what follows a 204 that has a body, although it may not, is ambiguous
		doubtful := x.response.StatusCode == http.StatusNoContent && x.response.TransferEncoding != nil
		b.reusable = b.reusable && len(x.c.in.Buffered()) == 0 && !doubtful
	case chunked:
		b.chunks = wire.Chunked{From: &x.c.in, Trailer: b.addTrailer, MaxTrailer: x.t.o.MaxHeaderBytes}
	}
}

// closes reports whether the request asked the backend to close.
func closes(r *http.Request) bool {
	list, ok := r.Header["Connection"]
	return r.Close || ok && httpguts.HeaderValuesContainsToken(list, "close")
}

func (b *body) addTrailer(name, value string) {
	if !httpguts.ValidTrailerHeader(name) {
		return
	}
	if b.x.response.Trailer == nil {
		b.x.response.Trailer = http.Header{}
	}
	b.x.response.Trailer.Add(name, value)
}

// Read implements [io.Reader]. Errors other than io.EOF are of type *[Error].
func (b *body) Read(p []byte) (int, error) {
	b.mu.Lock()
	defer b.mu.Unlock()
	switch {
	case b.fault != nil:
		return 0, b.fault
	case len(p) == 0:
		return 0, nil
	}
	n, err := b.read(p)
	if err != nil {
		b.end(err)
		return n, b.fault
	}
	return n, nil
}

// read gives io.EOF at the proper end only.
func (b *body) read(p []byte) (int, error) {
	in := &b.x.c.in
	switch b.kind {
	case chunked:
		return b.chunks.Read(p)
	case untilClose:
		return in.Read(p)
	}
	if int64(len(p)) > b.left {
		p = p[:b.left]
	}
	n, err := in.Read(p)
	b.left -= int64(n)
	switch {
	case b.left == 0:
		return n, io.EOF
	case err == io.EOF:
		return n, io.ErrUnexpectedEOF
	}
	return n, err
}

// end keeps the error and gives the connection back.
func (b *body) end(err error) {
	x := b.x
	b.over = true
	if err == io.EOF {
		b.fault = io.EOF
		ok := b.reusable && len(x.c.in.Buffered()) == 0
		if ok {
			x.c.in.Release()
		}
		x.half(ok)
		return
	}
	b.fault = x.fail(PhaseBody, err)
}

// Close gives the connection back if the rest of the body is short and there, and closes it
// otherwise. It may be called during a Read, which it ends.
func (b *body) Close() error {
	if !b.mu.TryLock() {
		b.x.c.interrupt()
		b.mu.Lock()
	}
	defer b.mu.Unlock()
	if b.over {
		if b.fault == io.EOF {
			b.fault = http.ErrBodyReadAfterClose
		}
		return nil
	}
	b.drain()
	b.fault = http.ErrBodyReadAfterClose
	return nil
}

// drain reads the rest.
func (b *body) drain() {
	x := b.x
	if !b.reusable || b.kind == sized && b.left > maxDrain || x.r.Context().Err() != nil {
		b.giveUp()
		return
	}
	x.c.limit(drainTime, true)
	p := copies.Get().(*[]byte)
	defer copies.Put(p)
	for total := 0; total <= maxDrain; {
		n, err := b.read(*p)
		total += n
		if err != nil {
			b.end(err)
			return
		}
	}
	b.giveUp()
}

// giveUp closes the connection.
func (b *body) giveUp() {
	b.over = true
	_ = b.x.fail(PhaseBody, context.Canceled) // nobody is left to tell
}
