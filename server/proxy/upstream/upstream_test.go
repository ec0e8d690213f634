package upstream_test

import (
	"context"
	"errors"
	"net"
	"net/http"
	"net/http/httptest"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"rws/server/proxy/balance"
	"rws/server/proxy/breaker"
	"rws/server/proxy/discover"
	"rws/server/proxy/health"
	"rws/server/proxy/transport"
	"rws/server/proxy/upstream"
)

func TestRequestsGoRoundTheBackends(t *testing.T) {
	p := pool(t, upstream.Options{Targets: targets(server(t, "a"), server(t, "b"))})
	var got string
	for range 4 {
		text, err := ask(p, get())
		require.NoError(t, err)
		got += text
	}
	assert.Equal(t, "abab", got)
	for _, s := range p.Status() {
		assert.Equal(t, uint64(2), s.Requests)
		assert.Equal(t, uint64(1), s.Conns.Dials, "one connection for both")
		assert.Zero(t, s.Active)
		assert.Equal(t, "up", s.State)
	}
}

func TestABackendOnASocketFile(t *testing.T) {
	path := filepath.Join(t.TempDir(), "app.sock")
	l, err := net.Listen("unix", path)
	require.NoError(t, err)
	s := &http.Server{Handler: http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) { w.Write([]byte("by " + r.Host)) })}
	go s.Serve(l)
	defer s.Close()
	p := pool(t, upstream.Options{Targets: targets("unix:" + path)})
	text, err := ask(p, get())
	require.NoError(t, err)
	assert.Equal(t, "by front.test", text)
}

func TestABackendOverH2C(t *testing.T) {
	s := httptest.NewUnstartedServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) { w.Write([]byte(r.Proto)) }))
	s.Config.Protocols = new(http.Protocols)
	s.Config.Protocols.SetUnencryptedHTTP2(true)
	s.Start()
	defer s.Close()
	p := pool(t, upstream.Options{Targets: targets(strings.Replace(s.URL, "http:", "h2c:", 1))})
	text, err := ask(p, get())
	require.NoError(t, err)
	assert.Equal(t, "HTTP/2.0", text)
}

// cgi stands for a transport of another scheme.
type cgi struct {
	o      transport.Options
	closed chan struct{}
}

func (c *cgi) RoundTrip(r *http.Request) (*http.Response, error) {
	return &http.Response{StatusCode: 200, Body: http.NoBody, Header: http.Header{"X": {c.o.Scheme + " " + c.o.Address}}}, nil
}
func (c *cgi) Close() { close(c.closed) }

func TestMakersAddSchemes(t *testing.T) {
	made := &cgi{closed: make(chan struct{})}
	p := pool(t, upstream.Options{
		Targets: targets("fastcgi:/run/php.sock"), Timeout: upstream.Timeout{Connect: time.Minute},
		Makers: map[string]upstream.Maker{"fastcgi": func(o transport.Options) (http.RoundTripper, error) {
			made.o = o
			return made, nil
		}},
	})
	l, err := p.Pick(get(), nil)
	require.NoError(t, err)
	res, err := l.Backend.RoundTrip(get())
	require.NoError(t, err)
	assert.Equal(t, "fastcgi /run/php.sock", res.Header.Get("X"))
	assert.Equal(t, time.Minute, made.o.Connect)
	require.NoError(t, p.Update(nil))
	select {
	case <-made.closed:
		t.Fatal("closed while a request is under way")
	default:
	}
	l.Done(upstream.Outcome{})
	<-made.closed
}

func TestAMakerThatFailsFailsThePool(t *testing.T) {
	_, err := upstream.New(upstream.Options{Name: "php", Targets: targets("fastcgi://127.0.0.1"), Makers: map[string]upstream.Maker{
		"fastcgi": func(transport.Options) (http.RoundTripper, error) { return nil, errors.New("no root") },
	}})
	assert.EqualError(t, err, `upstream "php": backend fastcgi://127.0.0.1:9000: no root`)
}

