package redis_test

import (
	"fmt"
	"net/url"
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"rws/server/redis"
	"rws/spec_test/peers"
)

func TestACluster(t *testing.T) {
	c := open(t, peers.RedisCluster(t))
	for i := range 50 {
		key := fmt.Sprint("key", i)
		do(t, c, "SET", key, i)
		assert.Equal(t, fmt.Sprint(i), do(t, c, "GET", key))
	}
	replies, err := c.Pipeline(t.Context(), [][]any{{"GET", "key1"}, {"GET", "key2"}, {"GET", "key3"}})
	require.NoError(t, err)
	assert.Equal(t, []any{"1", "2", "3"}, replies, "a pipeline over several nodes")
	replies, err = c.Tx(t.Context(), [][]any{{"SET", "{u}a", 1}, {"SET", "{u}b", 2}})
	require.NoError(t, err)
	assert.Equal(t, []any{"OK", "OK"}, replies)
	replies, err = c.Tx(t.Context(), [][]any{{"SET", "key1", "new"}, {"SET", "key2", "new"}})
	assert.Nil(t, replies, "none was sent, so none has a reply of its own")
	require.ErrorContains(t, err, "CROSSSLOT")
	assert.Equal(t, "1", do(t, c, "GET", "key1"))
	assert.Equal(t, "CROSSSLOT", code(t, c, "MSET", "key1", 1, "key2", 2))
	reply, err := c.Eval(t.Context(), redis.NewScript("return redis.call('GET', KEYS[1])"), []string{"key7"})
	require.NoError(t, err)
	assert.Equal(t, "7", reply)

	time.AfterFunc(50*time.Millisecond, func() { _, _ = c.Do(t.Context(), "RPUSH", "queue", "x") })
	assert.Equal(t, []any{"queue", "x"}, do(t, c, "BLPOP", "queue", 10))
	sub, err := c.Subscribe(t.Context(), []string{"news"}, nil)
	require.NoError(t, err)
	defer sub.Close()
	_, err = c.Publish(t.Context(), "news", "hello")
	require.NoError(t, err)
	assert.Equal(t, "hello", next(t, sub).Payload)
}

func TestASentinelNamesTheMaster(t *testing.T) {
	master := peers.RedisServer(t)
	c := open(t, peers.RedisSentinel(t, master))
	do(t, c, "SET", "k", "v")
	assert.Equal(t, "v", do(t, open(t, master.URL()), "GET", "k"), "the same server")
	sub, err := c.Subscribe(t.Context(), nil, []string{"n*"})
	require.NoError(t, err)
	defer sub.Close()
	_, err = c.Publish(t.Context(), "news", "hello")
	require.NoError(t, err)
	assert.Equal(t, "n*", next(t, sub).Pattern)
	time.AfterFunc(50*time.Millisecond, func() { _, _ = c.Do(t.Context(), "RPUSH", "queue", "x") })
	assert.Equal(t, []any{"queue", "x"}, do(t, c, "BLPOP", "queue", 10))
}

// A write to a master that nobody knows must not seem done.
func TestAMasterThatNoSentinelKnows(t *testing.T) {
	u, err := url.Parse(peers.RedisSentinel(t, peers.RedisServer(t)))
	require.NoError(t, err)
	u.Path = "/nobody"
	c := open(t, u.String())
	for _, command := range [][]any{{"SET", "k", "v"}, {"GET", "k"}, {"INCR", "n"}} {
		reply, err := c.Do(t.Context(), command...)
		require.ErrorContains(t, err, `no master called "nobody"`, "%v gave %v", command, reply)
		assert.True(t, redis.Unavailable(err))
	}
	_, err = c.Pipeline(t.Context(), [][]any{{"SET", "k", "v"}})
	require.ErrorContains(t, err, "nobody")
	require.ErrorContains(t, c.Ping(t.Context()), "nobody")
}
