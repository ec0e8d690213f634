package fastcgi

import (
	"encoding/binary"
	"fmt"
	"io"
)

// Record types and the like, of the specification §8.
const (
	version      = 1
	headerLength = 8
	maxContent   = 65535

	beginRequest = 1
	abortRequest = 2
	endRequest   = 3
	params       = 4
	stdin        = 5
	stdout       = 6
	stderr       = 7

	responder = 1
	requestID = 1 // a connection has one request
)

// appendRecord appends a record with content of at most 65,535 bytes, without padding, which is for
// applications of the nineties.
func appendRecord(dst []byte, kind byte, content []byte) []byte {
	dst = append(dst, version, kind, 0, requestID)
	dst = binary.BigEndian.AppendUint16(dst, uint16(len(content)))
	return append(append(dst, 0, 0), content...)
}

// appendStream appends content as records, and the empty one that ends it.
func appendStream(dst []byte, kind byte, content []byte) []byte {
	for len(content) > 0 {
		n := min(len(content), maxContent)
		dst = appendRecord(dst, kind, content[:n])
		content = content[n:]
	}
	return appendRecord(dst, kind, nil)
}

// appendPair appends a variable, §3.4.
func appendPair(dst []byte, name, value string) []byte {
	dst = appendLength(appendLength(dst, len(name)), len(value))
	return append(append(dst, name...), value...)
}

func appendLength(dst []byte, n int) []byte {
	if n < 128 {
		return append(dst, byte(n))
	}
	return binary.BigEndian.AppendUint32(dst, uint32(n)|1<<31)
}

// A record is one that the application sends.
type record struct {
	kind    byte
	content int
	padding int
}

// readRecord reads the header of a record.
func readRecord(r io.Reader) (record, error) {
	var h [headerLength]byte
	if _, err := io.ReadFull(r, h[:]); err != nil {
		return record{}, err
	}
	if h[0] != version {
		return record{}, fmt.Errorf("the answer is no FastCGI: version %d", h[0])
	}
	if id := binary.BigEndian.Uint16(h[2:]); id != requestID {
		return record{}, fmt.Errorf("the answer is for request %d of 1", id)
	}
	return record{h[1], int(binary.BigEndian.Uint16(h[4:])), int(h[6])}, nil
}
