package transport

import (
	"io"
	"sync/atomic"
)

// An h2Request is the body of a request over HTTP/2. It remembers whether reading it failed, which
// is not the backend's fault.
type h2Request struct {
	io.ReadCloser
	x     *stream
	left  int64
	sized bool
	begun atomic.Bool
	fault atomic.Pointer[error]
}

func (b *h2Request) Read(p []byte) (int, error) {
	b.begun.Store(true)
	n, err := b.ReadCloser.Read(p)
	b.left -= int64(n)
	if err == io.EOF && b.sized && b.left > 0 {
		err = errShort
	}
	switch {
	case err == nil:
	case err == io.EOF:
		b.x.sent()
	default:
		b.fault.Store(&err)
	}
	return n, err
}
