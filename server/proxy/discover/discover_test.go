package discover_test

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"net"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"

	"github.com/miekg/dns"
	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
	"go.uber.org/goleak"

	"rws/server/proxy/discover"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

// A zone is a DNS server, on UDP and TCP, whose records change.
type zone struct {
	mu      sync.Mutex
	records map[string][]dns.RR // by "name. TYPE"
	broken  bool
}

func (z *zone) set(lines ...string) {
	z.mu.Lock()
	defer z.mu.Unlock()
	z.records = map[string][]dns.RR{}
	for _, line := range lines {
		rr, err := dns.NewRR(line)
		if err != nil {
			panic(err)
		}
		key := rr.Header().Name + " " + dns.TypeToString[rr.Header().Rrtype]
		z.records[key] = append(z.records[key], rr)
	}
}

func (z *zone) breakDown(on bool) {
	z.mu.Lock()
	defer z.mu.Unlock()
	z.broken = on
}

func (z *zone) ServeDNS(w dns.ResponseWriter, q *dns.Msg) {
	z.mu.Lock()
	defer z.mu.Unlock()
	m := new(dns.Msg).SetReply(q)
	m.Answer = z.records[strings.ToLower(q.Question[0].Name)+" "+dns.TypeToString[q.Question[0].Qtype]]
	switch {
	case z.broken:
		m.SetRcode(q, dns.RcodeServerFailure)
	case len(m.Answer) == 0:
		m.SetRcode(q, dns.RcodeNameError)
		for key := range z.records {
			if strings.HasPrefix(key, q.Question[0].Name+" ") {
				m.Rcode = dns.RcodeSuccess
			}
		}
	}
	if w.RemoteAddr().Network() == "udp" && m.Len() > dns.MinMsgSize {
		m.Answer, m.Truncated = nil, true
	}
	w.WriteMsg(m)
}

// bothPorts listens at a port that is free for UDP and for TCP.
func bothPorts(t testing.TB) (udp net.PacketConn, tcp net.Listener) {
	for range 100 {
		var err error
		udp, err = net.ListenPacket("udp", "127.0.0.1:0")
		require.NoError(t, err)
		if tcp, err = net.Listen("tcp", udp.LocalAddr().String()); err == nil {
			return udp, tcp
		}
		udp.Close()
	}
	t.Fatal("no port is free for both")
	return nil, nil
}

// resolver starts the server of a zone and returns a resolver that asks it alone.
func (z *zone) resolver(t testing.TB) *net.Resolver {
	udp, tcp := bothPorts(t)
	for _, s := range []*dns.Server{{PacketConn: udp, Handler: z}, {Listener: tcp, Handler: z}} {
		up := make(chan struct{})
		s.NotifyStartedFunc = func() { close(up) }
		go s.ActivateAndServe()
		<-up
		t.Cleanup(func() { s.Shutdown() })
	}
	return &net.Resolver{PreferGo: true, StrictErrors: true, Dial: func(ctx context.Context, network, _ string) (net.Conn, error) {
		var d net.Dialer
		return d.DialContext(ctx, network, udp.LocalAddr().String())
	}}
}

func ask(t testing.TB, z *zone, url string) ([]discover.Target, error) {
	s, err := discover.Parse(url, z.resolver(t))
	require.NoError(t, err)
	assert.Equal(t, url, s.String())
	ctx, cancel := context.WithTimeout(t.Context(), 5*time.Second)
	defer cancel()
	return s.Targets(ctx)
}

