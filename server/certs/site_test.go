package certs_test

import (
	"crypto/tls"
	"crypto/x509"
	"io"
	"log/slog"
	"net"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"rws/server/certs"
	"rws/spec_test/logtext"
)

// open makes a store of sites.
func open(t *testing.T, sites ...certs.Site) *certs.Store {
	t.Helper()
	s, err := certs.Open(certs.Options{Logger: slog.New(slog.DiscardHandler), Poll: 5 * time.Millisecond}, sites...)
	require.NoError(t, err)
	return s
}

// connect makes a connection over which one byte has come, so that the client has its ticket.
func connect(t *testing.T, server, client *tls.Config) (tls.ConnectionState, error) {
	t.Helper()
	client.InsecureSkipVerify = true
	l, err := tls.Listen("tcp", "127.0.0.1:0", server)
	require.NoError(t, err)
	defer l.Close()
	go func() {
		if c, err := l.Accept(); err == nil {
			_, _ = c.Write([]byte("x"))
			_, _ = io.Copy(io.Discard, c)
			c.Close()
		}
	}()
	c, err := net.Dial("tcp", l.Addr().String())
	require.NoError(t, err)
	conn := tls.Client(c, client)
	defer conn.Close()
	if _, err = conn.Read(make([]byte, 1)); err != nil {
		return tls.ConnectionState{}, err
	}
	return conn.ConnectionState(), nil
}

// Clients name no address in their hello: the one they have come to counts, for the certificate and for the rules.
func TestASiteForAnAddressIsFoundByTheConnection(t *testing.T) {
	folder := t.TempDir()
	ca := newAuthority(t, folder, "ca")
	first := certs.Site{Pairs: []certs.Pair{writePair(t, folder, "first", selfSigned(t, "a.example"))}}
	pairs := []certs.Pair{writePair(t, folder, "name", selfSigned(t, "b.example")), writePair(t, folder, "address", selfSigned(t, "127.0.0.1"))}
	for name, site := range map[string]certs.Site{
		"stated":         {Hosts: []string{"127.0.0.1"}, Pairs: pairs},
		"by certificate": {Pairs: pairs},
		"with rules":     {Hosts: []string{"127.0.0.1"}, Pairs: pairs, Client: certs.ClientAuth{CA: []string{ca.file}, Mode: certs.Optional}},
	} {
		s := open(t, first, site)
		server := &tls.Config{GetCertificate: s.Certificate, GetConfigForClient: s.ConfigFor}
		state, err := connect(t, server, &tls.Config{})
		require.NoError(t, err, name)
		assert.NoError(t, state.PeerCertificates[0].VerifyHostname("127.0.0.1"), name)
		assert.False(t, s.Misdirected(&state, "127.0.0.1:8443"), name)
		state, err = connect(t, server, &tls.Config{ServerName: "a.example"})
		require.NoError(t, err, name)
		assert.NoError(t, state.PeerCertificates[0].VerifyHostname("a.example"), name)
		assert.Equal(t, name == "with rules", s.Misdirected(&state, "127.0.0.1"), name)
	}

	s := open(t, first, certs.Site{Hosts: []string{"127.0.0.2"}, Pairs: pairs, Client: certs.ClientAuth{CA: []string{ca.file}}})
	state, err := connect(t, &tls.Config{GetCertificate: s.Certificate, GetConfigForClient: s.ConfigFor}, &tls.Config{})
	require.NoError(t, err)
	assert.True(t, s.Misdirected(&state, "127.0.0.2"), "a connection to another address")
}

// mutual is a site that wants certificates which ca signed.
func mutual(t *testing.T, folder, host string, ca authority, mode certs.Mode) certs.Site {
	t.Helper()
	return certs.Site{
		Hosts:  []string{host},
		Pairs:  []certs.Pair{writePair(t, folder, host, selfSigned(t, host))},
		Client: certs.ClientAuth{CA: []string{ca.file}, Mode: mode},
	}
}

