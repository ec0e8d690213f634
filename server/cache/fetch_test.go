package cache_test

import (
	"context"
	"errors"
	"fmt"
	"sync"
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"rws/server/cache"
	"rws/spec_test/peers"
)

// bubble runs f in a synctest bubble with a cache in memory; errs are what OnError was told.
func bubble(t *testing.T, f func(t *testing.T, c *cache.Cache, errs *[]error)) {
	t.Helper()
	synctest.Test(t, func(t *testing.T) {
		m, err := cache.NewMemory(0)
		require.NoError(t, err)
		var mu sync.Mutex
		var errs []error
		c := cache.New(m, cache.Options{OnError: func(err error) {
			mu.Lock()
			defer mu.Unlock()
			errs = append(errs, err)
		}})
		f(t, c, &errs)
		require.NoError(t, c.Close())
	})
}

var minute = cache.FetchOptions{TTL: time.Minute}

func value(s string) cache.Load {
	return func(context.Context) (cache.Item, bool, error) { return text(s), true, nil }
}

func fetch(t testing.TB, c *cache.Cache, o cache.FetchOptions, load cache.Load) string {
	t.Helper()
	item, found, err := c.Fetch(t.Context(), "k", o, load)
	switch {
	case err != nil:
		return err.Error()
	case !found:
		return "nothing"
	}
	return string(item.Value)
}

func TestAValueIsLoadedOnceForAll(t *testing.T) {
	bubble(t, func(t *testing.T, c *cache.Cache, _ *[]error) {
		var loads atomic.Int64
		var wg sync.WaitGroup
		for range 100 {
			wg.Go(func() {
				assert.Equal(t, "v", fetch(t, c, minute, func(context.Context) (cache.Item, bool, error) {
					time.Sleep(time.Second)
					loads.Add(1)
					return text("v"), true, nil
				}))
			})
		}
		wg.Wait()
		assert.Equal(t, int64(1), loads.Load())
		assert.Equal(t, "v", fetch(t, c, minute, value("other")), "kept")
		time.Sleep(time.Minute)
		assert.Equal(t, "other", fetch(t, c, minute, value("other")), "ended")
		s := c.Stats()
		assert.Equal(t, int64(2), s.Loads)
		assert.Equal(t, int64(101), s.Misses)
		assert.Equal(t, int64(1), s.Hits)
		assert.Equal(t, int64(1), s.Entries)
	})
}

func TestWaitersLeaveWithTheirContexts(t *testing.T) {
	bubble(t, func(t *testing.T, c *cache.Cache, _ *[]error) {
		go c.Fetch(context.Background(), "k", minute, func(context.Context) (cache.Item, bool, error) {
			time.Sleep(10 * time.Second)
			return text("v"), true, nil
		})
		synctest.Wait()
		ctx, cancel := context.WithTimeout(t.Context(), time.Second)
		defer cancel()
		start := time.Now()
		_, _, err := c.Fetch(ctx, "k", minute, value("x"))
		require.ErrorIs(t, err, context.DeadlineExceeded)
		assert.Equal(t, time.Second, time.Since(start))
		time.Sleep(10 * time.Second)
		assert.Equal(t, "v", fetch(t, c, minute, value("x")))
	})
}

func TestTheNextInLineLoadsWhenTheFirstGivesUp(t *testing.T) {
	bubble(t, func(t *testing.T, c *cache.Cache, _ *[]error) {
		ctx, cancel := context.WithCancel(t.Context())
		first := make(chan error, 1)
		go func() {
			_, _, err := c.Fetch(ctx, "k", minute, func(ctx context.Context) (cache.Item, bool, error) {
				<-ctx.Done()
				return cache.Item{}, false, ctx.Err()
			})
			first <- err
		}()
		synctest.Wait()
		second := make(chan string, 1)
		go func() { second <- fetch(t, c, minute, value("second")) }()
		synctest.Wait()
		cancel()
		assert.ErrorIs(t, <-first, context.Canceled)
		assert.Equal(t, "second", <-second)
	})
}

