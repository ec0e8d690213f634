package session

import (
	"context"
	"errors"
	"slices"
	"strconv"
	"strings"
	"time"

	goredis "github.com/redis/go-redis/v9"

	"rws/server/redis"
)

// DefaultPrefix is in front of all keys in Redis.
const DefaultPrefix = "rws:sess:"

// Redis keeps sessions in hashes "{prefix}{id}", which Redis itself removes when their time is
// over. The ids of a user are in the sorted set "{prefix}user:{user}" with their ends; it may
// name sessions that are gone. Made by [NewRedis].
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

// The scripts have one key each, so that they run in clusters. ARGV[1] is the time: by the
// clock of the caller a session may be over that the server still has.
var (
	scriptCreate = redis.NewScript(`
local ends = redis.call('HGET', KEYS[1], 'e')
if ends and tonumber(ends) > tonumber(ARGV[1]) then return 0 end` + scriptWrite)
	scriptSwap = redis.NewScript(scriptAlive + `
if redis.call('HGET', KEYS[1], 'v') ~= ARGV[8] then return 0 end` + scriptWrite)
	scriptRemove = redis.NewScript(scriptAlive + `
if ARGV[2] ~= '0' and redis.call('HGET', KEYS[1], 'v') ~= ARGV[2] then return 0 end
return redis.call('DEL', KEYS[1])`)
	scriptTouch = redis.NewScript(scriptAlive + `
if tonumber(redis.call('HGET', KEYS[1], 's')) >= tonumber(ARGV[2]) then return 0 end
redis.call('HSET', KEYS[1], 's', ARGV[2], 'e', ARGV[3])
redis.call('PEXPIREAT', KEYS[1], ARGV[3])
return 1`)
	// scriptIndex adds an id, drops those whose time is over, and keeps the set as long as its
	// last.
	scriptIndex = redis.NewScript(`
redis.call('ZADD', KEYS[1], ARGV[1], ARGV[2])
redis.call('ZREMRANGEBYSCORE', KEYS[1], '-inf', ARGV[3])
local last = redis.call('ZRANGE', KEYS[1], -1, -1, 'WITHSCORES')
if last[2] then redis.call('PEXPIREAT', KEYS[1], last[2]) end
return 1`)
)

// Parts of the scripts.
const (
	scriptAlive = `
local ends = redis.call('HGET', KEYS[1], 'e')
if not ends or tonumber(ends) <= tonumber(ARGV[1]) then return 0 end`
	scriptWrite = `
redis.call('HSET', KEYS[1], 'u', ARGV[2], 'd', ARGV[3], 'c', ARGV[4], 's', ARGV[5], 'e', ARGV[6], 'v', ARGV[7])
redis.call('PEXPIREAT', KEYS[1], ARGV[6])
return 1`
)

func (s *Redis) key(id string) string       { return s.prefix + id }
func (s *Redis) userKey(user string) string { return s.prefix + "user:" + user }

func (s *Redis) Get(ctx context.Context, id string) (*Record, error) {
	reply, err := s.client.Do(ctx, "HMGET", s.key(id), "u", "d", "c", "s", "e", "v")
	if err != nil {
		return nil, err
	}
	return fromRedis(id, reply)
}

// fromRedis reads the reply to HMGET; nil when there is no hash, or its time is over.
func fromRedis(id string, reply any) (*Record, error) {
	fields, _ := reply.([]any)
	if len(fields) != 6 || fields[5] == nil {
		return nil, nil
	}
	text := func(i int) string { v, _ := fields[i].(string); return v }
	var errs []error
	number := func(i int) int64 {
		n, err := strconv.ParseInt(text(i), 10, 64)
		errs = append(errs, err)
		return n
	}
	r := &Record{
		ID: id, User: text(0), Data: []byte(text(1)),
		Created: fromMillis(number(2)), Seen: fromMillis(number(3)), Expires: fromMillis(number(4)), Version: number(5),
	}
	if err := errors.Join(errs...); err != nil {
		return nil, errors.New("session: a hash in Redis was not written by this store; give it a prefix of its own")
	}
	if r.over(time.Now()) {
		return nil, nil
	}
	return r, nil
}

// index notes the id under its user, before the record is written: a session that is not
// found by its user could not be revoked.
func (s *Redis) index(ctx context.Context, r *Record) error {
	if r.User == "" {
		return nil
	}
	_, err := s.client.Eval(ctx, scriptIndex, []string{s.userKey(r.User)}, r.Expires.UnixMilli(), r.ID, now())
	return err
}

// did runs a script that answers 1 or 0.
func (s *Redis) did(ctx context.Context, script *redis.Script, id string, args ...any) (bool, error) {
	reply, err := s.client.Eval(ctx, script, []string{s.key(id)}, append([]any{now()}, args...)...)
	return err == nil && reply == int64(1), err
}