func TestClientCertificates(t *testing.T) {
	folder := t.TempDir()
	ours, theirs := newAuthority(t, folder, "ours"), newAuthority(t, folder, "theirs")
	good, foreign := ours.issue(t, "ann", 7), theirs.issue(t, "eve", 7)
	s := open(t,
		certs.Site{Pairs: []certs.Pair{writePair(t, folder, "open", selfSigned(t, "open.example"))}},
		mutual(t, folder, "require.example", ours, certs.Require),
		mutual(t, folder, "optional.example", ours, certs.Optional),
	)
	for _, tt := range []struct {
		host string
		cert *tls.Certificate
		ok   bool
	}{
		{"open.example", nil, true},
		{"open.example", &foreign, true},
		{"unknown.example", nil, true},
		{"require.example", &good, true},
		{"REQUIRE.example", nil, false},
		{"require.example", nil, false},
		{"require.example", &foreign, false},
		{"optional.example", &good, true},
		{"optional.example", nil, true},
		{"optional.example", &foreign, false},
	} {
		c := &tls.Config{ServerName: tt.host}
		if tt.cert != nil {
			c.GetClientCertificate = func(*tls.CertificateRequestInfo) (*tls.Certificate, error) { return tt.cert, nil }
		}
		_, err := connect(t, s.Config(), c)
		assert.Equal(t, tt.ok, err == nil, "%s with a certificate of %v: %v", tt.host, tt.cert, err)
	}
}

func TestVersions(t *testing.T) {
	folder := t.TempDir()
	s := open(t,
		certs.Site{Pairs: []certs.Pair{writePair(t, folder, "a", selfSigned(t, "a.example"))}},
		certs.Site{Pairs: []certs.Pair{writePair(t, folder, "new", selfSigned(t, "new.example"))}, Min: tls.VersionTLS13},
		certs.Site{Pairs: []certs.Pair{writePair(t, folder, "old", selfSigned(t, "old.example"))}, Max: tls.VersionTLS12},
	)
	for _, tt := range []struct {
		host     string
		from, to uint16
		want     uint16 // 0 for refused
	}{
		{"a.example", tls.VersionTLS10, tls.VersionTLS11, 0},
		{"a.example", tls.VersionTLS10, tls.VersionTLS12, tls.VersionTLS12},
		{"a.example", tls.VersionTLS10, tls.VersionTLS13, tls.VersionTLS13},
		{"new.example", tls.VersionTLS12, tls.VersionTLS12, 0},
		{"new.example", tls.VersionTLS12, tls.VersionTLS13, tls.VersionTLS13},
		{"old.example", tls.VersionTLS12, tls.VersionTLS13, tls.VersionTLS12},
	} {
		state, err := connect(t, s.Config(), &tls.Config{ServerName: tt.host, MinVersion: tt.from, MaxVersion: tt.to})
		assert.Equal(t, tt.want, state.Version, "%s from %x to %x: %v", tt.host, tt.from, tt.to, err)
	}
	state, err := connect(t, s.Config(), &tls.Config{ServerName: "a.example"})
	require.NoError(t, err)
	assert.Equal(t, tls.X25519MLKEM768, state.CurveID)
	_, err = connect(t, s.Config(), &tls.Config{ServerName: "a.example", MaxVersion: tls.VersionTLS12, CipherSuites: []uint16{tls.TLS_ECDHE_ECDSA_WITH_AES_128_CBC_SHA}})
	assert.Error(t, err, "a cipher of old is taken")
}

func TestATicketIsGoodAtItsOwnSiteOnly(t *testing.T) {
	folder := t.TempDir()
	ca := newAuthority(t, folder, "ca")
	s := open(t,
		certs.Site{Pairs: []certs.Pair{writePair(t, folder, "open", selfSigned(t, "open.example"))}},
		mutual(t, folder, "closed.example", ca, certs.Require),
	)
	for _, version := range []uint16{tls.VersionTLS12, tls.VersionTLS13} {
		tickets := &anyHost{}
		ask := func(host string, more ...tls.Certificate) (bool, error) {
			state, err := connect(t, s.Config(), &tls.Config{ServerName: host, MaxVersion: version, ClientSessionCache: tickets, Certificates: more})
			return state.DidResume, err
		}
		resumed, err := ask("open.example")
		require.NoError(t, err)
		require.False(t, resumed)
		resumed, err = ask("open.example")
		require.NoError(t, err)
		assert.True(t, resumed, "%x: the site takes no ticket of its own", version)
		_, err = ask("closed.example")
		assert.Error(t, err, "%x: a ticket of the open site opens the closed one", version)
		resumed, err = ask("closed.example", ca.issue(t, "ann", 3))
		require.NoError(t, err)
		assert.False(t, resumed, "%x: a ticket of the open site is taken by the closed one", version)
	}
}

// anyHost shows the last ticket at every host, as an attacker would.
type anyHost struct{ last *tls.ClientSessionState }

