package luabind

import (
	"context"
	"sync"

	lua "github.com/yuin/gopher-lua"

	"rws/luabind/bind"
	"rws/luabind/vm"
	"rws/server/db"
)

// A transaction is what the handles of one connection share.
type transaction struct {
	mu sync.Mutex // its connection does one thing at a time
}

// txOptions are the options of db:tx.
type txOptions struct {
	ReadOnly  bool   `json:"read_only"`
	Isolation string `json:"isolation"`
}

// dbTx calls a function in a transaction, or in a savepoint of one: what it returns is
// returned after the commit, and an error rolls back.
func dbTx(L *lua.LState, d *Database) int {
	name, n := d.as()+":tx", 2
	var o txOptions
	if L.GetTop() > 2 {
		o, n = bind.Options[txOptions](L, name, 2), 3
	}
	fn := bind.Arg[*lua.LFunction](L, name, n)
	inner, tx := d.begin(L, db.TxOptions{ReadOnly: o.ReadOnly, Isolation: o.Isolation})
	ended := false
	defer func() {
		if !ended { // an error is on its way
			inner.rollback(L, tx)
		}
		d.source.leave(vm.Current(L))
	}()
	top := L.GetTop()
	L.Push(fn)
	L.Push(bind.New(L, txType, inner))
	vm.CallBack(L, 1, lua.MultRet)
	d.wait(L, "tx", func(context.Context) error {
		if d.tx == nil { // else the lock is taken
			inner.tx.mu.Lock()
			defer inner.tx.mu.Unlock()
		}
		err := tx.Commit()
		ended = err == nil
		return err
	})
	return L.GetTop() - top
}

// begin opens a transaction for the run, which ends it at the latest.
func (d *Database) begin(L *lua.LState, o db.TxOptions) (*Database, *db.Tx) {
	d.guard(L, "tx", !o.ReadOnly)
	inner := &Database{source: d.source, null: d.null, timeout: d.timeout, tx: d.tx}
	var tx *db.Tx
	d.waitLong(L, "tx", func(ctx context.Context) (err error) {
		tx, err = d.q.Begin(ctx, o)
		return err
	})
	if inner.tx == nil {
		inner.tx = &transaction{}
	}
	inner.q = tx
	d.source.enter(vm.Current(L))
	return inner, tx
}

// rollback undoes, while an error is on its way: it raises nothing of its own.
func (d *Database) rollback(L *lua.LState, tx *db.Tx) {
	_ = vm.Wait(L, func(context.Context) error {
		d.tx.mu.Lock()
		defer d.tx.mu.Unlock()
		return tx.Rollback()
	})
}

// enter and leave count the transactions that a run has open.
func (s *source) enter(r *vm.Run) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.txs[r]++
}

func (s *source) leave(r *vm.Run) {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.txs[r]--; s.txs[r] == 0 {
		delete(s.txs, r)
	}
}
