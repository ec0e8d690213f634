// Package cache keeps values that can be had again, for a while: in the memory of the process
// or in Redis.
//
// A [Store] keeps entries. A [Cache] stands on one and adds [Cache.Fetch], which computes what
// is missing once however many ask for it at the same time.
package cache

import (
	"context"
	"errors"
	"fmt"
	"strings"
	"time"
)

// Limits of what is stored.
const (
	MaxKey  = 4096 // bytes
	MaxTag  = 256  // bytes
	MaxTags = 32   // of one entry
)

// Integer is the Flag of numbers that Incr counts: the value is their decimal text. The other
// flags are up to the caller.
const Integer byte = 1

// ErrTooLarge is returned for a value that is larger than the whole cache.
var ErrTooLarge = errors.New("the value is larger than the cache")

// MaxCount is how far [Store.Incr] counts, from -MaxCount on: numbers beyond it are not exact in Lua,
// JavaScript and most readers of JSON.
const MaxCount = 1<<53 - 1

// ErrRange is returned for a count that would go beyond [MaxCount].
var ErrRange = errors.New("the sum is outside of the range in which counters are exact")

// Item is a value with a byte that says how to read it.
type Item struct {
	// Value must not be changed, neither after it was given to the cache nor when it came from
	// there: nothing is copied.
	Value []byte
	Flag  byte
}

// Entry is what a store keeps under a key.
type Entry struct {
	Item
	// TTL is how long the entry is kept from when it is set; 0 for as long as there is room.
	// A store does not return it.
	TTL time.Duration
	// Fresh is the time after which the value should be computed again, the zero time for never.
	Fresh time.Time
	// Missing says that what the key stands for does not exist.
	Missing bool
	// Tags make the entry go with [Store.InvalidateTags].
	Tags []string
	// Since is the state of Tags from which the value was computed. Without one it is the state
	// when the entry is set.
	Since *Snapshot
}

// Snapshot is the state of some tags at a moment.
type Snapshot struct {
	at       uint64   // of a Memory
	versions []string // of a Redis
}

// Store keeps entries. Safe for concurrent use. Keys and tags are any non-empty bytes up to
// [MaxKey] and [MaxTag].
type Store interface {
	// Get returns an entry, and false when there is none, it has ended or a tag of it was
	// invalidated.
	Get(ctx context.Context, key string) (Entry, bool, error)
	// Set stores an entry in place of any other. It is void from the start if one of its tags
	// was invalidated after Since.
	Set(ctx context.Context, key string, e Entry) error
	// Del removes entries and returns how many there were.
	Del(ctx context.Context, keys ...string) (int, error)
	// Incr adds to the Integer under a key, which begins at 0, and returns the sum. ttl counts
	// from when the key is made, 0 for ever. A value that is no such number is an error and
	// stays, and so it does where the sum would be beyond MaxCount, which is an ErrRange.
	Incr(ctx context.Context, key string, delta int64, ttl time.Duration) (int64, error)
	// Snapshot returns the state of tags, to set an entry with what is computed from now on.
	Snapshot(ctx context.Context, tags []string) (*Snapshot, error)
	// InvalidateTags makes all entries void that have one of the tags.
	InvalidateTags(ctx context.Context, tags ...string) error
	// Clear removes all entries of this cache.
	Clear(ctx context.Context) error
	// Usage returns what the store takes up; a store that cannot tell returns the zero value.
	Usage() Usage
	// Close ends the store.
	Close() error
}

// Usage is what a store takes up.
type Usage struct {
	Entries, Bytes int64
	Evictions      int64 // entries that had to go to make room
}

func checkKey(key string) error {
	switch {
	case key == "":
		return errors.New("cache: the key is empty")
	case len(key) > MaxKey:
		return fmt.Errorf("cache: a key of %d bytes, at most %d are taken; use a hash of it", len(key), MaxKey)
	}
	return nil
}

func checkKeys(keys []string) error {
	for _, key := range keys {
		if err := checkKey(key); err != nil {
			return err
		}
	}
	return nil
}

func checkTags(tags []string) error {
	if len(tags) > MaxTags {
		return fmt.Errorf("cache: %d tags, an entry has at most %d", len(tags), MaxTags)
	}
	for _, tag := range tags {
		if tag == "" || len(tag) > MaxTag {
			return fmt.Errorf("cache: a tag has 1 to %d bytes, not %d", MaxTag, len(tag))
		}
	}
	return nil
}

func checkEntry(key string, e Entry) error {
	if e.TTL < 0 {
		return fmt.Errorf("cache: the key %q is to be kept for %s; 0 is for ever", brief(key), e.TTL)
	}
	return errors.Join(checkKey(key), checkTags(e.Tags))
}

// brief shortens a key for an error.
func brief(key string) string {
	if len(key) > 64 {
		return strings.ToValidUTF8(key[:64], "") + "…"
	}
	return key
}

// plainInteger reports whether an entry can be kept as the number it is, so that Incr can count it.
func (e Entry) plainInteger() bool {
	return e.Flag == Integer && !e.Missing && len(e.Tags) == 0 && e.Fresh.IsZero()
}

// sum adds to a counter.
func sum(key string, n, delta int64) (int64, error) {
	if !between(delta, 2*MaxCount) || !between(n, 2*MaxCount) || !between(n+delta, MaxCount) {
		return n, outOfRange(key, n, delta)
	}
	return n + delta, nil
}

func between(n, limit int64) bool { return -limit <= n && n <= limit }

func outOfRange(key string, n, delta int64) error {
	return fmt.Errorf("cache: counting %q: it is at %d, and %+d is too much (%w, ±%d): it stays as it is; set it to another number, delete it, or count under another key",
		brief(key), n, delta, ErrRange, MaxCount)
}

func notInteger(key string) error {
	return fmt.Errorf("cache: counting %q: its value is no whole number within ±%d; delete it or set one first", brief(key), MaxCount)
}
