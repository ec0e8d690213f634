package server

import (
	"context"
	"crypto/tls"
	"log/slog"
	"net"
	"net/http"
	"sync"
	"time"

	"rws/server/flood"
)

// http2 is the server of net/http, which gets the connections that speak HTTP/2 and no others. It
// is the listener that this server accepts them from.
type http2 struct {
	server *http.Server
	header time.Duration // for that of a request; 0 for no limit
	log    *slog.Logger
	conns  chan net.Conn
	done   chan struct{}
	close  func()
}

// maxStreams are the requests of a connection at a time, of HTTP/2 and HTTP/3. They count until their
// handlers return, also when the client has given them up.
const maxStreams = 128

// maxFrame is the size of a frame that a client may send, the least that there is: of larger ones each
// connection would keep a buffer.
const maxFrame = 16 << 10

func newHTTP2(settings Settings, maxHeader int, log *slog.Logger) *http2 {
	protocols := new(http.Protocols)
	protocols.SetHTTP2(true)
	// For the guarded connections of both kinds: those with TLS come here when that is begun.
	protocols.SetUnencryptedHTTP2(true)
	l := &http2{header: max(settings.ReadHeader, 0), log: log, conns: make(chan net.Conn), done: make(chan struct{})}
	l.close = sync.OnceFunc(func() { close(l.done) })
	l.server = &http.Server{
		Handler:           http.HandlerFunc(arrived),
		ConnContext:       withArrival,
		ReadHeaderTimeout: settings.ReadHeader,
		IdleTimeout:       settings.KeepAlive,
		MaxHeaderBytes:    maxHeader,
		Protocols:         protocols,
		// Broken frames and the like: the client's fault, and there are many.
		ErrorLog: slog.NewLogLogger(log.Handler(), slog.LevelDebug),
		// A peer that vanished without a word is noticed by a ping, also in an endless stream.
		HTTP2: &http.HTTP2Config{SendPingTimeout: 30 * time.Second, MaxConcurrentStreams: maxStreams, MaxReadFrameSize: maxFrame},
		// "OPTIONS *" is answered by the handler, so that it is counted and logged.
		DisableGeneralOptionsHandler: true,
	}
	return l
}

// arrival is a connection with where it came in. That it has TLS is not to be seen, for net/http takes
// guarded connections only without.
type arrival struct {
	net.Conn
	handler http.Handler
	tls     *tls.ConnectionState // nil without
}

type arrivalKey struct{}

// withArrival makes a connection known to its requests.
func withArrival(ctx context.Context, conn net.Conn) context.Context {
	return context.WithValue(ctx, arrivalKey{}, conn)
}

// arrived answers a request by the handler of its connection.
func arrived(w http.ResponseWriter, r *http.Request) {
	a := r.Context().Value(arrivalKey{}).(*arrival)
	r.TLS = a.tls
	a.handler.ServeHTTP(w, r)
}

// take serves a connection with the given handler.
func (l *http2) take(conn net.Conn, h http.Handler) {
	a := &arrival{Conn: flood.Guard(conn, l.header, l.log), handler: h}
	if secure, ok := conn.(*tls.Conn); ok {
		state := secure.ConnectionState()
		a.tls = &state
		if !adequate(&state) {
			_ = conn.Close() // clients that speak HTTP/2 have better ones
			return
		}
	}
	select {
	case l.conns <- a:
	case <-l.done:
		_ = conn.Close()
	}
}

// adequate reports whether TLS is as HTTP/2 wants it: version 1.3, or an AEAD cipher with ephemeral
// keys (RFC 9113 §9.2.2).
func adequate(state *tls.ConnectionState) bool {
	switch state.CipherSuite {
	case tls.TLS_ECDHE_RSA_WITH_AES_128_GCM_SHA256, tls.TLS_ECDHE_ECDSA_WITH_AES_128_GCM_SHA256,
		tls.TLS_ECDHE_RSA_WITH_AES_256_GCM_SHA384, tls.TLS_ECDHE_ECDSA_WITH_AES_256_GCM_SHA384,
		tls.TLS_ECDHE_RSA_WITH_CHACHA20_POLY1305_SHA256, tls.TLS_ECDHE_ECDSA_WITH_CHACHA20_POLY1305_SHA256:
		return true
	}
	return state.Version >= tls.VersionTLS13
}

// Accept implements [net.Listener].
func (l *http2) Accept() (net.Conn, error) {
	select {
	case conn := <-l.conns:
		return conn, nil
	case <-l.done:
		return nil, net.ErrClosed
	}
}

// Close implements [net.Listener].
func (l *http2) Close() error {
	l.close()
	return nil
}

// Addr implements [net.Listener].
func (l *http2) Addr() net.Addr { return &net.TCPAddr{} }
