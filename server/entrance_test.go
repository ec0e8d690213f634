package server_test

import (
	"crypto/tls"
	"fmt"
	"io"
	"net"
	"net/http"
	"net/netip"
	"os"
	"strings"
	"sync"
	"sync/atomic"
	"testing"

	"github.com/quic-go/quic-go"
	h3 "github.com/quic-go/quic-go/http3"
	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"rws/server"
	"rws/server/certs"
	"rws/server/exchange"
	"rws/server/listen"
	"rws/spec_test/peers"
)

// visits are what a client remembers of servers: sessions of TLS, and what proves its address.
type visits struct {
	sessions tls.ClientSessionCache
	tokens   quic.TokenStore
}

func newVisits() visits {
	return visits{tls.NewLRUClientSessionCache(10), quic.NewLRUTokenStore(10, 10)}
}

// bring has a client come with what is remembered.
func (v visits) bring(tr *h3.Transport) {
	tr.TLSClientConfig = &tls.Config{InsecureSkipVerify: true, ClientSessionCache: v.sessions, ServerName: "localhost"}
	tr.QUICConfig = &quic.Config{TokenStore: v.tokens}
}

// h3Client speaks HTTP/3 alone.
func h3Client(t *testing.T, v visits) *http.Client {
	tr := &h3.Transport{}
	v.bring(tr)
	t.Cleanup(func() { tr.Close() })
	return &http.Client{Transport: tr, Timeout: patience}
}

// about answers what the server knows of a request.
var about = http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
	e := exchange.From(r.Context())
	fmt.Fprintf(w, "%s %s tls=%t early=%t", r.Proto, e.ClientIP(), r.TLS != nil, e.EarlyData)
})

func TestHostsOfAListener(t *testing.T) {
	a := app(map[string]http.Handler{"/": about})
	a.Settings.Listeners = []server.Listener{{Address: "127.0.0.1:0", Hosts: []string{"a.example", "*.b.example", "D.example."}}, {Address: "127.0.0.1:0"}}
	s := run(t, a, server.Options{})
	for host, want := range map[string]int{
		"a.example": 200, "A.Example.:80": 200, "x.b.example": 200, "x.y.b.example": 200, "d.example": 200, "b.example": 421, "c.example": 421, "xa.example": 421,
	} {
		conn := dial(t, s, "GET / HTTP/1.1\r\nHost: "+host+"\r\n\r\n")
		res, _ := response(t, conn)
		assert.Equal(t, want, res.StatusCode, host)
	}
	status, _ := get(t, client(t, nil), "http://"+s.Addrs()[1].String()+"/")
	assert.Equal(t, 200, status)
}

// A host that wants certificates of clients is answered over plain HTTP by where it is served over TLS, and by an
// address that serves it.
func TestAHostOfClientCertificatesIsSentToAnAddressOfItsOwn(t *testing.T) {
	ca, _ := clientAuthority(t)
	a := app(map[string]http.Handler{"/": about})
	a.Settings.TLS = opens(certs.Site{Hosts: []string{"closed.example", "gone.example", "other.example"}, Source: &inMemory{}, Client: certs.ClientAuth{CA: []string{ca}}})
	a.Settings.Listeners = []server.Listener{
		{Address: "127.0.0.1:0", TLS: server.TLSOff, Hosts: []string{"closed.example", "gone.example"}},
		{Address: "127.0.0.1:0", Hosts: []string{"other.example"}},
		{Address: "127.0.0.1:0", Hosts: []string{"closed.example"}},
	}
	s := run(t, a, server.Options{})
	port := s.Addrs()[2].(*net.TCPAddr).Port
	for host, want := range map[string]string{
		"closed.example": fmt.Sprintf("308 https://closed.example:%d/", port), "gone.example": "421 ", "other.example": "421 ",
	} {
		res, _ := response(t, dial(t, s, "GET / HTTP/1.1\r\nHost: "+host+"\r\n\r\n"))
		assert.Equal(t, want, fmt.Sprint(res.StatusCode, " ", res.Header.Get("Location")), host)
	}
}

func TestListenersThatMakeNoSense(t *testing.T) {
	for want, l := range map[string]server.Listener{
		"no certificate":  {Address: "127.0.0.1:0", TLS: server.TLSOn},
		"needs TLS":       {Address: "127.0.0.1:0", HTTP3: true},
		`the host ""`:     {Address: "127.0.0.1:0", Hosts: []string{""}},
		"leave out the p": {Address: "127.0.0.1:0", Hosts: []string{"a.example:80"}},
	} {
		a := app(map[string]http.Handler{"/": about})
		a.Settings.Listeners = []server.Listener{l}
		assert.ErrorContains(t, server.New(server.Options{}).Start(t.Context(), a), want)
	}
}

