package basic

import (
	"errors"
	"fmt"
	"io"
	"log/slog"
	"os"
	"sync"
	"sync/atomic"
	"time"

	"rws/server/auth/password"
)

// lookEvery is how often the file is looked at.
const lookEvery = time.Second

// settled is how old a change must be for the time of the file to tell the next one: file systems
// count in steps, of 2 s at most.
const settled = 3 * time.Second

// complainEvery is how often a fault that stays is logged.
const complainEvery = time.Minute

// file has the users of an htpasswd file, read again when it changes. There is no goroutine: who
// comes looks.
type file struct {
	name    string
	hasher  *password.Hasher
	log     *slog.Logger
	current atomic.Pointer[users]
	next    atomic.Int64 // when to look, in nanoseconds since start
	start   time.Time

	mu     sync.Mutex
	text   string // as last read, good or not
	info   os.FileInfo
	when   time.Time // of that reading
	fault  error     // of that text
	logged string    // the last fault
	again  time.Time // when that one is logged next
}

// source makes where users come from.
func (o *Options) source() (source, error) {
	if o.File == "" {
		u, err := newUsers(o.Users, o.Hasher)
		if err == nil {
			u.warn(o.Log)
		}
		return u, err
	}
	f := &file{name: o.File, hasher: o.Hasher, log: o.Log, start: time.Now()}
	if err := f.read(); err != nil {
		return nil, err
	}
	return f, nil
}

func (f *file) users() *users {
	if now := int64(time.Since(f.start)); now >= f.next.Load() && f.mu.TryLock() { // one looks, the others go on
		defer f.mu.Unlock()
		f.next.Store(now + int64(lookEvery))
		f.look()
	}
	return f.current.Load()
}

// look reads the file if it may have changed, and logs each new fault at once, and then each minute
// in which somebody comes: a user who was removed from a file that cannot be read still enters.
func (f *file) look() {
	var fault string
	if err := f.read(); err != nil {
		fault = err.Error()
	}
	if now := time.Now(); fault != "" && (fault != f.logged || !now.Before(f.again)) {
		f.again = now.Add(complainEvery)
		f.log.Error("the users stay as they were", "file", f.name, "err", fault)
	}
	f.logged = fault
}

// read takes the users of the file if it has changed. The error says what is wrong with it, also
// when it has not changed since.
func (f *file) read() error {
	info, err := os.Stat(f.name)
	switch {
	case err != nil:
		return fmt.Errorf("reading the users: %w", err)
	case f.unchanged(info):
		return f.fault
	}
	text, err := readAll(f.name)
	if err != nil {
		return fmt.Errorf("reading the users: %w", err)
	}
	same := f.info != nil && text == f.text
	f.text, f.info, f.when = text, info, time.Now()
	if !same {
		f.take()
	}
	return f.fault
}

// take makes users of the text.
func (f *file) take() {
	u, err := parseFile(f.text, f.hasher)
	if err == nil && len(u.names) == 0 {
		err = f.nobody()
	}
	if err != nil {
		f.fault = fmt.Errorf("reading the users: %s: %w", f.name, err)
		return
	}
	f.fault = nil
	u.warn(f.log)
	f.current.Store(u)
}

// nobody judges a file without users: one to begin with is a mistake, and later it is how the last one
// is removed.
func (f *file) nobody() error {
	if f.current.Load() == nil {
		return errors.New("there are no users in it")
	}
	f.log.Warn("there are no users any more, so nobody enters", "file", f.name)
	return nil
}

// unchanged reports whether the file is surely as it was when it was read.
func (f *file) unchanged(info os.FileInfo) bool {
	return f.info != nil && os.SameFile(info, f.info) && info.Size() == f.info.Size() &&
		info.ModTime().Equal(f.info.ModTime()) && f.when.Sub(info.ModTime()) > settled
}

func readAll(name string) (string, error) {
	in, err := os.Open(name)
	if err != nil {
		return "", err
	}
	defer in.Close()
	text, err := io.ReadAll(io.LimitReader(in, maxFile+1))
	switch {
	case err != nil:
		return "", err
	case len(text) > maxFile:
		return "", fmt.Errorf("%s: it has more than %d bytes, which is no list of users", name, maxFile)
	}
	return string(text), nil
}
