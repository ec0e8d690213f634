package breaker_test

import (
	"errors"
	"strings"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"rws/server/proxy/breaker"
	"rws/server/redis"
	"rws/spec_test/peers"
)

// While the store is down the breakers go on, and it learns of their state when it is back.
func TestAStoreThatIsDown(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		log := new(logs)
		store := &broken{Store: breaker.NewMemory(), err: errors.New("no route")}
		s := set(t, breaker.Options{Name: "api", Store: store, Logger: log.logger()})
		a, b := s.Breaker("a"), s.Breaker("b")
		s.Start(t.Context())
		defer s.Close()
		trip(t, a)
		trip(t, b)
		for range 1000 {
			b.Reset()
			trip(t, b)
			time.Sleep(time.Millisecond)
		}
		time.Sleep(30 * time.Second)
		assert.True(t, send(a, breaker.Success))
		assert.Equal(t, breaker.Closed, a.State())
		assert.True(t, send(b, breaker.Failure))
		assert.Equal(t, breaker.Open, b.State())
		assert.Equal(t, 1, strings.Count(log.String(), "their store fails"), "logged once")
		store.mu.Lock()
		assert.LessOrEqual(t, store.calls, 32, "it is tried once a second, whatever happens here")
		store.mu.Unlock()
		assert.Contains(t, log.String(), `level=WARN msg="circuit breakers go on in memory: their store fails" pool=api error="no route"`)

		store.be(nil, false)
		time.Sleep(time.Second)
		synctest.Wait()
		assert.Contains(t, log.String(), "circuit breakers use their store again")
		assert.Empty(t, load(t, store, "api/a"))
		list := load(t, store, "api/b")
		require.Len(t, list, 1)
		assert.WithinDuration(t, time.Now().Add(29*time.Second), list[0].Until, time.Millisecond)
	})
}

// What has changed here while the store was read is newer than what was read.
func TestWhatIsKnownHereIsNewer(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		store := &broken{Store: breaker.NewMemory()}
		s := set(t, breaker.Options{Name: "api", Store: store, Failures: 1})
		b := s.Breaker("a")
		s.Start(t.Context())
		defer s.Close()
		theirs := record("api/a")
		theirs.Until = theirs.Until.Add(-10 * time.Second)
		require.NoError(t, store.Store.Save(t.Context(), theirs))
		var once sync.Once
		var ours time.Time
		store.mu.Lock()
		store.onLoad = func() {
			once.Do(func() {
				trip(t, b)
				ours = time.Now().Add(30 * time.Second)
			})
		}
		store.mu.Unlock()
		time.Sleep(3 * time.Second)
		synctest.Wait()
		assert.Equal(t, ours, s.Status()[0].Until)
		assert.Equal(t, ours, load(t, store.Store, "api/a")[0].Until, "and is written")
	})
}

// A store that hangs makes no request wait.
func TestAStoreThatHangs(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		store := &broken{Store: breaker.NewMemory(), hang: true}
		s := set(t, breaker.Options{Store: store})
		b := s.Breaker("a")
		begin := time.Now()
		s.Start(t.Context())
		assert.Equal(t, 2*time.Second, time.Since(begin), "only the start does, for so long")
		begin = time.Now()
		trip(t, b)
		assert.False(t, b.Ready())
		s.Status()
		assert.Zero(t, time.Since(begin))
		s.Close()
		assert.LessOrEqual(t, time.Since(begin), 4*time.Second)
	})
}

func TestAClockThatIsFarAheadHoldsNobodyOpenForLong(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		store := breaker.NewMemory()
		r := record("api/a")
		r.Until = time.Now().Add(24 * time.Hour)
		require.NoError(t, store.Save(t.Context(), r))
		s := set(t, breaker.Options{Name: "api", Store: store})
		b := s.Breaker("a")
		s.Start(t.Context())
		defer s.Close()
		assert.Equal(t, breaker.Open, b.State())
		time.Sleep(30 * time.Second)
		assert.True(t, send(b, breaker.Success))
		time.Sleep(5 * time.Second)
		assert.Equal(t, breaker.Closed, b.State())
		assert.Empty(t, load(t, store, "api/a"))
	})
}

// One that was open before a restart is probed after it, if its time has passed meanwhile.
func TestTimeGoesOnDuringARestart(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		store := breaker.NewMemory()
		before := set(t, breaker.Options{Store: store})
		before.Start(t.Context())
		trip(t, before.Breaker("a"))
		before.Close()
		time.Sleep(time.Hour)
		after := set(t, breaker.Options{Store: store})
		b := after.Breaker("a")
		after.Start(t.Context())
		defer after.Close()
		assert.Equal(t, breaker.HalfOpen, b.State())
		assert.True(t, send(b, breaker.Failure))
		assert.Equal(t, breaker.Open, b.State())
	})
}

