package health_test

import (
	"context"
	"errors"
	"fmt"
	"net"
	"os"
	"sync"
	"syscall"
	"testing"
	"testing/synctest"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"rws/server/proxy/health"
)

var errSick = errors.New("sick")

// ward is backends whose health a test decides, and what a monitor says of them.
type ward struct {
	mu      sync.Mutex
	sick    map[string]error
	checks  map[string][]time.Time
	changes []string
	log     logs
	*health.Monitor
}

func newWard(t *testing.T, o health.Options, ids ...string) *ward {
	t.Helper()
	w := &ward{sick: map[string]error{}, checks: map[string][]time.Time{}}
	o.Logger = w.log.logger()
	if o.Check.Probe == nil {
		o.Check.Probe = w.probe
	}
	o.OnChange = func(c health.Change) {
		w.mu.Lock()
		defer w.mu.Unlock()
		w.changes = append(w.changes, fmt.Sprintf("%s %v %v after %d: %v", c.ID, c.From, c.To, c.After, c.Err))
	}
	var err error
	w.Monitor, err = health.NewMonitor(o)
	require.NoError(t, err)
	w.update(t, ids...)
	return w
}

func (w *ward) update(t *testing.T, ids ...string) {
	t.Helper()
	targets := make([]health.Target, len(ids))
	for i, id := range ids {
		targets[i] = health.Target{ID: id, URL: "http://" + id}
	}
	require.NoError(t, w.Update(targets))
}

func (w *ward) probe(_ context.Context, target health.Target) error {
	w.mu.Lock()
	defer w.mu.Unlock()
	w.checks[target.ID] = append(w.checks[target.ID], time.Now())
	return w.sick[target.ID]
}

func (w *ward) set(id string, err error) {
	w.mu.Lock()
	defer w.mu.Unlock()
	w.sick[id] = err
}

// heard returns the changes since it was asked last.
func (w *ward) heard() []string {
	w.mu.Lock()
	defer w.mu.Unlock()
	list := w.changes
	w.changes = nil
	return list
}

func (w *ward) count(id string) int {
	w.mu.Lock()
	defer w.mu.Unlock()
	return len(w.checks[id])
}

// exact makes checks come when they are expected.
var exact = health.Check{Jitter: -1}

func TestABackendGoesDownAndComesUp(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		w := newWard(t, health.Options{Check: exact, Name: "api"}, "a")
		assert.True(t, w.Up("a"), "not known is up")
		w.Start(t.Context())
		defer w.Close()
		synctest.Wait()
		assert.Equal(t, 1, w.count("a"), "the first check is made at once")
		assert.Equal(t, []string{"a unknown up after 1: <nil>"}, w.heard())

		w.set("a", errSick)
		time.Sleep(10*time.Second + 2*time.Second) // 10 s to the first failure, then each 2 s
		synctest.Wait()
		assert.Equal(t, 3, w.count("a"))
		assert.True(t, w.Up("a"), "two failures are not three")
		time.Sleep(2 * time.Second)
		synctest.Wait()
		assert.False(t, w.Up("a"))
		assert.Equal(t, []string{"a up down after 3: sick"}, w.heard())

		w.set("a", nil)
		time.Sleep(2 * time.Second)
		synctest.Wait()
		assert.False(t, w.Up("a"), "one success is not two")
		time.Sleep(2 * time.Second)
		synctest.Wait()
		assert.True(t, w.Up("a"))
		assert.Equal(t, []string{"a down up after 2: <nil>"}, w.heard())
		checks := w.count("a")
		time.Sleep(30 * time.Second)
		synctest.Wait()
		assert.Equal(t, checks+3, w.count("a"), "it is asked each 10 s again")

		assert.Contains(t, w.log.String(), `level=WARN msg="backend is down" pool=api backend=a checks=3 error=sick`)
		assert.Contains(t, w.log.String(), `level=INFO msg="backend is up again" pool=api backend=a checks=2`)
	})
}

