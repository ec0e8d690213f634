// Package problem writes the answer for a request that failed: "application/problem+json"
// (RFC 9457) for programs, a small page for people.
package problem

import (
	"encoding/json"
	"net/http"
	"strconv"

	"rws/server/status"
)

// Details says what went wrong, in words that the client may read.
type Details struct {
	Status int     // 400 to 599; anything else becomes 500
	Title  string  // "" means the text of the status, as in "Not Found"
	Detail string  // a sentence about this occurrence; "" for none
	ID     string  // of the request, to be found in the log; "" for none
	Fields []Field // what is wrong with which part of the input

	// Extra headers of the answer, such as Retry-After.
	Extra http.Header
}

// Field is one thing that is wrong with the input.
type Field struct {
	Path    string `json:"path"`    // where, as in "items[2].name"
	Code    string `json:"code"`    // for programs, as in "too_long"
	Message string `json:"message"` // for people
}

// Write answers r with d: a page if the client prefers text/html by name, as browsers do, else
//
//	{"type": "about:blank", "title": …, "status": …, "detail": …, "request_id": …, "errors": [{"path": …, "code": …, "message": …}]}
//
// without what is empty. The answer is not to be cached, HEAD gets no body, and headers that
// described the answer that was meant to be are dropped. An answer that has been started is left
// as it is, if w or what it unwraps to tells with a method Started() bool.
func Write(w http.ResponseWriter, r *http.Request, d Details) {
	if Started(w) {
		return
	}
	d = d.complete()
	kind, policy, body := "application/problem+json", "default-src 'none'", []byte(nil)
	if WantsHTML(r) {
		kind, policy, body = "text/html; charset=utf-8", pagePolicy, d.page()
	} else {
		body = d.json()
	}
	h := w.Header()
	for _, name := range []string{"Content-Encoding", "Content-Disposition", "Content-Language", "Etag", "Last-Modified", "Expires", "Accept-Ranges"} {
		h.Del(name)
	}
	for name, values := range d.Extra {
		h[http.CanonicalHeaderKey(name)] = values
	}
	h.Set("Content-Type", kind)
	h.Set("Content-Length", strconv.Itoa(len(body)))
	h.Set("Cache-Control", "no-store")
	h.Set("X-Content-Type-Options", "nosniff")
	h.Set("Content-Security-Policy", policy)
	w.WriteHeader(d.Status)
	if r.Method != http.MethodHead {
		_, _ = w.Write(body) // there is nobody left to tell
	}
}

func (d Details) complete() Details {
	if d.Status < 400 || d.Status > 599 {
		d.Status = http.StatusInternalServerError
	}
	if d.Title == "" {
		d.Title = status.Text(d.Status)
	}
	if d.Title == "" {
		d.Title = "Error " + strconv.Itoa(d.Status)
	}
	return d
}

func (d Details) json() []byte {
	body, err := json.Marshal(struct {
		Type   string  `json:"type"`
		Title  string  `json:"title"`
		Status int     `json:"status"`
		Detail string  `json:"detail,omitempty"`
		ID     string  `json:"request_id,omitempty"`
		Fields []Field `json:"errors,omitempty"`
	}{"about:blank", d.Title, d.Status, d.Detail, d.ID, d.Fields})
	if err != nil {
		panic(err) // strings and numbers always marshal
	}
	return append(body, '\n')
}

// Started asks w, and the writers it wraps, whether the header is out.
func Started(w http.ResponseWriter) bool {
	for {
		if s, ok := w.(interface{ Started() bool }); ok {
			return s.Started()
		}
		wrapper, ok := w.(interface{ Unwrap() http.ResponseWriter })
		if !ok {
			return false
		}
		w = wrapper.Unwrap()
	}
}
