package session

import (
	"context"
	"errors"
	"fmt"
	"maps"
	"slices"
	"strings"
	"sync"

	"github.com/go-json-experiment/json/jsontext"
)

// Keys that are ours: the messages of Flash, an object of lists, and the id that a session had
// before it was renewed, by which a logout that came in under that one finds it.
const (
	flashKey   = "_flash"
	renewedKey = "_renewed"
)

func isOurs(key string) bool { return key == flashKey || key == renewedKey }

// Session is the session of one request. Safe for concurrent use; made by [Manager.Start].
// Every method but Save may load it first, which is what the contexts and errors are for.
type Session struct {
	m   *Manager
	tls bool

	mu      sync.Mutex
	token   string // of the cookie that came, then of the one that was set
	loaded  bool
	record  *Record // as it was loaded or saved, nil for a session that does not exist yet
	data    data    // of record, with changes
	changes data    // nil values are removed
	renew   bool
	doomed  *Record // that was destroyed
	ended   bool    // Destroy was called
}

// load reads the record once. What is not there is a new, empty session: its id comes from us
// and never from the client.
func (s *Session) load(ctx context.Context) error {
	if s.loaded {
		return nil
	}
	var record *Record
	if s.token != "" {
		var err error
		if record, err = s.m.keeper.load(ctx, s.m.o.name(s.tls), s.token); err != nil {
			return fmt.Errorf("loading the session: %w", err)
		}
	}
	s.data, s.changes = nil, nil
	if record != nil {
		d, err := parseData(record.Data)
		if err != nil {
			return err
		}
		s.data = d
	}
	if s.data == nil {
		s.data = make(data)
	}
	s.record, s.loaded = record, true
	return nil
}

// Load reads the session, if that has not been done; the methods below do it by themselves.
func (s *Session) Load(ctx context.Context) error {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.load(ctx)
}

// GetJSON returns the value of a key as JSON, and false when there is none.
func (s *Session) GetJSON(ctx context.Context, key string) ([]byte, bool, error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	if err := s.load(ctx); err != nil {
		return nil, false, err
	}
	v, ok := s.data[key]
	return v.Clone(), ok, nil
}

// SetJSON sets the value of a key, given as JSON. Setting what is there already is no change;
// null removes.
func (s *Session) SetJSON(ctx context.Context, key string, raw []byte) error {
	v, err := compact(key, raw)
	if err != nil {
		return err
	}
	if v.Kind() == 'n' {
		v = nil
	}
	return s.set(ctx, key, v)
}

// Get returns the value of a key: nil, bool, string, int64, float64, []any or map[string]any.
// Integers beyond 64 bits are floats; GetJSON has them exactly. The value is the caller's:
// changing it changes nothing here until it is set.
func (s *Session) Get(ctx context.Context, key string) (any, error) {
	raw, ok, err := s.GetJSON(ctx, key)
	if err != nil || !ok {
		return nil, err
	}
	return unmarshal(raw)
}

// Set sets the value of a key to anything that has a form in JSON; nil removes it.
func (s *Session) Set(ctx context.Context, key string, value any) error {
	if value == nil {
		return s.set(ctx, key, nil)
	}
	v, err := marshal(key, value)
	if err != nil {
		return err
	}
	return s.set(ctx, key, v)
}

// Del removes a key.
func (s *Session) Del(ctx context.Context, key string) error { return s.set(ctx, key, nil) }