func TestTheFirstCheckDecides(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		w := newWard(t, health.Options{Check: exact}, "a")
		w.set("a", errSick)
		w.Start(t.Context())
		defer w.Close()
		synctest.Wait()
		assert.False(t, w.Up("a"))
		assert.Equal(t, []string{"a unknown down after 1: sick"}, w.heard())
	})
}

func TestStartDown(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		w := newWard(t, health.Options{Check: exact, StartDown: true}, "a")
		assert.False(t, w.Up("a"))
		w.Start(t.Context())
		defer w.Close()
		synctest.Wait()
		assert.True(t, w.Up("a"))
		assert.True(t, w.Up("other"), "one that is not checked is up")
	})
}

// Failures with successes between them are not failures in a row.
func TestFlickeringIsNotDown(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		w := newWard(t, health.Options{Check: health.Check{Jitter: -1, Every: time.Second}}, "a")
		w.Start(t.Context())
		defer w.Close()
		for i := range 100 {
			synctest.Wait()
			assert.True(t, w.Up("a"))
			w.set("a", []error{errSick, errSick, nil}[i%3])
			time.Sleep(time.Second)
		}
		assert.Len(t, w.heard(), 1, "the first")
	})
}

func TestStatus(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		w := newWard(t, health.Options{Check: health.Check{Jitter: -1, Down: 2, Probe: func(_ context.Context, target health.Target) error {
			time.Sleep(250 * time.Millisecond)
			return map[string]error{"b": errSick}[target.ID]
		}}}, "b", "a")
		begin := time.Now()
		unknown := w.Status()
		require.Len(t, unknown, 2)
		assert.Equal(t, health.Status{ID: "a", URL: "http://a", Since: begin}, unknown[0])
		w.Start(t.Context())
		defer w.Close()
		time.Sleep(time.Second)
		first := begin.Add(250 * time.Millisecond)
		assert.Equal(t, []health.Status{
			{ID: "a", URL: "http://a", State: health.Up, Since: first, Checked: first, Latency: 250 * time.Millisecond, Run: 1},
			{ID: "b", URL: "http://b", State: health.Down, Since: first, Checked: first, Latency: 250 * time.Millisecond, Err: errSick, Run: 1},
		}, w.Status())
	})
}

func TestBackendsComeAndGo(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		w := newWard(t, health.Options{Check: exact}, "a", "b")
		w.set("a", errSick)
		w.Start(t.Context())
		defer w.Close()
		synctest.Wait()
		w.heard()

		w.update(t, "a", "c")
		synctest.Wait()
		assert.False(t, w.Up("a"), "what is known is kept")
		assert.Equal(t, []string{"c unknown up after 1: <nil>"}, w.heard(), "and only the new one is asked at once")
		gone := w.count("b")
		time.Sleep(time.Minute)
		assert.Equal(t, gone, w.count("b"), "who is gone is not asked")

		require.NoError(t, w.Update([]health.Target{{ID: "a", URL: "http://elsewhere"}}))
		assert.True(t, w.Up("a"), "another address is another backend")
	})
}

func TestManyAreCheckedAtTheSameTime(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		var mu sync.Mutex
		now, most := 0, 0
		ids := make([]string, 500)
		for i := range ids {
			ids[i] = fmt.Sprint("b", i)
		}
		w := newWard(t, health.Options{Check: health.Check{Probe: func(ctx context.Context, _ health.Target) error {
			mu.Lock()
			now++
			most = max(most, now)
			mu.Unlock()
			<-ctx.Done() // as slow as can be
			mu.Lock()
			now--
			mu.Unlock()
			return ctx.Err()
		}}}, ids...)
		w.Start(t.Context())
		defer w.Close()
		time.Sleep(2 * time.Second)
		synctest.Wait()
		mu.Lock()
		assert.Equal(t, len(ids), most)
		mu.Unlock()
		for _, id := range ids {
			assert.False(t, w.Up(id))
		}
	})
}

