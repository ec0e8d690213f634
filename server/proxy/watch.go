package proxy

import (
	"bufio"
	"io"
	"net"
	"net/http"
)

// watch is a writer that notes the status and keeps all that the writer below it can do.
type watch struct {
	http.ResponseWriter
	status   int // 0 until the header is out
	bytes    int64
	seen     func([]byte) // sees the body; may be nil
	hijacked bool
}

// Unwrap is for [http.ResponseController].
func (w *watch) Unwrap() http.ResponseWriter { return w.ResponseWriter }

func (w *watch) started() bool { return w.status != 0 || w.hijacked }

func (w *watch) WriteHeader(status int) {
	if w.status == 0 && (status >= 200 || status == http.StatusSwitchingProtocols) {
		w.status = status
	}
	w.ResponseWriter.WriteHeader(status)
}

func (w *watch) Write(p []byte) (int, error) {
	w.begin()
	n, err := w.ResponseWriter.Write(p)
	w.bytes += int64(n)
	if w.seen != nil {
		w.seen(p[:n])
	}
	return n, err
}

// ReadFrom sends src, with sendfile(2) where the writer below can.
func (w *watch) ReadFrom(src io.Reader) (int64, error) {
	inner, ok := w.ResponseWriter.(io.ReaderFrom)
	if !ok || w.seen != nil {
		return io.Copy(struct{ io.Writer }{w}, src)
	}
	w.begin()
	n, err := inner.ReadFrom(src)
	w.bytes += n
	return n, err
}

// Flush implements [http.Flusher].
func (w *watch) Flush() { _ = w.FlushError() }

// FlushError is for [http.ResponseController].
func (w *watch) FlushError() error {
	w.begin()
	return http.NewResponseController(w.ResponseWriter).Flush()
}

// Hijack implements [http.Hijacker]; it fails where the connection cannot be taken, as on HTTP/2.
func (w *watch) Hijack() (net.Conn, *bufio.ReadWriter, error) {
	conn, rw, err := http.NewResponseController(w.ResponseWriter).Hijack()
	w.hijacked = w.hijacked || err == nil
	return conn, rw, err
}

func (w *watch) begin() {
	if w.status == 0 {
		w.status = http.StatusOK
	}
}
