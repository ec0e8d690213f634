package http1

import (
	"bufio"
	"bytes"
	"net"
	"net/http"
	"time"
)

// Hijack implements [http.Hijacker]. The reader has what the client has sent already.
func (t *transaction) Hijack() (net.Conn, *bufio.ReadWriter, error) {
	if t.hijacked {
		return nil, nil, http.ErrHijacked
	}
	if t.status != 0 {
		t.flush(nil)
		t.discard()
	}
	t.life.unwatch()
	t.hijacked = true
	c := t.conn
	rest := bytes.Clone(c.in.Buffered())
	c.in.Release()
	if err := c.nc.SetDeadline(time.Time{}); err != nil {
		return nil, nil, err
	}
	c.server.remove(c)
	r := bufio.NewReader(&replay{c.nc, rest})
	_, err := r.Peek(len(rest))
	return c.nc, bufio.NewReadWriter(r, bufio.NewWriter(c.nc)), err
}

// SetReadDeadline is for [http.ResponseController]; it lasts until the request is over. A time that
// has passed means that the body is given up: the connection closes after the answer.
func (t *transaction) SetReadDeadline(at time.Time) error {
	if t.hijacked {
		return http.ErrHijacked
	}
	if !at.IsZero() && !at.After(time.Now()) {
		t.body.abandoned.Store(true)
	}
	t.conn.idle.Store(false)
	return t.conn.nc.SetReadDeadline(at)
}

// SetWriteDeadline is for [http.ResponseController]; it lasts until the request is over.
func (t *transaction) SetWriteDeadline(at time.Time) error {
	if t.hijacked {
		return http.ErrHijacked
	}
	t.response.deadline = true
	return t.conn.nc.SetWriteDeadline(at)
}

// EnableFullDuplex is for [http.ResponseController]: a body can always be read while the answer is
// written.
func (t *transaction) EnableFullDuplex() error { return nil }
