package webhook

import (
	"context"
	"time"

	"rws/server/redis"
)

// DefaultPrefix is what the names in Redis begin with.
const DefaultPrefix = "rws:hook:"

// Redis remembers webhooks in Redis, for all processes that use it. Made by [NewRedis].
type Redis struct {
	client *redis.Client
	prefix string
}

var _ Replays = (*Redis)(nil)

// NewRedis makes a store on a client, which stays the caller's to close. An empty prefix means
// DefaultPrefix. A server that evicts keys when its memory is full lets replays in: use the
// policy noeviction or volatile-ttl.
func NewRedis(client *redis.Client, prefix string) *Redis {
	if prefix == "" {
		prefix = DefaultPrefix
	}
	return &Redis{client, prefix}
}

// Seen implements [Replays].
func (s *Redis) Seen(ctx context.Context, name string, ttl time.Duration) (bool, error) {
	reply, err := s.client.Do(ctx, "SET", s.prefix+name, "1", "NX", "PX", max(ttl.Milliseconds(), 1))
	return err == nil && reply == nil, err
}

// Forget implements [Replays].
func (s *Redis) Forget(ctx context.Context, name string) error {
	_, err := s.client.Do(ctx, "DEL", s.prefix+name)
	return err
}
