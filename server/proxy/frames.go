package proxy

import (
	"encoding/binary"
	"math/rand/v2"
)

// frames follows a stream of WebSocket frames (RFC 6455 §5.2), to know where one may be put in between.
type frames struct {
	head [14]byte
	have int    // bytes of a head that is not complete
	left uint64 // bytes of payload to come
}

// between reports whether the stream is between two frames.
func (f *frames) between() bool { return f.have == 0 && f.left == 0 }

// advance takes bytes up to the end of a frame, or all, and says how many.
func (f *frames) advance(p []byte) (n int) {
	for n < len(p) {
		if f.left > 0 {
			k := min(f.left, uint64(len(p)-n))
			f.left -= k
			n += int(k)
		} else {
			f.head[f.have] = p[n]
			f.have++
			n++
			f.endHead()
		}
		if f.between() {
			return n
		}
	}
	return n
}

// endHead reads the length of the payload, once the head is complete.
func (f *frames) endHead() {
	if f.have < 2 {
		return
	}
	length, size := uint64(f.head[1]&0x7f), 2
	switch length {
	case 126:
		size = 4
	case 127:
		size = 10
	}
	if f.head[1]&0x80 != 0 {
		size += 4 // mask
	}
	if f.have < size {
		return
	}
	switch length {
	case 126:
		length = uint64(binary.BigEndian.Uint16(f.head[2:]))
	case 127:
		length = binary.BigEndian.Uint64(f.head[2:])
	}
	f.have, f.left = 0, length
}

// goingAway is a close frame with code 1001, as servers and, masked, clients send it.
func goingAway(masked bool) []byte {
	if !masked {
		return []byte{0x88, 2, 0x03, 0xe9}
	}
	frame := []byte{0x88, 0x82, 0, 0, 0, 0, 0x03, 0xe9}
	binary.BigEndian.PutUint32(frame[2:], rand.Uint32())
	frame[6] ^= frame[2]
	frame[7] ^= frame[3]
	return frame
}
