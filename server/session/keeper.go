package session

import (
	"context"
	"encoding/base64"
	"errors"
	"math/rand/v2"
	"slices"
	"time"

	"github.com/go-json-experiment/json"
	"github.com/go-json-experiment/json/jsontext"

	"rws/server/secret"
)

// A keeper finds the record for a token and keeps it: in a store, or in the token itself.
type keeper interface {
	// load returns nil for a token that is not ours, or not any more.
	load(ctx context.Context, name, token string) (*Record, error)
	// save returns what was saved and the token for it; no record when the session is gone.
	save(ctx context.Context, d draft) (*Record, string, error)
	// touch returns the new token, "" for the one that was.
	touch(ctx context.Context, name string, r *Record) (string, error)
	remove(ctx context.Context, r *Record) error
}

// stored keeps records in a store.
type stored struct {
	store Store
}

func (k *stored) load(ctx context.Context, _, token string) (*Record, error) {
	if len(token) != tokenLength {
		return nil, nil
	}
	return k.store.Get(ctx, idOf(token))
}

// tries is how often a save begins anew because another request was faster.
const tries = 20

// errContended is returned when all tries were in vain.
var errContended = errors.New("session: too many requests change it at the same time")

func (k *stored) save(ctx context.Context, d draft) (*Record, string, error) {
	if d.base == nil {
		return k.create(ctx, d, nil)
	}
	base := d.base
	for i := range tries {
		if i > 0 || d.renew { // renewing takes along what others have changed
			if err := pause(ctx, i); err != nil {
				return nil, "", err
			}
			var err error
			if base, err = k.store.Get(ctx, d.base.ID); err != nil {
				return nil, "", err
			}
			if base == nil {
				return k.gone(ctx, d)
			}
		}
		record, token, err := k.attempt(ctx, d, base)
		if err != nil || record != nil {
			return record, token, err
		}
	}
	return nil, "", errContended
}

// gone is for changes to a session that was ended: only a login is worth a new one.
func (k *stored) gone(ctx context.Context, d draft) (*Record, string, error) {
	if d.changes[d.options.UserKey] == nil {
		return nil, "", nil
	}
	return k.create(ctx, d, nil)
}

// pause waits a moment, longer with each try, for those who are faster.
func pause(ctx context.Context, i int) error {
	if i == 0 {
		return nil
	}
	select {
	case <-ctx.Done():
		return ctx.Err()
	case <-time.After(rand.N(time.Duration(i) * time.Millisecond)):
		return nil
	}
}

// attempt returns nil if the record is not base any more.
func (k *stored) attempt(ctx context.Context, d draft, base *Record) (*Record, string, error) {
	if !d.renew {
		record, err := d.record(base, base.ID)
		if err != nil {
			return nil, "", err
		}
		ok, err := k.store.Swap(ctx, record, base.Version)
		if err != nil || !ok {
			return nil, "", err
		}
		return record, d.token, nil
	}
	record, token, err := k.create(ctx, d, base)
	if err != nil {
		return nil, "", err
	}
	ok, err := k.store.Remove(ctx, base.ID, base.Version)
	if err == nil && ok {
		return record, token, nil
	}
	// Nobody has the new token yet.
	_, undo := k.store.Remove(context.WithoutCancel(ctx), record.ID, 0)
	return nil, "", errors.Join(err, undo)
}

// create adds a record with a new id.
func (k *stored) create(ctx context.Context, d draft, base *Record) (*Record, string, error) {
	token := newToken()
	if base != nil {
		from, err := marshal(renewedKey, base.ID)
		if err != nil {
			return nil, "", err
		}
		d.changes = d.changes.with(data{renewedKey: from})
	}
	record, err := d.record(base, idOf(token))
	if err != nil {
		return nil, "", err
	}
	return record, token, k.store.Create(ctx, record)
}

func (k *stored) touch(ctx context.Context, _ string, r *Record) (string, error) {
	return "", k.store.Touch(ctx, r)
}

// remove ends a session, also when another request has renewed it at that moment.
func (k *stored) remove(ctx context.Context, r *Record) error {
	ok, err := k.store.Remove(ctx, r.ID, 0)
	if ok || err != nil || r.User == "" {
		return err
	}
	records, err := k.store.List(ctx, r.User, maxDevices)
	if err != nil {
		return err
	}
	for _, heir := range records {
		if !renewedFrom(heir, r.ID) {
			continue
		}
		if err := k.remove(ctx, heir); err != nil {
			return err
		}
	}
	return nil
}

// maxDevices is how many sessions of a user are looked through for one that was renewed.
const maxDevices = 1000

func renewedFrom(r *Record, id string) bool {
	d, err := parseData(r.Data)
	var from string
	return err == nil && json.Unmarshal(d[renewedKey], &from) == nil && from == id
}

// revokeUser removes the sessions of a user, until a look finds no more.
func revokeUser(ctx context.Context, store Store, user string, except []string) (int, error) {
	n := 0
	for limit := 1000; ; {
		records, err := store.List(ctx, user, limit+len(except))
		if err != nil {
			return n, err
		}
		removed := 0
		for _, r := range records {
			if slices.Contains(except, r.ID) {
				continue
			}
			ok, err := store.Remove(ctx, r.ID, 0)
			if err != nil {
				return n, err
			}
			if ok {
				removed++
			}
		}
		if n += removed; removed == 0 {
			return n, nil
		}
	}
}

// sealed keeps records in the token.
type sealed struct {
	purpose *secret.Purpose
	now     func() time.Time
}

// envelope is a record inside a token.
type envelope struct {
	ID      string         `json:"i"`
	User    string         `json:"u,omitzero"`
	Created int64          `json:"c"` // milliseconds
	Seen    int64          `json:"s"`
	Expires int64          `json:"e"`
	Version int64          `json:"v"`
	Data    jsontext.Value `json:"d"`
}

func (k *sealed) load(_ context.Context, name, token string) (*Record, error) {
	text, err := base64.RawURLEncoding.Strict().DecodeString(token)
	if err != nil {
		return nil, nil
	}
	plain, ok := k.purpose.Open(name, text)
	if !ok {
		return nil, nil
	}
	var e envelope
	if err := json.Unmarshal(plain, &e); err != nil {
		return nil, nil // of an older version of this program
	}
	r := &Record{
		ID: e.ID, User: e.User, Data: e.Data, Version: e.Version,
		Created: fromMillis(e.Created), Seen: fromMillis(e.Seen), Expires: fromMillis(e.Expires),
	}
	if r.over(k.now()) {
		return nil, nil
	}
	return r, nil
}

func (k *sealed) save(_ context.Context, d draft) (*Record, string, error) {
	id := idOf(newToken())
	if d.base != nil && !d.renew {
		id = d.base.ID
	}
	record, err := d.record(d.base, id)
	if err != nil || record.over(d.now) { // it ended while the request ran
		return nil, "", err
	}
	token, err := k.seal(d.name, record)
	return record, token, err
}

func (k *sealed) seal(name string, r *Record) (string, error) {
	plain, err := json.Marshal(envelope{
		ID: r.ID, User: r.User, Data: r.Data, Version: r.Version,
		Created: r.Created.UnixMilli(), Seen: r.Seen.UnixMilli(), Expires: r.Expires.UnixMilli(),
	})
	if err != nil {
		return "", err
	}
	return base64.RawURLEncoding.EncodeToString(k.purpose.Seal(name, plain)), nil
}

func (k *sealed) touch(_ context.Context, name string, r *Record) (string, error) {
	return k.seal(name, r)
}

func (k *sealed) remove(context.Context, *Record) error { return nil }