func TestAFailureIsNotKept(t *testing.T) {
	bubble(t, func(t *testing.T, c *cache.Cache, errs *[]error) {
		broken := errors.New("the service is down")
		waiter := make(chan string, 2)
		fail := func(context.Context) (cache.Item, bool, error) {
			time.Sleep(time.Second)
			return cache.Item{}, false, broken
		}
		for range 2 {
			go func() { waiter <- fetch(t, c, minute, fail) }()
		}
		assert.Equal(t, "the service is down", <-waiter)
		assert.Equal(t, "the service is down", <-waiter)
		assert.Equal(t, int64(1), c.Stats().Loads, "those who waited get the same error")
		assert.Equal(t, int64(1), c.Stats().LoadErrors)

		synctest.Wait()
		go func() {
			defer func() { waiter <- fmt.Sprint("panicked: ", recover()) }()
			fetch(t, c, minute, func(context.Context) (cache.Item, bool, error) { time.Sleep(time.Second); panic("bug") })
		}()
		synctest.Wait()
		_, _, err := c.Fetch(t.Context(), "k", minute, value("x"))
		require.ErrorIs(t, err, cache.ErrPanicked)
		assert.Equal(t, "panicked: bug", <-waiter)
		assert.Equal(t, "v", fetch(t, c, minute, value("v")), "the key is not poisoned")
		assert.Empty(t, *errs)
	})
}

func TestNothingIsKeptForItsOwnTime(t *testing.T) {
	bubble(t, func(t *testing.T, c *cache.Cache, _ *[]error) {
		loads := 0
		nothing := func(context.Context) (cache.Item, bool, error) { loads++; return cache.Item{}, false, nil }
		fetch(t, c, minute, nothing)
		fetch(t, c, minute, nothing)
		assert.Equal(t, 2, loads, "not by default")
		o := cache.FetchOptions{TTL: time.Minute, MissingTTL: time.Second}
		assert.Equal(t, "nothing", fetch(t, c, o, nothing))
		assert.Equal(t, "nothing", fetch(t, c, o, value("v")))
		_, ok, err := c.Get(t.Context(), "k")
		require.NoError(t, err)
		assert.False(t, ok)
		time.Sleep(time.Second)
		assert.Equal(t, "v", fetch(t, c, o, value("v")))
	})
}

func TestAStaleValueIsGivenWhileANewOneIsLoaded(t *testing.T) {
	bubble(t, func(t *testing.T, c *cache.Cache, errs *[]error) {
		o := cache.FetchOptions{TTL: time.Minute, Stale: time.Hour}
		slow := func(s string, err error) cache.Load {
			return func(ctx context.Context) (cache.Item, bool, error) {
				time.Sleep(time.Second)
				return text(s), true, errors.Join(err, ctx.Err())
			}
		}
		assert.Equal(t, "1", fetch(t, c, o, value("1")))
		time.Sleep(time.Minute)
		ctx, cancel := context.WithCancel(t.Context())
		start := time.Now()
		for range 5 {
			item, _, err := c.Fetch(ctx, "k", o, slow("2", nil))
			require.NoError(t, err)
			assert.Equal(t, "1", string(item.Value))
		}
		cancel() // the request ends, its refresh goes on
		assert.Zero(t, time.Since(start), "nobody waits")
		time.Sleep(2 * time.Second)
		assert.Equal(t, "2", fetch(t, c, o, slow("x", nil)))
		assert.Equal(t, int64(2), c.Stats().Loads)
		assert.Equal(t, int64(5), c.Stats().Stale)

		time.Sleep(time.Minute)
		assert.Equal(t, "2", fetch(t, c, o, slow("", errors.New("down"))))
		time.Sleep(2 * time.Second)
		assert.Equal(t, "2", fetch(t, c, o, func(context.Context) (cache.Item, bool, error) { panic("bug") }))
		synctest.Wait()
		require.Len(t, *errs, 2)
		assert.EqualError(t, (*errs)[0], `cache: refreshing "k": down`)
		assert.EqualError(t, (*errs)[1], `cache: refreshing "k": loading panicked: bug`)
		time.Sleep(time.Hour)
		assert.Equal(t, "3", fetch(t, c, o, value("3")), "too old")
	})
}

