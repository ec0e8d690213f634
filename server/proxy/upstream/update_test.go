package upstream_test

import (
	"context"
	"io"
	"net"
	"net/http"
	"net/http/httptest"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/miekg/dns"
	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"rws/server/proxy/discover"
	"rws/server/proxy/upstream"
)

// counted is a server that counts its connections.
func counted(t testing.TB, h http.HandlerFunc) (url string, open *atomic.Int64) {
	open = new(atomic.Int64)
	s := httptest.NewUnstartedServer(h)
	s.Config.ConnState = func(_ net.Conn, st http.ConnState) {
		switch st {
		case http.StateNew:
			open.Add(1)
		case http.StateClosed, http.StateHijacked:
			open.Add(-1)
		}
	}
	s.Start()
	t.Cleanup(s.Close)
	return s.URL, open
}

func TestUpdateUnderLoadLosesNoRequest(t *testing.T) {
	var urls []string
	for range 4 {
		urls = append(urls, serve(t, func(w http.ResponseWriter, r *http.Request) {
			time.Sleep(time.Millisecond)
			io.WriteString(w, "ok")
		}))
	}
	p := pool(t, upstream.Options{Targets: targets(urls...), SlowStart: 50 * time.Millisecond})
	p.Start(t.Context())
	stop := make(chan struct{})
	var sent atomic.Int64
	var wg sync.WaitGroup
	for range 16 {
		wg.Go(func() {
			for {
				select {
				case <-stop:
					return
				default:
				}
				text, err := ask(p, get())
				if !assert.NoError(t, err) || !assert.Equal(t, "ok", text) {
					return
				}
				sent.Add(1)
			}
		})
	}
	for i := range 200 {
		next := targets(urls[i%4], urls[(i+1)%4])
		next[i%2].Weight = i%3 + 1
		require.NoError(t, p.Update(next))
		until := sent.Load() + 5
		require.Eventually(t, func() bool { return sent.Load() >= until || t.Failed() }, 10*time.Second, time.Millisecond)
	}
	close(stop)
	wg.Wait()
	t.Log(sent.Load(), "requests over 200 updates")
}

func TestABackendThatStaysKeepsItsConnectionsAndItsNumbers(t *testing.T) {
	a, open := counted(t, func(w http.ResponseWriter, r *http.Request) {})
	p := pool(t, upstream.Options{Targets: targets(a)})
	_, err := ask(p, get())
	require.NoError(t, err)
	before := lease(t, p)
	require.NoError(t, p.Update([]upstream.Target{{URL: "http://127.0.0.1:1", Backup: true}, {URL: a, Weight: 7}}))
	after := lease(t, p)
	assert.Same(t, before.Backend, after.Backend)
	assert.Equal(t, 2, p.Status()[1].Active)
	assert.Equal(t, 7, p.Status()[1].Weight)
	assert.True(t, p.Status()[0].Backup)
	before.Done(upstream.Outcome{})
	after.Done(upstream.Outcome{})
	_, err = ask(p, get())
	require.NoError(t, err)
	assert.Equal(t, uint64(1), p.Status()[1].Conns.Dials)
	assert.Equal(t, int64(1), open.Load())
}

func TestABackendThatLeavesEndsItsRequestsAndThenItsConnections(t *testing.T) {
	begun, release := make(chan struct{}, 1), make(chan struct{})
	a, open := counted(t, func(w http.ResponseWriter, r *http.Request) {
		io.WriteString(w, "one ")
		w.(http.Flusher).Flush()
		begun <- struct{}{}
		<-release
		io.WriteString(w, "two")
	})
	p := pool(t, upstream.Options{Targets: targets(a)})
	got := make(chan string)
	go func() {
		text, err := ask(p, get())
		assert.NoError(t, err)
		got <- text
	}()
	<-begun
	require.NoError(t, p.Update(nil))
	noBackend(t, p, upstream.None)
	assert.Equal(t, int64(1), open.Load())
	close(release)
	assert.Equal(t, "one two", <-got)
	soon(t, "the connection is closed", func() bool { return open.Load() == 0 })
}

func TestCloseLetsRequestsEnd(t *testing.T) {
	begun, release := make(chan struct{}, 1), make(chan struct{})
	a, open := counted(t, func(w http.ResponseWriter, r *http.Request) {
		begun <- struct{}{}
		<-release
		io.WriteString(w, "whole")
	})
	p := pool(t, upstream.Options{Targets: targets(a)})
	got := make(chan string)
	go func() {
		text, err := ask(p, get())
		assert.NoError(t, err)
		got <- text
	}()
	<-begun
	require.NoError(t, p.Close())
	require.NoError(t, p.Close())
	close(release)
	assert.Equal(t, "whole", <-got)
	soon(t, "the connection is closed", func() bool { return open.Load() == 0 })
}

func TestABackendThatComesBackIsTakenAgain(t *testing.T) {
	a := server(t, "a")
	p := pool(t, upstream.Options{Targets: targets(a)})
	l := lease(t, p)
	require.NoError(t, p.Update(nil))
	require.NoError(t, p.Update(targets(a)))
	text, err := ask(p, get())
	require.NoError(t, err)
	assert.Equal(t, "a", text)
	text, err = send(l, get())
	require.NoError(t, err, "the lease of before still holds")
	assert.Equal(t, "a", text)
}

