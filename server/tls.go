package server

import (
	"context"
	"crypto/tls"
	"errors"
	"fmt"
	"net"
	"net/http"
	"slices"
	"strings"

	"rws/server/certs"
	"rws/server/http1"
	"rws/server/listen"
	"rws/server/middleware"
	"rws/server/problem"
)

// TLS says where certificates come from. The zero value means no TLS. Of Cert with Key, Store and Open
// one is given.
type TLS struct {
	Cert string // file with the certificate and its chain, PEM. It is read again when it changes
	Key  string // file with the private key, PEM
	// Store has certificates that are loaded already. Whoever made it starts and closes it.
	Store *certs.Store
	// Open makes a store, which the server starts and closes. It is called when the sockets are about
	// to be opened, and for each app that is swapped in: to it the restart below does not apply.
	Open func() (*certs.Store, error)

	// Redirect are addresses, as in Settings.Listen, that speak plain HTTP: they send clients to the
	// same place over TLS (308), at the first address that speaks it, and answer the challenges of
	// authorities. Hosts that no certificate is for are refused (421). Restart.
	Redirect []string
}

func (t TLS) check() error {
	switch {
	case t.Store == nil && t.Open == nil && (t.Cert == "") != (t.Key == ""):
		return fmt.Errorf("tls.cert is %q and tls.key is %q: both files are needed (they may be the same)", t.Cert, t.Key)
	case !t.On() && len(t.Redirect) > 0:
		return errors.New("plain HTTP is redirected to TLS, and there is no certificate")
	}
	return nil
}

// On reports whether TLS is spoken.
func (t TLS) On() bool { return t.Store != nil || t.Open != nil || t.Cert != "" }

// same reports whether the sockets need not be opened anew.
func (t TLS) same(next TLS) bool {
	return t.On() == next.On() && t.files() == next.files() && slices.Equal(t.Redirect, next.Redirect)
}

// files are those of the settings, when they count.
func (t TLS) files() [2]string {
	if t.Store != nil || t.Open != nil {
		return [2]string{}
	}
	return [2]string{t.Cert, t.Key}
}

// certificates are those of the present app.
type certificates struct {
	store *certs.Store
	owned bool // the server starts and closes it
}

// openCertificates makes the store of an app; nil when it speaks no TLS.
func (s *Server) openCertificates(t TLS) (*certificates, error) {
	if !t.On() {
		return nil, nil
	}
	c := &certificates{store: t.Store, owned: t.Store == nil}
	var err error
	switch {
	case t.Store != nil:
		for _, warning := range c.store.Warnings() {
			s.options.Logger.Warn("certificate", "problem", warning)
		}
	case t.Open != nil:
		c.store, err = t.Open()
	default:
		c.store, err = certs.Open(certs.Options{Logger: s.options.Logger}, certs.Site{Pairs: []certs.Pair{{CertFile: t.Cert, KeyFile: t.Key}}})
	}
	if err != nil {
		return nil, fmt.Errorf("tls: %w", err)
	}
	return c, nil
}

// start begins what goes on while the certificates are served. The sockets are open.
func (c *certificates) start(ctx context.Context, at certs.Ports) error {
	if c == nil || !c.owned {
		return nil
	}
	if err := c.store.Start(ctx, at); err != nil {
		return fmt.Errorf("tls: %w", err)
	}
	return nil
}

// end is the reverse of start.
func (s *Server) end(c *certificates) {
	if c == nil || !c.owned {
		return
	}
	if err := c.store.Close(); err != nil {
		s.options.Logger.Error("closing the certificates", "err", err)
	}
}

// tlsConfig is for all listeners and protocols. It looks up the certificates of whatever app is
// present, as the policies of its hosts want, and must not be asked before there are any.
func (s *Server) tlsConfig() *tls.Config {
	c := s.certs.Load().store.Config()
	c.GetConfigForClient = func(hello *tls.ClientHelloInfo) (*tls.Config, error) {
		return s.certs.Load().store.ConfigFor(hello)
	}
	c.GetCertificate = func(hello *tls.ClientHelloInfo) (*tls.Certificate, error) {
		return s.certs.Load().store.Certificate(hello)
	}
	return c
}

// misdirected reports whether a request came over a connection that does not keep the rules of its host, see
// [certs.Store.Misdirected] and [certs.Store.Wants].
func (s *Server) misdirected(r *http.Request) bool {
	c := s.certs.Load()
	switch {
	case c == nil:
		return false
	case r.TLS == nil:
		return c.store.Wants(r.Host)
	}
	return c.store.Misdirected(r.TLS, r.Host)
}

// elsewhere sends a request on that came without TLS for a host that asks certificates of clients; nil for what
// may stay, and where nothing speaks TLS.
func (s *Server) elsewhere(r *http.Request) http.Handler {
	if r.TLS != nil || !s.misdirected(r) {
		return nil
	}
	port := s.tlsPortFor(r.Host)
	if port == 0 {
		return nil
	}
	return toTLS(port)
}

