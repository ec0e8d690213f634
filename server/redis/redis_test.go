package redis_test

import (
	"context"
	"errors"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"rws/server/redis"
	"rws/spec_test/peers"
)

func TestRepliesArePlainValues(t *testing.T) {
	url := peers.Redis(t)
	c := open(t, url)
	require.NoError(t, c.Ping(t.Context()))
	assert.Equal(t, "OK", do(t, c, "SET", "k", "v\x00\xff"))
	assert.Equal(t, "v\x00\xff", do(t, c, "get", "k"))
	assert.Nil(t, do(t, c, "GET", "absent"))
	assert.Equal(t, int64(9007199254740993), do(t, c, "INCRBY", "n", int64(9007199254740993)))
	assert.Equal(t, "1.5", do(t, c, "INCRBYFLOAT", "f", 1.5))
	assert.Equal(t, int64(3), do(t, c, "RPUSH", "l", "a", []byte("b"), true))
	assert.Equal(t, []any{"a", "b", "1"}, do(t, c, "LRANGE", "l", 0, -1))
	assert.Equal(t, []any{}, do(t, c, "LRANGE", "absent", 0, -1))
	assert.Equal(t, []any{"v\x00\xff", nil}, do(t, c, "MGET", "k", "absent"))
	do(t, c, "HSET", "h", "x", 1, "y", 2)
	assert.Equal(t, map[string]any{"x": "1", "y": "2"}, do(t, c, "HGETALL", "h"))
	do(t, c, "ZADD", "z", 1.5, "m")
	assert.Equal(t, 1.5, do(t, c, "ZSCORE", "z", "m"))
	assert.Equal(t, []any{[]any{"m", 1.5}}, do(t, c, "ZRANGE", "z", 0, -1, "WITHSCORES"))
	assert.Equal(t, []any{int64(1), []any{"a"}, nil}, do(t, c, "EVAL", "return {1, {'a'}, false}", 0))

	two := open(t, url+"?protocol=2")
	assert.Equal(t, []any{"x", "1", "y", "2"}, do(t, two, "HGETALL", "h"), "RESP2 has no maps")
}

func TestErrorsSayWhatFailedAndNoMore(t *testing.T) {
	url := peers.Redis(t)
	c := open(t, url)
	do(t, c, "SET", "k", "hunter2")
	_, err := c.Do(t.Context(), "LPUSH", "k", "hunter3")
	require.ErrorContains(t, err, "redis: LPUSH: redis://127.0.0.1:")
	require.ErrorContains(t, err, "WRONGTYPE Operation against a key holding the wrong kind of value")
	assert.NotContains(t, err.Error(), "hunter")
	assert.Equal(t, "WRONGTYPE", code(t, c, "LPUSH", "k", "x"))
	assert.Equal(t, "ERR", code(t, c, "NOSUCH"))
	assert.False(t, redis.Unavailable(err))

	assert.Equal(t, "argument", code(t, c))
	assert.Equal(t, "argument", code(t, c, 1))
	_, err = c.Do(t.Context(), "SET", "k", map[string]any{})
	assert.EqualError(t, err, "redis: SET: argument 2 is of type map[string]interface {}; strings, numbers and booleans can be sent")
	_, err = c.Do(t.Context(), "multi")
	assert.EqualError(t, err, "redis: MULTI: connections are shared, so this command is not sent; use Tx")

	for _, stateful := range [][]any{{"client", "reply", "off"}, {"CLIENT", []byte("Tracking"), "on"}, {"client", "caching", "yes"}, {"client", "setname", "me"}, {"CLIENT", "SETINFO", "lib-name", "x"}, {"CLIENT", "NO-EVICT", "on"}, {"client", "no-touch", "on"}, {"script", "debug", "sync"}} {
		assert.Equal(t, "argument", code(t, c, stateful...), stateful)
	}
	_, err = c.Do(t.Context(), "client", "id")
	require.NoError(t, err)
	_, err = c.Do(t.Context(), "script", "exists", "debug")
	require.NoError(t, err)

	wrong := open(t, strings.Replace(url, "://:", "://:wrong-", 1))
	_, err = wrong.Do(t.Context(), "GET", "k")
	require.ErrorContains(t, err, "WRONGPASS")
	assert.NotContains(t, err.Error(), "wrong-")
	assert.NotContains(t, wrong.String(), "wrong-")

	ctx, cancel := context.WithCancel(t.Context())
	cancel()
	_, err = c.Do(ctx, "GET", "k")
	require.ErrorIs(t, err, context.Canceled)

	none := open(t, "redis://127.0.0.1:1?dial_timeout=1s")
	assert.Equal(t, "unavailable", code(t, none, "GET", "k"))
	_, err = none.Do(t.Context(), "GET", "k")
	assert.True(t, redis.Unavailable(err))
	assert.ErrorContains(t, err, "redis: GET: redis://127.0.0.1:1: dial tcp 127.0.0.1:1: connect: connection refused")

	gone, err := redis.Open(url)
	require.NoError(t, err)
	require.NoError(t, gone.Close())
	assert.Equal(t, "closed", code(t, gone, "GET", "k"))
}

