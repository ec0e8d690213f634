package http3

import (
	"io"
	"net/http"
	"time"
)

// bodyTime is how long a request that seldom has a body may leave open whether it has one. Its stream
// ends with the header, or right after.
const bodyTime = time.Second

// withoutBody finds out whether a request of unknown length, which those of HTTP/3 are that do not tell, has
// a body at all: what gets it as HTTP/1 would have to be sent an empty one in chunks, which some refuse.
// Requests that mostly have one are not looked into, for that may take until the client sends it.
func withoutBody(w http.ResponseWriter, r *http.Request) *http.Request {
	switch r.Method {
	case http.MethodGet, http.MethodHead, http.MethodOptions, http.MethodDelete, http.MethodTrace:
	default:
		return r
	}
	control := http.NewResponseController(w)
	if r.ContentLength >= 0 || control.SetReadDeadline(time.Now().Add(bodyTime)) != nil {
		return r
	}
	var first [1]byte
	n, err := r.Body.Read(first[:])
	_ = control.SetReadDeadline(time.Time{}) // worked before
	looked := *r
	switch {
	case n > 0:
		looked.Body = &begun{ReadCloser: r.Body, first: first[:], err: err}
	case err == io.EOF:
		looked.Body, looked.ContentLength = http.NoBody, 0
	}
	return &looked
}

// begun is a body of which the beginning has been read.
type begun struct {
	io.ReadCloser
	first []byte
	err   error // that came with it
}

func (b *begun) Read(p []byte) (int, error) {
	if len(b.first) == 0 && b.err == nil {
		return b.ReadCloser.Read(p)
	}
	n := copy(p, b.first)
	b.first = b.first[n:]
	if len(b.first) > 0 {
		return n, nil
	}
	return n, b.err
}
