package session

import (
	"context"
	"time"
)

// Record is a session as a store keeps it.
type Record struct {
	// ID is a hash of what the client has in its cookie: who reads the store cannot log in.
	ID string
	// User it belongs to, "" for nobody.
	User string
	// Data is a JSON object. It is not changed once it is in a record.
	Data []byte
	// Created is when the client got this id, Seen when it was last noted that it came. Times
	// are exact to the millisecond.
	Created, Seen, Expires time.Time
	// Version counts the changes of Data and User, from 1.
	Version int64
}

// Store keeps records. Safe for concurrent use by many processes, as far as the thing below it
// is. A record whose time is over is not there.
type Store interface {
	// Get returns a record, nil when there is none.
	Get(ctx context.Context, id string) (*Record, error)
	// Create adds a record under an id that is new; it is an error when it is not.
	Create(ctx context.Context, r *Record) error
	// Swap puts r in place of the record with its id if that is there and has still this
	// version, in one step, and reports whether it did.
	Swap(ctx context.Context, r *Record, version int64) (bool, error)
	// Remove deletes a record if it is there and has still this version, 0 for any, in one
	// step, and reports whether it did.
	Remove(ctx context.Context, id string, version int64) (bool, error)
	// Touch notes that a session was seen, if it is still there.
	Touch(ctx context.Context, r *Record) error
	// List returns up to limit records, those of a user, or with "" those of everybody.
	List(ctx context.Context, user string, limit int) ([]*Record, error)
	// Purge removes what ended before now and returns how many it were.
	Purge(ctx context.Context, now time.Time) (int, error)
}

func (r *Record) over(now time.Time) bool { return !now.Before(r.Expires) }

func fromMillis(ms int64) time.Time { return time.UnixMilli(ms) }