// behind is a server that trusts proxies of the given prefix.
func behind(t *testing.T, prefix string, plain bool, t2 server.TLS) *server.Server {
	a := app(map[string]http.Handler{"/": about})
	a.Settings.TLS = t2
	a.Settings.Listeners = []server.Listener{{Address: "127.0.0.1:0", Proxy: &listen.ProxyProtocol{Trusted: []netip.Prefix{netip.MustParsePrefix(prefix)}, Plain: plain}}}
	return run(t, a, server.Options{})
}

const bare = "GET / HTTP/1.1\r\nHost: a\r\n\r\n"

func TestProxyProtocolNamesTheClient(t *testing.T) {
	v2 := "\r\n\r\n\x00\r\nQUIT\n\x21\x11\x00\x0c\xc0\x00\x02\x01\x7f\x00\x00\x01\x10\x00\x00\x50"
	for name, header := range map[string]string{"v1": "PROXY TCP4 192.0.2.1 127.0.0.1 4096 80\r\n", "v2": v2} {
		t.Run(name, func(t *testing.T) {
			conn := dial(t, behind(t, "127.0.0.0/8", false, server.TLS{}), header+bare)
			_, body := response(t, conn)
			assert.Equal(t, "HTTP/1.1 192.0.2.1 tls=false early=false", body)
		})
	}
	t.Run("before TLS", func(t *testing.T) {
		conn := dial(t, behind(t, "127.0.0.0/8", false, selfSigned(t)), v2)
		secure := tls.Client(conn, &tls.Config{InsecureSkipVerify: true})
		_, err := io.WriteString(secure, bare)
		require.NoError(t, err)
		_, body := response(t, secure)
		assert.Equal(t, "HTTP/1.1 192.0.2.1 tls=true early=false", body)
	})
}

func TestProxyProtocolIsForTheTrusted(t *testing.T) {
	closed := func(conn net.Conn) {
		t.Helper()
		text, err := io.ReadAll(conn)
		assert.Empty(t, text)
		assert.NotErrorIs(t, err, os.ErrDeadlineExceeded)
	}
	header := "PROXY TCP4 192.0.2.1 127.0.0.1 4096 80\r\n"
	if conn, err := net.Dial("tcp", address(behind(t, "10.0.0.0/8", false, server.TLS{}))); err == nil { // else it was refused at once
		defer conn.Close()
		_, _ = io.WriteString(conn, header+bare) // it may be closed already
		closed(conn)
	}
	closed(dial(t, behind(t, "127.0.0.0/8", false, server.TLS{}), bare)) // a trusted one has to send it
	closed(dial(t, behind(t, "127.0.0.0/8", false, server.TLS{}), "PROXY TCP4 192.0.2.1 nonsense\r\n"+bare))
	_, body := response(t, dial(t, behind(t, "10.0.0.0/8", true, server.TLS{}), bare))
	assert.Equal(t, "HTTP/1.1 127.0.0.1 tls=false early=false", body)
	res, _ := response(t, dial(t, behind(t, "10.0.0.0/8", true, server.TLS{}), header+bare))
	assert.Equal(t, 400, res.StatusCode, "nobody else may name the client")
}

// withHTTP3 is a server that speaks all there is.
func withHTTP3(t *testing.T, early bool) (*server.Server, string) {
	a := app(map[string]http.Handler{"/": about})
	a.Routes = append(a.Routes, server.Route{Method: "POST", Pattern: "/", Handler: about})
	a.Settings = server.Settings{TLS: selfSigned(t), HTTP3: true, EarlyData: early}
	s := run(t, a, server.Options{})
	return s, "https://" + address(s) + "/"
}

func TestHTTP3BesideTLS(t *testing.T) {
	s, url := withHTTP3(t, false)
	res, err := client(t, trustAnyone).Get(url)
	require.NoError(t, err)
	res.Body.Close()
	_, port, _ := strings.Cut(address(s), ":")
	assert.Equal(t, `h3=":`+port+`"; ma=86400`, res.Header.Get("Alt-Svc"))
	res, err = h3Client(t, visits{}).Get(url)
	require.NoError(t, err)
	defer res.Body.Close()
	body, _ := io.ReadAll(res.Body)
	assert.Equal(t, "HTTP/3.0 127.0.0.1 tls=true early=false", string(body))
	assert.Empty(t, res.Header.Get("Alt-Svc"))
}

