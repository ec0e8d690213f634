package wire

import (
	"bytes"
	"io"
	"sync"
)

// BufferSize is what a [Reader] reads at once.
const BufferSize = 4 << 10

// buffers hold heads, and what was read with them.
var buffers = sync.Pool{New: func() any { b := make([]byte, BufferSize); return &b }}

// A Reader reads heads, lines and bodies from a connection. It holds a buffer only while something
// is in it. The zero value with a Source is ready.
type Reader struct {
	Source io.Reader

	buf  *[]byte // nil when nothing is buffered
	r, w int     // what is buffered: (*buf)[r:w]
}

// Buffered is what has been read and not used; valid until the next call.
func (b *Reader) Buffered() []byte {
	if b.buf == nil {
		return nil
	}
	return (*b.buf)[b.r:b.w]
}

// Len is how many bytes are buffered.
func (b *Reader) Len() int { return b.w - b.r }

// Skip uses n bytes of what is buffered.
func (b *Reader) Skip(n int) { b.r += n }

// Space is an empty buffer, for who has another way to read than the Source. Nothing may be buffered.
func (b *Reader) Space() []byte {
	b.take()
	b.r, b.w = 0, 0
	return *b.buf
}

// Add says that n bytes were put into the Space.
func (b *Reader) Add(n int) { b.w += n }

// Fill reads more into the buffer, which grows up to limit and one read.
func (b *Reader) Fill(limit int) error {
	b.take()
	if b.r > 0 {
		b.w = copy(*b.buf, (*b.buf)[b.r:b.w])
		b.r = 0
	}
	if b.w == len(*b.buf) {
		b.grow(limit)
	}
	n, err := b.Source.Read((*b.buf)[b.w:])
	b.w += n
	if n > 0 {
		return nil
	}
	if err == nil {
		err = io.ErrNoProgress
	}
	return err
}

func (b *Reader) take() {
	if b.buf == nil {
		b.buf = buffers.Get().(*[]byte)
		b.r, b.w = 0, 0
	}
}

func (b *Reader) grow(limit int) {
	larger := make([]byte, max(len(*b.buf)+1, min(2*len(*b.buf), limit+BufferSize)))
	copy(larger, *b.buf)
	if len(*b.buf) == BufferSize {
		buffers.Put(b.buf)
	}
	b.buf = &larger
}

// Settle gives the buffer back if nothing is in it.
func (b *Reader) Settle() {
	if b.r == b.w {
		b.Release()
	}
}

// Release gives the buffer back, with what is in it.
func (b *Reader) Release() {
	if b.buf != nil && len(*b.buf) == BufferSize {
		buffers.Put(b.buf)
	}
	b.buf, b.r, b.w = nil, 0, 0
}

// Read gives what is buffered, then what comes. It is for bodies.
func (b *Reader) Read(p []byte) (int, error) {
	if b.r == b.w {
		if len(p) >= BufferSize/2 {
			return b.Source.Read(p)
		}
		if err := b.Fill(BufferSize); err != nil {
			return 0, err
		}
	}
	n := copy(p, (*b.buf)[b.r:b.w])
	b.r += n
	return n, nil
}

// Line reads a line of at most limit bytes, its end included, which must be CR LF. It is valid until
// the next read.
func (b *Reader) Line(limit int) ([]byte, error) {
	for from := 0; ; {
		text := b.Buffered()
		i := bytes.IndexByte(text[from:], '\n')
		switch {
		case i >= 0 && from+i < limit:
			end := from + i
			if end == 0 || text[end-1] != '\r' {
				return nil, Fault("a line in the body ends with LF without CR")
			}
			b.r += end + 1
			return text[:end-1], nil
		case i >= 0 || len(text) >= limit:
			return nil, Fault("a chunk of the body is not framed properly")
		}
		from = len(text)
		if err := b.Fill(max(limit, BufferSize)); err == io.EOF {
			return nil, io.ErrUnexpectedEOF
		} else if err != nil {
			return nil, err
		}
	}
}