func (a *anyHost) Get(string) (*tls.ClientSessionState, bool)  { return a.last, a.last != nil }
func (a *anyHost) Put(_ string, state *tls.ClientSessionState) { a.last = state }

func TestTicketsEndWhenTheAuthoritiesChange(t *testing.T) {
	folder := t.TempDir()
	old := newAuthority(t, folder, "ca")
	s := open(t, mutual(t, folder, "a.example", old, certs.Require))
	ann, tickets := old.issue(t, "ann", 3), tls.NewLRUClientSessionCache(0)
	ask := func() (bool, error) {
		state, err := connect(t, s.Config(), &tls.Config{ServerName: "a.example", ClientSessionCache: tickets, GetClientCertificate: func(*tls.CertificateRequestInfo) (*tls.Certificate, error) { return &ann, nil }})
		return state.DidResume, err
	}
	_, err := ask()
	require.NoError(t, err)
	require.NoError(t, s.Reload())
	resumed, err := ask()
	require.NoError(t, err)
	assert.True(t, resumed, "a reload that changes nothing ends sessions")

	newAuthority(t, folder, "ca") // in the same file
	require.NoError(t, s.Reload())
	_, err = ask()
	assert.Error(t, err, "a certificate of the old authority opens by its ticket")
}

func TestRevokedCertificates(t *testing.T) {
	folder := t.TempDir()
	ca := newAuthority(t, folder, "ca")
	site := mutual(t, folder, "a.example", ca, certs.Require)
	site.Client.CRL = []string{ca.revoke(t, folder, time.Now().Add(time.Hour), 7)}
	s := open(t, site)
	ask := func(serial int64) error {
		_, err := connect(t, s.Config(), &tls.Config{ServerName: "a.example", Certificates: []tls.Certificate{ca.issue(t, "ann", serial)}})
		return err
	}
	assert.NoError(t, ask(6))
	assert.Error(t, ask(7))
	ca.revoke(t, folder, time.Now().Add(time.Hour), 6)
	require.NoError(t, s.Reload())
	assert.Error(t, ask(6))
	ca.revoke(t, folder, time.Now().Add(-time.Minute))
	require.NoError(t, s.Reload())
	assert.Error(t, ask(9), "a list that ran out lets everybody in")
}

// TestAListThatRunsOutIsToldOf: nobody gets in any more, and clients are not told why.
func TestAListThatRunsOutIsToldOf(t *testing.T) {
	folder := t.TempDir()
	ca := newAuthority(t, folder, "ca")
	site := mutual(t, folder, "a.example", ca, certs.Require)
	list := ca.revoke(t, folder, time.Now().Add(-time.Minute))
	site.Client.CRL = []string{list}
	assert.Contains(t, strings.Join(open(t, site).Warnings(), "\n"), list+`" ran out on `)

	ca.revoke(t, folder, time.Now().Add(time.Hour))
	log := &logtext.Buffer{}
	s, err := certs.Open(certs.Options{Logger: slog.New(slog.NewTextHandler(log, nil)), Poll: 5 * time.Millisecond}, site)
	require.NoError(t, err)
	assert.Empty(t, s.Warnings())
	require.NoError(t, s.Start(t.Context(), certs.Ports{}))
	defer func() { assert.NoError(t, s.Close()) }()
	ca.revoke(t, folder, time.Now().Add(2*time.Second), 7) // it has full seconds
	require.Eventually(t, func() bool { return log.Contains("reloaded") }, 10*time.Second, time.Millisecond)
	require.Eventually(t, func() bool {
		return log.Contains("level=WARN") && log.Contains("ran out on")
	}, 10*time.Second, 5*time.Millisecond)
}

