package spec_test

import (
	"context"
	"fmt"
	"io"
	"net"
	"net/http"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	servers "rws/spec_test/peers"
)

// A hail is GETs by several clients until it is stopped.
type hail struct {
	client *http.Client
	stop   atomic.Bool
	sent   atomic.Int64
	all    sync.WaitGroup

	mu     sync.Mutex
	counts map[string]int // by status, or what went wrong
}

func startHail(url string, clients int) *hail {
	h := &hail{counts: make(map[string]int)}
	h.client = &http.Client{Timeout: patience, Transport: &http.Transport{MaxIdleConnsPerHost: clients}}
	for range clients {
		h.all.Go(func() {
			for !h.stop.Load() {
				result := h.once(url)
				h.mu.Lock()
				h.counts[result]++
				h.mu.Unlock()
				h.sent.Add(1)
			}
		})
	}
	return h
}

func (h *hail) once(url string) string {
	res, err := h.client.Get(url)
	if err != nil {
		return "no answer: " + err.Error()
	}
	defer res.Body.Close()
	if _, err := io.Copy(io.Discard, res.Body); err != nil {
		return "broken off"
	}
	return strconv.Itoa(res.StatusCode)
}

// more waits until so many further requests have ended.
func (h *hail) more(t *testing.T, n int64) {
	t.Helper()
	before := h.sent.Load()
	require.Eventually(t, func() bool { return h.sent.Load() >= before+n }, patience, 5*time.Millisecond, "the proxy answers nobody")
}

// take returns what came of requests since it was last called.
func (h *hail) take() map[string]int {
	h.mu.Lock()
	defer h.mu.Unlock()
	counts := h.counts
	h.counts = make(map[string]int)
	return counts
}

// end stops it and returns the rest of the counts.
func (h *hail) end() map[string]int {
	h.stop.Store(true)
	h.all.Wait()
	h.client.CloseIdleConnections()
	return h.take()
}

// only reports whether all results are among those.
func only(counts map[string]int, allowed ...string) bool {
	for result := range counts {
		if !slices.Contains(allowed, result) {
			return false
		}
	}
	return true
}

// open counts the files and sockets that a process has open.
func (t *target) open(tb testing.TB) int {
	list, err := os.ReadDir(fmt.Sprintf("/proc/%d/fd", t.cmd.Process.Pid))
	if err != nil {
		tb.Skip("open files are counted in /proc: ", err)
	}
	return len(list)
}

// goroutines are those of a server that shows its metrics.
func (t *target) goroutines(tb testing.TB) int {
	tb.Helper()
	for line := range strings.SplitSeq(t.mustGet(tb, "/metrics"), "\n") {
		if text, ok := strings.CutPrefix(line, "go_goroutines "); ok {
			n, err := strconv.Atoi(strings.TrimSpace(text))
			require.NoError(tb, err)
			return n
		}
	}
	tb.Fatal("there is no go_goroutines among the metrics")
	return 0
}

// shrinksTo waits until a server has no more goroutines and open files than it had, but for a few.
func (t *target) shrinksTo(tb testing.TB, goroutines, files int) {
	tb.Helper()
	nowGoroutines, nowFiles := 0, 0
	for end := time.Now().Add(patience); time.Now().Before(end); time.Sleep(50 * time.Millisecond) {
		if nowGoroutines, nowFiles = t.goroutines(tb), t.open(tb); nowGoroutines <= goroutines+10 && nowFiles <= files+10 {
			return
		}
	}
	tb.Errorf("%d goroutines and %d files of %d and %d are left", nowGoroutines, nowFiles, goroutines, files)
}

const faultsApp = `
app:metrics()
local three = app:upstream("three", { to = { %q, %q, %q }, timeout = { connect = "300ms", response = "300ms", idle = "200ms" }, passive = { eject = "200ms" },
  health = { path = "/healthz", every = "100ms", fast = "50ms", timeout = "100ms", down = 2, up = 1 } })
app:proxy("/x", three)
app:get("/up", function()
  local n = 0
  for _, backend in ipairs(three:status()) do if backend.state == "up" then n = n + 1 end end
  return string.format("%%d", n)
end)
`

