package middleware

import (
	"bufio"
	"io"
	"net"
	"net/http"
)

// countingWriter knows the status of an answer and the size of its body.
type countingWriter struct {
	through
	status int // 0 until the header is out
	bytes  int64
}

func (w *countingWriter) WriteHeader(status int) {
	if w.status == 0 && (status >= 200 || status == http.StatusSwitchingProtocols) {
		w.status = status
	}
	w.ResponseWriter.WriteHeader(status)
}

func (w *countingWriter) ok() {
	if w.status == 0 {
		w.status = http.StatusOK
	}
}

func (w *countingWriter) Write(p []byte) (int, error) {
	w.ok()
	n, err := w.ResponseWriter.Write(p)
	w.bytes += int64(n)
	return n, err
}

// ReadFrom sends src, with sendfile(2) where the writer below can.
func (w *countingWriter) ReadFrom(src io.Reader) (int64, error) {
	w.ok()
	n, err := readFrom(w.ResponseWriter, src)
	w.bytes += n
	return n, err
}

// Flush implements [http.Flusher].
func (w *countingWriter) Flush() { _ = w.FlushError() }

// FlushError is for [http.ResponseController].
func (w *countingWriter) FlushError() error {
	w.ok()
	return w.through.FlushError()
}

// Hijack implements [http.Hijacker]; it fails where the connection cannot be taken, as on HTTP/2.
func (w *countingWriter) Hijack() (net.Conn, *bufio.ReadWriter, error) {
	conn, rw, err := w.through.Hijack()
	if err == nil && w.status == 0 {
		w.status = http.StatusSwitchingProtocols
	}
	return conn, rw, err
}
