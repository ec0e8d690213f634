package cache

import (
	"context"
	"crypto/rand"
	"errors"
	"fmt"
	"strconv"
	"time"

	goredis "github.com/redis/go-redis/v9"

	"rws/server/redis"
)

// DefaultPrefix is in front of all keys in Redis.
const DefaultPrefix = "rws:cache:"

// tagLife is how long the version of a tag is kept after its last use. An entry whose tag has
// no version is void, so nothing wrong follows when one is lost.
const tagLife = 30 * 24 * time.Hour

// Redis is a store in Redis, which several processes share. Entries are "{prefix}k:{key}",
// versions of tags "{prefix}t:{tag}"; numbers are kept as Redis counts them. Reading an entry
// with tags takes two round trips. Made by [NewRedis].
type Redis struct {
	client *redis.Client
	prefix string
}

var _ Store = (*Redis)(nil)

// NewRedis returns a store on a client, which stays the caller's to close. Apps that share a
// Redis need prefixes of their own; "" is [DefaultPrefix].
func NewRedis(client *redis.Client, prefix string) *Redis {
	if prefix == "" {
		prefix = DefaultPrefix
	}
	return &Redis{client: client, prefix: prefix}
}

func (r *Redis) key(key string) string { return r.prefix + "k:" + key }
func (r *Redis) tag(tag string) string { return r.prefix + "t:" + tag }

func (r *Redis) Get(ctx context.Context, key string) (Entry, bool, error) {
	if err := checkKey(key); err != nil {
		return Entry{}, false, err
	}
	reply, err := r.client.Do(ctx, "GET", r.key(key))
	if err != nil || reply == nil {
		return Entry{}, false, err
	}
	text, _ := reply.(string)
	e, versions, err := decode([]byte(text))
	if err != nil {
		return Entry{}, false, fmt.Errorf("cache: reading %q: %w", brief(key), err)
	}
	if len(e.Tags) == 0 {
		return e, true, nil
	}
	now, err := r.versions(ctx, e.Tags)
	if err != nil {
		return Entry{}, false, err
	}
	for i := range versions {
		if versions[i] == "" || versions[i] != now[i] {
			return Entry{}, false, nil
		}
	}
	return e, true, nil
}

// versions returns those of tags, "" for a tag that has none.
func (r *Redis) versions(ctx context.Context, tags []string) ([]string, error) {
	commands := make([][]any, len(tags))
	for i, tag := range tags {
		commands[i] = []any{"GET", r.tag(tag)}
	}
	replies, err := r.client.Pipeline(ctx, commands)
	if err != nil {
		return nil, err
	}
	versions := make([]string, len(tags))
	for i, reply := range replies {
		if err, ok := reply.(error); ok {
			return nil, err
		}
		versions[i], _ = reply.(string)
	}
	return versions, nil
}

func (r *Redis) Set(ctx context.Context, key string, e Entry) error {
	if err := checkEntry(key, e); err != nil {
		return err
	}
	if len(e.Tags) > 0 && e.Since == nil {
		since, err := r.Snapshot(ctx, e.Tags)
		if err != nil {
			return err
		}
		e.Since = since
	}
	args := []any{"SET", r.key(key), encode(e)}
	if e.TTL > 0 {
		args = append(args, "PX", milliseconds(e.TTL))
	}
	_, err := r.client.Do(ctx, args...)
	return err
}

// milliseconds rounds up: 0 would be an error in Redis.
func milliseconds(d time.Duration) int64 { return int64((d + time.Millisecond - 1) / time.Millisecond) }

func (r *Redis) Del(ctx context.Context, keys ...string) (int, error) {
	if err := checkKeys(keys); err != nil || len(keys) == 0 {
		return 0, err
	}
	return r.unlink(ctx, keys, r.key)
}

// unlink removes keys one by one, since in a cluster they are on several servers.
func (r *Redis) unlink(ctx context.Context, names []string, key func(string) string) (int, error) {
	commands := make([][]any, len(names))
	for i, name := range names {
		commands[i] = []any{"UNLINK", key(name)}
	}
	replies, err := r.client.Pipeline(ctx, commands)
	n := 0
	for _, reply := range replies {
		switch v := reply.(type) {
		case int64:
			n += int(v)
		case error:
			err = errors.Join(err, v)
		}
	}
	return n, err
}

