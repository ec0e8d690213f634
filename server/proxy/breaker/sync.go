package breaker

import (
	"context"
	"log/slog"
	"sync"
	"time"
)

// storeTimeout is how long the store may take for a round.
const storeTimeout = 2 * time.Second

// A syncer keeps the breakers of a set in step with the store, one round after the other: what has
// changed here is written, then what has changed there is read.
type syncer struct {
	set  *Set
	woke chan struct{}

	mu   sync.Mutex
	stop context.CancelFunc // nil before start
	work sync.WaitGroup

	down bool // the last round failed; used by one round at a time
}

func newSyncer(s *Set) *syncer { return &syncer{set: s, woke: make(chan struct{}, 1)} }

// wake makes the next round begin at once.
func (y *syncer) wake() {
	select {
	case y.woke <- struct{}{}:
	default:
	}
}

func (y *syncer) start(ctx context.Context) {
	y.mu.Lock()
	defer y.mu.Unlock()
	if y.stop != nil {
		return
	}
	ctx, y.stop = context.WithCancel(ctx)
	y.round(ctx)
	y.work.Go(func() { y.run(ctx) })
}

func (y *syncer) close() {
	y.mu.Lock()
	defer y.mu.Unlock()
	if y.stop == nil {
		return
	}
	y.stop()
	y.work.Wait()
	ctx, cancel := context.WithTimeout(context.Background(), storeTimeout)
	defer cancel()
	y.log(y.write(ctx))
}

func (y *syncer) run(ctx context.Context) {
	ticker := time.NewTicker(y.set.o.Refresh)
	defer ticker.Stop()
	for {
		woke := y.woke
		if y.down {
			woke = nil // a store that is down is asked no more than each Refresh
		}
		select {
		case <-ctx.Done():
			return
		case <-ticker.C:
		case <-woke:
		}
		y.round(ctx)
	}
}

func (y *syncer) round(ctx context.Context) {
	within, cancel := context.WithTimeout(ctx, storeTimeout)
	defer cancel()
	err := y.write(within)
	if err == nil {
		err = y.read(within)
	}
	if ctx.Err() == nil {
		y.log(err)
	}
}

// log tells once that the store is down, and once that it is back.
func (y *syncer) log(err error) {
	log := y.set.o.Logger.With(slog.String("pool", y.set.o.Name))
	switch {
	case err != nil && !y.down:
		log.Warn("circuit breakers go on in memory: their store fails", slog.Any("error", err))
	case err == nil && y.down:
		log.Info("circuit breakers use their store again")
	}
	y.down = err != nil
}

// write writes what the store does not know yet.
func (y *syncer) write(ctx context.Context) error {
	for _, b := range y.set.all() {
		if err := y.writeOne(ctx, b); err != nil {
			return err
		}
	}
	return nil
}

func (y *syncer) writeOne(ctx context.Context, b *Breaker) error {
	name := storeName(y.set.o.Name, b.name)
	r, dirty := b.record(name)
	if !dirty {
		return nil
	}
	var err error
	if r.Name == "" {
		err = y.set.o.Store.Delete(ctx, name)
	} else {
		err = y.set.o.Store.Save(ctx, r)
	}
	if err == nil {
		b.written(r)
	}
	return err
}

// read takes over what other instances, or this one before a restart, have written.
func (y *syncer) read(ctx context.Context) error {
	all := y.set.all()
	if len(all) == 0 {
		return nil
	}
	names := make([]string, len(all))
	for i, b := range all {
		names[i] = storeName(y.set.o.Name, b.name)
	}
	list, err := y.set.o.Store.Load(ctx, names)
	if err != nil {
		return err
	}
	records := make(map[string]Record, len(list))
	for _, r := range list {
		records[r.Name] = r
	}
	for i, b := range all {
		b.adopt(records[names[i]])
	}
	return nil
}

// record is what the store is to have: a zero Record for none. dirty reports whether it does not
// have it.
func (b *Breaker) record(name string) (r Record, dirty bool) {
	b.mu.Lock()
	defer b.mu.Unlock()
	if !b.dirty || b.era().state() == Closed {
		return Record{}, b.dirty
	}
	return b.recordNow(name), true
}

// recordNow is the record of a breaker that is not closed, under the lock.
func (b *Breaker) recordNow(name string) Record {
	return Record{Name: name, Failures: b.failures, Opened: millis(b.until.Add(-b.set.o.Open)), Until: millis(b.until)}
}

// millis is a time as stores keep it.
func millis(t time.Time) time.Time { return time.UnixMilli(t.UnixMilli()) }

// written notes that the store has r. If the breaker has changed again meanwhile it is still dirty.
func (b *Breaker) written(r Record) {
	b.mu.Lock()
	defer b.mu.Unlock()
	b.stored = r
	wanted := b.era().state() != Closed
	b.dirty = wanted != (r.Name != "") || wanted && !millis(b.until).Equal(r.Until)
	b.jot()
}

// adopt takes over the record of the store, a zero Record for none, if somebody else has changed it.
func (b *Breaker) adopt(r Record) {
	b.mu.Lock()
	defer b.mu.Unlock()
	if b.dirty || r.Until.Equal(b.stored.Until) { // what is known here is newer, or the same
		return
	}
	b.stored = r
	now := time.Now()
	switch {
	case r.Name != "":
		b.reopen(r, now, "the store says so")
		b.jot()
	case b.era().state() != Closed:
		b.change(Closed, now, "the store says so")
		b.jot()
	}
}
