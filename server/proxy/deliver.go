package proxy

import (
	"context"
	"errors"
	"fmt"
	"io"
	"net/http"
	"slices"
	"strings"
	"sync"
	"time"

	"golang.org/x/net/http/httpguts"

	"rws/server/http1"
	"rws/server/proxy/upstream"
)

// deliver passes an answer on. It panics with http.ErrAbortHandler when the answer breaks off.
func (c *call) deliver(t *try) {
	outcome := c.outcome(t, t.res.Header)
	defer func() { c.settle(t, outcome) }() // also after a panic
	if c.source != nil {
		c.source.settle()
	}
	if hook := c.h.o.OnResponse; hook != nil {
		if err := hook(c.in, t.res); err != nil {
			c.fail(c.at(t, &Error{Phase: "hook", Err: err, Status: statusOf(err, http.StatusInternalServerError)}))
			return
		}
	}
	c.writeHead(t)
	if err := c.copy(t); err != nil {
		outcome.Kind, outcome.Err = c.broken(t, err)
		panic(http.ErrAbortHandler)
	}
	if len(t.res.Trailer["Grpc-Status"]) > 0 {
		outcome = c.outcome(t, t.res.Trailer)
	}
	c.writeTrailer(t.res)
}

// writeHead writes the status and header of an answer.
func (c *call) writeHead(t *try) {
	res, to := t.res, c.w.Header()
	named := len(res.Header["Connection"]) > 0
	for name, values := range res.Header {
		switch {
		case isHop(name), named && c.nominated(res.Header, name):
		case name == "Set-Cookie", name == "Vary", name == "Link":
			to[name] = append(slices.Clip(to[name]), values...)
		default:
			to[name] = values
		}
	}
	if res.ContentLength < 0 && c.hasBody(res) {
		delete(to, "Content-Length")
	}
	c.announce(res)
	c.h.response.apply(to)
	if _, typed := to["Content-Type"]; !typed {
		to["Content-Type"] = nil // what the backend has not said, or was removed, nobody guesses
	}
	c.h.o.Pool.SetSticky(to, t.lease, c.in)
	c.w.WriteHeader(res.StatusCode)
}

// nominated reports whether the Connection field of an answer names another one.
func (c *call) nominated(h http.Header, name string) bool {
	return httpguts.HeaderValuesContainsToken(h["Connection"], name) && !c.h.answers.has(name)
}

// hasBody reports whether an answer can have a body (RFC 9110 §6.4.1).
func (c *call) hasBody(res *http.Response) bool {
	return c.in.Method != http.MethodHead && res.StatusCode != http.StatusNoContent && res.StatusCode != http.StatusNotModified
}

// announce names the trailers that the backend has announced.
func (c *call) announce(res *http.Response) {
	if len(res.Trailer) == 0 {
		return
	}
	var names []string
	for name := range res.Trailer {
		if isLateTrailer(name) {
			names = append(names, name)
		}
	}
	if len(names) > 0 {
		slices.Sort(names)
		c.w.Header()["Trailer"] = []string{strings.Join(names, ", ")}
	}
}

// writeTrailer passes trailers on, announced or not.
func (c *call) writeTrailer(res *http.Response) {
	if len(res.Trailer) == 0 {
		return
	}
	to := c.w.Header()
	for name, values := range res.Trailer {
		switch {
		case !isLateTrailer(name):
		case httpguts.HeaderValuesContainsToken(to["Trailer"], name):
			to[name] = values
		default:
			to[http.TrailerPrefix+name] = values
		}
	}
}

// copySize is as much as is read at once.
const copySize = 32 << 10

var buffers = sync.Pool{New: func() any { b := make([]byte, copySize); return &b }}

// errWrite is below the error of an answer that the client does not take.
var errWrite = errors.New("the client did not take all of the answer")

// copy passes the body on. What comes in pieces of unknown number, or for which the backend takes its
// time, goes out at once.
func (c *call) copy(t *try) error {
	res := t.res
	if !c.hasBody(res) || res.ContentLength == 0 {
		return nil
	}
	buffer := buffers.Get().(*[]byte)
	defer buffers.Put(buffer)
	stream := stream{w: c.w, left: res.ContentLength, eager: res.ContentLength < 0 || isEventStream(res.Header)}
	if stream.eager {
		if err := stream.flush(); err != nil {
			return err
		}
	}
	if isEventStream(res.Header) {
		stop := c.endWhenStopping(t)
		defer stop()
	}
	return stream.from(res.Body, *buffer)
}

// A stream writes an answer as it comes.
type stream struct {
	w     http.ResponseWriter
	left  int64 // bytes to come, negative if unknown
	eager bool  // flush after each write
}

func (s *stream) from(body io.Reader, buffer []byte) error {
	known := s.left >= 0
	for {
		n, err := body.Read(buffer)
		if n > 0 {
			s.left -= int64(n)
			if known && s.left < 0 {
				return errors.New("it sent more than it announced")
			}
			if _, err := s.w.Write(buffer[:n]); err != nil {
				return fmt.Errorf("%w: %w", errWrite, err)
			}
		}
		switch {
		case err == io.EOF && known && s.left > 0:
			return io.ErrUnexpectedEOF
		case err == io.EOF:
			return nil
		case err != nil:
			return err
		}
		if n > 0 && s.left != 0 && (s.eager || n < len(buffer)) {
			if err := s.flush(); err != nil {
				return err
			}
		}
	}
}

func (s *stream) flush() error {
	err := http.NewResponseController(s.w).Flush()
	if err == nil || errors.Is(err, http.ErrNotSupported) {
		return nil
	}
	return fmt.Errorf("%w: %w", errWrite, err)
}

func isEventStream(h http.Header) bool {
	kind := h["Content-Type"]
	return len(kind) == 1 && strings.HasPrefix(kind[0], "text/event-stream")
}

var errStopping = errors.New("the server stops, and the stream had not ended")

// endWhenStopping breaks off an answer that would go on for ever when the server stops. Its client must not
// take it for whole: it comes back by itself, to who serves then.
func (c *call) endWhenStopping(t *try) (stop func()) {
	stopping := c.ex.Stopping()
	if stopping == nil {
		return func() {}
	}
	over := make(chan struct{})
	go func() {
		select {
		case <-stopping:
		case <-over:
			return
		}
		patience := time.NewTimer(c.ex.LastWords())
		defer patience.Stop()
		select {
		case <-patience.C:
			t.life.end(context.Canceled, errStopping)
		case <-over:
		}
	}()
	return func() { close(over) }
}

// broken notes why an answer broke off, and says what that tells of the backend.
func (c *call) broken(t *try, err error) (upstream.Kind, error) {
	e := &Error{Phase: "body", Err: err, Status: t.res.StatusCode}
	kind := upstream.Failure
	cause := c.over()
	switch {
	case context.Cause(&t.life) == errStopping:
		kind, e.Err = upstream.Neutral, errStopping
	case errors.Is(err, errWrite), errors.Is(cause, http1.ErrClientLeft), errors.Is(cause, context.Canceled):
		kind, e.refused = upstream.Neutral, true
		c.h.stats.left.Add(1)
	case cause != nil:
		kind, e.Err = upstream.Neutral, cause
	case c.source != nil && c.source.clientFault() != nil:
		kind, e.Err, e.refused = upstream.Neutral, c.source.clientFault(), true
		c.h.stats.refused.Add(1)
	default:
		c.h.stats.failed.Add(1)
	}
	c.ex.Fault = c.at(t, e)
	return kind, err
}