// TestFaultsOfABackendUnderLoad has one of three backends fail in each way that there is. Answers that had
// not begun are repeated elsewhere; the backend is found out and later taken back; nothing is left behind.
func TestFaultsOfABackendUnderLoad(t *testing.T) {
	var all [3]*site
	for i := range all {
		s, err := newSite("echo")
		require.NoError(t, err)
		t.Cleanup(s.stop)
		all[i] = s
	}
	script := fmt.Sprintf(faultsApp, "http://"+all[0].addr, "http://"+all[1].addr, "http://"+all[2].addr)
	s := startApp(t, app(t, script), "--env", "production")
	up := func(n string) {
		require.Eventually(t, func() bool { _, body, err := s.get("/up"); return err == nil && body == n }, patience, 5*time.Millisecond)
	}
	up("3")
	s.mustGet(t, "/x")
	goroutines, files := s.goroutines(t), s.open(t)
	h := startHail("http://"+s.addr+"/x", 8)
	h.more(t, 200)
	assert.True(t, only(h.take(), "200"))
	for _, c := range []struct {
		kind    string
		allowed []string // beside 200
	}{
		{"stop", nil},
		{"reset-head", nil},
		{"close", nil},
		{"garbage", nil},
		{"two-lengths", nil},
		{"big-head", nil},
		{"hang", []string{"504"}}, // one that may be at work on the request
		{"half-head", []string{"504"}},
		{"slow", []string{"504"}},
		{"reset", []string{"broken off"}},
		{"wrong-length", []string{"broken off"}},
		{"half-close", []string{"broken off"}},
		{"bad-chunk", []string{"broken off"}},
	} {
		if c.kind == "stop" {
			all[0].stop()
		} else {
			require.NoError(t, all[0].change(c.kind))
		}
		up("2")
		h.more(t, 100)
		during := h.take()
		assert.True(t, only(during, append(c.allowed, "200")...), "%s: %v", c.kind, during)
		h.more(t, 100)
		after := h.take()
		assert.True(t, only(after, append(c.allowed, "200")...), "%s, when it is known: %v", c.kind, after)
		began := time.Now()
		require.NoError(t, all[0].change("echo"))
		up("3")
		t.Logf("%s: %v, then %v; taken back after %s", c.kind, during, after, time.Since(began).Round(time.Millisecond))
		h.more(t, 20) // what was under way
		h.take()
		h.more(t, 100)
		again := h.take()
		assert.True(t, only(again, "200"), "%s, when it is over: %v", c.kind, again)
	}
	h.end()
	s.shrinksTo(t, goroutines, files)
}

// A member is a rws that is started anew at the same address.
type member struct {
	dir, addr string
	cmd       *exec.Cmd
}

const memberApp = `
app:get("/x", function() rws.sleep("2ms") return "ok" end)
app:get("/healthz", function() return "ok" end)
`

// startMembers starts some, which end with the test.
func startMembers(t *testing.T, n int) []*member {
	t.Helper()
	members := make([]*member, n)
	for i := range members {
		members[i] = &member{dir: filepath.Dir(app(t, memberApp)), addr: servers.FreeAddress(t)}
		members[i].start(t)
		t.Cleanup(func() { members[i].stop(t, os.Kill) })
	}
	return members
}

func (m *member) start(t *testing.T) {
	t.Helper()
	m.cmd = exec.Command(binary, filepath.Join(m.dir, "app.lua"), "--listen", m.addr, "--env", "production", "--access-log=false")
	require.NoError(t, m.cmd.Start())
	accepts(t, m.addr)
}

// stop ends it and waits for that.
func (m *member) stop(t *testing.T, with os.Signal) {
	t.Helper()
	require.NoError(t, m.cmd.Process.Signal(with))
	_ = m.cmd.Wait() // it may have been killed
}

// TestRollingRestart starts three backends anew, one after the other, first as one should and then by force,
// behind a proxy with nothing set but the path of the health check. No GET fails.
func TestRollingRestart(t *testing.T) {
	members := startMembers(t, 3)
	script := fmt.Sprintf(`app:proxy("/*", { "http://%s", "http://%s", "http://%s" }, { health = "/healthz" })`, members[0].addr, members[1].addr, members[2].addr)
	for _, c := range []struct {
		name string
		with os.Signal
	}{{"asked", stopSignal()}, {"killed", os.Kill}} {
		t.Run(c.name, func(t *testing.T) {
			s := startApp(t, app(t, script), "--env", "production")
			h := startHail("http://"+s.addr+"/x", 32)
			for range 2 {
				for _, m := range members {
					h.more(t, 300)
					m.stop(t, c.with)
					h.more(t, 300)
					m.start(t)
				}
			}
			counts := h.end()
			assert.True(t, only(counts, "200"), "%v", counts)
			if t.Failed() {
				t.Log(s.log.String())
			}
			t.Log(counts)
		})
	}
}

// TestRestartBeforeChecksKnow stops the second of two backends while the first is up again, but not yet for
// the checks. No GET fails. A check has two seconds, and five in a row must fail: no machine is so slow that a
// backend is found down that is not. What is down refuses connections, which takes no time.
func TestRestartBeforeChecksKnow(t *testing.T) {
	members := startMembers(t, 2)
	script := fmt.Sprintf(`
		local two = app:upstream("two", { to = { "http://%s", "http://%s" }, health = { path = "/healthz", every = "2s", timeout = "2s", fast = "300ms", down = 5 } })
		app:proxy("/x", two) app:get("/status", function() return two:status()[1].state end)`, members[0].addr, members[1].addr)
	s := startApp(t, app(t, script), "--env", "production")
	state := func(want string) {
		require.Eventually(t, func() bool { _, body, err := s.get("/status"); return err == nil && body == want }, patience, 5*time.Millisecond)
	}
	state("up")
	h := startHail("http://"+s.addr+"/x", 16)
	h.more(t, 100)
	members[0].stop(t, stopSignal())
	state("down")
	members[0].start(t)
	state("down")
	members[1].stop(t, stopSignal())
	h.more(t, 100)
	members[1].start(t)
	state("up")
	h.more(t, 100)
	counts := h.end()
	assert.True(t, only(counts, "200"), "%v", counts)
}

