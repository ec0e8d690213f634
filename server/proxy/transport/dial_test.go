package transport_test

import (
	"bufio"
	"context"
	"crypto/tls"
	"errors"
	"fmt"
	"io"
	"net"
	"net/http"
	"net/http/httptest"
	"net/netip"
	"path/filepath"
	"testing"
	"time"

	proxyproto "github.com/pires/go-proxyproto"
	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"rws/server/proxy/transport"
	"rws/spec_test/peers"
)

func TestOptions(t *testing.T) {
	for text, o := range map[string]transport.Options{
		`scheme "ftp"`:            {Scheme: "ftp", Address: "x:1"},
		"not host:port":           {Address: "x"},
		`address ":80"`:           {Address: ":80"},
		"path of its socket":      {Scheme: "unix"},
		"versions 1 and 2, not 3": {Address: "x:1", ProxyProtocol: 3},
		"use https":               {Address: "x:1", TLS: &tls.Config{}},
		"use grpcs":               {Scheme: "grpc", Address: "x:1", TLS: &tls.Config{}},
		"none may be negative":    {Address: "x:1", MaxConns: -1},
	} {
		_, err := transport.New(o)
		assert.ErrorContains(t, err, text)
	}
}

func TestTLS(t *testing.T) {
	h := func(w http.ResponseWriter, r *http.Request) {
		fmt.Fprintf(w, "%s %v %s", r.Proto, r.TLS.DidResume, r.TLS.ServerName)
		if len(r.TLS.PeerCertificates) > 0 {
			fmt.Fprintf(w, " %s", r.TLS.PeerCertificates[0].Subject.Organization)
		}
	}
	var certificate tls.Certificate
	address, roots := secure(t, h, func(s *httptest.Server) {
		s.TLS.ClientAuth = tls.RequestClientCert
		s.Config.ErrorLog = quiet
	})
	own := httptest.NewTLSServer(nil)
	certificate = own.TLS.Certificates[0]
	own.Close()
	for _, scheme := range []string{"https", "wss", "h2", "grpcs"} {
		t.Run(scheme, func(t *testing.T) {
			proto := map[bool]string{true: "HTTP/1.1", false: "HTTP/2.0"}[scheme == "https" || scheme == "wss"]
			tr := open(t, transport.Options{Scheme: scheme, Address: address, TLS: &tls.Config{RootCAs: roots, ServerName: "example.com", Certificates: []tls.Certificate{certificate}}})
			for range 2 {
				res, body := do(t, tr, get(t))
				assert.Equal(t, proto+" false example.com [Acme Co]", body)
				assert.NotNil(t, res.TLS)
			}
			assert.Equal(t, uint64(1), unused(t, tr).Dials)
			tr.CloseIdle()
			_, body := do(t, tr, get(t))
			assert.Equal(t, proto+" true example.com [Acme Co]", body, "sessions are resumed")

			strange := open(t, transport.Options{Scheme: scheme, Address: address})
			e := fails(t, strange, get(t))
			assert.Equal(t, transport.PhaseDial, e.Phase)
			assert.Contains(t, e.Error(), "its certificate is not trusted")
			assert.False(t, e.Sent)
			wrong := open(t, transport.Options{Scheme: scheme, Address: address, TLS: &tls.Config{RootCAs: roots, ServerName: "other.example"}})
			assert.Contains(t, fails(t, wrong, get(t)).Error(), "other.example")
		})
	}
	plain := open(t, transport.Options{Scheme: "https", Address: server(t, h)})
	assert.Contains(t, fails(t, plain, get(t)).Error(), "does not speak TLS on this port; use http")
	old, roots := secure(t, h, func(s *httptest.Server) { s.EnableHTTP2, s.Config.ErrorLog = false, quiet })
	assert.Contains(t, fails(t, open(t, transport.Options{Scheme: "h2", Address: old, TLS: &tls.Config{RootCAs: roots}}), get(t)).Error(), "no HTTP/2")
}

// Deadlines that pass within an exchange do no harm to TLS.
func TestSlowTLS(t *testing.T) {
	address, roots := secure(t, func(w http.ResponseWriter, r *http.Request) {
		time.Sleep(30 * time.Millisecond)
		_, _ = io.WriteString(w, "ok")
	}, func(s *httptest.Server) { s.EnableHTTP2 = false })
	tr := open(t, transport.Options{Scheme: "https", Address: address, TLS: &tls.Config{RootCAs: roots}})
	for range 3 {
		_, body := do(t, tr, get(t))
		assert.Equal(t, "ok", body)
	}
	assert.Equal(t, uint64(1), tr.Stats().Dials)
}

// A kept connection over TLS that the backend closes is noticed as one without.
func TestTLSClosed(t *testing.T) {
	address, roots := secure(t, func(w http.ResponseWriter, r *http.Request) {}, func(s *httptest.Server) { s.EnableHTTP2 = false })
	tr := open(t, transport.Options{Scheme: "https", Address: address, TLS: &tls.Config{RootCAs: roots}})
	r := request(t, "POST", "http://x/", nil)
	do(t, tr, r)
	do(t, tr, r)
	assert.Equal(t, uint64(1), tr.Stats().Dials)
}

