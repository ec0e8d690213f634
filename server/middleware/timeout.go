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
	"sync/atomic"
	"time"

	"rws/server/cancel"
	"rws/server/exchange"
)

// ErrTimeout is the [context.Cause] in the context of a handler for which [Timeout] has answered. It is a
// [context.DeadlineExceeded].
var ErrTimeout = fmt.Errorf("the answer took too long: %w", context.DeadlineExceeded)

// Timeout answers 504 when a handler has not begun to answer after d, counted from the arrival of the
// request, and ends the context of the request then, so that what the handler waits for ends too.
//
// The answer is sent at once, while the handler may still be at work: what it writes from then on is
// dropped, and its writes fail with [http.ErrHandlerTimeout]. An answer that has begun goes on, as a
// stream or an upgraded connection does: its context has no end by d any more. The handler keeps its
// goroutine, and the connection waits for it.
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
	// The timer must not look at a header that handlers change.
	asked := (&http.Request{Method: r.Method, ProtoMajor: r.ProtoMajor, Header: http.Header{"Accept": r.Header["Accept"]}}).WithContext(r.Context())
	tw := &timeoutWriter{ResponseWriter: w, header: maps.Clone(w.Header()), request: asked, answered: make(chan struct{})}
	if tw.header == nil {
		tw.header = http.Header{}
	}
	tw.life.begin(r.Context(), start.Add(d), &tw.state)
	defer tw.life.end()
	timer := time.AfterFunc(time.Until(start.Add(d)), tw.expire)
	defer timer.Stop()
	defer tw.leave()
	next.ServeHTTP(tw, r.WithContext(&tw.life))
	tw.finish()
}

// A timeoutWriter is written to by the handler or by the timer, whichever begins. No lock is held while
// the writer below is called: it may wait long, as that of a function of a script around the handler does.
type timeoutWriter struct {
	http.ResponseWriter
	header   http.Header   // of the handler
	request  *http.Request // as far as the answer depends on it
	life     timeLimit
	state    atomic.Int32
	answered chan struct{} // closed when the answer of the timer is out
	informs  sync.Mutex    // held while a status before the answer is sent, which waits for the client alone
}

// States of a timeoutWriter. The last three are for good.
const (
	byNobody  int32 = iota
	informing       // the handler sends a status before the answer
	overdue         // as informing, and the time has run out: who informs answers for the timer
	byHandler
	byTimer
)

// A timeLimit is the context of a request whose handler has until a certain time to begin.
type timeLimit struct {
	cancel.Context
	base  context.Context
	at    time.Time
	state *atomic.Int32 // of the writer
	untie func() bool
}

func (l *timeLimit) begin(base context.Context, at time.Time, state *atomic.Int32) {
	l.base, l.at, l.state = base, at, state
	l.untie = cancel.After(base, l.follow)
	if base.Err() != nil {
		l.follow()
	}
}

// follow ends the context as the one above it has.
func (l *timeLimit) follow() { l.End(l.base.Err(), context.Cause(l.base)) }

func (l *timeLimit) end() {
	l.untie()
	l.End(context.Canceled, nil)
}

// Deadline implements [context.Context]: that of the time limit, until the handler has begun.
func (l *timeLimit) Deadline() (time.Time, bool) {
	at, ok := l.base.Deadline()
	if ok && at.Before(l.at) || l.state.Load() == byHandler {
		return at, ok
	}
	return l.at, true
}

// Value implements [context.Context].
func (l *timeLimit) Value(key any) any {
	if v := l.Context.Value(key); v != nil {
		return v
	}
	return l.base.Value(key)
}

// Unwrap is for [http.ResponseController].
func (w *timeoutWriter) Unwrap() http.ResponseWriter { return w.ResponseWriter }

// Header is the handler's own, until it begins to answer.
func (w *timeoutWriter) Header() http.Header {
	if w.state.Load() == byHandler {
		return w.ResponseWriter.Header()
	}
	return w.header
}