func TestJitterSpreadsTheChecks(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		w := newWard(t, health.Options{Check: health.Check{Every: 10 * time.Second, Jitter: 0.2}}, "a")
		w.Start(t.Context())
		defer w.Close()
		time.Sleep(time.Hour)
		synctest.Wait()
		w.mu.Lock()
		defer w.mu.Unlock()
		var shortest, longest time.Duration = time.Hour, 0
		for i, at := range w.checks["a"][1:] {
			gap := at.Sub(w.checks["a"][i])
			shortest, longest = min(shortest, gap), max(longest, gap)
		}
		assert.GreaterOrEqual(t, shortest, 8*time.Second)
		assert.Less(t, shortest, 9*time.Second)
		assert.LessOrEqual(t, longest, 12*time.Second)
		assert.Greater(t, longest, 11*time.Second)
	})
}

// A check that was called off says nothing about the backend.
func TestClosingIsNotAFailure(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		w := newWard(t, health.Options{Check: health.Check{Probe: func(ctx context.Context, _ health.Target) error {
			<-ctx.Done()
			return ctx.Err()
		}}}, "a", "b")
		ctx, end := context.WithCancel(t.Context())
		w.Start(ctx)
		synctest.Wait()
		w.update(t, "a")
		end()
		synctest.Wait()
		w.Close()
		w.Close()
		assert.Empty(t, w.heard())
		assert.Empty(t, w.log.String())
		require.ErrorContains(t, w.Update(nil), "closed")
	})
}

func TestTheEndOfTheContextEndsTheChecks(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		w := newWard(t, health.Options{Check: exact}, "a")
		ctx, end := context.WithCancel(t.Context())
		w.Start(ctx)
		synctest.Wait()
		end()
		time.Sleep(time.Minute)
		assert.Equal(t, 1, w.count("a"))
		w.update(t, "a", "b")
		time.Sleep(time.Minute)
		assert.Zero(t, w.count("b"))
		w.Close()
	})
}

// What this machine lacks is no fault of the backend.
func TestOwnFaultsDoNotCount(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		w := newWard(t, health.Options{Check: exact}, "a")
		w.set("a", &net.OpError{Op: "dial", Err: os.NewSyscallError("socket", syscall.EMFILE)})
		w.Start(t.Context())
		defer w.Close()
		time.Sleep(time.Minute)
		assert.True(t, w.Up("a"))
		assert.Empty(t, w.heard())
		assert.Contains(t, w.log.String(), "this machine lacks something")
		w.set("a", errSick)
		time.Sleep(10 * time.Second)
		synctest.Wait()
		assert.False(t, w.Up("a"))
	})
}

// With a real server that is stopped and started again.
func TestARealBackendIsStoppedAndStartedAgain(t *testing.T) {
	changes := make(chan health.Change, 10)
	m, err := health.NewMonitor(health.Options{
		Check:    health.Check{Scheme: "tcp", Every: 5 * time.Millisecond, Timeout: 2 * time.Second},
		OnChange: func(c health.Change) { changes <- c }, Logger: new(logs).logger(),
	})
	require.NoError(t, err)
	l, err := net.Listen("tcp", "127.0.0.1:0")
	require.NoError(t, err)
	address := l.Addr().String()
	require.NoError(t, m.Update([]health.Target{{ID: "a", URL: "http://" + address}}))
	m.Start(t.Context())
	defer m.Close()
	assert.Equal(t, health.Up, (<-changes).To)
	require.NoError(t, l.Close())
	down := <-changes
	assert.Equal(t, health.Down, down.To)
	assert.ErrorIs(t, down.Err, syscall.ECONNREFUSED)
	l, err = net.Listen("tcp", address)
	require.NoError(t, err)
	defer l.Close()
	assert.Equal(t, health.Up, (<-changes).To)
}
