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
	code   uint32 // of RST_STREAM
}

// frames finds the headers of frames in a stream of bytes, which comes in pieces.
type frames struct {
	skip   int // bytes up to the next header
	header [headerSize + codeSize]byte
	have   int // of the header
}

// each calls f for each header that ends in p; that of a RST_STREAM ends with its code.
func (s *frames) each(p []byte, f func(frame)) {
	for len(p) > 0 {
		if s.skip > 0 {
			n := min(s.skip, len(p))
			s.skip -= n
			p = p[n:]
			continue
		}
		n := copy(s.header[s.have:s.wants()], p)
		s.have += n
		p = p[n:]
		if s.have < s.wants() {
			continue
		}
		h := frame{length: s.length(), kind: s.header[3], flags: s.header[4], stream: binary.BigEndian.Uint32(s.header[5:]) &^ (1 << 31)}
		if s.skip = h.length; s.have > headerSize {
			h.code = binary.BigEndian.Uint32(s.header[headerSize:])
			s.skip -= codeSize
		}
		s.have = 0
		f(h)
	}
}

// wants is the size of the header, as far as that is known.
func (s *frames) wants() int {
	if s.have >= headerSize && s.header[3] == frameReset && s.length() == codeSize {
		return headerSize + codeSize
	}
	return headerSize
}

func (s *frames) length() int { return int(binary.BigEndian.Uint32(s.header[:]) >> 8) }

// inside reports whether the stream has stopped in the middle of a frame.
func (s *frames) inside() bool { return s.skip > 0 || s.have > 0 }

// rest is how many bytes of p belong to the frame in whose middle the stream has stopped.
func (s frames) rest(p []byte) int {
	n := 0
	for n < len(p) && s.inside() {
		step := max(1, min(s.skip, len(p)-n))
		s.each(p[n:n+step], func(frame) {})
		n += step
	}
	return n
}

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