// Started reports whether somebody has begun to answer. It never waits.
func (w *timeoutWriter) Started() bool { return w.state.Load() >= overdue }

// expire runs on the goroutine of the timer.
func (w *timeoutWriter) expire() {
	for {
		switch {
		case w.state.CompareAndSwap(byNobody, byTimer):
			w.answer()
			return
		case w.state.CompareAndSwap(informing, overdue):
			w.life.End(context.DeadlineExceeded, ErrTimeout)
			return
		case w.state.Load() >= overdue:
			return
		}
	}
}

// answer is that of the timer, called once by who has set the state.
func (w *timeoutWriter) answer() {
	defer close(w.answered)
	w.life.End(context.DeadlineExceeded, ErrTimeout)
	if w.request.ProtoMajor == 1 { // or net/http first waits for the rest of a body that the handler is reading
		w.ResponseWriter.Header().Set("Connection", "close")
	}
	w.refuse()
	_ = http.NewResponseController(w.ResponseWriter).Flush() // the rest of the handler must not hold it back
}

func (w *timeoutWriter) refuse() {
	refuse(w.ResponseWriter, w.request, http.StatusGatewayTimeout, "The answer took too long.", nil)
}

// begin reports whether the answer is the handler's. One that comes when the time is up is not, though
// the timer may be slower than a handler whose wait has ended.
func (w *timeoutWriter) begin() bool {
	for {
		switch w.state.Load() {
		case byHandler:
			return true
		case byTimer:
			return false
		case informing, overdue:
			w.informed()
		case byNobody:
			if w.late() {
				w.expire()
			} else if w.state.CompareAndSwap(byNobody, byHandler) {
				w.hand()
				return true
			}
		}
	}
}

// hand gives the header of the handler to the writer below.
func (w *timeoutWriter) hand() {
	h := w.ResponseWriter.Header()
	clear(h)
	maps.Copy(h, w.header)
}

// finish leaves an answer that nobody has begun to whoever answers for that.
func (w *timeoutWriter) finish() {
	switch {
	case w.late() && w.state.CompareAndSwap(byNobody, byTimer):
		defer close(w.answered)
		w.refuse()
	case w.state.CompareAndSwap(byNobody, byHandler):
		w.hand()
	}
}

// leave keeps the timer from what follows, also after a panic, and waits for an answer that it has begun:
// who has called the handler writes next, and gives the connection to others.
func (w *timeoutWriter) leave() {
	w.state.CompareAndSwap(byNobody, byHandler)
	if w.state.Load() == byTimer {
		<-w.answered
	}
}

// late reports whether the time is up.
func (w *timeoutWriter) late() bool { return !time.Now().Before(w.life.at) }

func (w *timeoutWriter) WriteHeader(status int) {
	if status < 200 && status != http.StatusSwitchingProtocols {
		w.inform(status)
	} else if w.begin() {
		w.ResponseWriter.WriteHeader(status)
	}
}

// inform sends a status before the answer (RFC 9110 §15.2), which does not begin with it.
func (w *timeoutWriter) inform(status int) {
	w.informs.Lock()
	if !w.state.CompareAndSwap(byNobody, informing) {
		if w.state.Load() == byHandler {
			w.ResponseWriter.WriteHeader(status)
		}
		w.informs.Unlock()
		return
	}
	w.sendInterim(status)
	due := !w.state.CompareAndSwap(informing, byNobody)
	if due {
		w.state.Store(byTimer)
	}
	w.informs.Unlock()
	if due {
		w.answer()
	}
}

// informed waits until another goroutine of the handler has sent a status before the answer.
func (w *timeoutWriter) informed() {
	w.informs.Lock()
	defer w.informs.Unlock()
}

// sendInterim sends a status with the header of the handler, and leaves that of the writer below as it was.
func (w *timeoutWriter) sendInterim(status int) {
	h := w.ResponseWriter.Header()
	outer := maps.Clone(h)
	clear(h)
	maps.Copy(h, w.header)
	w.ResponseWriter.WriteHeader(status)
	clear(h)
	maps.Copy(h, outer)
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