func fields(r *Record) []any {
	return []any{r.User, r.Data, r.Created.UnixMilli(), r.Seen.UnixMilli(), r.Expires.UnixMilli(), r.Version}
}

func (s *Redis) Create(ctx context.Context, r *Record) error {
	if err := s.index(ctx, r); err != nil {
		return err
	}
	ok, err := s.did(ctx, scriptCreate, r.ID, fields(r)...)
	if err == nil && !ok {
		err = errors.New("session: the id exists already")
	}
	return err
}

func (s *Redis) Swap(ctx context.Context, r *Record, version int64) (bool, error) {
	if err := s.index(ctx, r); err != nil {
		return false, err
	}
	return s.did(ctx, scriptSwap, r.ID, append(fields(r), version)...)
}

func (s *Redis) Remove(ctx context.Context, id string, version int64) (bool, error) {
	return s.did(ctx, scriptRemove, id, version)
}

func (s *Redis) Touch(ctx context.Context, r *Record) error {
	if err := s.index(ctx, r); err != nil {
		return err
	}
	_, err := s.did(ctx, scriptTouch, r.ID, r.Seen.UnixMilli(), r.Expires.UnixMilli())
	return err
}

func (s *Redis) List(ctx context.Context, user string, limit int) ([]*Record, error) {
	ids, err := s.ids(ctx, user, limit)
	var list []*Record
	for part := range slices.Chunk(ids, listBatch) {
		if err != nil || len(list) >= limit {
			break
		}
		var some []*Record
		some, err = s.records(ctx, user, part)
		list = append(list, some...)
	}
	if err != nil {
		return nil, err
	}
	return list[:min(len(list), max(limit, 0))], nil
}

// listBatch is how many sessions are asked for at once.
const listBatch = 500

// records returns those of ids that are there and belong to a user, or with "" to anybody.
func (s *Redis) records(ctx context.Context, user string, ids []string) ([]*Record, error) {
	commands := make([][]any, len(ids))
	for i, id := range ids {
		commands[i] = []any{"HMGET", s.key(id), "u", "d", "c", "s", "e", "v"}
	}
	replies, err := s.client.Pipeline(ctx, commands)
	if err != nil {
		return nil, err
	}
	var list []*Record
	for i, reply := range replies {
		if err, ok := reply.(error); ok {
			return nil, err
		}
		r, err := fromRedis(ids[i], reply)
		if err != nil {
			return nil, err
		}
		if r != nil && (user == "" || r.User == user) {
			list = append(list, r)
		}
	}
	return list, nil
}

// ids returns all that the set of a user names, since any number of them may be gone: behind
// those a session would be found neither to be shown nor to be revoked.
func (s *Redis) ids(ctx context.Context, user string, limit int) ([]string, error) {
	if user == "" {
		return s.scan(ctx, limit)
	}
	reply, err := s.client.Do(ctx, "ZREVRANGE", s.userKey(user), 0, -1)
	var ids []string
	items, _ := reply.([]any)
	for _, item := range items {
		id, _ := item.(string)
		ids = append(ids, id)
	}
	return ids, err
}

// scan looks through the keys of all servers for those of sessions.
func (s *Redis) scan(ctx context.Context, limit int) ([]string, error) {
	found := make(chan string)
	ctx, cancel := context.WithCancel(ctx)
	defer cancel()
	var err error
	go func() {
		defer close(found)
		if cluster, ok := s.client.Universal().(*goredis.ClusterClient); ok {
			err = cluster.ForEachMaster(ctx, func(ctx context.Context, node *goredis.Client) error { return s.scanNode(ctx, node, found) })
			return
		}
		err = s.scanNode(ctx, s.client.Universal(), found)
	}()
	var ids []string
	for id := range found {
		if len(ids) < limit {
			ids = append(ids, id)
			continue
		}
		cancel()
	}
	if len(ids) == limit {
		return ids, nil
	}
	return ids, err
}

func (s *Redis) scanNode(ctx context.Context, node goredis.Cmdable, found chan<- string) error {
	pattern := "*"
	if !strings.ContainsAny(s.prefix, `*?[]^\`) {
		pattern = s.prefix + "*"
	}
	for cursor := uint64(0); ; {
		keys, next, err := node.Scan(ctx, cursor, pattern, 1000).Result()
		if err != nil {
			return err
		}
		for _, key := range keys {
			// Ids have all one length and no colon, which the keys of users have.
			if id, ok := strings.CutPrefix(key, s.prefix); ok && len(id) == idLength && !strings.Contains(id, ":") {
				found <- id
			}
		}
		if cursor = next; cursor == 0 {
			return nil
		}
	}
}

// Purge does nothing: Redis removes what has ended.
func (s *Redis) Purge(context.Context, time.Time) (int, error) { return 0, nil }