func TestWrongOptionsTeach(t *testing.T) {
	for want, o := range map[string]upstream.Options{
		`header_hash needs the name of a header`:                      {Balance: upstream.Balance{Policy: balance.HeaderHash}},
		`cookie_hash needs the name of a cookie`:                      {Balance: upstream.Balance{Policy: balance.CookieHash}},
		`has no use but with header_hash`:                             {Balance: upstream.Balance{Header: "X"}},
		`has no use but with cookie_hash`:                             {Balance: upstream.Balance{Cookie: "x"}},
		`balance policy "fastest" is unknown`:                         {Balance: upstream.Balance{Policy: "fastest"}},
		`slow start -1s`:                                              {SlowStart: -time.Second},
		`sticky needs the name of a cookie`:                           {Sticky: upstream.Sticky{MaxAge: time.Hour}},
		`sticky: cookie "a b"`:                                        {Sticky: upstream.Sticky{Cookie: "a b"}},
		`would delete it`:                                             {Sticky: upstream.Sticky{Cookie: "a", MaxAge: -1}},
		`a limit is negative`:                                         {Limits: upstream.Limits{PerBackend: -1}},
		`the PROXY protocol has the versions 1 and 2, not 3`:          {ProxyProtocol: 3, Targets: targets("http://a")},
		`breaker: -1 failures cannot open it`:                         {Breaker: &breaker.Options{Failures: -1}},
		`passive health check: the share of failures is 2`:            {Passive: &health.OutlierOptions{Share: 2}},
		`health check: "gopher" is no way to check a backend`:         {Health: &health.Check{Scheme: "gopher"}},
		`source "srv+http://a": a weight or host is what`:             {Targets: []upstream.Target{{URL: "srv+http://a", Weight: 2}}},
		`source "srv+http://a:1": the ports stand in the SRV records`: {Targets: targets("srv+http://a:1")},
		`upstream target "ftp://a": scheme "ftp" is unknown`:          {Targets: targets("ftp://a")},
		`1025 targets are more than 1024`:                             {Targets: make([]upstream.Target, 1025)},
		`tls: loading authority "none.pem"`:                           {TLS: upstream.TLS{CA: "none.pem"}},
		`tls: an authority and insecure contradict each other`:        {TLS: upstream.TLS{CA: "none.pem", Insecure: true}},
		`loading certificate "none.pem"`:                              {TLS: upstream.TLS{Cert: "none.pem", Key: "none.key"}},
		`sources cannot be asked every -1s`:                           {Every: -time.Second},
	} {
		o.Name, o.Logger = "api", quiet()
		_, err := upstream.New(o)
		assert.ErrorContains(t, err, want)
		assert.ErrorContains(t, err, `upstream "api": `)
	}
	_, err := upstream.New(upstream.Options{})
	assert.ErrorContains(t, err, "it has no name")
}

func TestAPoolWithoutBackendsSaysSo(t *testing.T) {
	p := pool(t, upstream.Options{})
	assert.EqualError(t, noBackend(t, p, upstream.None), `upstream "api": no backend can take the request: none configured`)
	require.NoError(t, p.Close())
	noBackend(t, p, upstream.Closed)
	assert.ErrorContains(t, p.Update(targets("http://a")), `upstream "api": it is closed`)
	p.Start(t.Context())
}

func TestTriedBackendsAreNotPickedAgain(t *testing.T) {
	p := pool(t, upstream.Options{Targets: targets("http://a", "http://b", "http://c")})
	var tried []*upstream.Backend
	seen := map[string]bool{}
	for range 3 {
		l, err := p.Pick(get(), tried)
		require.NoError(t, err)
		l.Done(upstream.Outcome{})
		seen[l.Backend.Name()] = true
		tried = append(tried, l.Backend)
	}
	assert.Len(t, seen, 3)
	noBackend(t, p, upstream.Tried, tried...)
}

func TestBackupsWaitForTheirTime(t *testing.T) {
	p := pool(t, upstream.Options{Targets: []upstream.Target{{URL: "http://a"}, {URL: "http://b", Backup: true}}})
	assert.Equal(t, "http://a:80", pick(t, p, get()))
	require.NoError(t, p.Drain("http://a:80", true))
	assert.Equal(t, "http://b:80", pick(t, p, get()))
	require.NoError(t, p.Drain("http://a:80", false))
	assert.Equal(t, "http://a:80", pick(t, p, get()))
	assert.ErrorContains(t, p.Drain("http://c:80", true), `upstream "api" has no backend "http://c:80"`)
}

func TestADrainedBackendFinishesWhatItHas(t *testing.T) {
	p := pool(t, upstream.Options{Targets: targets("http://a")})
	l, err := p.Pick(get(), nil)
	require.NoError(t, err)
	require.NoError(t, p.Drain("http://a:80", true))
	assert.Equal(t, 1, p.Status()[0].Active)
	assert.Equal(t, "drained", strings.Fields(state(p))[0])
	noBackend(t, p, upstream.Drained)
	l.Done(upstream.Outcome{Kind: upstream.Success})
	assert.Zero(t, p.Status()[0].Active)
}