func TestWhatDoesNotLoadFailsClosed(t *testing.T) {
	folder := t.TempDir()
	ca := newAuthority(t, folder, "ca")
	junk := filepath.Join(folder, "junk")
	half := filepath.Join(folder, "half")
	write(t, junk, "not PEM")
	text, err := os.ReadFile(ca.file)
	require.NoError(t, err)
	write(t, half, string(text)+encode("CERTIFICATE", []byte("broken")))
	pair := writePair(t, folder, "a", selfSigned(t, "a.example"))
	for name, c := range map[string]certs.ClientAuth{
		"no file":                 {CA: []string{filepath.Join(folder, "none")}},
		"no certificate":          {CA: []string{junk}},
		"half of it is broken":    {CA: []string{half}},
		"no list":                 {CA: []string{ca.file}, CRL: []string{filepath.Join(folder, "none")}},
		"broken list":             {CA: []string{ca.file}, CRL: []string{junk}},
		"list of somebody else":   {CA: []string{ca.file}, CRL: []string{newAuthority(t, folder, "other").revoke(t, folder, time.Now().Add(time.Hour))}},
		"mode without authority":  {Mode: certs.Require},
		"a mode that there isn't": {CA: []string{ca.file}, Mode: "maybe"},
	} {
		_, err := certs.Open(certs.Options{}, certs.Site{Pairs: []certs.Pair{pair}, Client: c})
		assert.Error(t, err, name)
	}

	s := open(t, mutual(t, folder, "a.example", ca, certs.Require))
	write(t, ca.file, "")
	assert.ErrorContains(t, s.Reload(), "what is asked of clients stays")
	_, err = connect(t, s.Config(), &tls.Config{ServerName: "a.example"})
	assert.Error(t, err, "an authority that is gone lets everybody in")
	_, err = connect(t, s.Config(), &tls.Config{ServerName: "a.example", Certificates: []tls.Certificate{ca.issue(t, "ann", 1)}})
	assert.NoError(t, err)
}

func TestMisdirected(t *testing.T) {
	folder := t.TempDir()
	ca := newAuthority(t, folder, "ca")
	pair := []certs.Pair{writePair(t, folder, "open", selfSigned(t, "open.example"))}
	s := open(t,
		certs.Site{Hosts: []string{"open.example", "*.open.example"}, Pairs: pair},
		mutual(t, folder, "one.example", ca, certs.Require),
		mutual(t, folder, "two.example", ca, certs.Require),
		mutual(t, folder, "may.example", ca, certs.Optional),
		mutual(t, folder, "*.deep.example", ca, certs.Require),
		certs.Site{Hosts: []string{"*.low.deep.example"}, Pairs: pair},
		certs.Site{Hosts: []string{"*.new.deep.example"}, Pairs: pair, Min: tls.VersionTLS13},
	)
	ann := [][]*x509.Certificate{{ca.cert}}
	eve := [][]*x509.Certificate{{newAuthority(t, folder, "other").cert}}
	for _, tt := range []struct {
		name, host string
		chains     [][]*x509.Certificate
		want       bool
	}{
		{"open.example", "open.example", nil, false},
		{"open.example", "a.open.example:8443", nil, false},
		{"open.example", "unknown.example", nil, false},
		{"", "127.0.0.1:3000", nil, false},
		{"", "[::1]:3000", nil, false},
		{"open.example", "one.example", nil, true},
		{"open.example", "ONE.example.:443", nil, true},
		{"unknown.example", "one.example", nil, true},
		{"", "one.example", nil, true},
		{"one.example", "open.example", ann, true},
		{"one.example", "one.example", ann, false},
		{"one.example", "two.example", ann, false},
		{"one.example", "may.example", ann, true},
		{"may.example", "one.example", ann, true},
		{"may.example", "may.example", nil, false},
		{"one.example", "one.example", nil, true},
		{"one.example", "one.example", eve, true}, // its authority was replaced
		{"open.example", "a.deep.example", nil, true},
		{"open.example", "a.b.deep.example", nil, true},
		{"open.example", "A.b.c.DEEP.example.:443", nil, true},
		{"a.b.deep.example", "a.b.deep.example", nil, true},
		{"a.b.deep.example", "x.deep.example", ann, false},
		{"open.example", "deep.example", nil, false},
		{"open.example", "a.low.deep.example", nil, false},  // named by a wildcard of its own
		{"open.example", "a.b.low.deep.example", nil, true}, // by none, and below that of deep.example
		{"open.example", "a.b.new.deep.example", nil, true},
		{"open.example", "deep.example.evil", nil, false},
	} {
		got := s.Misdirected(&tls.ConnectionState{ServerName: tt.name, VerifiedChains: tt.chains, Version: tls.VersionTLS13}, tt.host)
		assert.Equal(t, tt.want, got, "a connection for %q, a request for %q", tt.name, tt.host)
	}
}