func TestDNSFindsTheAddressesOfAName(t *testing.T) {
	z := &zone{}
	z.set("api.test. A 10.0.0.2", "api.test. A 10.0.0.1", "api.test. AAAA fd00::1", "six.test. AAAA fd00::2")
	got, err := ask(t, z, "dns+http://api.test:8080")
	require.NoError(t, err)
	assert.Equal(t, []discover.Target{
		{URL: "http://10.0.0.1:8080", Host: "api.test:8080"},
		{URL: "http://10.0.0.2:8080", Host: "api.test:8080"},
		{URL: "http://[fd00::1]:8080", Host: "api.test:8080"},
	}, got)
	got, err = ask(t, z, "dns+grpcs://six.test.")
	require.NoError(t, err)
	assert.Equal(t, []discover.Target{{URL: "grpcs://[fd00::2]", Host: "six.test"}}, got)
	got, err = ask(t, z, "dns+h2c://[::1]:80")
	require.NoError(t, err)
	assert.Equal(t, []discover.Target{{URL: "h2c://[::1]:80", Host: "[::1]:80"}}, got)
}

func TestSRVFindsThePortsAndTheBackups(t *testing.T) {
	z := &zone{}
	z.set("_http._tcp.api.test. SRV 20 5 9003 c.test.",
		"_http._tcp.api.test. SRV 10 3 9001 a.test.", "_http._tcp.api.test. SRV 10 1 9002 b.test.",
		"a.test. A 10.0.0.1", "b.test. A 10.0.0.2", "b.test. A 10.0.0.22", "c.test. A 10.0.0.3")
	got, err := ask(t, z, "srv+http://_http._tcp.api.test")
	require.NoError(t, err)
	assert.Equal(t, []discover.Target{
		{URL: "http://10.0.0.1:9001", Host: "a.test:9001", Weight: 6},
		{URL: "http://10.0.0.2:9002", Host: "b.test:9002", Weight: 1},
		{URL: "http://10.0.0.22:9002", Host: "b.test:9002", Weight: 1},
		{URL: "http://10.0.0.3:9003", Host: "c.test:9003", Weight: 10, Backup: true},
	}, got, "a has three quarters; the two addresses of b share a quarter")
}

func TestSRVWeightsStaySmall(t *testing.T) {
	z := &zone{}
	z.set("s.test. SRV 1 65535 80 a.test.", "s.test. SRV 1 0 80 b.test.", "a.test. A 10.0.0.1", "b.test. A 10.0.0.2")
	got, err := ask(t, z, "srv+http://s.test")
	require.NoError(t, err)
	require.Len(t, got, 2)
	assert.Equal(t, []int{1000, 1}, []int{got[0].Weight, got[1].Weight})
}

func TestSRVLeavesHostsOutThatAreNotFound(t *testing.T) {
	z := &zone{}
	z.set("s.test. SRV 1 1 80 a.test.", "s.test. SRV 1 1 80 gone.test.", "a.test. A 10.0.0.1",
		"none.test. SRV 0 0 0 .", "lost.test. SRV 0 0 80 gone.test.")
	got, err := ask(t, z, "srv+http://s.test")
	require.NoError(t, err)
	assert.Equal(t, []discover.Target{{URL: "http://10.0.0.1:80", Host: "a.test:80", Weight: 1}}, got)
	_, err = ask(t, z, "srv+http://none.test")
	assert.ErrorContains(t, err, "no such service")
	_, err = ask(t, z, "srv+http://lost.test")
	assert.ErrorContains(t, err, "SRV host gone.test: ")
	_, err = ask(t, z, "srv+http://nowhere.test")
	assert.ErrorContains(t, err, "no such host")
}

func TestManyRecordsComeOverTCP(t *testing.T) {
	z := &zone{}
	var lines []string
	for i := range 200 {
		lines = append(lines, fmt.Sprintf("big.test. A 10.1.0.%d", i))
	}
	z.set(lines...)
	got, err := ask(t, z, "dns+http://big.test:80")
	require.NoError(t, err)
	assert.Len(t, got, 200)
}

// A list keeps what was reported.
type list struct {
	mu    sync.Mutex
	calls int
	now   []discover.Target
	fail  error
}

func (l *list) report(t []discover.Target) error {
	l.mu.Lock()
	defer l.mu.Unlock()
	if l.fail != nil {
		return l.fail
	}
	l.calls++
	l.now = t
	return nil
}

