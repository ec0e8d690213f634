package ratelimit

import (
	"context"
	"fmt"
	"time"

	"rws/server/redis"
)

// DefaultPrefix is what the keys in Redis begin with.
const DefaultPrefix = "rws:limit:"

// Redis keeps the times in Redis, by its clock. Made by [NewRedis].
type Redis struct {
	client *redis.Client
	prefix string
}

var _ Store = (*Redis)(nil)

// NewRedis makes a store on a client, which stays the caller's to close. An empty prefix means
// DefaultPrefix.
func NewRedis(client *redis.Client, prefix string) *Redis {
	if prefix == "" {
		prefix = DefaultPrefix
	}
	return &Redis{client, prefix}
}

// take does all in one step of the server. Times are microseconds; numbers of Lua are exact up to
// 2^53 of them, which is the year 2255.
var take = redis.NewScript(`
local clock = redis.call("TIME")
local now = clock[1] * 1000000 + clock[2]
local step, limit = tonumber(ARGV[1]), tonumber(ARGV[2])
local full = math.max((tonumber(redis.call("GET", KEYS[1])) or 0) - now, 0)
if full + step > limit then
  return {full, 0}
end
full = full + step
redis.call("SET", KEYS[1], string.format("%.0f", now + full), "PX", math.max(math.ceil(full / 1000), 1))
return {full, 1}
`)

// Take implements [Store].
func (r *Redis) Take(ctx context.Context, key string, step, limit time.Duration) (time.Duration, bool, error) {
	reply, err := r.client.Eval(ctx, take, []string{r.prefix + key}, max(step.Microseconds(), 1), limit.Microseconds())
	if err != nil {
		return 0, false, err
	}
	list, ok := reply.([]any)
	if !ok || len(list) != 2 {
		return 0, false, fmt.Errorf("redis answered %v", reply)
	}
	full, ok := list[0].(int64)
	allowed, ok2 := list[1].(int64)
	if !ok || !ok2 {
		return 0, false, fmt.Errorf("redis answered %v", reply)
	}
	return time.Duration(full) * time.Microsecond, allowed == 1, nil
}

// Close implements [Store].
func (r *Redis) Close() error { return nil }
