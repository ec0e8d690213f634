package wire

import (
	"math"
	"strings"
)

// ErrCoding refuses a transfer coding that is not "chunked".
const ErrCoding = Fault("the only Transfer-Encoding here is chunked")

// Framing says how long the body of a message is (RFC 9112 §6).
type Framing struct {
	Size    int64 // of the Content-Length
	HasSize bool
	Chunked bool
}

// note keeps what a field says about the length.
func (f *Framing) note(name, value string) error {
	switch name {
	case "Content-Length":
		return f.length(value)
	case "Transfer-Encoding":
		return f.encoding(value)
	}
	return nil
}

// length reads a Content-Length: digits only, once.
func (f *Framing) length(value string) error {
	if f.HasSize {
		return Fault("there is more than one Content-Length")
	}
	if value == "" {
		return Fault("the Content-Length is empty")
	}
	for i := range len(value) {
		d := int64(value[i]) - '0'
		if d < 0 || d > 9 || f.Size > (math.MaxInt64-d)/10 {
			return Fault("the Content-Length is not a number")
		}
		f.Size = f.Size*10 + d
	}
	f.HasSize = true
	return nil
}

// encoding reads a Transfer-Encoding: chunked, once, and nothing else.
func (f *Framing) encoding(value string) error {
	if f.Chunked {
		return Fault("there is more than one Transfer-Encoding")
	}
	if !strings.EqualFold(value, "chunked") {
		return notChunked(value)
	}
	f.Chunked = true
	return nil
}

// notChunked says what is wrong with a list of codings: one that names chunked more than once is malformed
// (RFC 9112 §6.1), whatever else is in it.
func notChunked(value string) error {
	n := 0
	for coding := range strings.SplitSeq(value, ",") {
		if strings.EqualFold(strings.Trim(coding, " \t"), "chunked") {
			n++
		}
	}
	if n > 1 {
		return Fault("the Transfer-Encoding names chunked more than once")
	}
	return ErrCoding
}

func (f *Framing) check(minor int) error {
	switch {
	case f.Chunked && f.HasSize:
		return Fault("Content-Length and Transfer-Encoding contradict each other")
	case f.Chunked && minor == 0:
		return Fault("HTTP/1.0 has no Transfer-Encoding")
	}
	return nil
}