func (s *Session) set(ctx context.Context, key string, v jsontext.Value) error {
	if key == "" || isOurs(key) {
		return fmt.Errorf("session: the key %q cannot be used", key)
	}
	if err := check(key, v); err != nil {
		return err
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	if err := s.load(ctx); err != nil {
		return err
	}
	if key == s.m.o.UserKey && string(v) != string(s.data[key]) {
		if _, err := userOf(key, v); err != nil {
			return err
		}
		s.renew = true // a login, a logout or another user: who knew the id before must not come along
	}
	s.change(key, v)
	return nil
}

// change notes the new value of a key, nil for none.
func (s *Session) change(key string, v jsontext.Value) {
	if string(s.data[key]) == string(v) {
		return // an absent value is "", which no JSON is
	}
	if s.changes == nil {
		s.changes = make(data)
	}
	s.changes[key] = v
	if v == nil {
		delete(s.data, key)
	} else {
		s.data[key] = v
	}
}

// Keys returns the keys in order.
func (s *Session) Keys(ctx context.Context) ([]string, error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	err := s.load(ctx)
	return s.data.keys(), err
}

func (d data) keys() []string {
	return slices.DeleteFunc(slices.Sorted(maps.Keys(d)), isOurs)
}

// Clear removes all keys that are there now. The id is renewed if one of them is that of the
// user; Destroy ends the session.
func (s *Session) Clear(ctx context.Context) error {
	keys, err := s.Keys(ctx)
	for _, key := range keys {
		err = errors.Join(err, s.set(ctx, key, nil))
	}
	return err
}

// Flash adds a message of a kind, such as "error", for the request that takes it.
func (s *Session) Flash(ctx context.Context, kind, message string) error {
	s.mu.Lock()
	defer s.mu.Unlock()
	all, err := s.flashes(ctx)
	if err != nil {
		return err
	}
	all[kind] = append(all[kind], message)
	return s.setFlashes(all)
}

// TakeFlashes returns the messages of a kind, or with "" those of all kinds, by kind, and
// removes them.
func (s *Session) TakeFlashes(ctx context.Context, kind string) (map[string][]string, error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	all, err := s.flashes(ctx)
	if err != nil {
		return nil, err
	}
	taken, left := make(map[string][]string), make(map[string][]string)
	for k, messages := range all {
		if kind == "" || k == kind {
			taken[k] = messages
		} else {
			left[k] = messages
		}
	}
	return taken, s.setFlashes(left)
}

func (s *Session) flashes(ctx context.Context) (map[string][]string, error) {
	if err := s.load(ctx); err != nil {
		return nil, err
	}
	all := make(map[string][]string)
	if raw := s.data[flashKey]; raw != nil {
		return all, unmarshalFlashes(raw, &all)
	}
	return all, nil
}

func (s *Session) setFlashes(all map[string][]string) error {
	if len(all) == 0 {
		s.change(flashKey, nil)
		return nil
	}
	v, err := marshal("a flash message", all)
	if err == nil {
		s.change(flashKey, v)
	}
	return err
}

// Renew gives the session a new id with the next Save; the old one is void then. Call it when
// what the client may do changes. A change of the user does it by itself.
func (s *Session) Renew(ctx context.Context) error {
	s.mu.Lock()
	defer s.mu.Unlock()
	if err := s.load(ctx); err != nil {
		return err
	}
	s.renew = true
	return nil
}

// Destroy ends the session with the next Save, and has the client forget its cookie. What is
// set afterwards is a new session.
func (s *Session) Destroy(ctx context.Context) error {
	s.mu.Lock()
	defer s.mu.Unlock()
	if err := s.load(ctx); err != nil {
		return err
	}
	if s.record != nil {
		s.doomed = s.record
	}
	s.record, s.data, s.changes, s.renew, s.ended = nil, make(data), nil, false, true
	return nil
}

// ID returns the id under which Info lists this session, "" as long as it is not saved. It is
// not what is in the cookie.
func (s *Session) ID(ctx context.Context) (string, error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	if err := s.load(ctx); err != nil || s.record == nil {
		return "", err
	}
	return s.record.ID, nil
}

// Info describes this session as it was loaded or saved, and reports false as long as it is not
// saved.
func (s *Session) Info(ctx context.Context) (Info, bool, error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	if err := s.load(ctx); err != nil || s.record == nil {
		return Info{}, false, err
	}
	return s.record.info(s.data), true, nil
}

// User returns what the user key says, "" for nobody.
func (s *Session) User(ctx context.Context) (string, error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	if err := s.load(ctx); err != nil {
		return "", err
	}
	return userOf(s.m.o.UserKey, s.data[s.m.o.UserKey])
}

// String shows nothing of the content.
func (s *Session) String() string {
	s.mu.Lock()
	defer s.mu.Unlock()
	if !s.loaded {
		return "session (not loaded)"
	}
	return "session (" + strings.Join(s.data.keys(), ", ") + ")"
}
