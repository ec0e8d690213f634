package peers

import (
	"context"
	"crypto/tls"
	"errors"
	"io"
	"net"
	"net/http"
	"sync"
	"sync/atomic"

	"github.com/quic-go/quic-go"
	"github.com/quic-go/quic-go/http3"
	"github.com/quic-go/quic-go/http3/qlog"
	"github.com/quic-go/quic-go/qlogwriter"
)

// Early is a client of HTTP/3 that sends a request of [http3.MethodGet0RTT] in its first flight, when the cache
// of TLSClientConfig has a session that allows it. Set the fields of the transport before the first request;
// Dial is its own.
//
// It listens to the server only when it has opened its streams: the client of quic-go v0.65.0 takes over the
// limits of the server (Conn.handleTransportParameters) while it reads them for a new stream
// (Conn.newFlowController), which is a race.
type Early struct {
	http3.Transport
	// Hold keeps back all that the client sends after its first flight until it is closed: the handshake does
	// not come to its end. nil keeps nothing back.
	Hold <-chan struct{}
}

// RoundTrip implements [http.RoundTripper].
func (e *Early) RoundTrip(r *http.Request) (*http.Response, error) {
	streams := 1 // that of the settings
	if r.Method == http3.MethodGet0RTT {
		streams = 2 // the others wait for the handshake
	}
	if e.Dial == nil {
		e.Dial = func(ctx context.Context, addr string, t *tls.Config, q *quic.Config) (*quic.Conn, error) {
			return dialEarly(ctx, addr, t, q.Clone(), streams, e.Hold)
		}
	}
	return e.Transport.RoundTrip(r)
}

// First sends a request of any method in the first flight, over a connection of its own that ends with the
// body of the answer: RoundTrip does so for GET alone. body is sent without its length being told.
func (e *Early) First(r *http.Request, body string) (*http.Response, error) {
	t, q := e.TLSClientConfig.Clone(), e.QUICConfig
	t.NextProtos = []string{http3.NextProtoH3}
	conn, err := dialEarly(r.Context(), r.URL.Host, t, q.Clone(), 2, e.Hold)
	if err != nil {
		return nil, err
	}
	stream, err := e.NewClientConn(conn).OpenRequestStream(r.Context())
	if err == nil {
		err = stream.SendRequestHeader(r)
	}
	if err == nil && body != "" {
		_, err = stream.Write([]byte(body))
	}
	if err == nil {
		err = stream.Close() // the request is whole
	}
	if err != nil {
		_ = conn.CloseWithError(0, "")
		return nil, err
	}
	res, err := stream.ReadResponse()
	if err != nil {
		_ = conn.CloseWithError(0, "")
		return nil, err
	}
	res.Body = &lastBody{res.Body, conn}
	return res, nil
}

// lastBody is that of the only answer of a connection.
type lastBody struct {
	io.ReadCloser
	conn *quic.Conn
}

func (b *lastBody) Close() error {
	return errors.Join(b.ReadCloser.Close(), b.conn.CloseWithError(quic.ApplicationErrorCode(http3.ErrCodeNoError), ""))
}

func dialEarly(ctx context.Context, addr string, t *tls.Config, q *quic.Config, streams int, hold <-chan struct{}) (*quic.Conn, error) {
	to, err := net.ResolveUDPAddr("udp", addr)
	if err != nil {
		return nil, err
	}
	socket, err := net.ListenUDP("udp", nil)
	if err != nil {
		return nil, err
	}
	if !sendsEarly(t) {
		streams = 0
	}
	deaf := newDeaf(streams)
	q.Tracer = func(context.Context, bool, quic.ConnectionID) qlogwriter.Trace { return deaf }
	transport := &quic.Transport{Conn: &deafSocket{PacketConn: socket, hears: deaf.hears, hold: hold}}
	conn, err := transport.DialEarly(ctx, to, t, q)
	end := func() {
		deaf.hear()
		_ = transport.Close() // nothing is lost by it
		_ = socket.Close()
	}
	if err != nil {
		end()
		return nil, err
	}
	context.AfterFunc(conn.Context(), end)
	return conn, nil
}

// sendsEarly reports whether there is a session to send early data with.
func sendsEarly(t *tls.Config) bool {
	if t.ClientSessionCache == nil {
		return false
	}
	session, ok := t.ClientSessionCache.Get(t.ServerName)
	if !ok || session == nil {
		return false
	}
	_, state, err := session.ResumptionState()
	return err == nil && state != nil && state.EarlyData
}

// deaf is a connection that hears nothing until it has sent frames of HTTP/3 on so many streams. It is its
// own log, by which it learns of them.
type deaf struct {
	hears   chan struct{} // closed
	hear    func()
	streams int

	mu   sync.Mutex
	seen map[quic.StreamID]bool
}

func newDeaf(streams int) *deaf {
	d := &deaf{hears: make(chan struct{}), streams: streams, seen: map[quic.StreamID]bool{}}
	d.hear = sync.OnceFunc(func() { close(d.hears) })
	if streams == 0 {
		d.hear()
	}
	return d
}

// AddProducer implements [qlogwriter.Trace].
func (d *deaf) AddProducer() qlogwriter.Recorder { return d }

// RecordEvent implements [qlogwriter.Recorder].
func (d *deaf) RecordEvent(event qlogwriter.Event) {
	frame, ok := event.(qlog.FrameCreated)
	if !ok {
		return
	}
	d.mu.Lock()
	defer d.mu.Unlock()
	if d.seen[frame.StreamID] = true; len(d.seen) >= d.streams {
		d.hear()
	}
}

// Close implements [qlogwriter.Recorder].
func (d *deaf) Close() error { return nil }

// deafSocket is a socket that reads when the connection hears, and keeps back what follows the first flight.
type deafSocket struct {
	net.PacketConn
	hears <-chan struct{}
	hold  <-chan struct{} // nil for nothing
	heard atomic.Bool     // an answer to the first flight
}

func (s *deafSocket) ReadFrom(p []byte) (int, net.Addr, error) {
	<-s.hears
	n, from, err := s.PacketConn.ReadFrom(p)
	s.heard.Store(true)
	return n, from, err
}

// WriteTo loses what is kept back; the client sends it again.
func (s *deafSocket) WriteTo(p []byte, to net.Addr) (int, error) {
	if s.heard.Load() && s.hold != nil && !isEarly(p) {
		select {
		case <-s.hold:
		default:
			return len(p), nil
		}
	}
	return s.PacketConn.WriteTo(p, to)
}

// isEarly reports whether a datagram begins with a 0-RTT packet (RFC 9000 §17.2.3).
func isEarly(p []byte) bool { return len(p) > 0 && p[0]&0xf0 == 0xd0 }