func (l *list) urls() string {
	l.mu.Lock()
	defer l.mu.Unlock()
	var all []string
	for _, t := range l.now {
		all = append(all, t.URL)
	}
	return strings.Join(all, " ")
}

func quiet() *slog.Logger { return slog.New(slog.DiscardHandler) }

func follow(t *testing.T, s discover.Source, every time.Duration, l *list) *discover.Follower {
	ctx, cancel := context.WithCancel(t.Context())
	f := discover.Follow(ctx, s, discover.Options{Interval: every, Logger: quiet()}, l.report)
	t.Cleanup(func() { cancel(); <-f.Done() })
	return f
}

func TestFollowSeesDNSChangeAndKeepsTheLastGoodAnswer(t *testing.T) {
	z := &zone{}
	z.set("api.test. A 10.0.0.1")
	s, err := discover.Parse("dns+http://api.test:80", z.resolver(t))
	require.NoError(t, err)
	l := &list{}
	f := follow(t, s, 20*time.Millisecond, l)
	<-f.First()
	assert.Equal(t, "http://10.0.0.1:80", l.urls())

	z.set("api.test. A 10.0.0.1", "api.test. A 10.0.0.9")
	require.Eventually(t, func() bool { return l.urls() == "http://10.0.0.1:80 http://10.0.0.9:80" }, 5*time.Second, 5*time.Millisecond)

	z.breakDown(true)
	require.Eventually(t, func() bool { return f.Status().Err != nil }, 5*time.Second, 5*time.Millisecond)
	assert.Equal(t, 2, f.Status().Targets)
	z.breakDown(false)
	z.set() // the name is gone
	require.Eventually(t, func() bool { e := f.Status().Err; return e != nil && strings.Contains(e.Error(), "no such host") }, 5*time.Second, 5*time.Millisecond)
	assert.Equal(t, "http://10.0.0.1:80 http://10.0.0.9:80", l.urls())

	z.set("api.test. A 10.0.0.5")
	require.Eventually(t, func() bool { return l.urls() == "http://10.0.0.5:80" }, 5*time.Second, 5*time.Millisecond)
	assert.Equal(t, 3, l.calls, "only changes are reported")
}

// What was known before is there at once while a name can't be looked up, and goes when it can.
func TestWhatWasKnownBeforeIsThereWhileDNSIsDown(t *testing.T) {
	z := &zone{}
	z.breakDown(true)
	s, err := discover.Parse("dns+http://api.test:80", z.resolver(t))
	require.NoError(t, err)
	l := &list{}
	ctx, cancel := context.WithCancel(t.Context())
	f := discover.Follow(ctx, s, discover.Options{Interval: 10 * time.Millisecond, Logger: quiet(), Before: []discover.Target{{URL: "http://10.0.0.1:80"}}}, l.report)
	t.Cleanup(func() { cancel(); <-f.Done() })
	<-f.First()
	assert.Equal(t, "http://10.0.0.1:80", l.urls())
	require.Eventually(t, func() bool { return f.Status().Err != nil }, 20*time.Second, 5*time.Millisecond)
	assert.Equal(t, 1, f.Status().Targets)
	z.set("api.test. A 10.0.0.5")
	z.breakDown(false)
	require.Eventually(t, func() bool { return l.urls() == "http://10.0.0.5:80" }, 20*time.Second, 5*time.Millisecond)
}

// A function may be another one than before: what it named counts when it fails.
func TestWhatAFunctionNamedBeforeCountsWhenItFails(t *testing.T) {
	before := []discover.Target{{URL: "http://10.0.0.1:80"}}
	for want, fail := range map[string]error{"http://10.0.0.1:80": errors.New("away"), "http://10.0.0.5:80": nil} {
		l := &list{}
		ctx, cancel := context.WithCancel(t.Context())
		s := discover.Func("lua", func(context.Context) ([]discover.Target, error) {
			return []discover.Target{{URL: "http://10.0.0.5:80"}}, fail
		})
		f := discover.Follow(ctx, s, discover.Options{Interval: time.Hour, Logger: quiet(), Before: before}, l.report)
		<-f.First()
		assert.Equal(t, want, l.urls())
		assert.Equal(t, 1, l.calls)
		cancel()
		<-f.Done()
	}
}