// TestReloadOfAProxyUnderLoad loads the script anew again and again, by other backends too. No request fails,
// and what is under way is answered by the backend that it went to.
func TestReloadOfAProxyUnderLoad(t *testing.T) {
	var all [2]*site
	for i := range all {
		s, err := newSite("echo")
		require.NoError(t, err)
		t.Cleanup(s.stop)
		all[i] = s
	}
	script := func(n, backend int) string {
		return fmt.Sprintf(`app:proxy("/x", "http://%s", { timeout = { idle = "200ms" } }) app:get("/version", function() return "%d" end) app:metrics()`, all[backend].addr, n)
	}
	file := app(t, script(0, 0))
	s := startApp(t, file, "--env", "production")
	s.mustGet(t, "/x")
	goroutines, files := s.goroutines(t), s.open(t)
	h := startHail("http://"+s.addr+"/x", 16)
	for n := 1; n <= 6; n++ {
		h.more(t, 200)
		part := file + ".part"
		require.NoError(t, os.WriteFile(part, []byte(script(n, n%2)), 0o600))
		require.NoError(t, os.Rename(part, file))
		require.NoError(t, s.cmd.Process.Signal(signals["HUP"]))
		require.Eventually(t, func() bool { _, body, err := s.get("/version"); return err == nil && body == strconv.Itoa(n) }, patience, 5*time.Millisecond)
	}
	h.more(t, 200)
	counts := h.end()
	assert.True(t, only(counts, "200"), "%v", counts)
	assert.NotZero(t, all[0].asked.Load())
	assert.NotZero(t, all[1].asked.Load())
	s.shrinksTo(t, goroutines, files)
}

// TestALargeBodyThroughAProxy sends 512 MiB up and down and takes no more memory for it.
func TestALargeBodyThroughAProxy(t *testing.T) {
	const size = 512 << 20
	l, err := net.Listen("tcp", "127.0.0.1:0")
	require.NoError(t, err)
	backend := &http.Server{Handler: http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		if r.Method == http.MethodPost {
			if n, err := io.Copy(io.Discard, r.Body); err == nil {
				fmt.Fprint(w, n)
			}
			return
		}
		_, _ = io.CopyN(w, zeros{}, size)
	})}
	go func() { _ = backend.Serve(l) }()
	t.Cleanup(func() { backend.Close() })
	s := startApp(t, app(t, `app:config { max_body = "2gb" } app:proxy("/x", "http://`+l.Addr().String()+`")`), "--env", "production")
	_, _, err = s.get("/x") // once, for all that is made only then
	require.NoError(t, err)
	before := s.peak(t)
	ctx, cancel := context.WithTimeout(t.Context(), 5*patience)
	defer cancel()
	for _, length := range []int64{size, -1} {
		r, err := http.NewRequestWithContext(ctx, http.MethodPost, "http://"+s.addr+"/x", io.LimitReader(zeros{}, size))
		require.NoError(t, err)
		r.ContentLength = length
		res, err := http.DefaultClient.Do(r)
		require.NoError(t, err)
		text, err := io.ReadAll(res.Body)
		require.NoError(t, err)
		res.Body.Close()
		assert.Equal(t, strconv.Itoa(size), string(text))
	}
	r, err := http.NewRequestWithContext(ctx, http.MethodGet, "http://"+s.addr+"/x", nil)
	require.NoError(t, err)
	res, err := http.DefaultClient.Do(r)
	require.NoError(t, err)
	defer res.Body.Close()
	n, err := io.Copy(io.Discard, res.Body)
	require.NoError(t, err)
	assert.EqualValues(t, size, n)
	more := s.peak(t) - before
	t.Logf("%.1f MiB more at most, of %.1f", more/(1<<20), before/(1<<20))
	most := 16.0
	if raceDetector {
		most = 64
	}
	assert.Less(t, more/(1<<20), most, "MiB more than before")
}

// zeros is as many as one wants.
type zeros struct{}

func (zeros) Read(p []byte) (int, error) {
	clear(p)
	return len(p), nil
}

// peak is the most memory that the server has had at a time, in bytes.
func (t *target) peak(tb testing.TB) float64 { return t.memory(tb, "VmHWM:") }