// TestAWildcardAsksAllBelowItForCertificates: routes take it for more than one label.
func TestAWildcardAsksAllBelowItForCertificates(t *testing.T) {
	folder := t.TempDir()
	ca := newAuthority(t, folder, "ca")
	s := open(t,
		certs.Site{Pairs: []certs.Pair{writePair(t, folder, "open", selfSigned(t, "open.example"))}},
		mutual(t, folder, "*.b.example", ca, certs.Require),
		certs.Site{Hosts: []string{"*.new.example"}, Pairs: []certs.Pair{writePair(t, folder, "new", selfSigned(t, "*.new.example"))}, Min: tls.VersionTLS13},
	)
	for _, name := range []string{"x.b.example", "x.y.b.example", "X.y.z.B.example"} {
		_, err := connect(t, s.Config(), &tls.Config{ServerName: name})
		assert.Error(t, err, name)
		_, err = connect(t, s.Config(), &tls.Config{ServerName: name, Certificates: []tls.Certificate{ca.issue(t, "ann", 7)}})
		assert.NoError(t, err, name)
	}
	_, err := connect(t, s.Config(), &tls.Config{ServerName: "b.example"})
	assert.NoError(t, err)
	_, err = connect(t, s.Config(), &tls.Config{ServerName: "x.y.new.example", MaxVersion: tls.VersionTLS12})
	assert.Error(t, err)
}

func TestARequestOfAnotherVersionIsMisdirected(t *testing.T) {
	folder := t.TempDir()
	pair := []certs.Pair{writePair(t, folder, "a", selfSigned(t, "a.example"))}
	s := open(t,
		certs.Site{Hosts: []string{"a.example"}, Pairs: pair},
		certs.Site{Hosts: []string{"*.new.example"}, Pairs: pair, Min: tls.VersionTLS13},
		certs.Site{Hosts: []string{"old.example"}, Pairs: pair, Max: tls.VersionTLS12},
	)
	for host, want := range map[string][2]bool{ // over TLS 1.2, and 1.3
		"a.example": {false, false}, "b.new.example": {true, false}, "b.c.new.example": {true, false}, "old.example:443": {false, true},
	} {
		for i, version := range []uint16{tls.VersionTLS12, tls.VersionTLS13} {
			assert.Equal(t, want[i], s.Misdirected(&tls.ConnectionState{ServerName: "a.example", Version: version}, host), "%s over %x", host, version)
		}
	}
	assert.EqualValues(t, tls.VersionTLS12, s.Newest("old.example:443"))
	assert.EqualValues(t, tls.VersionTLS13, s.Newest("a.example"))
}

func TestSitesThatContradictEachOther(t *testing.T) {
	folder := t.TempDir()
	ca := newAuthority(t, folder, "ca")
	a, again := writePair(t, folder, "a", selfSigned(t, "a.example")), writePair(t, folder, "again", selfSigned(t, "A.example"))
	_, err := certs.Open(certs.Options{}, certs.Site{Hosts: []string{"a.example"}, Pairs: []certs.Pair{a}}, certs.Site{Hosts: []string{"A.example"}, Pairs: []certs.Pair{again}})
	assert.ErrorContains(t, err, `"a.example"`)
	_, err = certs.Open(certs.Options{}, certs.Site{Pairs: []certs.Pair{a}}, certs.Site{Pairs: []certs.Pair{again}, Client: certs.ClientAuth{CA: []string{ca.file}}})
	assert.ErrorContains(t, err, "different things of clients")
	_, err = certs.Open(certs.Options{}, certs.Site{Pairs: []certs.Pair{a}}, certs.Site{Pairs: []certs.Pair{again}, Min: tls.VersionTLS13})
	assert.ErrorContains(t, err, "different things of clients")
	_, err = certs.Open(certs.Options{}, certs.Site{Pairs: []certs.Pair{a}, Min: tls.VersionTLS13, Max: tls.VersionTLS12})
	assert.ErrorContains(t, err, "TLS 1.3")
	_, err = certs.Open(certs.Options{})
	assert.Error(t, err)
}

func TestFilesAreReadAgainWhenTheyChange(t *testing.T) {
	folder := t.TempDir()
	p := writePair(t, folder, "a", selfSigned(t, "one.example"))
	s := open(t, certs.Site{Pairs: []certs.Pair{p}})
	require.NoError(t, s.Start(t.Context(), certs.Ports{}))
	defer func() { assert.NoError(t, s.Close()) }()
	assert.Error(t, s.Start(t.Context(), certs.Ports{}))

	write(t, p.KeyFile, "half written")
	assert.Equal(t, "one.example", shown(t, s, ""))
	writePair(t, folder, "a", selfSigned(t, "another.example"))
	require.Eventually(t, func() bool { return shown(t, s, "") == "another.example" }, 10*time.Second, 10*time.Millisecond)
}