func TestHashesFindTheKeyInTheRequest(t *testing.T) {
	all := targets("http://a", "http://b", "http://c", "http://d", "http://e")
	for name, c := range map[string]struct {
		b       upstream.Balance
		request func(key string) *http.Request
	}{
		"header": {upstream.Balance{Policy: balance.HeaderHash, Header: "x-user"}, func(k string) *http.Request { return get("X-User", k) }},
		"cookie": {upstream.Balance{Policy: balance.CookieHash, Cookie: "uid"}, func(k string) *http.Request { return get("Cookie", "z=1; uid="+k) }},
		"path":   {upstream.Balance{Policy: balance.PathHash}, func(k string) *http.Request { return httptest.NewRequest("GET", "/"+k+"?any", nil) }},
		"ip": {upstream.Balance{Policy: balance.IPHash}, func(k string) *http.Request {
			r := get()
			r.RemoteAddr = "10.0.0." + strings.TrimPrefix(k, "k") + ":9"
			return r
		}},
	} {
		t.Run(name, func(t *testing.T) {
			p := pool(t, upstream.Options{Targets: all, Balance: c.b})
			used := map[string]bool{}
			for _, k := range []string{"k1", "k2", "k3", "k4", "k5", "k6", "k7", "k8", "k9", "k10", "k11", "k12"} {
				first := pick(t, p, c.request(k))
				used[first] = true
				assert.Equal(t, first, pick(t, p, c.request(k)))
			}
			assert.Greater(t, len(used), 2)
			if name == "header" || name == "cookie" {
				spread := map[string]bool{}
				for range 100 {
					spread[pick(t, p, get())] = true
				}
				assert.Len(t, spread, 5, "requests without a key do not all go to one")
			}
		})
	}
}

func TestHostsOfAnIPv6NetworkAreOneClient(t *testing.T) {
	p := pool(t, upstream.Options{Targets: targets("http://a", "http://b", "http://c", "http://d"), Balance: upstream.Balance{Policy: balance.IPHash}})
	from := func(ip string) string {
		r := get()
		r.RemoteAddr = "[" + ip + "]:9"
		return pick(t, p, r)
	}
	networks := map[string]bool{}
	for _, n := range []string{"2001:db8:0:1", "2001:db8:0:2", "2001:db8:0:3", "2001:db8:0:4", "2001:db8:0:5", "2001:db8:0:6"} {
		assert.Equal(t, from(n+"::1"), from(n+":ffff::2"))
		networks[from(n+"::1")] = true
	}
	assert.Greater(t, len(networks), 1)
}

func TestSourcesFillThePool(t *testing.T) {
	answer := make(chan []upstream.Target, 1)
	p := pool(t, upstream.Options{
		Targets: targets("http://fixed"), Every: time.Millisecond,
		Sources: []discover.Source{discover.Func("lua", func(ctx context.Context) ([]upstream.Target, error) {
			select {
			case a := <-answer:
				answer <- a
				return a, nil
			default:
				return nil, errors.New("not yet")
			}
		})},
	})
	assert.Equal(t, "http://fixed:80", pick(t, p, get()))
	p.Start(t.Context())
	soon(t, "the source fails", func() bool { return p.Sources()[0].Err != nil })
	answer <- targets("http://x", "http://y", "http://fixed")
	soon(t, "the targets are there", func() bool { return state(p) == "up up up" })
	<-answer
	answer <- targets("gopher://x")
	soon(t, "a broken answer is refused", func() bool {
		e := p.Sources()[0].Err
		return e != nil && strings.Contains(e.Error(), `scheme "gopher" is unknown`)
	})
	assert.Equal(t, "up up up", state(p))
}

func TestTheFirstRequestWaitsForTheSource(t *testing.T) {
	release := make(chan struct{})
	p := pool(t, upstream.Options{Sources: []discover.Source{discover.Func("lua", func(ctx context.Context) ([]upstream.Target, error) {
		<-release
		return targets("http://x"), nil
	})}, Limits: upstream.Limits{Wait: 10 * time.Second}})
	p.Start(t.Context())
	got := make(chan string)
	go func() { got <- pick(t, p, get()) }()
	close(release)
	assert.Equal(t, "http://x:80", <-got)
}

func TestASourceThatFailsIsNamedInTheError(t *testing.T) {
	p := pool(t, upstream.Options{Targets: targets("file:" + filepath.Join(t.TempDir(), "none"))})
	p.Start(t.Context())
	soon(t, "it fails", func() bool { return p.Sources()[0].Err != nil })
	e := noBackend(t, p, upstream.Looking)
	assert.ErrorContains(t, e, "none found yet; file:")
	assert.ErrorContains(t, e, "no such file")
	require.NoError(t, p.Update(targets("http://a")), "the source is no longer followed")
	assert.Empty(t, p.Sources())
	assert.Equal(t, "http://a:80", pick(t, p, get()))
}
