package http1

import (
	"math"
	"net/http"
	"strings"
)

// framing says how long the body of a request is (RFC 9112 §6).
type framing struct {
	size      int64 // of the Content-Length
	hasSize   bool
	chunked   bool
	encodings int
}

// length reads a Content-Length: digits only, once.
func (f *framing) length(value string) *RequestError {
	if f.hasSize {
		return bad("there is more than one Content-Length")
	}
	if value == "" {
		return bad("the Content-Length is empty")
	}
	for i := range len(value) {
		d := int64(value[i]) - '0'
		if d < 0 || d > 9 || f.size > (math.MaxInt64-d)/10 {
			return bad("the Content-Length is not a number")
		}
		f.size = f.size*10 + d
	}
	f.hasSize = true
	return nil
}

// encoding reads a Transfer-Encoding: chunked, once, and nothing else.
func (f *framing) encoding(value string) *RequestError {
	f.encodings++
	if f.encodings > 1 {
		return bad("there is more than one Transfer-Encoding")
	}
	if !strings.EqualFold(value, "chunked") {
		return &RequestError{http.StatusNotImplemented, "the only Transfer-Encoding here is chunked"}
	}
	f.chunked = true
	return nil
}

func (f *framing) check(minor int) *RequestError {
	switch {
	case f.chunked && f.hasSize:
		return bad("Content-Length and Transfer-Encoding contradict each other")
	case f.chunked && minor == 0:
		return bad("HTTP/1.0 has no Transfer-Encoding")
	}
	return nil
}

// contentLength is that of [http.Request].
func (f *framing) contentLength() int64 {
	if f.chunked {
		return -1
	}
	return f.size
}
