package wire

import (
	"bytes"
	"cmp"
	"io"
)

// Bounds on what is not content of a chunked body.
const (
	maxChunkLine = 300     // the size, and extensions of up to 256 bytes
	maxTrailer   = 4 << 10 // all trailer fields, unless MaxTrailer says otherwise
	// maxWaste is how many bytes of extensions may come with a body beyond what its chunks excuse:
	// chunks of one byte are rude, extensions without content an attack (CVE-2023-39326).
	maxWaste = 16 << 10
)

// Chunked reads a chunked body (RFC 9112 §7.1).
type Chunked struct {
	From       *Reader
	Trailer    func(name, value string) // gets each field behind the body, its name canonical
	MaxTrailer int                      // bytes; 4 KiB when 0

	left  int64 // of the chunk
	tail  bool  // the line end behind the chunk has not been read
	waste int64
	over  bool
}

// Read gives a [Fault] for what is no proper chunk, and io.ErrUnexpectedEOF for a body that ends
// before its last chunk.
func (b *Chunked) Read(p []byte) (int, error) {
	if b.over {
		return 0, io.EOF
	}
	if b.left == 0 {
		if err := b.nextChunk(); err != nil {
			return 0, err
		}
		if b.over {
			return 0, io.EOF
		}
	}
	n, err := b.From.Read(p[:min(int64(len(p)), b.left)])
	b.left -= int64(n)
	if err == io.EOF {
		err = io.ErrUnexpectedEOF
	}
	return n, err
}

// endChunk reads the line end behind the content of a chunk.
func (b *Chunked) endChunk() error {
	if !b.tail {
		return nil
	}
	line, err := b.From.Line(2)
	if err != nil {
		return err
	}
	b.tail = false
	if len(line) != 0 {
		return Fault("a chunk is longer than it says")
	}
	return nil
}

// nextChunk reads the line before a chunk and, behind the last one, the trailer.
func (b *Chunked) nextChunk() error {
	if err := b.endChunk(); err != nil {
		return err
	}
	line, err := b.From.Line(maxChunkLine)
	if err != nil {
		return err
	}
	if b.left, err = chunkSize(line); err != nil {
		return err
	}
	if b.waste = max(0, b.waste+int64(len(line))-16-2*b.left); b.waste > maxWaste {
		return Fault("the chunks of the body are mostly overhead")
	}
	if b.left > 0 {
		b.tail = true
		return nil
	}
	if err := b.readTrailer(); err != nil {
		return err
	}
	b.over = true
	return nil
}

// chunkSize reads "size" or "size;extension". The extension is ignored, but may hold no control
// characters.
func chunkSize(line []byte) (int64, error) {
	digits, extension, _ := bytes.Cut(line, []byte(";"))
	if len(digits) == 0 || len(digits) > 15 { // 15 hexadecimal digits are 2^60
		return 0, Fault("the size of a chunk is not a hexadecimal number")
	}
	if !IsValue(string(extension)) {
		return 0, Fault("the extension of a chunk has a control character")
	}
	var n int64
	for _, c := range digits {
		switch {
		case '0' <= c && c <= '9':
			n = n<<4 | int64(c-'0')
		case 'a' <= c|0x20 && c|0x20 <= 'f':
			n = n<<4 | int64(c|0x20-'a'+10)
		default:
			return 0, Fault("the size of a chunk is not a hexadecimal number")
		}
	}
	return n, nil
}

// readTrailer reads the fields behind the body, up to the empty line.
func (b *Chunked) readTrailer() error {
	for left := cmp.Or(b.MaxTrailer, maxTrailer); ; {
		line, err := b.From.Line(left)
		if err != nil {
			return err
		}
		if len(line) == 0 {
			return nil
		}
		left -= len(line) + 2
		name, value, err := Field(string(line))
		if err != nil {
			return err
		}
		b.Trailer(name, value)
	}
}