func TestAWrongUpdateChangesNothing(t *testing.T) {
	a := server(t, "a")
	p := pool(t, upstream.Options{Targets: targets(a)})
	assert.ErrorContains(t, p.Update(targets("http://b", "ftp://c")), `upstream "api": upstream target "ftp://c"`)
	assert.ErrorContains(t, p.Update(targets("srv+http://x:1")), "the ports stand in the SRV records")
	assert.Len(t, p.Status(), 1)
	assert.Equal(t, a, pick(t, p, get()))
}

func TestAnotherNameAtTheSameAddressIsAnotherBackend(t *testing.T) {
	p := pool(t, upstream.Options{Targets: []upstream.Target{{URL: "https://10.0.0.1", Host: "old.test"}}})
	before := lease(t, p)
	defer before.Done(upstream.Outcome{})
	require.NoError(t, p.Update([]upstream.Target{{URL: "https://10.0.0.1", Host: "new.test"}}))
	after := lease(t, p)
	defer after.Done(upstream.Outcome{})
	assert.NotSame(t, before.Backend, after.Backend, "its certificate is verified by the name")
	assert.Equal(t, "new.test", after.Backend.URL().Host)
	assert.Equal(t, "new.test", p.Status()[0].Host)
}

func TestTheSameAddressTwiceIsOneBackend(t *testing.T) {
	p := pool(t, upstream.Options{Targets: targets("http://a", "http://A:80/", "http://b")})
	assert.Len(t, p.Status(), 2)
}

func TestAFileIsFollowed(t *testing.T) {
	a, b := server(t, "a"), server(t, "b")
	path := filepath.Join(t.TempDir(), "backends")
	require.NoError(t, os.WriteFile(path, []byte(a+"\n"), 0o600))
	p := pool(t, upstream.Options{Targets: targets("file:" + path)})
	p.Start(t.Context())
	text, err := ask(p, get())
	require.NoError(t, err, "the first request waits until the file has been read")
	assert.Equal(t, "a", text)
	require.NoError(t, os.WriteFile(path, []byte("# moved\n"+b+" weight=2\n"), 0o600))
	soon(t, "b is there", func() bool {
		text, err := ask(p, get())
		require.NoError(t, err)
		return text == "b"
	})
	require.NoError(t, os.WriteFile(path, []byte("gopher://x\n"), 0o600))
	soon(t, "the fault is seen", func() bool { return p.Sources()[0].Err != nil })
	assert.ErrorContains(t, p.Sources()[0].Err, `scheme "gopher" is unknown`)
	text, err = ask(p, get())
	require.NoError(t, err)
	assert.Equal(t, "b", text)
}

// zone serves SRV and A records.
type zone struct {
	mu      sync.Mutex
	records []string
}

func (z *zone) set(lines ...string) {
	z.mu.Lock()
	defer z.mu.Unlock()
	z.records = lines
}

func (z *zone) ServeDNS(w dns.ResponseWriter, q *dns.Msg) {
	z.mu.Lock()
	defer z.mu.Unlock()
	m := new(dns.Msg).SetReply(q)
	for _, line := range z.records {
		rr, err := dns.NewRR(line)
		if err != nil {
			panic(err)
		}
		if rr.Header().Name == q.Question[0].Name && rr.Header().Rrtype == q.Question[0].Qtype {
			m.Answer = append(m.Answer, rr)
		}
	}
	w.WriteMsg(m)
}

func (z *zone) resolver(t *testing.T) *net.Resolver {
	l, err := net.ListenPacket("udp", "127.0.0.1:0")
	require.NoError(t, err)
	up := make(chan struct{})
	s := &dns.Server{PacketConn: l, Handler: z, NotifyStartedFunc: func() { close(up) }}
	go s.ActivateAndServe()
	<-up
	t.Cleanup(func() { s.Shutdown() })
	return &net.Resolver{PreferGo: true, Dial: func(ctx context.Context, _, _ string) (net.Conn, error) {
		return new(net.Dialer).DialContext(ctx, "udp", l.LocalAddr().String())
	}}
}

func TestSRVRecordsAreFollowed(t *testing.T) {
	port := func(url string) string { return url[strings.LastIndexByte(url, ':')+1:] }
	a, b := server(t, "a"), server(t, "b")
	z := &zone{}
	z.set("api.test. SRV 1 1 "+port(a)+" one.test.", "api.test. SRV 2 1 "+port(b)+" two.test.", "one.test. A 127.0.0.1", "two.test. A 127.0.0.1")
	p := pool(t, upstream.Options{Targets: targets("srv+http://api.test"), Resolver: z.resolver(t), Every: 20 * time.Millisecond})
	p.Start(t.Context())
	l := lease(t, p)
	assert.Equal(t, "one.test:"+port(a), l.Backend.URL().Host)
	assert.Equal(t, a, l.Backend.Name())
	text, err := send(l, get())
	require.NoError(t, err)
	assert.Equal(t, "a", text)
	require.NoError(t, p.Drain(a, true))
	text, err = ask(p, get())
	require.NoError(t, err)
	assert.Equal(t, "b", text, "a record of lower preference is the backup")
	z.set("api.test. SRV 1 1 "+port(b)+" two.test.", "two.test. A 127.0.0.1")
	soon(t, "a is gone", func() bool { return len(p.Status()) == 1 })
	assert.False(t, p.Status()[0].Backup)
	z.set()
	soon(t, "the look-up fails", func() bool { return p.Sources()[0].Err != nil })
	text, err = ask(p, get())
	require.NoError(t, err)
	assert.Equal(t, "b", text)
}

