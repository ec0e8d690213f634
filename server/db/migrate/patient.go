package migrate

import (
	"context"
	"errors"
	"fmt"
	"time"

	"rws/server/db"
)

// oneTry is how long SQLite itself waits for a lock of a file before it is asked again. It does so
// whatever happens, also when the caller gives up.
const oneTry = 100 * time.Millisecond

// connect takes a connection. That of a SQLite file which writes is one, so another migrator of this
// process may have it.
func (m *Migrator) connect(ctx context.Context) (s *db.Session, err error) {
	if m.db.Engine() != db.SQLite {
		return m.db.Session(ctx)
	}
	wait, cancel := context.WithTimeout(ctx, m.o.Wait)
	defer cancel()
	err = m.patient(ctx, func() error {
		s, err = m.db.Session(wait)
		return err
	})
	return s, err
}

// patient calls f again while another instance keeps it from what it does: up to Options.Wait. f must
// have done nothing when it fails with the code busy.
func (m *Migrator) patient(ctx context.Context, f func() error) error {
	end, notice := time.Now().Add(m.o.Wait), m.newNotice()
	for {
		err := f()
		code := db.CodeOf(err)
		if err != nil && ctx.Err() != nil {
			return gaveUp(err)
		}
		if code != db.CodeBusy && code != db.CodeTimeout {
			return err
		}
		if !time.Now().Before(end) {
			return m.inVain()
		}
		notice.busy()
	}
}

// noticeAfter is how long another instance is waited for in silence.
const noticeAfter = time.Second

// OnWait has f told, with the time that it may take at most, when another instance has been waited for
// for a second: once for each wait. It must be called before the migrator does anything.
func (m *Migrator) OnWait(f func(atMost time.Duration)) { m.onWait = f }

// A notice is given once in a wait.
type notice struct {
	m     *Migrator
	since time.Time
	given bool
}

func (m *Migrator) newNotice() *notice { return &notice{m: m, since: time.Now()} }

// busy says that another instance has the lock.
func (n *notice) busy() {
	if n.given || n.m.onWait == nil || time.Since(n.since) < noticeAfter {
		return
	}
	n.given = true
	n.m.onWait(n.m.o.Wait)
}

// ErrGaveUp is returned when the context ends while another instance is waited for. What ran before is
// in the list of what is done; nothing else was changed.
var ErrGaveUp = errors.New("gave up waiting for another instance that migrates")

func gaveUp(err error) error { return fmt.Errorf("%w: %w", ErrGaveUp, err) }

func (m *Migrator) inVain() error {
	return fmt.Errorf("another instance has been migrating for %v: waited in vain", m.o.Wait)
}

// first runs f, which begins by waiting for the lock of a SQLite file. Migrations of other instances
// take as long as they take, not only as long as a statement waits for another (busy_timeout).
func (r *run) first(ctx context.Context, f func() error) (err error) {
	if r.m.db.Engine() != db.SQLite {
		return f()
	}
	usual, _, err := db.Value(ctx, r.session, "pragma busy_timeout")
	if err != nil {
		return err
	}
	if err := r.busyTimeout(ctx, min(oneTry, r.m.o.Wait).Milliseconds()); err != nil {
		return err
	}
	defer func() { err = errors.Join(err, r.busyTimeout(context.WithoutCancel(ctx), usual)) }()
	return r.m.patient(ctx, f)
}

func (r *run) busyTimeout(ctx context.Context, milliseconds any) error {
	_, err := r.session.Exec(ctx, fmt.Sprintf("pragma busy_timeout = %d", milliseconds))
	return err
}

// inTx is [db.InTx] that waits for other instances first.
func (r *run) inTx(ctx context.Context, f func(*db.Tx) error) error {
	var tx *db.Tx
	err := r.first(ctx, func() (err error) {
		tx, err = r.session.Begin(ctx, db.TxOptions{})
		return err
	})
	if err != nil {
		return err
	}
	defer func() { _ = tx.Rollback() }()
	if err := f(tx); err != nil {
		return err
	}
	return tx.Commit()
}
