package server_test

import (
	"bytes"
	"context"
	"crypto/tls"
	"fmt"
	"io"
	"net/http"
	"strings"
	"testing"

	h3 "github.com/quic-go/quic-go/http3"
	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
	"golang.org/x/net/http2"
	"golang.org/x/net/http2/hpack"

	"rws/server"
	"rws/server/certs"
	"rws/server/exchange"
	"rws/spec_test/logtext"
)

// ruled is a server whose "*.b.example" asks for certificates of clients, whose "*.new.example" has TLS 1.3
// only, and whose "old.example" has none.
func ruled(t *testing.T) (s *server.Server, ann tls.Certificate) {
	ca, ann := clientAuthority(t)
	source := &inMemory{}
	a := app(map[string]http.Handler{"/": proto})
	a.Settings.Listeners = []server.Listener{{Address: "127.0.0.1:0", HTTP3: true, Hosts: []string{"a.example", "*.b.example", "*.new.example", "old.example"}}}
	a.Settings.TLS = opens(
		certs.Site{Hosts: []string{"a.example"}, Source: source},
		certs.Site{Hosts: []string{"*.b.example"}, Source: source, Client: certs.ClientAuth{CA: []string{ca}}},
		certs.Site{Hosts: []string{"*.new.example"}, Source: source, Min: tls.VersionTLS13},
		certs.Site{Hosts: []string{"old.example"}, Source: source, Max: tls.VersionTLS12},
	)
	return run(t, a, server.Options{}), ann
}

// TestAnotherLabelGetsPastNoRule: a listener and a route take "*.b.example" for all names below it.
func TestAnotherLabelGetsPastNoRule(t *testing.T) {
	s, ann := ruled(t)
	overHTTP3 := func(name, host string, cert ...tls.Certificate) (int, error) {
		c := h3Client(t, visits{})
		c.Transport.(*h3.Transport).TLSClientConfig = &tls.Config{ServerName: name, InsecureSkipVerify: true, Certificates: cert}
		r, err := http.NewRequestWithContext(t.Context(), "GET", "https://"+address(s)+"/", nil)
		require.NoError(t, err)
		r.Host = host
		res, err := c.Do(r)
		if err != nil {
			return 0, err
		}
		return res.StatusCode, res.Body.Close()
	}
	ways := map[string]func(name, host string, cert ...tls.Certificate) (int, error){
		"HTTP/1": func(name, host string, cert ...tls.Certificate) (int, error) {
			return askOver(t, address(s), name, host, false, cert...)
		},
		"HTTP/2": func(name, host string, cert ...tls.Certificate) (int, error) {
			return askOver(t, address(s), name, host, true, cert...)
		},
		"HTTP/3": overHTTP3,
	}
	for way, ask := range ways {
		for _, host := range []string{"x.b.example", "x.y.b.example", "X.Y.z.B.Example.:443"} {
			status, err := ask("a.example", host)
			assert.NoError(t, err, "%s: %s", way, host)
			assert.Equal(t, 421, status, "%s: %s by the connection of another host", way, host)
			name := strings.TrimSuffix(host, ".:443")
			status, err = ask(name, host)
			assert.Error(t, err, "%s: %s without a certificate: %d", way, host, status)
			status, err = ask(name, host, ann)
			assert.NoError(t, err, "%s: %s", way, host)
			assert.Equal(t, 200, status, "%s: %s with a certificate", way, host)
		}
	}
}

func TestTheVersionOfAHostHoldsForConnectionsOfOthers(t *testing.T) {
	s, _ := ruled(t)
	for _, version := range []uint16{tls.VersionTLS12, tls.VersionTLS13} {
		c := client(t, func(tr *http.Transport) {
			tr.TLSClientConfig = &tls.Config{ServerName: "a.example", InsecureSkipVerify: true, MaxVersion: version}
		})
		for host, wants := range map[string]map[uint16]int{
			"a.example":       {tls.VersionTLS12: 200, tls.VersionTLS13: 200},
			"x.new.example":   {tls.VersionTLS12: 421, tls.VersionTLS13: 200},
			"x.y.new.example": {tls.VersionTLS12: 421, tls.VersionTLS13: 200},
			"old.example":     {tls.VersionTLS12: 200, tls.VersionTLS13: 421},
		} {
			r, err := http.NewRequestWithContext(t.Context(), "GET", "https://"+address(s)+"/", nil)
			require.NoError(t, err)
			r.Host = host
			res, err := c.Do(r)
			require.NoError(t, err)
			res.Body.Close()
			assert.Equal(t, wants[version], res.StatusCode, "%s over %s", host, tls.VersionName(version))
			assert.Equal(t, host != "old.example", res.Header.Get("Alt-Svc") != "", "%s says that there is HTTP/3", host)
		}
	}
}