func TestWhatIsLoadedDuringAChangeIsNotKept(t *testing.T) {
	for name, change := range map[string]func(c *cache.Cache) error{
		"del":   func(c *cache.Cache) error { _, err := c.Del(context.Background(), "k"); return err },
		"tag":   func(c *cache.Cache) error { return c.InvalidateTags(context.Background(), "t") },
		"clear": func(c *cache.Cache) error { return c.Clear(context.Background()) },
		"set":   func(c *cache.Cache) error { return c.Set(context.Background(), "k", text("new"), time.Minute) },
	} {
		bubble(t, func(t *testing.T, c *cache.Cache, _ *[]error) {
			o := cache.FetchOptions{TTL: time.Minute, Tags: []string{"t"}}
			go fetch(t, c, o, func(context.Context) (cache.Item, bool, error) {
				time.Sleep(time.Second)
				return text("old"), true, nil
			})
			synctest.Wait()
			require.NoError(t, change(c))
			assert.Equal(t, "new", fetch(t, c, o, value("new")), name)
			time.Sleep(2 * time.Second)
			assert.Equal(t, "new", fetch(t, c, o, value("x")), name)
		})
	}
}

// A slowStore takes its time to set a value, as one over the network does.
type slowStore struct{ cache.Store }

func (s slowStore) Set(ctx context.Context, key string, e cache.Entry) error {
	if string(e.Value) == "set" {
		time.Sleep(time.Second)
	}
	return s.Store.Set(ctx, key, e)
}

func TestAValueThatIsSetStays(t *testing.T) {
	for _, takes := range []time.Duration{0, time.Second} {
		synctest.Test(t, func(t *testing.T) {
			m, err := cache.NewMemory(0)
			require.NoError(t, err)
			c := cache.New(slowStore{m}, cache.Options{})
			go func() { assert.NoError(t, c.Set(context.Background(), "k", text("set"), time.Minute)) }()
			time.Sleep(time.Second / 2)
			assert.Equal(t, "old", fetch(t, c, minute, func(context.Context) (cache.Item, bool, error) {
				time.Sleep(takes)
				return text("old"), true, nil
			}))
			time.Sleep(time.Second)
			assert.Equal(t, "set", fetch(t, c, minute, value("new")), "with a load that takes %v", takes)
			require.NoError(t, c.Close())
		})
	}
}

func TestALoadThatWaitsForItselfIsAnError(t *testing.T) {
	bubble(t, func(t *testing.T, c *cache.Cache, _ *[]error) {
		got := fetch(t, c, minute, func(ctx context.Context) (cache.Item, bool, error) {
			return c.Fetch(ctx, "inner", minute, func(ctx context.Context) (cache.Item, bool, error) {
				return c.Fetch(ctx, "k", minute, value("x"))
			})
		})
		assert.Equal(t, `cache: the load of "k" fetches "k", which waits for itself`, got)
	})
}

func TestLoadsThatWaitForEachOtherAreAnError(t *testing.T) {
	bubble(t, func(t *testing.T, c *cache.Cache, _ *[]error) {
		ring := []string{"a", "b", "c"}
		var started sync.WaitGroup
		started.Add(len(ring))
		errs := make(chan error, len(ring))
		for i, key := range ring {
			go func() {
				_, _, err := c.Fetch(context.Background(), key, minute, func(ctx context.Context) (cache.Item, bool, error) {
					started.Done()
					started.Wait()
					inner := func(ctx context.Context) (cache.Item, bool, error) {
						return c.Fetch(ctx, ring[(i+1)%len(ring)], minute, value("x"))
					}
					return c.Fetch(ctx, "inner of "+key, minute, inner) // the chain goes through what is led
				})
				errs <- err
			}()
		}
		for range ring {
			assert.ErrorContains(t, <-errs, "waits for itself")
		}
		item, _, err := c.Fetch(t.Context(), "a", minute, value("later"))
		require.NoError(t, err)
		assert.Equal(t, "later", string(item.Value), "nothing is left behind")
	})
}

