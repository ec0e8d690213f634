package session

import (
	"context"
	"errors"
	"fmt"
	"net/http"
	"time"

	"rws/server/cookie"
)

// Save writes what was changed and adds the cookie to the header of the answer: call it before
// the header goes out, also for errors. A session that was not used, or only read, costs
// nothing but the note that it was seen, now and then. Calling it again writes only what has
// changed since; but a new id cannot reach the client once the header is out.
//
// Changes to a session that was destroyed or renewed by another request in the meantime are
// dropped: what was ended does not come back. A login is kept, in a session of its own.
func (s *Session) Save(ctx context.Context, h http.Header) error {
	s.mu.Lock()
	defer s.mu.Unlock()
	if !s.loaded {
		return nil
	}
	if err := s.save(ctx, h); err != nil {
		return fmt.Errorf("saving the session: %w", err)
	}
	return nil
}

func (s *Session) save(ctx context.Context, h http.Header) error {
	if err := s.bury(ctx, h); err != nil {
		return err
	}
	now := s.m.o.Now()
	switch {
	case s.record == nil && len(s.data) == 0:
		return nil
	case len(s.changes) == 0 && !s.renew && s.record != nil:
		return s.touch(ctx, h, now)
	}
	record, token, err := s.m.keeper.save(ctx, s.draft(now))
	if err != nil {
		return err
	}
	if record == nil { // ended by another request
		s.data = make(data)
		s.settle(nil)
		return nil
	}
	if s.record == nil || s.renew || token != s.token {
		if err := s.setCookie(h, token, record); err != nil {
			return err
		}
	}
	s.token = token
	s.settle(record)
	return nil
}

// settle ends a round of changes.
func (s *Session) settle(r *Record) {
	s.record, s.changes, s.renew = r, nil, false
}

// bury removes a destroyed session and its cookie.
func (s *Session) bury(ctx context.Context, h http.Header) error {
	if !s.ended {
		return nil
	}
	if s.doomed != nil {
		if err := s.m.keeper.remove(ctx, s.doomed); err != nil {
			return err
		}
	}
	s.doomed, s.ended = nil, false
	if s.token == "" {
		return nil
	}
	s.token = ""
	return cookie.Delete(h, s.m.o.name(s.tls), s.m.o.Cookie, s.tls)
}

// touch notes that the session was seen.
func (s *Session) touch(ctx context.Context, h http.Header, now time.Time) error {
	if now.Sub(s.record.Seen) < min(s.m.o.Idle/20, 5*time.Minute) {
		return nil
	}
	seen := *s.record
	if s.m.o.see(&seen, now); seen.over(now) { // it ended while the request ran
		return nil
	}
	token, err := s.m.keeper.touch(ctx, s.m.o.name(s.tls), &seen)
	if err != nil {
		return err
	}
	s.record = &seen
	if token == "" || token == s.token {
		return nil
	}
	s.token = token
	return s.setCookie(h, token, &seen)
}

// see moves the end of a session.
func (o Options) see(r *Record, now time.Time) {
	r.Seen = now.Truncate(time.Millisecond)
	r.Expires = r.Seen.Add(o.Idle)
	if last := r.Created.Add(o.Absolute); last.Before(r.Expires) {
		r.Expires = last
	}
}

// setCookie sends a token. The cookie lasts as long as the session may: its idle time is ours
// to check, so that the cookie need not be sent with each answer.
func (s *Session) setCookie(h http.Header, token string, r *Record) error {
	o := s.m.o.Cookie
	o.MaxAge = r.Created.Add(s.m.o.Absolute).Sub(s.m.o.Now())
	err := cookie.Set(h, s.m.o.name(s.tls), token, o, s.tls)
	if errors.Is(err, cookie.ErrTooLarge) {
		return fmt.Errorf("the session does not fit into its cookie, of which %w: put less into it, or keep sessions in another store (session = { store = \"sqlite:app.db\" })", cookie.ErrTooLarge)
	}
	return err
}

// A draft is what a session wants to be saved.
type draft struct {
	name    string // of the cookie
	token   string
	base    *Record // that the changes are to, nil for a new session
	changes data
	renew   bool
	now     time.Time
	options Options
}

func (s *Session) draft(now time.Time) draft {
	return draft{name: s.m.o.name(s.tls), token: s.token, base: s.record, changes: s.changes, renew: s.renew, now: now, options: s.m.o}
}

// record returns base with the changes. A new id makes it begin anew.
func (d draft) record(base *Record, id string) (*Record, error) {
	now := d.now.Truncate(time.Millisecond)
	r := Record{ID: id, Created: now}
	content := make(data)
	if base != nil {
		var err error
		if content, err = parseData(base.Data); err != nil {
			return nil, err
		}
		if id == base.ID {
			r.Created, r.Version = base.Created, base.Version
		}
	}
	r.Version++
	content = content.with(d.changes)
	var err error
	if r.Data, err = content.encode(); err != nil {
		return nil, err
	}
	if len(r.Data) > d.options.MaxSize {
		return nil, fmt.Errorf("session: %d bytes of data, at most %d are kept; keep the rest in a database and an id here", len(r.Data), d.options.MaxSize)
	}
	key := d.options.UserKey
	if r.User, err = userOf(key, content[key]); err != nil {
		return nil, err
	}
	d.options.see(&r, d.now)
	return &r, nil
}