// toTLS sends what came without TLS to the same place at a port.
func toTLS(port int) http.Handler {
	over, err := middleware.RedirectHTTPS(middleware.RedirectHTTPSOptions{Port: port})
	if err != nil {
		panic(err) // the port is that of a socket
	}
	return over(http.NotFoundHandler())
}

// nextCertificates gets the certificates for an app that is swapped in.
func (s *Server) nextCertificates(app *Handler) (*certificates, error) {
	present, t := s.certs.Load(), app.settings.TLS
	if present == nil || t.Open == nil && t.Store == nil || t.Store == present.store {
		if present == nil {
			return nil, nil
		}
		if err := present.store.Reload(); err != nil {
			return nil, fmt.Errorf("reloading certificates: %w", err)
		}
		return present, nil
	}
	next, err := s.openCertificates(t)
	if err != nil {
		return nil, err
	}
	return next, next.start(context.Background(), s.ports())
}

// adoptCertificates puts them in the place of those there are, which end in the background: closing
// waits for what authorities are being asked.
func (s *Server) adoptCertificates(next *certificates) {
	if old := s.certs.Swap(next); old != next {
		s.work.Go(func() { s.end(old) })
	}
}

// ports are where authorities can come to look.
func (s *Server) ports() certs.Ports {
	return certs.Ports{HTTP: portOf(s.redirects), TLS: s.tlsPort()}
}

func portOf(list []net.Listener) int {
	for _, l := range list {
		if at, ok := l.Addr().(*net.TCPAddr); ok {
			return at.Port
		}
	}
	return 0
}

// tlsPort is that of the first address that speaks TLS, 0 without one.
func (s *Server) tlsPort() int { return s.securePort(func(*entrance) bool { return true }) }

// tlsPortFor is that of the first address that speaks TLS and serves a host, 0 without one.
func (s *Server) tlsPortFor(host string) int {
	return s.securePort(func(e *entrance) bool { return e.hosts.serve(host) })
}

func (s *Server) securePort(fits func(*entrance) bool) int {
	for _, e := range s.entrances {
		if port := portOf([]net.Listener{e.base}); e.secure && port != 0 && fits(e) {
			return port
		}
	}
	return 0
}

// openRedirects opens the addresses for plain HTTP; closeListeners takes back what it has opened.
func (s *Server) openRedirects(ctx context.Context, settings Settings) error {
	for _, addr := range settings.TLS.Redirect {
		l, err := listen.Open(ctx, addr, listen.Options{MaxConns: settings.MaxConns, MaxConnsPerIP: settings.MaxConnsPerIP, Logger: s.options.Logger, Inherited: s.options.Inherited})
		if err != nil {
			return fmt.Errorf("listening for plain HTTP, to redirect it to TLS: %w", err)
		}
		s.redirects = append(s.redirects, l)
	}
	return nil
}

// serveRedirects starts to answer there. What is asked there is in no stats and no access log.
func (s *Server) serveRedirects(settings Settings) {
	if len(s.redirects) == 0 {
		return
	}
	refused := &refusals{log: s.options.Logger}
	s.plain = &http1.Server{
		Handler: s.redirect(), Refused: refused.tell, ReadHeader: max(settings.ReadHeader, 0), KeepAlive: max(settings.KeepAlive, 0),
		MaxHeaderBytes: 16 << 10, Log: s.options.Logger,
	}
	for _, l := range s.redirects {
		if settings.WriteIdle > 0 {
			l = idleListener{l, settings.WriteIdle}
		}
		s.work.Go(func() {
			if err := s.plain.Serve(l); !errors.Is(err, http.ErrServerClosed) {
				s.options.Logger.Error("accepting connections that are redirected to TLS", "addr", l.Addr().String(), "err", err)
			}
		})
	}
}

// challenges is where authorities look (RFC 8555 §8.3).
const challenges = "/.well-known/acme-challenge/"

// redirect answers plain HTTP. Only the host that was asked for is ever redirected to, and only one
// that there are certificates for: a Host header leads nobody elsewhere.
func (s *Server) redirect() http.Handler {
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		if !strings.HasPrefix(r.URL.Path, challenges) {
			if r.Host != "" && !s.certs.Load().store.Serves(r.Host) {
				problem.Write(w, r, problem.Details{Status: http.StatusMisdirectedRequest, Detail: "There is no certificate here for the host of the request."})
				return
			}
			port := s.tlsPortFor(r.Host)
			if port == 0 {
				problem.Write(w, r, problem.Details{Status: http.StatusMisdirectedRequest, Detail: "No address here serves the host of the request over TLS."})
				return
			}
			toTLS(port).ServeHTTP(w, r)
			return
		}
		if !s.certs.Load().store.Challenge(w, r) {
			problem.Write(w, r, problem.Details{Status: http.StatusNotFound})
		}
	})
}

// RedirectAddrs are the addresses of TLS.Redirect that are open, in their order.
func (s *Server) RedirectAddrs() []net.Addr {
	s.mu.Lock()
	defer s.mu.Unlock()
	addrs := make([]net.Addr, len(s.redirects))
	for i, l := range s.redirects {
		addrs[i] = l.Addr()
	}
	return addrs
}
