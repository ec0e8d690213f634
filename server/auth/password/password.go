// Package password hashes passwords with argon2id (RFC 9106) and verifies those of other
// programs: argon2i, bcrypt and scrypt.
//
// Hashing is slow and large on purpose. A [Hasher] bounds how much memory all hashing takes at
// once, so that a rush of logins waits in a queue in place of exhausting the machine, and it
// bounds what a stored hash may demand, so that a hostile one stops nothing.
package password

import (
	"context"
	"crypto/rand"
	"errors"
	"fmt"
	"time"

	"golang.org/x/sync/semaphore"
)

// Defaults, the second choice of RFC 9106 §4, for machines with little memory.
const (
	DefaultMemory  = 64 << 10 // KiB, for one hash
	DefaultPasses  = 3
	DefaultThreads = 4
	DefaultBudget  = 256 << 20 // bytes, for all hashes at once
	MaxLength      = 1024      // bytes of a password
)

var (
	// ErrUnknown means that a stored text is no hash of a kind that can be verified.
	ErrUnknown = errors.New("no hash of a known kind")
	// ErrTooCostly means that a stored hash asks for more work than is allowed.
	ErrTooCostly = errors.New("the hash asks for too much work")
)

// Options of a hasher. The zero value is a good default.
type Options struct {
	Memory  uint32 // KiB for one hash; default 64 MiB, at least 8 MiB
	Passes  uint32 // default 3
	Threads uint8  // default 4
	// Budget is the memory in bytes that all hashing takes together; default 256 MiB. Who
	// would go beyond waits, first come, first served.
	Budget int64
}

// Hasher hashes and verifies. Safe for concurrent use; made by [New].
type Hasher struct {
	current argon2
	budget  int64
	room    *semaphore.Weighted // of budget bytes
	watch   func(n int64)       // for tests: told +1 and -1 around the work
}

// New returns a hasher, or an error for options that are weak or fit no budget.
func New(o Options) (*Hasher, error) {
	h := &Hasher{budget: o.Budget, current: argon2{id: true, memory: o.Memory, passes: o.Passes, threads: o.Threads}}
	a := &h.current
	if a.memory == 0 {
		a.memory = DefaultMemory
	}
	if a.passes == 0 {
		a.passes = DefaultPasses
	}
	if a.threads == 0 {
		a.threads = DefaultThreads
	}
	if h.budget == 0 {
		h.budget = DefaultBudget
	}
	if a.memory < 8<<10 {
		return nil, fmt.Errorf("password hashing: %d KiB of memory are too few against guessing on graphics cards; use at least %d", a.memory, 8<<10)
	}
	if err := h.allowed(a.cost()); err != nil {
		return nil, fmt.Errorf("password hashing with %d KiB, %d passes: %w", a.memory, a.passes, err)
	}
	h.room = semaphore.NewWeighted(h.budget)
	return h, nil
}

// Hash returns the PHC string of a password, with a salt of its own:
// "$argon2id$v=19$m=65536,t=3,p=4$salt$hash". It waits for room while ctx lasts. Passwords
// are taken as the bytes they are; they must not be empty or longer than [MaxLength].
func (h *Hasher) Hash(ctx context.Context, password string) (string, error) {
	switch {
	case password == "":
		return "", errors.New("password hashing: the password is empty")
	case len(password) > MaxLength:
		return "", fmt.Errorf("password hashing: the password has %d bytes, at most %d are taken", len(password), MaxLength)
	}
	a := h.current
	a.salt = make([]byte, 16)
	rand.Read(a.salt)
	a.sum = make([]byte, 32)
	err := h.run(ctx, a.cost(), func() { a.sum = a.compute(password) })
	if err != nil {
		return "", err
	}
	return a.String(), nil
}

// Verify reports whether password is the one that hash was made of. The empty hash, for a user
// that does not exist, takes as long as one of Hash and never matches: call Verify all the
// same, or the time of the answer tells who has an account. A password longer than
// [MaxLength] never matches. The error is [ErrUnknown], [ErrTooCostly] or that of ctx.
func (h *Hasher) Verify(ctx context.Context, hash, password string) (bool, error) {
	if len(password) > MaxLength {
		return false, nil
	}
	if hash == "" {
		return false, h.dummy(ctx, password)
	}
	s, err := parse(hash)
	if err == nil {
		err = h.allowed(s.cost())
	}
	if err != nil {
		return false, fmt.Errorf("password verification: %w", err)
	}
	var ok bool
	err = h.run(ctx, s.cost(), func() { ok = s.verify(password) })
	return ok && err == nil, err
}

// Check reports whether [Hasher.Verify] could verify against hash, so that a bad one is found when
// it is configured. The error is [ErrUnknown] or [ErrTooCostly].
func (h *Hasher) Check(hash string) error {
	s, err := parse(hash)
	if err != nil {
		return err
	}
	return h.allowed(s.cost())
}

// dummy does the work of a verification.
func (h *Hasher) dummy(ctx context.Context, password string) error {
	a := h.current
	a.salt, a.sum = make([]byte, 16), make([]byte, 32)
	return h.run(ctx, a.cost(), func() { a.verify(password) })
}

// NeedsRehash reports whether hash is of another kind or another cost than Hash would make
// now: after a successful login, store a new one.
func (h *Hasher) NeedsRehash(hash string) bool {
	s, err := parse(hash)
	if err != nil {
		return true
	}
	a, ok := s.(*argon2)
	return !ok || !a.id || a.memory != h.current.memory || a.passes != h.current.passes || a.threads != h.current.threads ||
		len(a.salt) < 16 || len(a.sum) < 32
}

// run does work once there is room for it.
func (h *Hasher) run(ctx context.Context, c cost, work func()) error {
	start := time.Now()
	if err := h.room.Acquire(ctx, c.memory); err != nil {
		return fmt.Errorf("password hashing: waited %s for room: %w", time.Since(start).Round(time.Millisecond), err)
	}
	defer h.room.Release(c.memory)
	if h.watch != nil {
		h.watch(1)
		defer h.watch(-1)
	}
	work()
	return nil
}

// maxWork is how much a hash may ask for, in bytes touched, which takes seconds.
const maxWork = 4 << 30

// A cost is what verifying a hash takes.
type cost struct {
	memory int64 // bytes
	work   int64 // bytes times passes
}

func (h *Hasher) allowed(c cost) error {
	switch {
	case c.memory > h.budget:
		return fmt.Errorf("%w: %d MiB of memory, where %d are allowed for all hashing", ErrTooCostly, c.memory>>20, h.budget>>20)
	case c.work > maxWork:
		return fmt.Errorf("%w: more than %d MiB of memory times passes", ErrTooCostly, maxWork>>20)
	}
	return nil
}
