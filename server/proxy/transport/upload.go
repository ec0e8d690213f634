package transport

import (
	"fmt"
	"io"
	"net/http"
	"strconv"
	"sync"
	"time"

	"golang.org/x/net/http/httpguts"

	"rws/server/http1/wire"
)

// An upload is the goroutine that sends a body which did not go out with the head.
type upload struct{ x *exchange }

// copies are what bodies are sent through: room for the size of a chunk, content, and a line end.
var copies = sync.Pool{New: func() any { b := make([]byte, chunkRoom+copyLimit+2); return &b }}

const chunkRoom = 10 // 8 hexadecimal digits and a line end

// send begins to send the body. Until that is over the backend may take its time.
func (x *exchange) send() {
	x.c.limit(0, false)
	x.halves = 2
	x.up = &upload{x}
	go x.up.run()
}

func (u *upload) run() {
	x := u.x
	b := copies.Get().(*[]byte)
	client, broken := u.copy(*b)
	copies.Put(b)
	closeBody(x.r)
	switch {
	case client != nil:
		x.clientFailed(client)
	case broken != nil:
		x.writeFailed(broken)
	default:
		x.c.partial.Store(false)
		x.c.hurry(x.patience)
		x.uploaded()
	}
}

// copy returns what went wrong on the side of the client, or of the backend.
func (u *upload) copy(b []byte) (client, broken error) {
	x := u.x
	content := b[chunkRoom : len(b)-2]
	left := x.r.ContentLength
	for chunks := x.m.body == inChunks; chunks || left > 0; {
		if !chunks && left < int64(len(content)) {
			content = content[:left]
		}
		n, err := x.r.Body.Read(content)
		left -= int64(n)
		if n > 0 {
			if broken := u.write(b, n); broken != nil {
				return nil, broken
			}
		}
		switch {
		case err == io.EOF && chunks:
			return u.end(b[:0])
		case err == io.EOF && left > 0:
			return clientFault(errShort, true), nil
		case err != nil && err != io.EOF:
			return clientFault(err, true), nil
		}
	}
	return nil, nil
}

// write sends n bytes of content, in one piece with the frame of a chunk.
func (u *upload) write(b []byte, n int) error {
	x := u.x
	out := b[chunkRoom : chunkRoom+n]
	if x.m.body == inChunks {
		var size [chunkRoom]byte
		head := append(strconv.AppendInt(size[:0], int64(n), 16), "\r\n"...)
		copy(b[chunkRoom-len(head):], head)
		copy(b[chunkRoom+n:], "\r\n")
		out = b[chunkRoom-len(head) : chunkRoom+n+2]
	}
	_, err := x.c.write(out, x.t.o.ReadIdle)
	return err
}

// end sends the last chunk and the trailer.
func (u *upload) end(b []byte) (client, broken error) {
	x := u.x
	b = append(b, "0\r\n"...)
	b, err := appendTrailer(b, x.r.Trailer)
	if err != nil {
		return err, nil
	}
	b = append(b, "\r\n"...)
	_, broken = x.c.write(b, x.t.o.ReadIdle)
	return nil, broken
}

// appendTrailer writes the fields behind the body; only those that may stand there.
func appendTrailer(b []byte, trailer http.Header) ([]byte, error) {
	for name, values := range trailer {
		for _, value := range values {
			if !wire.IsToken(name) || !wire.IsValue(value) || !httpguts.ValidTrailerHeader(name) {
				return b, &Error{Phase: PhaseWrite, Client: true, Sent: true, Err: fmt.Errorf("the trailer field %q of the request is improper", name)}
			}
			b = appendField(b, name, value)
		}
	}
	return b, nil
}

// clientFailed ends the exchange: the request can't be completed.
func (x *exchange) clientFailed(err error) {
	x.mu.Lock()
	x.client = err
	was := x.settled
	x.settled = true
	x.halves--
	x.mu.Unlock()
	if !was {
		x.release(false)
	}
}

// writeFailed leaves the backend a moment to say why it does not read: it may have answered before.
func (x *exchange) writeFailed(err error) {
	x.mu.Lock()
	x.broken = err
	x.halves--
	over := x.halves == 0 && !x.settled
	x.settled = x.settled || over
	x.mu.Unlock()
	if over {
		x.release(false)
		return
	}
	x.c.hurry(min(time.Second, max(x.patience, time.Millisecond)))
}
