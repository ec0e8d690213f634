package flood

import (
	"encoding/binary"
	"time"
)

// frame is the header of one (RFC 9113 §4.1).
type frame struct {
	length int
	kind   byte
	flags  byte
	stream uint32
}

// frames finds the headers of frames in a stream of bytes, which comes in pieces.
type frames struct {
	skip   int // bytes up to the next header
	header [headerSize]byte
	have   int // of the header
}

// each calls f for each header that ends in p.
func (s *frames) each(p []byte, f func(frame)) {
	for len(p) > 0 {
		if s.skip > 0 {
			n := min(s.skip, len(p))
			s.skip -= n
			p = p[n:]
			continue
		}
		n := copy(s.header[s.have:], p)
		s.have += n
		p = p[n:]
		if s.have < headerSize {
			return
		}
		s.have = 0
		h := frame{int(binary.BigEndian.Uint32(s.header[:]) >> 8), s.header[3], s.header[4], binary.BigEndian.Uint32(s.header[5:]) &^ (1 << 31)}
		s.skip = h.length
		f(h)
	}
}

// inside reports whether the stream has stopped in the middle of a frame.
func (s *frames) inside() bool { return s.skip > 0 || s.have > 0 }

// bucket is a budget. It is full at first.
type bucket struct {
	rate, size float64 // tokens a second, and at most
	spent      float64
	at         time.Time // of the last look
}

// take takes tokens, and returns what for a bucket that has not so many.
func (b *bucket) take(n float64, now time.Time, what string) string {
	if b.spent > 0 {
		b.spent = max(0, b.spent-b.rate*now.Sub(b.at).Seconds())
	}
	b.at = now
	if b.spent += n; b.spent > b.size {
		return what
	}
	return ""
}

func (b *bucket) add(n float64) { b.spent = max(0, b.spent-n) }
