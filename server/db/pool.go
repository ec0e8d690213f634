package db

import (
	"context"
	"database/sql"
	"errors"
	"fmt"
	"sync/atomic"
	"time"
)

// A pool is a database/sql pool with a gate before it, which lets as many in as there are
// connections. The gate knows how long to wait and can say why the wait was in vain, which
// database/sql cannot tell from a slow statement.
type pool struct {
	db      *sql.DB
	readers *readers // where db gets its connections, of those that read a SQLite file; else nil
	slots   chan struct{}
	wait    time.Duration
	streams *streams
	hint    string // what may be the matter when no connection comes free

	waiting  atomic.Int64
	waits    atomic.Int64
	waitTime atomic.Int64
}

func newPool(db *sql.DB, o Options) *pool {
	o = o.withDefaults()
	db.SetMaxOpenConns(o.MaxOpen)
	db.SetMaxIdleConns(o.MaxIdle)
	db.SetConnMaxLifetime(o.MaxLifetime)
	db.SetConnMaxIdleTime(o.MaxIdleTime)
	return &pool{
		db: db, slots: make(chan struct{}, o.MaxOpen), wait: o.Wait, streams: &streams{},
		hint: "a result that is not closed, or a transaction that stays open, keeps its connection; raise max_open if the load is real",
	}
}

// acquire takes a place; release gives it back.
func (p *pool) acquire(ctx context.Context) error {
	select {
	case p.slots <- struct{}{}:
		return nil
	default:
		return p.queue(ctx)
	}
}

func (p *pool) queue(ctx context.Context) error {
	start := time.Now()
	p.waiting.Add(1)
	p.waits.Add(1)
	defer func() {
		p.waiting.Add(-1)
		p.waitTime.Add(int64(time.Since(start)))
	}()
	owner := ctx.Value(ownerKey{})
	defer p.streams.enter(owner)()
	timer, again := time.NewTimer(p.wait), time.NewTicker(reliefEvery)
	defer timer.Stop()
	defer again.Stop()
	for {
		p.streams.relieve(p, owner)
		select {
		case p.slots <- struct{}{}:
			return nil
		case <-ctx.Done():
			return ctx.Err()
		case <-timer.C:
			return &Error{Code: CodeBusy, Err: fmt.Errorf("no connection came free in %v, all %d are in use: %s", p.wait, cap(p.slots), p.hint)}
		case <-again.C:
		}
	}
}

func (p *pool) release() { <-p.slots }

func (p *pool) stats(role string) Stats {
	s := p.db.Stats()
	if p.readers != nil {
		s.OpenConnections, s.Idle = p.readers.count()
		s.InUse = s.OpenConnections - s.Idle
	}
	return Stats{
		Role: role, Max: cap(p.slots), Open: s.OpenConnections, InUse: s.InUse, Idle: s.Idle,
		Waiting: int(p.waiting.Load()), Waits: p.waits.Load(), WaitTime: time.Duration(p.waitTime.Load()),
	}
}

func (p *pool) close() error {
	err := p.db.Close()
	if p.readers != nil {
		err = errors.Join(err, p.readers.close())
	}
	return err
}
