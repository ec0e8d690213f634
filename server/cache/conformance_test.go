package cache_test

import (
	"bytes"
	"context"
	"fmt"
	"math"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
	"go.uber.org/goleak"

	"rws/server/cache"
	"rws/server/redis"
	"rws/spec_test/peers"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

// stores makes an empty store of each kind.
func stores() map[string]func(t testing.TB) cache.Store {
	return map[string]func(t testing.TB) cache.Store{
		"memory": func(t testing.TB) cache.Store { return memory(t, 0) },
		"redis":  func(t testing.TB) cache.Store { return cache.NewRedis(client(t, peers.Redis(t)), "") },
		"redis, RESP2": func(t testing.TB) cache.Store {
			return cache.NewRedis(client(t, peers.Redis(t)+"?protocol=2"), "other*:")
		},
	}
}

func memory(t testing.TB, size int64) *cache.Memory {
	t.Helper()
	m, err := cache.NewMemory(size)
	require.NoError(t, err)
	t.Cleanup(func() { require.NoError(t, m.Close()) })
	return m
}

func client(t testing.TB, url string) *redis.Client {
	t.Helper()
	c, err := redis.Open(url)
	require.NoError(t, err)
	t.Cleanup(func() { require.NoError(t, c.Close()) })
	return c
}

func text(s string) cache.Item { return cache.Item{Value: []byte(s), Flag: 7} }

// TestStores is what every store promises.
func TestStores(t *testing.T) {
	for name, open := range stores() {
		for promise, f := range promises() {
			t.Run(name+"/"+promise, func(t *testing.T) { f(t, open(t)) })
		}
	}
}

// promises are about entries.
func promises() map[string]func(*testing.T, cache.Store) {
	return map[string]func(*testing.T, cache.Store){
		"come back whole": comeBackWhole, "end": end, "count": count, "go with their tags": goWithTheirTags,
		"are cleared": areCleared, "are checked": areChecked,
	}
}

func TestACluster(t *testing.T) {
	c := client(t, peers.RedisCluster(t))
	for promise, f := range promises() {
		t.Run(promise, func(t *testing.T) { f(t, cache.NewRedis(c, promise+":")) })
	}
}

func get(t testing.TB, s cache.Store, key string) string {
	t.Helper()
	e, ok, err := s.Get(t.Context(), key)
	if !assert.NoError(t, err) {
		return "failed"
	}
	if !ok {
		return "absent"
	}
	return string(e.Value)
}

func set(t testing.TB, s cache.Store, key string, e cache.Entry) {
	t.Helper()
	require.NoError(t, s.Set(t.Context(), key, e))
}

func comeBackWhole(t *testing.T, s cache.Store) {
	assert.Equal(t, "absent", get(t, s, "k"))
	fresh := time.UnixMilli(time.Now().UnixMilli() + 1000)
	for _, e := range []cache.Entry{
		{Item: text("")}, {Item: text("v")}, {Item: cache.Item{Value: []byte("\x00c\x01\xff")}},
		{Item: cache.Item{Value: []byte("-12"), Flag: cache.Integer}}, {Item: cache.Item{Value: []byte("5")}},
		{Missing: true, Item: cache.Item{Value: []byte{}}}, {Item: text("x"), Fresh: fresh}, {Item: text("y"), Tags: []string{"a", "b"}},
		{Item: cache.Item{Value: bytes.Repeat([]byte("x"), 1<<20), Flag: 255}},
	} {
		set(t, s, "k", e)
		got, ok, err := s.Get(t.Context(), "k")
		require.NoError(t, err)
		require.True(t, ok)
		assert.True(t, e.Fresh.Equal(got.Fresh), "%s %s", e.Fresh, got.Fresh)
		got.Fresh = e.Fresh
		assert.Equal(t, e, got)
	}
	set(t, s, "other\xff\n key", cache.Entry{Item: text("other")})
	n, err := s.Del(t.Context(), "k", "other\xff\n key", "absent")
	require.NoError(t, err)
	assert.Equal(t, 2, n)
	assert.Equal(t, "absent", get(t, s, "k"))
}

func end(t *testing.T, s cache.Store) {
	set(t, s, "short", cache.Entry{Item: text("v"), TTL: 100 * time.Millisecond})
	set(t, s, "long", cache.Entry{Item: text("v"), TTL: time.Hour})
	assert.Equal(t, "v", get(t, s, "short"))
	require.Eventually(t, func() bool { return get(t, s, "short") == "absent" }, 5*time.Second, 5*time.Millisecond)
	assert.Equal(t, "v", get(t, s, "long"))
	set(t, s, "tiny", cache.Entry{Item: text("v"), TTL: time.Nanosecond})
	require.Eventually(t, func() bool { return get(t, s, "tiny") == "absent" }, 5*time.Second, time.Millisecond)
}

func count(t *testing.T, s cache.Store) {
	incr := func(key string, delta int64, ttl time.Duration) int64 {
		t.Helper()
		n, err := s.Incr(t.Context(), key, delta, ttl)
		require.NoError(t, err)
		return n
	}
	assert.Equal(t, int64(5), incr("n", 5, 0))
	assert.Equal(t, int64(3), incr("n", -2, 0))
	assert.Equal(t, "3", get(t, s, "n"))
	e, _, _ := s.Get(t.Context(), "n")
	assert.Equal(t, cache.Integer, e.Flag)
	set(t, s, "set", cache.Entry{Item: cache.Item{Value: []byte("40"), Flag: cache.Integer}})
	assert.Equal(t, int64(42), incr("set", 2, 0))

	for _, sign := range []int64{1, -1} {
		key := fmt.Sprint("end", sign)
		assert.Equal(t, sign*cache.MaxCount, incr(key, sign*cache.MaxCount, 0))
		for _, delta := range []int64{1, 2, cache.MaxCount, math.MaxInt64} {
			_, err := s.Incr(t.Context(), key, sign*delta, 0)
			require.ErrorIs(t, err, cache.ErrRange)
			require.ErrorContains(t, err, fmt.Sprintf("it is at %d, and %+d is too much", sign*cache.MaxCount, sign*delta))
			require.ErrorContains(t, err, "±9007199254740991")
			assert.Equal(t, fmt.Sprint(sign*cache.MaxCount), get(t, s, key), "unchanged")
		}
		assert.Equal(t, sign*(cache.MaxCount-1), incr(key, -sign, 0))
		assert.Equal(t, -sign*cache.MaxCount, incr(key, -sign*(2*cache.MaxCount-1), 0), "from one end to the other")
		_, err := s.Incr(t.Context(), "none", sign*(cache.MaxCount+1), 0)
		require.ErrorIs(t, err, cache.ErrRange)
		assert.Equal(t, "absent", get(t, s, "none"))
	}
	set(t, s, "beyond", cache.Entry{Item: cache.Item{Value: []byte("9223372036854775807"), Flag: cache.Integer}})
	_, err := s.Incr(t.Context(), "beyond", 1, 0)
	require.ErrorIs(t, err, cache.ErrRange)
	set(t, s, "text", cache.Entry{Item: text("v")})
	_, err = s.Incr(t.Context(), "text", 1, 0)
	require.ErrorContains(t, err, `counting "text": its value is no whole number within ±9007199254740991; delete it or set one first`)
	assert.Equal(t, "v", get(t, s, "text"))

	incr("window", 1, 300*time.Millisecond)
	incr("window", 1, time.Hour)
	require.Eventually(t, func() bool { return get(t, s, "window") == "absent" }, 5*time.Second, 5*time.Millisecond,
		"the time counts from when the key was made")
	var wg sync.WaitGroup
	for range 20 {
		wg.Go(func() {
			for range 25 {
				_, err := s.Incr(context.Background(), "race", 1, 0)
				assert.NoError(t, err)
			}
		})
	}
	wg.Wait()
	assert.Equal(t, "500", get(t, s, "race"))
}

func goWithTheirTags(t *testing.T, s cache.Store) {
	fill := func() {
		set(t, s, "1", cache.Entry{Item: text("1"), Tags: []string{"a"}})
		set(t, s, "2", cache.Entry{Item: text("2"), Tags: []string{"a", "b"}})
		set(t, s, "3", cache.Entry{Item: text("3")})
	}
	all := func() string { return get(t, s, "1") + " " + get(t, s, "2") + " " + get(t, s, "3") }
	fill()
	require.NoError(t, s.InvalidateTags(t.Context(), "b", "unused"))
	assert.Equal(t, "1 absent 3", all())
	require.NoError(t, s.InvalidateTags(t.Context(), "a"))
	assert.Equal(t, "absent absent 3", all())
	fill()
	assert.Equal(t, "1 2 3", all(), "a tag can be used again")

	before, err := s.Snapshot(t.Context(), []string{"a"})
	require.NoError(t, err)
	require.NoError(t, s.InvalidateTags(t.Context(), "a"))
	set(t, s, "1", cache.Entry{Item: text("old"), Tags: []string{"a"}, Since: before})
	assert.Equal(t, "absent", get(t, s, "1"), "what was computed before is void")
	now, err := s.Snapshot(t.Context(), []string{"a"})
	require.NoError(t, err)
	set(t, s, "1", cache.Entry{Item: text("new"), Tags: []string{"a"}, Since: now})
	assert.Equal(t, "new", get(t, s, "1"))
}

func areCleared(t *testing.T, s cache.Store) {
	for i := range 2500 {
		set(t, s, fmt.Sprint(i), cache.Entry{Item: text("v")})
	}
	require.NoError(t, s.Clear(t.Context()))
	for _, key := range []string{"0", "1234", "2499"} {
		assert.Equal(t, "absent", get(t, s, key))
	}
}

func TestClearLeavesWhatIsOfOthers(t *testing.T) {
	c := client(t, peers.Redis(t))
	ours, theirs := cache.NewRedis(c, "ours*:"), cache.NewRedis(c, "ours-not:")
	set(t, ours, "k", cache.Entry{Item: text("ours")})
	set(t, theirs, "k", cache.Entry{Item: text("theirs")})
	require.NoError(t, ours.Clear(t.Context()))
	assert.Equal(t, "absent", get(t, ours, "k"))
	assert.Equal(t, "theirs", get(t, theirs, "k"))
}

func areChecked(t *testing.T, s cache.Store) {
	ctx := t.Context()
	require.ErrorContains(t, s.Set(ctx, "", cache.Entry{}), "the key is empty")
	require.ErrorContains(t, s.Set(ctx, strings.Repeat("k", 4097), cache.Entry{}), "a key of 4097 bytes, at most 4096")
	require.ErrorContains(t, s.Set(ctx, "k", cache.Entry{TTL: -1}), `the key "k" is to be kept for -1ns`)
	require.ErrorContains(t, s.Set(ctx, "k", cache.Entry{Tags: []string{""}}), "a tag has 1 to 256 bytes")
	require.ErrorContains(t, s.Set(ctx, "k", cache.Entry{Tags: make([]string, 33)}), "33 tags, an entry has at most 32")
	_, _, err := s.Get(ctx, "")
	require.Error(t, err)
	_, err = s.Del(ctx, "a", "")
	require.Error(t, err)
	_, err = s.Incr(ctx, "", 1, 0)
	require.Error(t, err)
	require.Error(t, s.InvalidateTags(ctx, ""))
	_, err = s.Snapshot(ctx, []string{""})
	require.Error(t, err)
}

func TestMemoryIsBound(t *testing.T) {
	m := memory(t, 1<<20)
	for i := range 5000 {
		set(t, m, fmt.Sprint(i), cache.Entry{Item: cache.Item{Value: make([]byte, 1000)}})
	}
	require.Eventually(t, func() bool { return m.Usage().Bytes <= 1<<20 && m.Usage().Entries < 1000 }, 5*time.Second, time.Millisecond)
	u := m.Usage()
	assert.Greater(t, u.Bytes, int64(1<<19), "it is used")
	assert.Greater(t, u.Evictions, int64(3000))
	err := m.Set(t.Context(), "large", cache.Entry{Item: cache.Item{Value: make([]byte, 1<<20)}})
	require.ErrorIs(t, err, cache.ErrTooLarge)
	_, err = cache.NewMemory(64)
	require.ErrorContains(t, err, "a size of 64 bytes holds nothing")
}

func TestForeignValuesInRedisAreErrors(t *testing.T) {
	c := client(t, peers.Redis(t))
	s := cache.NewRedis(c, "p:")
	for _, value := range []string{"hello", "", "-", "\x00c", "\x00c\x01\x09aaaaaaaaaaaaaaa", strings.Repeat("1", 30)} {
		_, err := c.Do(t.Context(), "SET", "p:k:k", value)
		require.NoError(t, err)
		_, _, err = s.Get(t.Context(), "k")
		require.ErrorContains(t, err, `reading "k": the value in Redis was not written by this cache`, "%q", value)
	}
}

func FuzzDecode(f *testing.F) {
	f.Add(cache.Encode(cache.Entry{Item: text("v"), Tags: []string{"a", "b"}, Fresh: time.Now()}))
	f.Add(cache.Encode(cache.Entry{Item: cache.Item{Value: []byte("12"), Flag: cache.Integer}}))
	f.Add([]byte("\x00c\x01\x00\x00aaaaaaaa\x01\xff\xff\xff\xff\xff\xff\xff\xff\x01"))
	f.Fuzz(func(t *testing.T, b []byte) {
		e, err := cache.Decode(b)
		if err != nil {
			return
		}
		again, err := cache.Decode(cache.Encode(e))
		if err != nil || !bytes.Equal(again.Value, e.Value) || again.Flag != e.Flag || again.Missing != e.Missing || len(again.Tags) != len(e.Tags) {
			t.Errorf("%+v became %+v, %v", e, again, err)
		}
	})
}
