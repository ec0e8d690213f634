package middleware

import (
	"bufio"
	"context"
	"fmt"
	"io"
	"maps"
	"net"
	"net/http"
	"sync"
	"time"

	"rws/server/exchange"
)

// Timeout answers 504 when a handler has not begun to answer after d, counted from the arrival of the
// request, and ends the context of the request then, so that what the handler waits for ends too.
//
// The answer is sent at once, while the handler may still be at work: what it writes from then on is
// dropped, and its writes fail with [http.ErrHandlerTimeout]. An answer that has begun goes on until
// the handler notices that its context has ended. The handler keeps its goroutine, and the connection
// waits for it.
func Timeout(d time.Duration) (Func, error) {
	if d <= 0 {
		return nil, fmt.Errorf("timeout %s: must be positive; leave it out for none", d)
	}
	return func(next http.Handler) http.Handler {
		return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) { timeout(next, w, r, d) })
	}, nil
}

func timeout(next http.Handler, w http.ResponseWriter, r *http.Request, d time.Duration) {
	start := time.Now()
	if e := exchange.From(r.Context()); e != nil {
		start = e.Start
	}
	ctx, cancel := context.WithDeadline(r.Context(), start.Add(d))
	defer cancel()
	r = r.WithContext(ctx)
	// The timer must not look at a header that handlers change.
	asked := (&http.Request{Method: r.Method, ProtoMajor: r.ProtoMajor, Header: http.Header{"Accept": r.Header["Accept"]}}).WithContext(ctx)
	tw := &timeoutWriter{ResponseWriter: w, header: maps.Clone(w.Header()), request: asked}
	if tw.header == nil {
		tw.header = http.Header{}
	}
	timer := time.AfterFunc(time.Until(start.Add(d)), tw.expire)
	defer timer.Stop()
	next.ServeHTTP(tw, r)
	tw.finish()
}

// timeoutWriter is written to by the handler or by the timer, whichever begins.
type timeoutWriter struct {
	http.ResponseWriter
	header  http.Header   // of the handler
	request *http.Request // as far as the answer depends on it

	mu     sync.Mutex
	winner who
}

type who byte

const (
	nobody who = iota
	handler
	timer
)

// Unwrap is for [http.ResponseController].
func (w *timeoutWriter) Unwrap() http.ResponseWriter { return w.ResponseWriter }

// Header is the handler's own, until it begins to answer.
func (w *timeoutWriter) Header() http.Header { return w.header }

// Started reports whether somebody has begun to answer.
func (w *timeoutWriter) Started() bool {
	w.mu.Lock()
	defer w.mu.Unlock()
	return w.winner != nobody
}

// expire runs on the goroutine of the timer. The lock is held until the answer is out: a handler that
// comes late must not return before.
func (w *timeoutWriter) expire() {
	w.mu.Lock()
	defer w.mu.Unlock()
	w.answer()
}

// answer is that of the timer, unless one has begun; mu is held.
func (w *timeoutWriter) answer() {
	if w.winner != nobody {
		return
	}
	w.winner = timer
	if w.request.ProtoMajor == 1 { // or net/http first waits for the rest of a body that the handler is reading
		w.ResponseWriter.Header().Set("Connection", "close")
	}
	refuse(w.ResponseWriter, w.request, http.StatusGatewayTimeout, "The answer took too long.", nil)
	_ = http.NewResponseController(w.ResponseWriter).Flush() // the rest of the handler must not hold it back
}

// begin reports whether the answer is the handler's. One that comes when the time is up is not, though
// the timer may be slower than a handler whose wait has ended.
func (w *timeoutWriter) begin() bool {
	w.mu.Lock()
	defer w.mu.Unlock()
	if w.late() {
		w.answer()
	}
	if w.winner == nobody {
		w.winner = handler
		w.hand()
	}
	return w.winner == handler
}

// hand gives the header of the handler to the writer below.
func (w *timeoutWriter) hand() {
	h := w.ResponseWriter.Header()
	clear(h)
	maps.Copy(h, w.header)
	w.header = h
}

// finish leaves an answer that nobody has begun to whoever answers for that.
func (w *timeoutWriter) finish() {
	w.mu.Lock()
	defer w.mu.Unlock()
	if w.winner != nobody {
		return
	}
	if w.late() {
		w.winner = timer
		refuse(w.ResponseWriter, w.request, http.StatusGatewayTimeout, "The answer took too long.", nil)
		return
	}
	w.winner = handler
	w.hand()
}

// late reports whether the time is up.
func (w *timeoutWriter) late() bool {
	at, _ := w.request.Context().Deadline()
	return !time.Now().Before(at)
}

func (w *timeoutWriter) WriteHeader(status int) {
	if status < 200 && status != http.StatusSwitchingProtocols {
		w.inform(status)
	} else if w.begin() {
		w.ResponseWriter.WriteHeader(status)
	}
}

// inform sends a status before the answer (RFC 9110 §15.2), which does not begin with it.
func (w *timeoutWriter) inform(status int) {
	w.mu.Lock()
	defer w.mu.Unlock()
	switch w.winner {
	case handler:
		w.ResponseWriter.WriteHeader(status)
	case nobody:
		h := w.ResponseWriter.Header()
		outer := maps.Clone(h)
		clear(h)
		maps.Copy(h, w.header)
		w.ResponseWriter.WriteHeader(status)
		clear(h)
		maps.Copy(h, outer)
	}
}

func (w *timeoutWriter) Write(p []byte) (int, error) {
	if !w.begin() {
		return 0, http.ErrHandlerTimeout
	}
	return w.ResponseWriter.Write(p)
}

// ReadFrom sends src, with sendfile(2) where the writer below can.
func (w *timeoutWriter) ReadFrom(src io.Reader) (int64, error) {
	if !w.begin() {
		return 0, http.ErrHandlerTimeout
	}
	return readFrom(w.ResponseWriter, src)
}

// Flush implements [http.Flusher].
func (w *timeoutWriter) Flush() { _ = w.FlushError() }

// FlushError is for [http.ResponseController].
func (w *timeoutWriter) FlushError() error {
	if !w.begin() {
		return http.ErrHandlerTimeout
	}
	return http.NewResponseController(w.ResponseWriter).Flush()
}

// Hijack implements [http.Hijacker]; it fails where the connection cannot be taken, as on HTTP/2.
func (w *timeoutWriter) Hijack() (net.Conn, *bufio.ReadWriter, error) {
	if !w.begin() {
		return nil, nil, http.ErrHandlerTimeout
	}
	return http.NewResponseController(w.ResponseWriter).Hijack()
}