func TestUnixSocket(t *testing.T) {
	path := filepath.Join(t.TempDir(), "s")
	l, err := net.Listen("unix", path)
	require.NoError(t, err)
	s := httptest.NewUnstartedServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) { _, _ = io.WriteString(w, r.Host) }))
	s.Listener.Close()
	s.Listener = l
	s.Start()
	defer s.Close()
	tr := open(t, transport.Options{Scheme: "unix", Address: path})
	r := get(t)
	for _, host := range []string{"example.org", "localhost"} {
		_, body := do(t, tr, r)
		assert.Equal(t, host, body)
		r.Host = ""
	}
	assert.Equal(t, uint64(1), tr.Stats().Dials)
	none := open(t, transport.Options{Scheme: "unix", Address: path + "x"})
	assert.Contains(t, fails(t, none, get(t)).Error(), "no such socket")
}

func TestDialErrors(t *testing.T) {
	e := fails(t, open(t, transport.Options{Address: peers.FreeAddress(t)}), get(t))
	assert.Equal(t, transport.PhaseDial, e.Phase)
	assert.Contains(t, e.Error(), "nothing accepts connections there")
	assert.False(t, e.Sent)
	why := errors.New("why")
	for _, scheme := range []string{"http", "h2c"} {
		tr := open(t, transport.Options{Scheme: scheme, Address: "backend.invalid:80", Dial: func(_ context.Context, network, address string) (net.Conn, error) {
			assert.Equal(t, "tcp backend.invalid:80", network+" "+address)
			return nil, why
		}})
		e := fails(t, tr, get(t))
		assert.ErrorIs(t, e, why)
		assert.Equal(t, transport.PhaseDial, e.Phase)
		assert.Zero(t, tr.Stats().Open)
	}
}

// Connections that are no sockets of the system's work too.
func TestPipe(t *testing.T) {
	tr := open(t, transport.Options{Address: "x:1", Dial: func(context.Context, string, string) (net.Conn, error) {
		here, there := net.Pipe()
		go func() {
			defer there.Close()
			for in := bufio.NewReader(there); ; {
				if _, err := http.ReadRequest(in); err != nil {
					return
				}
				_, _ = io.WriteString(there, ok)
			}
		}()
		return here, nil
	}})
	do(t, tr, get(t))
	do(t, tr, get(t))
	assert.Equal(t, uint64(1), tr.Stats().Dials)
	tr.Close()
}

// The backend learns who asks, and no connection serves two.
func TestProxyProtocol(t *testing.T) {
	v4 := [2]netip.AddrPort{netip.MustParseAddrPort("192.0.2.1:1234"), netip.MustParseAddrPort("192.0.2.2:80")}
	v6 := [2]netip.AddrPort{netip.MustParseAddrPort("[2001:db8::1]:1234"), netip.MustParseAddrPort("[2001:db8::2]:80")}
	mapped := [2]netip.AddrPort{netip.MustParseAddrPort("[::ffff:192.0.2.3]:1"), netip.MustParseAddrPort("[::ffff:192.0.2.2]:80")}
	for version := 1; version <= 2; version++ {
		for _, scheme := range []string{"http", "h2c"} {
			t.Run(fmt.Sprint(scheme, version), func(t *testing.T) {
				l, err := net.Listen("tcp", "127.0.0.1:0")
				require.NoError(t, err)
				s := httptest.NewUnstartedServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) { _, _ = io.WriteString(w, r.RemoteAddr) }))
				s.Listener.Close()
				s.Listener = &proxyproto.Listener{Listener: l, ConnPolicy: func(proxyproto.ConnPolicyOptions) (proxyproto.Policy, error) { return proxyproto.REQUIRE, nil }}
				s.Config.Protocols = new(http.Protocols)
				s.Config.Protocols.SetHTTP1(true)
				s.Config.Protocols.SetUnencryptedHTTP2(true)
				s.Start()
				defer s.Close()
				tr := open(t, transport.Options{Scheme: scheme, Address: l.Addr().String(), ProxyProtocol: version, MaxConns: 3})
				for range 2 {
					for _, pair := range [][2]netip.AddrPort{v4, v6, mapped} {
						ctx := transport.WithClientAddr(t.Context(), pair[0], pair[1])
						_, body := do(t, tr, get(t).WithContext(ctx))
						assert.Equal(t, netip.AddrPortFrom(pair[0].Addr().Unmap(), pair[0].Port()).String(), body)
					}
				}
				assert.Equal(t, transport.Stats{Open: 3, Idle: 3, Dials: 3, Reused: 3}, unused(t, tr))
				_, body := do(t, tr, get(t)) // by the proxy itself; one of the others makes room
				assert.Contains(t, body, "127.0.0.1:")
				assert.Equal(t, 3, unused(t, tr).Open)
			})
		}
	}
}