func TestWhatAFunctionNamedBeforeCountsWhileItIsWaitedFor(t *testing.T) {
	l := &list{}
	named := make(chan struct{})
	s := discover.Func("lua", func(ctx context.Context) ([]discover.Target, error) {
		<-named
		return []discover.Target{{URL: "http://10.0.0.5:80"}}, nil
	})
	before := []discover.Target{{URL: "http://10.0.0.1:80"}}
	f := discover.Follow(t.Context(), s, discover.Options{Interval: time.Hour, Logger: quiet(), Before: before}, l.report)
	<-f.First()
	assert.Equal(t, "http://10.0.0.1:80", l.urls())
	close(named)
	require.Eventually(t, func() bool { return l.urls() == "http://10.0.0.5:80" }, 10*time.Second, time.Millisecond)
}

func TestFollowSeesAFileChangeAtOnceAndKeepsTheListOfABrokenOne(t *testing.T) {
	path := filepath.Join(t.TempDir(), "backends")
	write := func(text string) { require.NoError(t, os.WriteFile(path, []byte(text), 0o644)) }
	s, err := discover.Parse("file:"+path, nil)
	require.NoError(t, err)
	l := &list{}
	f := follow(t, s, time.Hour, l) // only a notice of the change can wake it
	<-f.First()
	require.ErrorIs(t, f.Status().Err, os.ErrNotExist)

	write("http://10.0.0.1:1 # first\n")
	require.Eventually(t, func() bool { return l.urls() == "http://10.0.0.1:1" }, 10*time.Second, 5*time.Millisecond)
	assert.False(t, f.Status().Seen.IsZero())
	for _, broken := range []string{`[{"url": `, "", "http://10.0.0.2:1 wieght=2"} {
		require.NoError(t, os.Remove(path))
		require.Eventually(t, func() bool { return errors.Is(f.Status().Err, os.ErrNotExist) }, 10*time.Second, 5*time.Millisecond)
		write(broken)
		require.Eventually(t, func() bool { e := f.Status().Err; return e != nil && !errors.Is(e, os.ErrNotExist) }, 10*time.Second, 5*time.Millisecond)
		assert.Equal(t, "http://10.0.0.1:1", l.urls(), broken)
	}
	write(`["http://10.0.0.2:1", {"url": "http://10.0.0.3:1", "weight": 2, "backup": true}]`)
	require.Eventually(t, func() bool { return l.urls() == "http://10.0.0.2:1 http://10.0.0.3:1" }, 10*time.Second, 5*time.Millisecond)
	assert.NoError(t, f.Status().Err)
}

func TestFollowAsksSoonerAfterAFailureAndSparesASourceThatWorks(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		var mu sync.Mutex
		var at []time.Duration
		start := time.Now()
		var works atomic.Bool
		s := discover.Func("lua", func(context.Context) ([]discover.Target, error) {
			mu.Lock()
			at = append(at, time.Since(start))
			mu.Unlock()
			if !works.Load() {
				return nil, errors.New("no")
			}
			return []discover.Target{{URL: "http://a:1"}}, nil
		})
		ctx, cancel := context.WithCancel(t.Context())
		f := discover.Follow(ctx, s, discover.Options{Interval: time.Minute, Logger: quiet()}, (&list{}).report)
		time.Sleep(10 * time.Second)
		synctest.Wait()
		mu.Lock()
		require.Len(t, at, 4, "at 0, 1, 3 and 7 seconds: %v", at)
		mu.Unlock()
		works.Store(true)
		time.Sleep(20 * time.Second)
		synctest.Wait()
		mu.Lock()
		at = nil
		mu.Unlock()
		time.Sleep(time.Hour)
		synctest.Wait()
		assert.InDelta(t, 60, len(at), 3)
		gaps := map[time.Duration]bool{}
		for i := range at[1:] {
			gap := at[i+1] - at[i]
			assert.InDelta(t, 60, gap.Seconds(), 6.1)
			gaps[gap] = true
		}
		assert.Greater(t, len(gaps), 40, "the intervals differ by lot")
		cancel()
		<-f.Done()
	})
}