func TestABackendThatIsNewIsLookedUpAtOnce(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		store := breaker.NewMemory()
		require.NoError(t, store.Save(t.Context(), record("api/a")))
		s := set(t, breaker.Options{Name: "api", Store: store, Refresh: time.Hour})
		s.Start(t.Context())
		defer s.Close()
		b := s.Breaker("a")
		synctest.Wait()
		assert.Equal(t, breaker.Open, b.State())
	})
}

func TestWhatIsInRedisIsChecked(t *testing.T) {
	client, err := redis.Open(peers.Redis(t))
	require.NoError(t, err)
	defer client.Close()
	s := breaker.NewRedis(client, "")
	require.NoError(t, s.Save(t.Context(), record("api/a")))
	text, err := client.Do(t.Context(), "GET", "rws:cb:api/a")
	require.NoError(t, err)
	assert.Regexp(t, `^open\|5\|\d{13}\|\d{13}$`, text)
	ttl, err := client.Do(t.Context(), "TTL", "rws:cb:api/a")
	require.NoError(t, err)
	assert.InDelta(t, (24 * time.Hour).Seconds(), ttl, 60)

	_, err = client.Do(t.Context(), "SET", "rws:cb:api/a", "junk")
	require.NoError(t, err)
	_, err = s.Load(t.Context(), []string{"api/a"})
	require.ErrorContains(t, err, `the record of api/a is "junk", not "open|failures|opened|until"`)
	_, err = client.Do(t.Context(), "DEL", "rws:cb:api/a")
	require.NoError(t, err)
	_, err = client.Do(t.Context(), "LPUSH", "rws:cb:api/a", "x")
	require.NoError(t, err)
	_, err = s.Load(t.Context(), []string{"api/a"})
	require.ErrorContains(t, err, "rws:cb:api/a")
}

// With a server that is stopped and started again under a set in use.
func TestRedisGoesAndComesBack(t *testing.T) {
	server := peers.RedisServer(t)
	client, err := redis.Open(server.URL() + "?dial_timeout=200ms&read_timeout=200ms")
	require.NoError(t, err)
	defer client.Close()
	log := new(logs)
	store := breaker.NewRedis(client, "")
	s := set(t, breaker.Options{Store: store, Refresh: 10 * time.Millisecond, Logger: log.logger()})
	b := s.Breaker("a")
	s.Start(t.Context())
	defer s.Close()
	server.Stop(t)
	soon(t, func() bool { return log.Contains("their store fails") }, "that is logged")
	trip(t, b)
	assert.Equal(t, breaker.Open, b.State())
	server.Start(t)
	soon(t, func() bool { return log.Contains("use their store again") }, "that too")
	assert.Len(t, load(t, store, "/a"), 1)
	assert.Equal(t, breaker.Open, b.State())
}

func FuzzRecord(f *testing.F) {
	for _, text := range []string{"open|5|1|2", "open|5|1", "", "open|99999999999999999999|1|2", "open|-1|-1|-1", "closed|1|2|3"} {
		f.Add(text)
	}
	f.Fuzz(func(t *testing.T, text string) {
		r, err := breaker.ParseRecord("a", text)
		if err != nil {
			return
		}
		again, err := breaker.ParseRecord("a", breaker.FormatRecord(r))
		require.NoError(t, err)
		require.Equal(t, r, again)
	})
}

// A reload while the store is down goes on with what is open, and the store learns of it when it is back.
func TestAReloadWhileTheStoreIsDown(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		store := &broken{Store: breaker.NewMemory(), err: errors.New("no route")}
		o := breaker.Options{Name: "api", Store: store, Notes: breaker.NewNotes(), Logger: new(logs).logger()}
		old := set(t, o)
		a, b := old.Breaker("a"), old.Breaker("b")
		old.Start(t.Context())
		trip(t, a)
		trip(t, b)
		b.Reset()

		next := set(t, o)
		assert.Equal(t, breaker.Open, next.Breaker("a").State())
		assert.Equal(t, breaker.Closed, next.Breaker("b").State())
		next.Start(t.Context())
		defer next.Close()
		old.Close()
		synctest.Wait()
		assert.Equal(t, breaker.Open, next.Breaker("a").State())

		store.be(nil, false)
		time.Sleep(time.Second)
		synctest.Wait()
		require.Len(t, load(t, store, "api/a"), 1)
		assert.Empty(t, load(t, store, "api/b"))

		// also when the store has been told, and is away again
		store.be(errors.New("no route"), false)
		third := set(t, o)
		assert.Equal(t, breaker.Open, third.Breaker("a").State())
		third.Start(t.Context())
		defer third.Close()
		assert.Equal(t, breaker.Open, third.Breaker("a").State())

		// but the store, when it is there, has the last word on what it was told
		store.be(nil, false)
		require.NoError(t, store.Delete(t.Context(), "api/a"))
		time.Sleep(time.Second)
		synctest.Wait()
		assert.Equal(t, breaker.Closed, third.Breaker("a").State())
	})
}
