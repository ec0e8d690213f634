package http1

import (
	"bytes"
	"io"
	"net/http"
	"strings"

	"golang.org/x/net/http/httpguts"
)

// Bounds on what is not content of a chunked body.
const (
	maxChunkLine = 300     // the size, and extensions of up to 256 bytes
	maxTrailer   = 4 << 10 // all trailer fields
	// maxWaste is how many bytes of extensions may come with a body beyond what its chunks excuse:
	// chunks of one byte are rude, extensions without content an attack (CVE-2023-39326).
	maxWaste = 16 << 10
)

// A chunked body (RFC 9112 §7.1).
type chunked struct {
	c       *conn
	left    int64 // of the chunk
	tail    bool  // the line end behind the chunk has not been read
	waste   int64
	over    bool
	trailer func(name, value string)
}

// Read gives a *RequestError for what is no proper chunk.
func (b *chunked) Read(p []byte) (int, error) {
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
	n, err := b.c.Read(p[:min(int64(len(p)), b.left)])
	b.left -= int64(n)
	if err == io.EOF {
		err = io.ErrUnexpectedEOF
	}
	return n, err
}

// endChunk reads the line end behind the content of a chunk.
func (b *chunked) endChunk() error {
	if !b.tail {
		return nil
	}
	b.tail = false
	line, err := b.c.readLine(2)
	if err != nil {
		return err
	}
	if len(line) != 0 {
		return bad("a chunk is longer than it says")
	}
	return nil
}

// nextChunk reads the line before a chunk and, behind the last one, the trailer.
func (b *chunked) nextChunk() error {
	if err := b.endChunk(); err != nil {
		return err
	}
	line, err := b.c.readLine(maxChunkLine)
	if err != nil {
		return err
	}
	if b.left, err = chunkSize(line); err != nil {
		return err
	}
	if b.waste = max(0, b.waste+int64(len(line))-16-2*b.left); b.waste > maxWaste {
		return bad("the chunks of the body are mostly overhead")
	}
	if b.left > 0 {
		b.tail = true
		return nil
	}
	b.over = true
	return b.readTrailer()
}

// chunkSize reads "size" or "size;extension". The extension is ignored, but may hold no control
// characters.
func chunkSize(line []byte) (int64, error) {
	digits, extension, _ := bytes.Cut(line, []byte(";"))
	if len(digits) == 0 || len(digits) > 15 { // 15 hexadecimal digits are 2^60
		return 0, bad("the size of a chunk is not a hexadecimal number")
	}
	if !isFieldValue(string(extension)) {
		return 0, bad("the extension of a chunk has a control character")
	}
	var n int64
	for _, c := range digits {
		switch {
		case '0' <= c && c <= '9':
			n = n<<4 | int64(c-'0')
		case 'a' <= c|0x20 && c|0x20 <= 'f':
			n = n<<4 | int64(c|0x20-'a'+10)
		default:
			return 0, bad("the size of a chunk is not a hexadecimal number")
		}
	}
	return n, nil
}

// readTrailer reads the fields behind the body, up to the empty line.
func (b *chunked) readTrailer() error {
	for left := maxTrailer; ; {
		line, err := b.c.readLine(left)
		if err != nil {
			return err
		}
		if len(line) == 0 {
			return nil
		}
		left -= len(line) + 2
		name, value, fault := parseField(string(line))
		if fault != nil {
			return fault
		}
		b.trailer(name, value)
	}
}

// readLine reads a line of at most limit bytes, its end included, which must be CR LF. It is
// valid until the next read.
func (c *conn) readLine(limit int) ([]byte, error) {
	for from := 0; ; {
		b := c.buffered()
		i := bytes.IndexByte(b[from:], '\n')
		switch {
		case i >= 0 && from+i < limit:
			end := from + i
			if end == 0 || b[end-1] != '\r' {
				return nil, bad("a line in the body ends with LF without CR")
			}
			c.r += end + 1
			return b[:end-1], nil
		case i >= 0 || len(b) >= limit:
			return nil, bad("a chunk of the body is not framed properly")
		}
		from = len(b)
		if err := c.fill(readSize); err == io.EOF {
			return nil, io.ErrUnexpectedEOF
		} else if err != nil {
			return nil, err
		}
	}
}

// declared are the trailer fields that the header announces; what is not announced, or may not
// come late (RFC 9110 §6.5.1), is dropped.
func declared(h http.Header) http.Header {
	lists, ok := h["Trailer"]
	if !ok {
		return nil
	}
	delete(h, "Trailer")
	var trailer http.Header
	for _, list := range lists {
		for name := range strings.SplitSeq(list, ",") {
			name = canonical(strings.Trim(name, " \t"))
			if !isToken(name) || !httpguts.ValidTrailerHeader(name) || isProtected(name) {
				continue
			}
			if trailer == nil {
				trailer = http.Header{}
			}
			trailer[name] = nil
		}
	}
	return trailer
}

// isProtected reports fields that others trust to be in the head or nowhere.
func isProtected(name string) bool {
	switch name {
	case "Cookie", "Forwarded", "Expect", "X-Real-Ip":
		return true
	}
	return strings.HasPrefix(name, "X-Forwarded-")
}