// A function that was asked for backends is asked no more after an update, and what it found is gone.
func TestAnUpdateReplacesAFunction(t *testing.T) {
	a, b := server(t, "a"), server(t, "b")
	var asked atomic.Int64
	found := discover.Func("app.lua:1", func(context.Context) ([]upstream.Target, error) {
		asked.Add(1)
		return targets(a), nil
	})
	p := pool(t, upstream.Options{Sources: []discover.Source{found}, Every: 5 * time.Millisecond})
	p.Start(t.Context())
	soon(t, "it is asked", func() bool { return len(p.Status()) == 1 && asked.Load() > 2 })
	require.NoError(t, p.Update(targets(b)))
	before := asked.Load()
	assert.Empty(t, p.Sources())
	for range 5 {
		assert.Equal(t, b, pick(t, p, get()))
		time.Sleep(10 * time.Millisecond)
	}
	assert.LessOrEqual(t, asked.Load(), before+1, "but for the call that was under way")
	assert.Len(t, p.Status(), 1)
}

func TestAllThatASourceFindsMayBeBackups(t *testing.T) {
	a, b := server(t, "a"), server(t, "b")
	file := filepath.Join(t.TempDir(), "backends")
	require.NoError(t, os.WriteFile(file, []byte(b+"\n"), 0o600))
	p := pool(t, upstream.Options{Targets: []upstream.Target{{URL: a}, {URL: "file:" + file, Backup: true}}})
	p.Start(t.Context())
	soon(t, "it is read", func() bool { return len(p.Status()) == 2 })
	for range 4 {
		assert.Equal(t, a, pick(t, p, get()))
	}
	require.NoError(t, p.Drain(a, true))
	assert.Equal(t, b, pick(t, p, get()))
	require.NoError(t, p.Update([]upstream.Target{{URL: "file:" + file}}))
	soon(t, "it is none any more", func() bool { return len(p.Status()) == 1 && !p.Status()[0].Backup })
	assert.ErrorContains(t, p.Update([]upstream.Target{{URL: "file:" + file, Weight: 2}}), "a weight or host is what the targets have")
}

// A name that DNS forgets, or that has no address for a while, keeps the backends it had, and no request is lost.
func TestANameThatDNSForgetsUnderLoadKeepsItsBackends(t *testing.T) {
	a := server(t, "a")
	port := a[strings.LastIndexByte(a, ':')+1:]
	z := &zone{}
	z.set("api.test. A 127.0.0.1")
	p := pool(t, upstream.Options{Targets: targets("dns+http://api.test:" + port), Resolver: z.resolver(t), Every: 10 * time.Millisecond})
	p.Start(t.Context())
	ctx, stop := context.WithCancel(t.Context())
	defer stop()
	var sent atomic.Int64
	var wg sync.WaitGroup
	for range 8 {
		wg.Go(func() {
			for ctx.Err() == nil {
				text, err := ask(p, get())
				if !assert.NoError(t, err) || !assert.Equal(t, "a", text) {
					return
				}
				sent.Add(1)
			}
		})
	}
	more := func(what string) {
		before := sent.Load()
		soon(t, what, func() bool { return sent.Load() > before+200 })
	}
	more("requests are answered")
	z.set()
	soon(t, "the name is gone", func() bool { return p.Sources()[0].Err != nil })
	more("and requests are answered still")
	assert.Equal(t, "up", state(p))
	z.set("api.test. A 127.0.0.1")
	soon(t, "the name is back", func() bool { return p.Sources()[0].Err == nil })
	more("and so it goes on")
	stop()
	wg.Wait()
}

// A reload while a source is away goes on with the backends that it named before.
func TestTheNextPoolKnowsWhatSourcesNamed(t *testing.T) {
	url := serve(t, func(http.ResponseWriter, *http.Request) {})
	var away atomic.Bool
	o := upstream.Options{SourceMemory: discover.NewMemory(), Sources: []discover.Source{discover.Func("lua", func(context.Context) ([]upstream.Target, error) {
		if away.Load() {
			return nil, io.ErrUnexpectedEOF
		}
		return targets(url), nil
	})}}
	old := pool(t, o)
	old.Start(t.Context())
	soon(t, "it is found", func() bool { return len(old.Status()) == 1 })
	away.Store(true)
	next := pool(t, o)
	next.Start(t.Context())
	soon(t, "it is remembered", func() bool { return len(next.Status()) == 1 })
}
