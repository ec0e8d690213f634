package http1

import (
	"net"
	"net/http"
	"strconv"
	"strings"

	"rws/server/http1/wire"
)

// flush sends what is in the buffer and then more, which is part of the body. Before the first
// bytes go out it decides how the body is framed.
func (t *transaction) flush(more []byte) {
	out := *t.out
	size := len(out) - t.headEnd - gap + len(more)
	var room [gap]byte
	b := room[:0]
	if !t.sent {
		b = t.frame(b)
	}
	if t.kind == framedByChunks {
		b = t.beginChunk(b, size)
	}
	start := gap - len(b)
	copy(out[start:], out[:t.headEnd])
	copy(out[start+t.headEnd:], b)
	if t.kind == framedByChunks && len(more) == 0 {
		out = t.endChunk(out)
	}
	t.put(out[start:], more)
	t.sent, t.headEnd = true, 0
	*t.out = out[:gap]
}

// frame decides on the framing and appends the fields for it, and the end of the head.
func (t *transaction) frame(b []byte) []byte {
	t.sniff = false
	switch {
	case t.kind == framedByLength:
	case t.kind == noBody:
		if t.handled && t.written > 0 && bodyAllowed(t.status) && t.header["Content-Length"] == nil { // HEAD
			b = appendLength(b, t.written)
		}
	case t.handled && len(t.trailers) == 0 && !t.hasLateTrailer():
		t.kind, t.length = framedByLength, t.written
		b = appendLength(b, t.written)
	case t.request.ProtoMinor == 0:
		t.kind, t.keepAlive = framedByClose, false
	default:
		t.kind = framedByChunks
		b = append(b, "Transfer-Encoding: chunked\r\n"...)
	}
	switch {
	case !t.keepAlive && t.status != http.StatusSwitchingProtocols:
		b = append(b, "Connection: close\r\n"...)
	case t.keepAlive && t.sayKeepAlive:
		b = append(b, "Connection: keep-alive\r\n"...)
	}
	return append(b, "\r\n"...)
}

func appendLength(b []byte, n int64) []byte {
	b = append(b, "Content-Length: "...)
	b = strconv.AppendInt(b, n, 10)
	return append(b, "\r\n"...)
}

// beginChunk appends what comes before size bytes of content.
func (t *transaction) beginChunk(b []byte, size int) []byte {
	if t.owed {
		b = append(b, "\r\n"...)
		t.owed = false
	}
	if size == 0 {
		return b
	}
	t.owed = true
	b = strconv.AppendInt(b, int64(size), 16)
	return append(b, "\r\n"...)
}

// endChunk appends what comes behind the content of a chunk, and of the body when it is over.
func (t *transaction) endChunk(b []byte) []byte {
	if t.owed {
		b = append(b, "\r\n"...)
		t.owed = false
	}
	if !t.handled {
		return b
	}
	b = append(b, "0\r\n"...)
	for _, name := range t.trailers {
		for _, value := range t.header[name] {
			b = appendField(b, name, value)
		}
	}
	for name, values := range t.header {
		if late, ok := strings.CutPrefix(name, http.TrailerPrefix); ok && wire.IsToken(late) {
			for _, value := range values {
				b = appendField(b, late, value)
			}
		}
	}
	return append(b, "\r\n"...)
}

// hasLateTrailer reports whether the handler has set a trailer field that it had not announced.
func (t *transaction) hasLateTrailer() bool {
	for name := range t.header {
		if strings.HasPrefix(name, http.TrailerPrefix) {
			return true
		}
	}
	return false
}

// put writes to the connection, unless that has failed before.
func (t *transaction) put(first, second []byte) {
	if len(first)+len(second) == 0 || t.broken() != nil {
		return
	}
	var err error
	switch {
	case len(second) == 0:
		_, err = t.conn.nc.Write(first)
	case len(first) == 0:
		_, err = t.conn.nc.Write(second)
	default:
		err = t.putBoth(first, second)
	}
	t.fail(err)
}

// fail notes that the connection is broken.
func (t *transaction) fail(err error) {
	if err == nil {
		return
	}
	t.mu.Lock()
	defer t.mu.Unlock()
	t.response.fault = err
}

// A gatherer writes several pieces with one system call.
type gatherer interface {
	WriteBuffers(*net.Buffers) (int64, error)
}

func (t *transaction) putBoth(first, second []byte) error {
	pieces := net.Buffers{first, second}
	if g, ok := t.conn.nc.(gatherer); ok {
		_, err := g.WriteBuffers(&pieces)
		return err
	}
	_, err := pieces.WriteTo(t.conn.nc)
	return err
}