func TestSwapUnderHTTP3LosesNothing(t *testing.T) {
	s, url := withHTTP3(t, false)
	stop := make(chan struct{})
	var done atomic.Int64
	var group sync.WaitGroup
	for range 3 {
		c := h3Client(t, visits{})
		group.Go(func() {
			for {
				select {
				case <-stop:
					return
				default:
				}
				res, err := c.Get(url)
				if assert.NoError(t, err) {
					assert.Equal(t, 200, res.StatusCode)
					res.Body.Close()
				}
				done.Add(1)
			}
		})
	}
	for range 5 {
		from := done.Load()
		eventually(t, "requests", func() bool { return done.Load() > from+20 })
		a := app(map[string]http.Handler{"/": about})
		a.Settings = s.Handler().Settings()
		require.NoError(t, s.Swap(a))
	}
	close(stop)
	group.Wait()
}

// resumed asks again as a client that has been there before, and so may send in its first flight.
func resumed(t *testing.T, v visits, method, url, body string, header ...string) string {
	early := &peers.Early{}
	v.bring(&early.Transport)
	defer early.Close()
	c := &http.Client{Transport: early, Timeout: patience}
	r, err := http.NewRequest(method, url, nil)
	require.NoError(t, err)
	if body != "" {
		r.Body, r.ContentLength = io.NopCloser(strings.NewReader(body)), -1 // the server has to look
	}
	for _, name := range header {
		r.Header.Set(name, "x")
	}
	res, err := c.Do(r)
	require.NoError(t, err)
	defer res.Body.Close()
	text, err := io.ReadAll(res.Body)
	require.NoError(t, err)
	return fmt.Sprint(res.StatusCode, " ", string(text))
}

func TestEarlyData(t *testing.T) {
	_, url := withHTTP3(t, true)
	known := newVisits()
	assert.Equal(t, "200 HTTP/3.0 127.0.0.1 tls=true early=false", resumed(t, known, "GET", url, ""))
	// On a busy machine the handshake may be complete before the request is looked at, and all is well.
	eventually(t, "it is answered, and known", func() bool {
		return resumed(t, known, h3.MethodGet0RTT, url, "") == "200 HTTP/3.0 127.0.0.1 tls=true early=true"
	})
	assert.Equal(t, "200 HTTP/3.0 127.0.0.1 tls=true early=false", resumed(t, known, h3.MethodGet0RTT, url, "a body"), "what may change something waits")
	assert.Equal(t, "200 HTTP/3.0 127.0.0.1 tls=true early=false", resumed(t, known, "POST", url, "a body"), "clients wait with the rest")
}

// Guards look at the address and at what tells who sends a request: of neither is the server sure before the
// handshake is complete.
func TestEarlyDataWaitsWhereItMatters(t *testing.T) {
	_, url := withHTTP3(t, true)
	known := newVisits()
	const proven, early = "200 HTTP/3.0 127.0.0.1 tls=true early=false", "200 HTTP/3.0 127.0.0.1 tls=true early=true"
	require.Equal(t, proven, resumed(t, known, "GET", url, ""))
	eventually(t, "the client sends early", func() bool { return resumed(t, known, h3.MethodGet0RTT, url, "") == early })
	stranger := visits{sessions: known.sessions}
	for range 2 {
		require.Equal(t, proven, resumed(t, stranger, h3.MethodGet0RTT, url, ""), "without a proof of the address")
		require.Equal(t, proven, resumed(t, known, h3.MethodGet0RTT, url, "", "Cookie"))
		require.Equal(t, proven, resumed(t, known, h3.MethodGet0RTT, url, "", "Authorization"))
	}
}

// TestEarlyDataIsToldToBackends: they can't see it (RFC 8470 §5.1).
func TestEarlyDataIsToldToBackends(t *testing.T) {
	a := app(map[string]http.Handler{"/": http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		fmt.Fprint(w, exchange.From(r.Context()).EarlyData, r.Header["Early-Data"])
	})})
	a.Settings = server.Settings{TLS: selfSigned(t), HTTP3: true, EarlyData: true}
	url, known := "https://"+address(run(t, a, server.Options{}))+"/", newVisits()
	require.Equal(t, "200 false []", resumed(t, known, "GET", url, ""))
	eventually(t, "it is early", func() bool { return resumed(t, known, h3.MethodGet0RTT, url, "") == "200 true [1]" })
}

// TestTooManyFieldsOverHTTP3: no answer of HTTP/3 has a Connection (RFC 9114 §4.2).
func TestTooManyFieldsOverHTTP3(t *testing.T) {
	_, url := withHTTP3(t, false)
	r, err := http.NewRequest("GET", url, nil)
	require.NoError(t, err)
	for i := range 101 {
		r.Header.Set(fmt.Sprintf("X-%d", i), "1")
	}
	res, err := h3Client(t, visits{}).Do(r)
	require.NoError(t, err)
	defer res.Body.Close()
	assert.Equal(t, 431, res.StatusCode)
	assert.NotContains(t, res.Header, "Connection")
}
