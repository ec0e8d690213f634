package middleware

import (
	"bufio"
	"io"
	"net"
	"net/http"
)

// through is a writer that passes everything on and keeps all that the writer below it can do.
// Wrappers embed it and change what they care about; those that must see the first byte give a
// hook.
type through struct {
	http.ResponseWriter
	before  func(status int) // called once, before the header goes out; may be nil
	hook    starter          // as before, for who wants no allocation for a function
	started bool
}

// starter is told before the header goes out.
type starter interface{ start() }

// Unwrap is for [http.ResponseController].
func (w *through) Unwrap() http.ResponseWriter { return w.ResponseWriter }

// start calls the hook, the first time.
func (w *through) start(status int) {
	if w.started {
		return
	}
	w.started = true
	if w.before != nil {
		w.before(status)
	}
	if w.hook != nil {
		w.hook.start()
	}
}

func (w *through) WriteHeader(status int) {
	if status >= 200 || status == http.StatusSwitchingProtocols {
		w.start(status)
	}
	w.ResponseWriter.WriteHeader(status)
}

func (w *through) Write(p []byte) (int, error) {
	w.start(http.StatusOK)
	return w.ResponseWriter.Write(p)
}

// ReadFrom sends src, with sendfile(2) where the writer below can.
func (w *through) ReadFrom(src io.Reader) (int64, error) {
	w.start(http.StatusOK)
	return readFrom(w.ResponseWriter, src)
}

// Flush implements [http.Flusher].
func (w *through) Flush() { _ = w.FlushError() }

// FlushError is for [http.ResponseController].
func (w *through) FlushError() error {
	w.start(http.StatusOK)
	return http.NewResponseController(w.ResponseWriter).Flush()
}

// Hijack implements [http.Hijacker]; it fails where the connection cannot be taken, as on HTTP/2.
func (w *through) Hijack() (net.Conn, *bufio.ReadWriter, error) {
	conn, rw, err := http.NewResponseController(w.ResponseWriter).Hijack()
	w.started = w.started || err == nil
	return conn, rw, err
}

func readFrom(w http.ResponseWriter, src io.Reader) (int64, error) {
	if to, ok := w.(io.ReaderFrom); ok {
		return to.ReadFrom(src)
	}
	return io.Copy(struct{ io.Writer }{w}, src)
}

// bottom is the writer below all wrappers.
func bottom(w http.ResponseWriter) http.ResponseWriter {
	for {
		wrapper, ok := w.(interface{ Unwrap() http.ResponseWriter })
		if !ok {
			return w
		}
		w = wrapper.Unwrap()
	}
}
