package breaker

import (
	"context"
	"fmt"
	"time"

	"rws/server/redis"
)

// DefaultPrefix is what the keys in Redis begin with.
const DefaultPrefix = "rws:cb:"

// Redis keeps a record as the string "open|failures|opened|until" of the key "{prefix}{name}", with
// times in milliseconds of Unix time. Made by [NewRedis].
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

// Load implements [Store].
func (s *Redis) Load(ctx context.Context, names []string) ([]Record, error) {
	commands := make([][]any, len(names))
	for i, name := range names {
		commands[i] = []any{"GET", s.prefix + name}
	}
	replies, err := s.client.Pipeline(ctx, commands)
	if err != nil {
		return nil, err
	}
	var list []Record
	for i, reply := range replies {
		switch reply := reply.(type) {
		case nil:
		case string:
			r, err := parseRecord(names[i], reply)
			if err != nil {
				return nil, err
			}
			list = append(list, r)
		case error:
			return nil, fmt.Errorf("reading %s: %w", s.prefix+names[i], reply)
		default:
			return nil, fmt.Errorf("reading %s: redis answered a %T", s.prefix+names[i], reply)
		}
	}
	return list, nil
}

// Save implements [Store].
func (s *Redis) Save(ctx context.Context, r Record) error {
	_, err := s.client.Do(ctx, "SET", s.prefix+r.Name, formatRecord(r), "PXAT", r.Until.Add(keep).UnixMilli())
	return err
}

// Delete implements [Store].
func (s *Redis) Delete(ctx context.Context, name string) error {
	_, err := s.client.Do(ctx, "DEL", s.prefix+name)
	return err
}

// Close implements [Store].
func (s *Redis) Close() error { return nil }

func formatRecord(r Record) string {
	return fmt.Sprintf("open|%d|%d|%d", r.Failures, r.Opened.UnixMilli(), r.Until.UnixMilli())
}

// parseRecord reads what formatRecord wrote.
func parseRecord(name, text string) (Record, error) {
	var failures int
	var opened, until int64
	if _, err := fmt.Sscanf(text, "open|%d|%d|%d", &failures, &opened, &until); err != nil {
		return Record{}, fmt.Errorf(`the record of %s is %.100q, not "open|failures|opened|until"; delete its key`, name, text)
	}
	return Record{Name: name, Failures: failures, Opened: time.UnixMilli(opened), Until: time.UnixMilli(until)}, nil
}