// The load that began a refresh does not wait for it, so what is loaded there may fetch its key.
func TestARefreshIsNotInsideOfTheLoadThatBeganIt(t *testing.T) {
	bubble(t, func(t *testing.T, c *cache.Cache, errs *[]error) {
		o := cache.FetchOptions{TTL: time.Second, Stale: time.Hour}
		refreshed := func(ctx context.Context) (cache.Item, bool, error) {
			return c.Fetch(ctx, "outer", minute, value("never"))
		}
		_, _, err := c.Fetch(t.Context(), "k", o, value("old"))
		require.NoError(t, err)
		time.Sleep(2 * time.Second)
		_, _, err = c.Fetch(t.Context(), "outer", minute, func(ctx context.Context) (cache.Item, bool, error) {
			_, _, err := c.Fetch(ctx, "k", o, refreshed)
			return text("new"), true, err
		})
		require.NoError(t, err)
		synctest.Wait()
		assert.Empty(t, *errs)
		assert.Equal(t, "new", fetch(t, c, o, value("never")))
	})
}

func TestOptionsThatMakeNoSense(t *testing.T) {
	bubble(t, func(t *testing.T, c *cache.Cache, _ *[]error) {
		assert.Contains(t, fetch(t, c, cache.FetchOptions{TTL: -1}, value("x")), `the key "k" is to be kept for -1ns`)
		assert.Contains(t, fetch(t, c, cache.FetchOptions{Stale: 1}, value("x")), "what is kept for ever never gets stale")
		assert.Contains(t, fetch(t, c, cache.FetchOptions{MissingTTL: -1}, value("x")), "a time is negative")
		_, _, err := c.Fetch(t.Context(), "", minute, value("x"))
		require.ErrorContains(t, err, "the key is empty")
	})
}

func TestTwoProcessesShareRedis(t *testing.T) {
	r := client(t, peers.Redis(t))
	a, b := cache.New(cache.NewRedis(r, ""), cache.Options{}), cache.New(cache.NewRedis(r, ""), cache.Options{})
	o := cache.FetchOptions{TTL: time.Minute, MissingTTL: time.Minute, Tags: []string{"t"}}
	assert.Equal(t, "a", fetch(t, a, o, value("a")))
	assert.Equal(t, "a", fetch(t, b, o, value("b")))
	require.NoError(t, b.InvalidateTags(t.Context(), "t"))
	assert.Equal(t, "nothing", fetch(t, a, o, func(context.Context) (cache.Item, bool, error) { return cache.Item{}, false, nil }))
	assert.Equal(t, "nothing", fetch(t, b, o, value("b")))
	require.NoError(t, a.Close())
	require.NoError(t, b.Close())
}

func TestAStoppedRedisFailsGetAndNotFetch(t *testing.T) {
	server := peers.RedisServer(t)
	var told atomic.Int64
	c := cache.New(cache.NewRedis(client(t, server.URL()), ""), cache.Options{OnError: func(error) { told.Add(1) }})
	t.Cleanup(func() { require.NoError(t, c.Close()) })
	server.Stop(t)
	_, _, err := c.Get(t.Context(), "k")
	require.ErrorContains(t, err, "redis: GET: redis://127.0.0.1")
	assert.Equal(t, "v", fetch(t, c, minute, value("v")), "the work is done without the cache")
	assert.Positive(t, told.Load())
	server.Start(t)
	require.Eventually(t, func() bool {
		fetch(t, c, minute, value("v"))
		_, ok, err := c.Get(t.Context(), "k")
		return ok && err == nil
	}, 20*time.Second, 20*time.Millisecond)
}

func BenchmarkGet(b *testing.B) {
	for name, open := range stores() {
		b.Run(name, func(b *testing.B) {
			c := cache.New(open(b), cache.Options{})
			require.NoError(b, c.Set(b.Context(), "k", text("some value"), time.Hour))
			b.ReportAllocs()
			for b.Loop() {
				if _, ok, _ := c.Get(b.Context(), "k"); !ok {
					b.Fatal("absent")
				}
			}
		})
	}
}

func BenchmarkFetch(b *testing.B) {
	for name, open := range stores() {
		b.Run(name, func(b *testing.B) {
			c := cache.New(open(b), cache.Options{})
			load := value("v")
			b.ReportAllocs()
			for b.Loop() {
				if _, ok, err := c.Fetch(b.Context(), "k", minute, load); !ok || err != nil {
					b.Fatal(err)
				}
			}
		})
	}
}
