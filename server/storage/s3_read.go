package storage

import (
	"context"
	"errors"
	"fmt"
	"io"
	"time"
)

// StallTimeout is how long a bucket may send nothing in the middle of a file before reading it fails with
// [CodeTimeout]. The time between two reads, as that of a slow client, does not count.
const StallTimeout = 30 * time.Second

var errStalled = errors.New("the bucket sends nothing")

// An s3Body names errors of reading, and gives up on a server that stalls.
type s3Body struct {
	io.ReadCloser
	s     *S3
	ctx   context.Context // of the caller
	key   string
	own   context.Context // of the request
	stop  context.CancelCauseFunc
	timer *time.Timer // nil before the first read
}

// Read implements [io.Reader].
func (b *s3Body) Read(p []byte) (int, error) {
	b.watch()
	n, err := b.ReadCloser.Read(p)
	b.timer.Stop()
	if err == nil || err == io.EOF {
		return n, err
	}
	if context.Cause(b.own) == errStalled {
		err = &Error{Code: CodeTimeout, cause: err, Message: fmt.Sprintf("the server sent nothing for %s in the middle of the file", b.s.stall)}
	}
	return n, b.s.fail(b.ctx, "get", b.key, err)
}

func (b *s3Body) watch() {
	if b.timer == nil {
		b.timer = time.AfterFunc(b.s.stall, func() { b.stop(errStalled) })
		return
	}
	b.timer.Reset(b.s.stall)
}

// Close implements [io.Closer].
func (b *s3Body) Close() error {
	b.stop(nil)
	return b.ReadCloser.Close()
}
