package server

import (
	"bufio"
	"io"
	"net"
	"net/http"
	"time"
)

// h2Buffer is what net/http collects of an HTTP/2 answer before it sends a frame.
const h2Buffer = 4 << 10

// writer counts what is sent and keeps all that the writer below it can do: flushing, sendfile,
// hijacking, and through Unwrap the rest of [http.ResponseController].
//
// On HTTP/1 the connection watches over clients that do not read, see idleConn. On HTTP/2 and HTTP/3 a
// client can also stop a single stream by flow control; a deadline on a stream breaks it off even when
// nothing is being written, so it is set around each write that may wait.
type writer struct {
	http.ResponseWriter
	status   int   // 0 until the header is out
	bytes    int64 // of body
	hijacked bool

	h2      bool
	idle    time.Duration // the time a write on HTTP/2 may wait; negative for no limit
	pending int           // bytes in the buffer below, on HTTP/2
}

func (w *writer) begin(inner http.ResponseWriter, r *http.Request, idle time.Duration) {
	w.ResponseWriter = inner
	w.h2 = r.ProtoMajor >= 2 && idle > 0
	w.idle = idle
}

// Unwrap is for [http.ResponseController].
func (w *writer) Unwrap() http.ResponseWriter { return w.ResponseWriter }

// Started reports whether the header is out, or the connection is in other hands.
func (w *writer) Started() bool { return w.status != 0 || w.hijacked }

func (w *writer) WriteHeader(status int) {
	if w.status == 0 && (status >= 200 || status == http.StatusSwitchingProtocols) {
		w.status = status
	}
	if status == http.StatusNoContent { // RFC 9110 §8.6; clients of HTTP/2 break off an answer with it
		w.Header().Del("Content-Length")
	}
	w.ResponseWriter.WriteHeader(status)
}

func (w *writer) Write(p []byte) (int, error) {
	if w.status == 0 {
		w.status = http.StatusOK
	}
	if w.h2 && !w.fits(len(p)) {
		w.arm()
		defer w.disarm()
	}
	n, err := w.ResponseWriter.Write(p)
	w.bytes += int64(n)
	return n, err
}

// fits reports whether n more bytes stay in the buffer, and does as bufio.Writer does with them.
func (w *writer) fits(n int) bool {
	if w.pending+n <= h2Buffer {
		w.pending += n
		return true
	}
	if rest := n - (h2Buffer - w.pending); w.pending > 0 && rest <= h2Buffer {
		w.pending = rest
	} else {
		w.pending = 0
	}
	return false
}

// ReadFrom sends src, with sendfile(2) where net/http can.
func (w *writer) ReadFrom(src io.Reader) (int64, error) {
	inner, ok := w.ResponseWriter.(io.ReaderFrom)
	if !ok {
		return io.Copy(struct{ io.Writer }{w}, src)
	}
	if w.status == 0 {
		w.status = http.StatusOK
	}
	n, err := inner.ReadFrom(src)
	w.bytes += n
	return n, err
}

// Flush implements [http.Flusher].
func (w *writer) Flush() { _ = w.FlushError() }

// FlushError is for [http.ResponseController].
func (w *writer) FlushError() error {
	if w.status == 0 {
		w.status = http.StatusOK
	}
	if w.h2 && w.pending > 0 {
		w.pending = 0
		w.arm()
		defer w.disarm()
	}
	return w.control().Flush()
}

// Hijack implements [http.Hijacker]; it fails where the connection cannot be taken, as on HTTP/2.
func (w *writer) Hijack() (net.Conn, *bufio.ReadWriter, error) {
	conn, rw, err := w.control().Hijack()
	if err == nil {
		w.hijacked = true
		if w.status == 0 {
			w.status = http.StatusSwitchingProtocols
		}
	}
	return conn, rw, err
}

// SetWriteDeadline hands the watch over slow clients to the handler, for this answer.
func (w *writer) SetWriteDeadline(at time.Time) error {
	w.h2 = false
	return w.control().SetWriteDeadline(at)
}

// finish watches over what net/http has yet to send after the handler.
func (w *writer) finish() {
	if w.h2 && w.pending > 0 {
		w.arm()
	}
}

// A deadline on a stream starts one timer and ends it; a writer without deadlines refuses both.
func (w *writer) arm()    { _ = w.control().SetWriteDeadline(time.Now().Add(w.idle)) }
func (w *writer) disarm() { _ = w.control().SetWriteDeadline(time.Time{}) }

func (w *writer) control() *http.ResponseController {
	return http.NewResponseController(w.ResponseWriter)
}
