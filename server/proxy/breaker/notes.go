package breaker

import (
	"sync"
	"time"
)

// Notes keep what is open for the Set that comes next, in the same process: a reload while the store is away
// forgets nothing. Safe for concurrent use; made by [NewNotes]. A nil Notes keeps nothing.
type Notes struct {
	mu    sync.Mutex
	known map[string]note
}

// A note is what was known of a breaker, and whether the store knew it.
type note struct {
	Record
	told bool
}

// NewNotes makes empty notes.
func NewNotes() *Notes { return &Notes{known: map[string]note{}} }

func (n *Notes) put(r note) {
	if n == nil {
		return
	}
	n.mu.Lock()
	defer n.mu.Unlock()
	for name, old := range n.known {
		if time.Since(old.Until) > keep {
			delete(n.known, name)
		}
	}
	n.known[r.Name] = r
}

func (n *Notes) remove(name string) {
	if n == nil {
		return
	}
	n.mu.Lock()
	defer n.mu.Unlock()
	delete(n.known, name)
}

func (n *Notes) of(name string) (note, bool) {
	if n == nil {
		return note{}, false
	}
	n.mu.Lock()
	defer n.mu.Unlock()
	r, ok := n.known[name]
	return r, ok
}

// jot notes what is known now, under the lock of b.
func (b *Breaker) jot() {
	name := storeName(b.set.o.Name, b.name)
	if b.era().state() == Closed {
		b.set.o.Notes.remove(name)
		return
	}
	b.set.o.Notes.put(note{b.recordNow(name), !b.dirty})
}

// recall takes over what an earlier Set has noted. The store has the last word on what it knew.
func (b *Breaker) recall() {
	known, ok := b.set.o.Notes.of(storeName(b.set.o.Name, b.name))
	if !ok {
		return
	}
	b.mu.Lock()
	defer b.mu.Unlock()
	b.reopen(known.Record, time.Now(), "it was before")
	if !known.told {
		b.touch()
		return
	}
	b.stored = known.Record
}

// reopen opens a breaker as a record has it, under the lock: not longer than it would be open by an event of now,
// for the other clock may be wrong.
func (b *Breaker) reopen(r Record, now time.Time, why string) {
	b.until, b.failures = r.Until, r.Failures
	if last := now.Add(b.set.o.Open); b.until.After(last) {
		b.until = last
	}
	b.change(Open, now, why)
}
