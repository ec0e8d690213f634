package server

import (
	"log/slog"
	"net"
	"net/http"
	"sync"
	"time"
)

// http2 is the server of net/http, which gets the connections that speak HTTP/2 and no others. It
// is the listener that this server accepts them from.
type http2 struct {
	server *http.Server
	conns  chan net.Conn
	done   chan struct{}
	close  func()
}

func newHTTP2(h http.Handler, settings Settings, maxHeader int, log *slog.Logger) *http2 {
	protocols := new(http.Protocols)
	protocols.SetHTTP2(true)
	protocols.SetUnencryptedHTTP2(settings.H2C)
	l := &http2{conns: make(chan net.Conn), done: make(chan struct{})}
	l.close = sync.OnceFunc(func() { close(l.done) })
	l.server = &http.Server{
		Handler:           h,
		ReadHeaderTimeout: settings.ReadHeader,
		IdleTimeout:       settings.KeepAlive,
		MaxHeaderBytes:    maxHeader,
		Protocols:         protocols,
		// Broken frames and the like: the client's fault, and there are many.
		ErrorLog: slog.NewLogLogger(log.Handler(), slog.LevelDebug),
		// A peer that vanished without a word is noticed by a ping, also in an endless stream.
		HTTP2: &http.HTTP2Config{SendPingTimeout: 30 * time.Second},
		// "OPTIONS *" is answered by the handler, so that it is counted and logged.
		DisableGeneralOptionsHandler: true,
	}
	return l
}

// take serves a connection.
func (l *http2) take(conn net.Conn) {
	select {
	case l.conns <- conn:
	case <-l.done:
		_ = conn.Close()
	}
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