func TestABatchHasAReplyForEachCommand(t *testing.T) {
	c := open(t, peers.Redis(t))
	for name, send := range map[string]func(context.Context, [][]any) ([]any, error){"pipeline": c.Pipeline, "transaction": c.Tx} {
		do(t, c, "FLUSHDB")
		replies, err := send(t.Context(), [][]any{{"SET", "a", 1}, {"LPUSH", "a", 2}, {"GET", "absent"}, {"INCR", "a"}})
		require.NoError(t, err, name)
		assert.Equal(t, "OK", replies[0], name)
		assert.ErrorContains(t, replies[1].(error), "WRONGTYPE", name)
		assert.Nil(t, replies[2], name)
		assert.Equal(t, int64(2), replies[3], name+": one that fails does not stop the rest")
		replies, err = send(t.Context(), nil)
		require.NoError(t, err)
		assert.Empty(t, replies)
		_, err = send(t.Context(), [][]any{{"BLPOP", "a", 0}})
		require.ErrorContains(t, err, "holds up all behind it")
	}
	_, err := c.Tx(t.Context(), [][]any{{"SET", "b", 1}, {"NOSUCH"}})
	require.ErrorContains(t, err, "NOSUCH")
	require.ErrorContains(t, err, "unknown command")
	require.ErrorContains(t, err, "nothing was done")
	e, _ := errors.AsType[*redis.Error](err)
	assert.Equal(t, "EXECABORT", e.Code)
	assert.Nil(t, do(t, c, "GET", "b"), "a transaction that is not accepted does nothing")
}

func TestWatchSeesWhatOthersChange(t *testing.T) {
	c := open(t, peers.Redis(t))
	do(t, c, "SET", "n", 5)
	double := func(meanwhile func()) (changed bool) {
		require.NoError(t, c.Watch(t.Context(), []string{"n"}, func(w *redis.Watched) error {
			n, err := w.Do(t.Context(), "GET", "n")
			require.NoError(t, err)
			meanwhile()
			replies, c, err := w.Exec(t.Context(), [][]any{{"SET", "n", n.(string) + "0"}})
			assert.Equal(t, c, replies == nil)
			changed = c
			return err
		}))
		return changed
	}
	assert.True(t, double(func() { do(t, c, "SET", "n", 6) }))
	assert.Equal(t, "6", do(t, c, "GET", "n"))
	assert.False(t, double(func() {}))
	assert.Equal(t, "60", do(t, c, "GET", "n"))
}

func TestScriptsAreSentOnce(t *testing.T) {
	c := open(t, peers.RedisServer(t).URL())
	s := redis.NewScript("return {KEYS[1], ARGV[1] * 2}")
	for range 3 {
		reply, err := c.Eval(t.Context(), s, []string{"k"}, 21)
		require.NoError(t, err)
		assert.Equal(t, []any{"k", int64(42)}, reply)
	}
	do(t, c, "SCRIPT", "FLUSH")
	_, err := c.Eval(t.Context(), s, []string{"k"}, 21)
	require.NoError(t, err, "a server that has forgotten it")
	_, err = c.Eval(t.Context(), redis.NewScript("return redis.error_reply('OWN error')"), nil)
	var e *redis.Error
	require.ErrorAs(t, err, &e)
	assert.Equal(t, "OWN", e.Code)
}

