package breaker_test

import (
	"context"
	"fmt"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"rws/server/db"
	"rws/server/proxy/breaker"
	"rws/server/redis"
	"rws/spec_test/peers"
)

// stores are all implementations. open may be called several times: as often as there are processes
// that share the store.
var stores = map[string]func(t *testing.T) (open func() breaker.Store){
	"memory": func(*testing.T) func() breaker.Store {
		m := breaker.NewMemory()
		return func() breaker.Store { return m }
	},
	"redis":    func(t *testing.T) func() breaker.Store { return redisStores(t, peers.Redis(t)) },
	"sqlite":   func(t *testing.T) func() breaker.Store { return sqlStores(t, "sqlite:"+t.TempDir()+"/breakers.db") },
	"postgres": func(t *testing.T) func() breaker.Store { return sqlStores(t, peers.Postgres(t)) },
	"mariadb":  func(t *testing.T) func() breaker.Store { return sqlStores(t, peers.MariaDB(t)) },
}

func redisStores(t *testing.T, url string) func() breaker.Store {
	return func() breaker.Store {
		client, err := redis.Open(url)
		require.NoError(t, err)
		t.Cleanup(func() { assert.NoError(t, client.Close()) })
		return breaker.NewRedis(client, "")
	}
}

func sqlStores(t *testing.T, url string) func() breaker.Store {
	return func() breaker.Store {
		d, err := db.Open(url, db.Options{})
		require.NoError(t, err)
		t.Cleanup(func() { assert.NoError(t, d.Close()) })
		s, err := breaker.NewSQL(t.Context(), d)
		require.NoError(t, err)
		return s
	}
}

func TestStores(t *testing.T) {
	promises := map[string]func(*testing.T, func() breaker.Store){
		"records are kept until they are deleted": recordsAreKept,
		"names are apart":                         namesAreApart,
		"many at a time":                          manyAtATime,
		"old records go":                          oldRecordsGo,
		"a restart does not forget":               restartDoesNotForget,
		"instances share what they know":          instancesShare,
	}
	for name, store := range stores {
		t.Run(name, func(t *testing.T) {
			for promise, check := range promises {
				t.Run(promise, func(t *testing.T) { check(t, store(t)) })
			}
		})
	}
}

// Keys of one Load are on several nodes.
func TestRedisCluster(t *testing.T) {
	open := redisStores(t, peers.RedisCluster(t))
	recordsAreKept(t, open)
	namesAreApart(t, open)
	manyAtATime(t, open)
}

// record is one that opened just now. Times of stores are whole milliseconds.
func record(name string) breaker.Record {
	now := time.UnixMilli(time.Now().UnixMilli())
	return breaker.Record{Name: name, Failures: 5, Opened: now, Until: now.Add(30 * time.Second)}
}

func load(t *testing.T, s breaker.Store, names ...string) []breaker.Record {
	t.Helper()
	list, err := s.Load(t.Context(), names)
	require.NoError(t, err)
	return list
}

func recordsAreKept(t *testing.T, open func() breaker.Store) {
	s, other := open(), open()
	assert.Empty(t, load(t, s, "api/a"))
	assert.Empty(t, load(t, s))
	r := record("api/a")
	require.NoError(t, s.Save(t.Context(), r))
	assert.Equal(t, []breaker.Record{r}, load(t, other, "api/a", "api/b"))
	r.Failures, r.Until = 7, r.Until.Add(time.Minute)
	require.NoError(t, other.Save(t.Context(), r))
	assert.Equal(t, []breaker.Record{r}, load(t, s, "api/b", "api/a"), "replaced")
	require.NoError(t, s.Delete(t.Context(), "api/a"))
	assert.Empty(t, load(t, other, "api/a"))
	require.NoError(t, s.Delete(t.Context(), "api/a"), "already gone")
	require.NoError(t, s.Close())
}

func namesAreApart(t *testing.T, open func() breaker.Store) {
	s := open()
	names := []string{"p/a", "P/a", "p/A", "p/a/", "p/ä", "p/http://127.0.0.1:9000", "p/unix:/run/app.sock", "p/{x}", "p/a b|c", "p/%s?'"}
	for i, name := range names {
		r := record(name)
		r.Failures = i + 1
		require.NoError(t, s.Save(t.Context(), r), name)
	}
	for i, name := range names {
		list := load(t, s, name)
		require.Len(t, list, 1, name)
		assert.Equal(t, i+1, list[0].Failures, name)
	}
	assert.Len(t, load(t, s, names...), len(names))
}

func manyAtATime(t *testing.T, open func() breaker.Store) {
	s := open()
	var names []string
	for i := range 1100 { // more than one statement asks for
		names = append(names, fmt.Sprint("p/", i))
	}
	require.NoError(t, s.Save(t.Context(), record(names[0])))
	require.NoError(t, s.Save(t.Context(), record(names[1099])))
	assert.Len(t, load(t, s, names...), 2)

	var work sync.WaitGroup
	for i := range 8 {
		work.Go(func() {
			for range 10 {
				assert.NoError(t, s.Save(t.Context(), record("p/same")))
				assert.NoError(t, s.Save(t.Context(), record(names[i])))
				assert.NoError(t, s.Delete(t.Context(), "p/same"))
			}
		})
	}
	work.Wait()
	assert.Len(t, load(t, s, names[:8]...), 8)
}

