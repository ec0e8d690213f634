package client

import (
	"bytes"
	"context"
	"fmt"
	"io"
	"net/http"
)

// readAll reads the body of a buffered answer up to the limit, which applies to what comes out
// of the decompression.
func (c *call) readAll(res *http.Response) ([]byte, error) {
	defer res.Body.Close()
	limit := c.MaxBody
	if limit < 0 {
		body, err := io.ReadAll(res.Body)
		return orNil(body), err
	}
	if res.ContentLength > limit && c.method != http.MethodHead {
		return nil, tooLarge(limit)
	}
	var body bytes.Buffer
	n, err := body.ReadFrom(io.LimitReader(res.Body, limit))
	if err == nil && n == limit {
		err = wantEnd(res.Body, limit)
	}
	return orNil(body.Bytes()), err
}

// wantEnd returns an error unless r is at its end.
func wantEnd(r io.Reader, limit int64) error {
	switch _, err := io.ReadFull(r, make([]byte, 1)); err {
	case nil:
		return tooLarge(limit)
	case io.EOF:
		return nil
	default:
		return err
	}
}

func orNil(b []byte) []byte {
	if len(b) == 0 {
		return nil
	}
	return b
}

func tooLarge(limit int64) *Error {
	return &Error{Code: CodeTooLarge, Err: fmt.Errorf("the answer is larger than %s; raise max_body or read it as a stream", size(limit))}
}

// size prints a number of bytes in the largest unit that divides it.
func size(n int64) string {
	for _, unit := range []struct {
		bytes int64
		name  string
	}{{1 << 30, "gb"}, {1 << 20, "mb"}, {1 << 10, "kb"}} {
		if n >= unit.bytes && n%unit.bytes == 0 {
			return fmt.Sprintf("%d%s", n/unit.bytes, unit.name)
		}
	}
	return fmt.Sprintf("%d bytes", n)
}

// stream is the body of a streaming answer. The time limit runs while a Read waits, not while
// its caller works on what it got.
type stream struct {
	call *call
	body io.ReadCloser
	fail func(error) error
}

func newStream(ctx context.Context, c *call, body io.ReadCloser) *stream {
	if c.timer != nil {
		c.timer.Stop()
	}
	return &stream{call: c, body: body, fail: func(err error) error { return c.explain(ctx, err) }}
}

func (s *stream) Read(p []byte) (int, error) {
	if s.call.timer != nil {
		s.call.timer.Reset(s.call.Timeout)
		defer s.call.timer.Stop()
	}
	n, err := s.body.Read(p)
	if err != nil && err != io.EOF {
		err = s.fail(err)
	}
	return n, err
}

func (s *stream) Close() error {
	defer s.call.end()
	return s.body.Close()
}
