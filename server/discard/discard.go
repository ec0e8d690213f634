// Package discard is io.Discard for answers: where a handler has to run, and nobody reads what it
// says.
package discard

import "net/http"

// Writer returns an [http.ResponseWriter] that drops what is written, and keeps the header that a
// handler sets. Each is for one answer.
func Writer() http.ResponseWriter { return &writer{http.Header{}} }

type writer struct{ header http.Header }

func (w *writer) Header() http.Header                { return w.header }
func (*writer) WriteHeader(int)                      {}
func (*writer) Write(p []byte) (int, error)          { return len(p), nil }
func (*writer) WriteString(text string) (int, error) { return len(text), nil }
