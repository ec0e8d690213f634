package peers

import (
	"context"
	"crypto/tls"
	"net"
	"net/http"
	"sync"

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
type Early struct{ http3.Transport }

// RoundTrip implements [http.RoundTripper].
func (e *Early) RoundTrip(r *http.Request) (*http.Response, error) {
	streams := 1 // that of the settings
	if r.Method == http3.MethodGet0RTT {
		streams = 2 // the others wait for the handshake
	}
	if e.Dial == nil {
		e.Dial = func(ctx context.Context, addr string, t *tls.Config, q *quic.Config) (*quic.Conn, error) {
			return dialEarly(ctx, addr, t, q.Clone(), streams)
		}
	}
	return e.Transport.RoundTrip(r)
}

func dialEarly(ctx context.Context, addr string, t *tls.Config, q *quic.Config, streams int) (*quic.Conn, error) {
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
	transport := &quic.Transport{Conn: deafSocket{socket, deaf.hears}}
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

// deafSocket is a socket that reads when the connection hears.
type deafSocket struct {
	net.PacketConn
	hears <-chan struct{}
}

func (s deafSocket) ReadFrom(p []byte) (int, net.Addr, error) {
	<-s.hears
	return s.PacketConn.ReadFrom(p)
}
