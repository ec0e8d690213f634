package http1

import (
	"io"
	"net/http"
	"sync"
	"time"
	"unsafe"
)

// Write implements [http.ResponseWriter].
func (t *transaction) Write(p []byte) (int, error) {
	if err := t.prepare(len(p)); err != nil {
		return 0, err
	}
	if len(p) == 0 {
		return 0, nil
	}
	t.guess(p)
	t.written += int64(len(p))
	if t.kind == noBody {
		return len(p), nil
	}
	if len(*t.out)+len(p) <= outSize {
		*t.out = append(*t.out, p...)
		return len(p), nil
	}
	return t.writeLarge(p)
}

// WriteString implements [io.StringWriter].
func (t *transaction) WriteString(s string) (int, error) {
	if err := t.prepare(len(s)); err != nil {
		return 0, err
	}
	if t.sniff || t.kind == noBody || len(*t.out)+len(s) > outSize {
		return t.Write(unsafe.Slice(unsafe.StringData(s), len(s))) // which only reads it
	}
	t.written += int64(len(s))
	*t.out = append(*t.out, s...)
	return len(s), nil
}

// prepare checks that n more bytes may be written.
func (t *transaction) prepare(n int) error {
	if t.hijacked {
		return http.ErrHijacked
	}
	if t.status == 0 {
		t.WriteHeader(http.StatusOK)
	}
	switch {
	case t.broken() != nil:
		return t.broken()
	case n > 0 && !bodyAllowed(t.status):
		return http.ErrBodyNotAllowed
	case t.kind == framedByLength && t.written+int64(n) > t.length:
		return http.ErrContentLength
	}
	return nil
}

// guess adds the Content-Type that the handler has not set.
func (t *transaction) guess(p []byte) {
	if !t.sniff {
		return
	}
	t.sniff = false
	t.head(appendField((*t.out)[:t.headEnd], "Content-Type", http.DetectContentType(p)))
}

// writeLarge writes what the buffer has no room for.
func (t *transaction) writeLarge(p []byte) (int, error) {
	if len(p) < outSize/4 {
		t.flush(nil)
		*t.out = append(*t.out, p...)
	} else {
		t.flush(p)
	}
	if err := t.broken(); err != nil {
		return 0, err
	}
	return len(p), nil
}

// Flush implements [http.Flusher].
func (t *transaction) Flush() { _ = t.FlushError() }

// FlushError is for [http.ResponseController].
func (t *transaction) FlushError() error {
	if t.hijacked {
		return http.ErrHijacked
	}
	if t.status == 0 {
		t.WriteHeader(http.StatusOK)
	}
	t.flush(nil)
	return t.broken()
}

// finish sends what is left of the answer and reads what is left of the request. It reports
// whether the connection can take another.
func (t *transaction) finish() bool {
	t.handled = true
	if t.status == 0 {
		t.WriteHeader(http.StatusOK)
	}
	t.flush(nil)
	t.discard()
	if t.kind == framedByLength && t.written != t.length {
		return false // the client waits for what never comes
	}
	if t.response.deadline {
		_ = t.conn.nc.SetWriteDeadline(time.Time{}) // fails on a closed connection, as the next write will
	}
	return t.broken() == nil && t.keepAlive && t.body.finish() && !t.conn.server.hasty.Load()
}

// discard gives the buffer back.
func (t *transaction) discard() {
	if t.out == nil {
		return
	}
	if cap(*t.out) <= 2*outSize {
		outs.Put(t.out)
	}
	t.out = nil
}

// lingers reports whether the client may still be sending when the connection is closed.
func (t *transaction) lingers() bool {
	return !t.hijacked && t.broken() == nil && t.sent
}

// ReadFrom sends src, by sendfile(2) or splice(2) when its length is known and the connection
// allows.
func (t *transaction) ReadFrom(src io.Reader) (n int64, err error) {
	if err := t.prepare(0); err != nil {
		return 0, err
	}
	direct, ok := t.conn.nc.(io.ReaderFrom)
	if !ok || t.kind != framedByLength || t.sniff || !isLarge(src) {
		return t.copy(src)
	}
	t.flush(nil)
	if err := t.broken(); err != nil {
		return 0, err
	}
	limited := &io.LimitedReader{R: src, N: t.length - t.written}
	if given, ok := src.(*io.LimitedReader); ok { // one inside another would hide the file
		limited.R, limited.N = given.R, min(given.N, limited.N)
		defer func() { given.N -= n }()
	}
	n, err = direct.ReadFrom(limited)
	t.written += n
	t.fail(err)
	return n, err
}

// isLarge reports whether src is worth a system call of its own. Below that a copy goes out with
// the head.
func isLarge(src io.Reader) bool {
	limited, ok := src.(*io.LimitedReader)
	return !ok || limited.N > copySize
}

var copies = sync.Pool{New: func() any { b := make([]byte, copySize); return &b }}

const copySize = 32 << 10

func (t *transaction) copy(src io.Reader) (int64, error) {
	b := copies.Get().(*[]byte)
	defer copies.Put(b)
	return io.CopyBuffer(struct{ io.Writer }{t}, src, *b)
}