// TestAClientThatCancelsIsNoFaultOfOurs: the context of HTTP/2 does not tell why it ended.
func TestAClientThatCancelsIsNoFaultOfOurs(t *testing.T) {
	log := &logtext.Buffer{}
	came := make(chan struct{})
	a := app(map[string]http.Handler{"/": http.HandlerFunc(func(_ http.ResponseWriter, r *http.Request) {
		close(came)
		<-r.Context().Done()
		exchange.From(r.Context()).Fault = fmt.Errorf("entering: %w", context.Canceled)
	})})
	a.Settings.H2C = true
	s := run(t, a, server.Options{Logger: jsonLogger(log)})
	conn := dial(t, s, http2.ClientPreface)
	framer := http2.NewFramer(conn, conn)
	require.NoError(t, framer.WriteSettings())
	var block bytes.Buffer
	encoder := hpack.NewEncoder(&block)
	for _, f := range [][2]string{{":method", "GET"}, {":scheme", "http"}, {":authority", "x"}, {":path", "/"}} {
		require.NoError(t, encoder.WriteField(hpack.HeaderField{Name: f[0], Value: f[1]}))
	}
	require.NoError(t, framer.WriteHeaders(http2.HeadersFrameParam{StreamID: 1, BlockFragment: block.Bytes(), EndStream: true, EndHeaders: true}))
	<-came
	require.NoError(t, framer.WriteRSTStream(1, http2.ErrCodeCancel))
	go func() { _, _ = io.Copy(io.Discard, conn) }()
	eventually(t, "the log", func() bool { return log.Contains("request failed") })
	assert.Contains(t, log.String(), `"status":499`)
	assert.NotContains(t, log.String(), `"level":"ERROR"`)
}

// TestWithoutTLSNobodyShowsACertificate: an address without TLS does not serve the hosts that ask for one.
func TestWithoutTLSNobodyShowsACertificate(t *testing.T) {
	ca, _ := clientAuthority(t)
	source := &inMemory{}
	a := app(map[string]http.Handler{"/*": proto})
	a.Settings.Listeners = []server.Listener{{Address: "127.0.0.1:0", TLS: server.TLSOff}, {Address: "127.0.0.1:0", TLS: server.TLSOn}}
	a.Settings.TLS = opens(
		certs.Site{Hosts: []string{"*.b.example", "::1"}, Source: source, Client: certs.ClientAuth{CA: []string{ca}}},
		certs.Site{Hosts: []string{"*.c.example"}, Source: source, Client: certs.ClientAuth{CA: []string{ca}, Mode: certs.Optional}},
	)
	s := run(t, a, server.Options{})
	for host, want := range map[string]int{"x.b.example": 308, "x.y.B.example.:80": 308, "[0:0::1]:8": 308, "x.c.example": 200, "other.example": 200, "127.0.0.1": 200} {
		r, err := http.NewRequestWithContext(t.Context(), "GET", "http://"+address(s)+"/a%20b?c=d", nil)
		require.NoError(t, err)
		r.Host = host
		res, err := client(t, nil).Transport.RoundTrip(r)
		require.NoError(t, err)
		res.Body.Close()
		assert.Equal(t, want, res.StatusCode, host)
		if want == 308 {
			assert.Regexp(t, `^https://(x\.(y\.)?[bB]\.example\.?|\[0:0::1\]):\d+/a%20b\?c=d$`, res.Header.Get("Location"))
		}
	}
}