func oldRecordsGo(t *testing.T, open func() breaker.Store) {
	s := open()
	old := record("p/old")
	old.Until = old.Until.Add(-25 * time.Hour)
	require.NoError(t, s.Save(t.Context(), old))
	young := record("p/young")
	young.Until = young.Until.Add(-23 * time.Hour)
	require.NoError(t, s.Save(t.Context(), young))
	require.NoError(t, s.Save(t.Context(), record("p/new")))
	assert.Len(t, load(t, s, "p/old", "p/young", "p/new"), 2)
}

// soon polls until f holds.
func soon(t *testing.T, f func() bool, why string) {
	t.Helper()
	for start := time.Now(); !f(); time.Sleep(2 * time.Millisecond) {
		require.Less(t, time.Since(start), 10*time.Second, why)
	}
}

func restartDoesNotForget(t *testing.T, open func() breaker.Store) {
	backend := "http://127.0.0.1:9000/" + strings.Repeat("long", 100)
	before := set(t, breaker.Options{Name: "api", Store: open()})
	before.Start(t.Context())
	trip(t, before.Breaker(backend))
	before.Close()

	log := new(logs)
	after := set(t, breaker.Options{Name: "api", Store: open(), Logger: log.logger()})
	b := after.Breaker(backend)
	other := after.Breaker("other")
	after.Start(t.Context())
	assert.Equal(t, breaker.Open, b.State(), "from the start")
	assert.Equal(t, breaker.Closed, other.State())
	status := after.Status()
	assert.Equal(t, 5, status[0].Failures)
	assert.WithinDuration(t, time.Now().Add(30*time.Second), status[0].Until, 20*time.Second)
	b.Reset()
	after.Close()
	assert.Contains(t, log.String(), `why="the store says so"`)

	last := set(t, breaker.Options{Name: "api", Store: open()})
	last.Start(t.Context())
	defer last.Close()
	b = last.Breaker(backend) // later than Start
	assert.Equal(t, breaker.Closed, b.State())
}

func instancesShare(t *testing.T, open func() breaker.Store) {
	o := breaker.Options{Name: "api", Open: 300 * time.Millisecond, Refresh: 10 * time.Millisecond}
	instance := func() *breaker.Breaker {
		o.Store = open()
		s := set(t, o)
		b := s.Breaker("a")
		s.Start(t.Context())
		t.Cleanup(s.Close)
		return b
	}
	one, two := instance(), instance()
	trip(t, one)
	soon(t, func() bool { return two.State() != breaker.Closed }, "what one opens the other does not use")
	soon(t, one.Ready, "the time is over")
	soon(t, two.Ready, "there too")
	assert.True(t, send(two, breaker.Failure))
	soon(t, func() bool { return !one.Ready() }, "the probe of the other failed")
	soon(t, one.Ready, "the time is over again")
	assert.True(t, send(one, breaker.Success))
	soon(t, func() bool { return two.State() == breaker.Closed }, "the probe of the other succeeded")
}

// A pool of another name has breakers of its own.
func TestPoolsAreApart(t *testing.T) {
	m := breaker.NewMemory()
	one := set(t, breaker.Options{Name: "one", Store: m})
	one.Start(t.Context())
	trip(t, one.Breaker("a"))
	one.Close()
	two := set(t, breaker.Options{Name: "two", Store: m})
	b := two.Breaker("a")
	two.Start(t.Context())
	defer two.Close()
	assert.Equal(t, breaker.Closed, b.State())
}

// broken is a store that can be made to fail, or to hang.
type broken struct {
	breaker.Store
	mu     sync.Mutex
	err    error
	hang   bool
	calls  int
	onLoad func() // called when a Load has read
}

func (b *broken) be(err error, hang bool) {
	b.mu.Lock()
	defer b.mu.Unlock()
	b.err, b.hang = err, hang
}

func (b *broken) fail(ctx context.Context) error {
	b.mu.Lock()
	b.calls++
	err, hang := b.err, b.hang
	b.mu.Unlock()
	if hang {
		<-ctx.Done()
		return ctx.Err()
	}
	return err
}

func (b *broken) Load(ctx context.Context, names []string) ([]breaker.Record, error) {
	if err := b.fail(ctx); err != nil {
		return nil, err
	}
	list, err := b.Store.Load(ctx, names)
	b.mu.Lock()
	onLoad := b.onLoad
	b.mu.Unlock()
	if onLoad != nil {
		onLoad()
	}
	return list, err
}

func (b *broken) Save(ctx context.Context, r breaker.Record) error {
	if err := b.fail(ctx); err != nil {
		return err
	}
	return b.Store.Save(ctx, r)
}

func (b *broken) Delete(ctx context.Context, name string) error {
	if err := b.fail(ctx); err != nil {
		return err
	}
	return b.Store.Delete(ctx, name)
}
