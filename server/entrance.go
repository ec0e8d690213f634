package server

import (
	"context"
	"crypto/tls"
	"errors"
	"fmt"
	"math"
	"net"
	"net/http"
	"strconv"

	"rws/server/http3"
	"rws/server/listen"
)

// entrance is a [Listener] at work. It answers the requests that come in by it.
type entrance struct {
	server   *Server
	settings Listener
	hosts    hosts
	base     net.Listener // of package listen
	listener net.Listener // base with what is around it: watches over writes, TLS
	secure   bool

	socket net.PacketConn // for HTTP/3; nil without
	http3  *http3.Server
	altSvc []string // what answers say of it; not to be changed
}

// ServeHTTP answers with the present app.
func (e *entrance) ServeHTTP(w http.ResponseWriter, r *http.Request) { e.server.serveAt(w, r, e) }

// enter opens an entrance. config is for TLS, nil for none.
func (s *Server) enter(ctx context.Context, l Listener, settings Settings, config *tls.Config) (*entrance, error) {
	options := listen.Options{MaxConns: settings.MaxConns, MaxConnsPerIP: settings.MaxConnsPerIP, Logger: s.options.Logger,
		Proxy: l.Proxy, Inherited: s.options.Inherited}
	base, err := listen.Open(ctx, l.Address, options)
	if err != nil {
		return nil, err
	}
	e := &entrance{server: s, settings: l, hosts: newHosts(l.Hosts), base: base, listener: base}
	if settings.WriteIdle > 0 {
		e.listener = idleListener{e.listener, settings.WriteIdle}
	}
	if e.secure = config != nil && l.secure(base.Addr().Network()); !e.secure {
		return e, nil
	}
	e.listener = tls.NewListener(e.listener, config)
	if l.HTTP3 && base.Addr().Network() == "tcp" {
		err = e.openHTTP3(ctx, settings, config, options)
	}
	if err != nil {
		e.close()
		return nil, err
	}
	return e, nil
}

// altSvcAge is how long clients may remember that there is HTTP/3: a day, for who switches it off.
const altSvcAge = 24 * 60 * 60

func (e *entrance) openHTTP3(ctx context.Context, settings Settings, config *tls.Config, o listen.Options) error {
	socket, err := listen.OpenPacket(ctx, e.settings.Address, e.base.Addr(), o)
	if err != nil {
		return fmt.Errorf("HTTP/3: %w", err)
	}
	e.socket = socket
	e.http3 = http3.New(http3.Options{
		Handler: e, TLS: config, EarlyData: settings.EarlyData, Admit: e.admits,
		Handshake: settings.ReadHeader, Idle: settings.KeepAlive, MaxHeaderBytes: settings.maxHeader(), MaxStreams: maxStreams,
		MaxConns: settings.MaxConns, MaxConnsPerIP: settings.MaxConnsPerIP, Logger: e.server.options.Logger,
	})
	_, port, err := net.SplitHostPort(socket.LocalAddr().String())
	if err != nil {
		return fmt.Errorf("HTTP/3: %w", err)
	}
	e.altSvc = []string{`h3=":` + port + `"; ma=` + strconv.Itoa(altSvcAge)}
	return nil
}

// admits reports whether a client may come by UDP, where nobody can tell for whom: not where only
// proxies may come.
func (e *entrance) admits(client net.Addr) bool {
	p := e.settings.Proxy
	return p == nil || p.Plain || p.Trusts(client)
}

// close takes back what enter did; nothing was accepted.
func (e *entrance) close() {
	_ = e.listener.Close() // there is nothing to be done about it
	if e.socket != nil {
		_ = e.socket.Close()
	}
}

// serve accepts connections until the server stops.
func (e *entrance) serve() {
	s := e.server
	s.work.Go(func() { e.ended(e.listener.Addr(), s.http1.ServeHandler(e.listener, e)) })
	if e.http3 == nil {
		return
	}
	s.work.Go(func() {
		select { // who had the socket before may still be using it
		case <-s.options.Released:
		case <-s.quit:
		}
		e.ended(e.socket.LocalAddr(), e.http3.Serve(e.socket))
	})
}

// ended stops the server when accepting has failed: half of it is worse than none.
func (e *entrance) ended(addr net.Addr, err error) {
	if errors.Is(err, http.ErrServerClosed) {
		return
	}
	e.server.options.Logger.Error("accepting connections", "addr", addr.String(), "err", err)
	e.server.stop(fmt.Errorf("accepting connections on %s: %w", addr, err))
}

// refuse is the engine's own answer to a request that came in by the wrong door; a nil entrance has
// no rules.
func (e *entrance) refuse(t *transaction) (status int, detail string) {
	if e == nil || e.hosts.serve(t.request.Host) {
		return 0, ""
	}
	return http.StatusMisdirectedRequest, "This address does not serve that host."
}

// announce tells a client that there is HTTP/3, unless its host has no TLS 1.3, which QUIC needs.
func (e *entrance) announce(w http.ResponseWriter, r *http.Request) {
	if e != nil && e.altSvc != nil && r.ProtoMajor < 3 && e.server.certs.Load().store.Newest(r.Host) >= tls.VersionTLS13 {
		w.Header()["Alt-Svc"] = e.altSvc
	}
}

// maxHeader is MaxHeaderBytes for who knows no negative ones.
func (s Settings) maxHeader() int {
	if s.MaxHeaderBytes < 0 {
		return math.MaxInt32
	}
	return s.MaxHeaderBytes
}