func TestWaitingEndsWithDataOrTheContext(t *testing.T) {
	url := peers.Redis(t)
	c := open(t, url+"?read_timeout=100ms&pool_size=1")
	done := make(chan any, 1)
	go func() {
		reply, err := c.Do(context.Background(), "BLPOP", "queue", 0)
		if err != nil {
			reply = err
		}
		done <- reply
	}()
	soon(t, "the command waits", func() bool { return strings.Contains(do(t, c, "INFO", "clients").(string), "blocked_clients:1") })
	time.Sleep(300 * time.Millisecond) // longer than the limit for reading
	do(t, c, "RPUSH", "queue", "job")
	assert.Equal(t, []any{"queue", "job"}, <-done)

	ctx, cancel := context.WithTimeout(t.Context(), 50*time.Millisecond)
	defer cancel()
	_, err := c.Do(ctx, "XREAD", "BLOCK", 0, "STREAMS", "s", "$")
	require.ErrorIs(t, err, context.DeadlineExceeded)
	soon(t, "the server forgets the command", func() bool { return strings.Contains(do(t, c, "INFO", "clients").(string), "blocked_clients:0") })
	assert.Nil(t, do(t, c, "BLPOP", "queue", 0.05), "its own time limit")
	assert.Equal(t, "WRONGTYPE", func() string { do(t, c, "SET", "s", 1); return code(t, c, "BLPOP", "s", 1) }())
}

// The words of a command are words also when they come as bytes.
func TestNoCommandLeavesItsConnectionToTheNextInAnotherState(t *testing.T) {
	c := open(t, peers.Redis(t)+"?pool_size=1&read_timeout=300ms")
	for _, word := range []any{"REPLY", "reply", []byte("Reply")} {
		assert.Equal(t, "argument", code(t, c, "CLIENT", word, "OFF"))
	}
	_, err := c.Pipeline(t.Context(), [][]any{{"XREAD", []byte("block"), 0, "STREAMS", "s", "$"}})
	require.ErrorContains(t, err, "a command that waits")
	ctx, cancel := context.WithTimeout(t.Context(), 600*time.Millisecond)
	defer cancel()
	_, err = c.Do(ctx, "XREAD", []byte("BLOCK"), 0, "STREAMS", "s", "$")
	require.ErrorIs(t, err, context.DeadlineExceeded, "and not the limit for reading")
	assert.Equal(t, "PONG", do(t, c, "PING"))
}

func TestAFullPoolIsAClearError(t *testing.T) {
	c := open(t, peers.Redis(t)+"?pool_size=1&pool_timeout=50ms")
	require.NoError(t, c.Watch(t.Context(), []string{"k"}, func(*redis.Watched) error {
		assert.Equal(t, "pool", code(t, c, "GET", "k"))
		return nil
	}))
	do(t, c, "GET", "k")
}

// The server stops under load and comes back.
func TestAServerThatStopsAndStarts(t *testing.T) {
	s := peers.RedisServer(t)
	c := open(t, s.URL()+"?pool_size=4&dial_timeout=1s")
	stop := make(chan struct{})
	var wg sync.WaitGroup
	for range 8 {
		wg.Go(func() {
			for {
				select {
				case <-stop:
					return
				default:
				}
				if _, err := c.Do(context.Background(), "INCR", "n"); err != nil {
					assert.True(t, redis.Unavailable(err), err.Error())
				}
			}
		})
	}
	soon(t, "load", func() bool { n, _ := c.Do(t.Context(), "GET", "n"); return n != nil })
	s.Stop(t)
	soon(t, "an error", func() bool { _, err := c.Do(t.Context(), "PING"); return err != nil })
	_, err := c.Do(t.Context(), "PING")
	assert.True(t, redis.Unavailable(err))
	s.Start(t)
	soon(t, "recovery without a restart", func() bool { _, err := c.Do(t.Context(), "PING"); return err == nil })
	close(stop)
	wg.Wait()
	assert.LessOrEqual(t, c.Stats().Open, uint32(4), "no connection leaks")
}

func TestAServerThatHangsIsATimeout(t *testing.T) {
	s := peers.RedisServer(t)
	c := open(t, s.URL()+"?read_timeout=200ms&dial_timeout=200ms")
	do(t, c, "SET", "k", 1)
	s.Pause(t)
	start := time.Now()
	assert.Equal(t, "timeout", code(t, c, "GET", "k"))
	ctx, cancel := context.WithTimeout(t.Context(), 100*time.Millisecond)
	defer cancel()
	_, err := c.Do(ctx, "BLPOP", "k", 0)
	require.ErrorIs(t, err, context.DeadlineExceeded)
	assert.Less(t, time.Since(start), 5*time.Second)
	s.Resume(t)
	soon(t, "recovery", func() bool { _, err := c.Do(t.Context(), "GET", "k"); return err == nil })
}

func BenchmarkDo(b *testing.B) {
	c := open(b, peers.Redis(b))
	b.ReportAllocs()
	for b.Loop() {
		if _, err := c.Do(b.Context(), "GET", "k"); err != nil {
			b.Fatal(err)
		}
	}
}
