package luabind

import (
	"bytes"
	"net/http"
	"strings"
)

// refreshed makes the HTML files of a handler reload with the app, in development.
func (p *Program) refreshed(h http.Handler) http.Handler {
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		if p.dev == nil {
			h.ServeHTTP(w, r)
			return
		}
		page := &pageWriter{ResponseWriter: w}
		h.ServeHTTP(page, r)
		page.finish(r)
	})
}

// A pageWriter keeps back a page until it is complete, and puts the script into it that
// reloads it. What is no page goes through.
type pageWriter struct {
	http.ResponseWriter
	begun, page bool
	body        bytes.Buffer
}

func (w *pageWriter) WriteHeader(status int) {
	h := w.Header()
	if !w.begun {
		w.begun = true
		w.page = status == http.StatusOK && strings.HasPrefix(h.Get("Content-Type"), "text/html") &&
			h.Get("Content-Encoding") == "" && h.Get("Content-Security-Policy") == ""
	}
	if !w.page {
		w.ResponseWriter.WriteHeader(status)
	}
}

func (w *pageWriter) Write(b []byte) (int, error) {
	if !w.begun {
		w.WriteHeader(http.StatusOK)
	}
	if w.page {
		return w.body.Write(b)
	}
	return w.ResponseWriter.Write(b)
}

// finish sends a page.
func (w *pageWriter) finish(r *http.Request) {
	if !w.page {
		return
	}
	w.Header().Del("Content-Length")
	w.ResponseWriter.WriteHeader(http.StatusOK)
	if r.Method != http.MethodHead {
		_, _ = w.ResponseWriter.Write(withReload(w.body.Bytes(), ""))
	}
}

// Unwrap is for [http.ResponseController].
func (w *pageWriter) Unwrap() http.ResponseWriter { return w.ResponseWriter }