// incr counts and sets the time to live of a key that it makes. Where the sum would be beyond ARGV[3] it
// returns the number as it stays, in a list.
var incr = redis.NewScript(`
local now = redis.call('GET', KEYS[1])
local sum = tonumber(now or '0')
if sum then
  sum = sum + tonumber(ARGV[1])
  if sum > tonumber(ARGV[3]) or sum < -tonumber(ARGV[3]) then return {now or '0'} end
end
redis.call('INCRBY', KEYS[1], ARGV[1])
if not now and ARGV[2] ~= '0' then redis.call('PEXPIRE', KEYS[1], ARGV[2]) end
return tostring(redis.call('GET', KEYS[1]))`)

func (r *Redis) Incr(ctx context.Context, key string, delta int64, ttl time.Duration) (int64, error) {
	if err := checkEntry(key, Entry{TTL: ttl}); err != nil {
		return 0, err
	}
	reply, err := r.client.Eval(ctx, incr, []string{r.key(key)}, delta, milliseconds(ttl), int64(MaxCount))
	if e, ok := errors.AsType[*redis.Error](err); ok && e.Code == "ERR" {
		return 0, notInteger(key)
	}
	if err != nil {
		return 0, err
	}
	if stays, ok := reply.([]any); ok && len(stays) == 1 {
		text, _ := stays[0].(string)
		n, err := strconv.ParseInt(text, 10, 64)
		if err != nil {
			return 0, notInteger(key)
		}
		return n, outOfRange(key, n, delta)
	}
	text, _ := reply.(string)
	return strconv.ParseInt(text, 10, 64)
}

func (r *Redis) Snapshot(ctx context.Context, tags []string) (*Snapshot, error) {
	if err := checkTags(tags); err != nil || len(tags) == 0 {
		return &Snapshot{}, err
	}
	var commands [][]any
	for _, tag := range tags {
		key := r.tag(tag)
		commands = append(commands, []any{"SET", key, rand.Text(), "NX"}, []any{"PEXPIRE", key, tagLife.Milliseconds()}, []any{"GET", key})
	}
	replies, err := r.client.Pipeline(ctx, commands)
	if err != nil {
		return nil, err
	}
	s := &Snapshot{}
	for i, reply := range replies {
		if err, ok := reply.(error); ok {
			return nil, err
		}
		if i%3 == 2 {
			version, _ := reply.(string)
			s.versions = append(s.versions, version)
		}
	}
	return s, nil
}

func (r *Redis) InvalidateTags(ctx context.Context, tags ...string) error {
	if err := checkTags(tags); err != nil || len(tags) == 0 {
		return err
	}
	// An entry without the version of its tag is void, and the next version is another.
	_, err := r.unlink(ctx, tags, r.tag)
	return err
}

func (r *Redis) Clear(ctx context.Context) error {
	if cluster, ok := r.client.Universal().(*goredis.ClusterClient); ok {
		return cluster.ForEachMaster(ctx, func(ctx context.Context, node *goredis.Client) error { return r.clear(ctx, node) })
	}
	return r.clear(ctx, r.client.Universal())
}

// clear looks through the keys of one server, a thousand at a time.
func (r *Redis) clear(ctx context.Context, node goredis.Cmdable) error {
	var cursor uint64
	for {
		keys, next, err := node.Scan(ctx, cursor, escapeGlob(r.prefix)+"*", 1000).Result()
		if err != nil {
			return err
		}
		if len(keys) > 0 {
			_, err = node.Pipelined(ctx, func(p goredis.Pipeliner) error {
				for _, key := range keys {
					p.Unlink(ctx, key)
				}
				return nil
			})
		}
		if cursor = next; err != nil || cursor == 0 {
			return err
		}
	}
}

func escapeGlob(s string) string {
	var b []byte
	for i := range len(s) {
		switch s[i] {
		case '*', '?', '[', ']', '\\', '^':
			b = append(b, '\\')
		}
		b = append(b, s[i])
	}
	return string(b)
}

// Usage is zero: the memory of the server is not ours alone.
func (r *Redis) Usage() Usage { return Usage{} }

// Close does nothing.
func (r *Redis) Close() error { return nil }
