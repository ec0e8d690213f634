package transport

import (
	"errors"
	"io"
	"net/http"
	"sync"
	"time"

	"rws/server/http1/wire"
)

// A tunnel is a connection that has switched protocols. It is the caller's until it is closed.
type tunnel struct {
	x     *exchange
	close sync.Once
}

// switchProtocols hands the connection out, without deadlines.
func (x *exchange) switchProtocols(a *answer) (*http.Response, error) {
	x.mu.Lock()
	sending := x.up != nil && x.halves > 1
	x.mu.Unlock()
	switch {
	case !isUpgrade(x.r):
		return nil, x.fail(PhaseHeader, errUnasked)
	case sending:
		return nil, x.fail(PhaseHeader, wire.Fault("it switched protocols before the request was sent"))
	}
	x.watch()
	x.c.limit(0, true)
	if err := x.c.nc.SetDeadline(time.Time{}); err != nil {
		return nil, x.fail(PhaseHeader, err)
	}
	x.c.readBy, x.c.writeBy = time.Time{}, time.Time{}
	a.fill(&x.response, x.r, -1)
	x.response.TLS = x.c.tls
	x.response.Body = &tunnel{x: x}
	return &x.response, nil
}

// Read gives what came with the answer first.
func (t *tunnel) Read(p []byte) (int, error) {
	in := &t.x.c.in
	if len(in.Buffered()) == 0 {
		in.Release()
		return t.x.c.nc.Read(p)
	}
	return in.Read(p)
}

// WriteTo lets io.Copy move bytes within the kernel.
func (t *tunnel) WriteTo(w io.Writer) (int64, error) {
	in := &t.x.c.in
	n, err := w.Write(in.Buffered())
	in.Release()
	if err != nil {
		return int64(n), err
	}
	more, err := io.Copy(w, t.x.c.nc)
	return int64(n) + more, err
}

// ReadFrom lets io.Copy move bytes within the kernel.
func (t *tunnel) ReadFrom(r io.Reader) (int64, error) { return io.Copy(t.x.c.nc, r) }

// Write implements [io.Writer].
func (t *tunnel) Write(p []byte) (int, error) { return t.x.c.nc.Write(p) }

// CloseWrite tells the backend that no more comes.
func (t *tunnel) CloseWrite() error {
	half, ok := t.x.c.nc.(interface{ CloseWrite() error })
	if !ok {
		return errors.ErrUnsupported
	}
	return half.CloseWrite()
}

// SetReadDeadline is that of the connection.
func (t *tunnel) SetReadDeadline(at time.Time) error { return t.x.c.nc.SetReadDeadline(at) }

// SetWriteDeadline is that of the connection.
func (t *tunnel) SetWriteDeadline(at time.Time) error { return t.x.c.nc.SetWriteDeadline(at) }

// Close closes the connection. It may be called at any time, and ends what is under way.
func (t *tunnel) Close() error {
	t.close.Do(func() { t.x.release(false) })
	return nil
}