func TestASourceThatHangsIsGivenUp(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		s := discover.Func("lua", func(ctx context.Context) ([]discover.Target, error) {
			<-ctx.Done()
			return nil, ctx.Err()
		})
		ctx, cancel := context.WithCancel(t.Context())
		f := discover.Follow(ctx, s, discover.Options{Timeout: 2 * time.Second, Logger: quiet()}, (&list{}).report)
		start := time.Now()
		<-f.First()
		assert.Equal(t, 2*time.Second, time.Since(start))
		cancel()
		<-f.Done()
		assert.ErrorIs(t, f.Status().Err, context.DeadlineExceeded)
	})
}

func TestNothingAndTooMuchAreFailures(t *testing.T) {
	for want, targets := range map[string][]discover.Target{
		"it names no backend":                        {},
		"it names 1025 backends, more than 1024":     make([]discover.Target, discover.MaxTargets+1),
		`scheme "gopher" is unknown (of the caller)`: {{URL: "gopher://a"}},
	} {
		l := &list{}
		if len(targets) == 1 {
			l.fail = errors.New(want)
		}
		s := discover.Func("lua", func(context.Context) ([]discover.Target, error) { return targets, nil })
		f := follow(t, s, time.Hour, l)
		<-f.First()
		assert.ErrorContains(t, f.Status().Err, want)
		assert.Zero(t, l.calls)
	}
}

func TestFailuresAreLoggedOnceWhileTheyLast(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		var log strings.Builder
		var works atomic.Bool
		s := discover.Func("lua", func(context.Context) ([]discover.Target, error) {
			if works.Load() {
				return []discover.Target{{URL: "http://a:1"}}, nil
			}
			return nil, errors.New("no such thing")
		})
		ctx, cancel := context.WithCancel(t.Context())
		f := discover.Follow(ctx, s, discover.Options{Logger: slog.New(slog.NewTextHandler(&log, nil))}, (&list{}).report)
		time.Sleep(time.Minute)
		synctest.Wait()
		works.Store(true)
		time.Sleep(time.Minute)
		cancel()
		<-f.Done()
		assert.Equal(t, 1, strings.Count(log.String(), "no such thing"), log.String())
		assert.Equal(t, 1, strings.Count(log.String(), "works again"), log.String())
	})
}

func TestWrongSourcesTeach(t *testing.T) {
	for raw, want := range map[string]string{
		"srvv+http://api":       `source "srvv+http://api" is unknown (did you mean "srv"?): use srv+http://name`,
		"dns+://api":            "is unknown",
		"srv+http://api:80":     "the ports stand in the SRV records: leave :80 out, or use dns+http",
		"dns+http://u:p@api:80": "write only the scheme, the name and a port",
		"dns+http://api:80/x":   "write only the scheme, the name and a port",
		"file:":                 "write the path of a file",
		"dns+http://a b":        "is no URL",
	} {
		_, err := discover.Parse(raw, nil)
		assert.ErrorContains(t, err, want, raw)
	}
	for raw, want := range map[string]bool{"srv+http://a": true, "dns+h2c://a:1": true, "file:/x": true, "http://a": false, "unix:/x": false, "": false, "srv": false} {
		assert.Equal(t, want, discover.IsSource(raw), raw)
	}
}
