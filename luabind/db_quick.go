package luabind

import (
	"context"

	lua "github.com/yuin/gopher-lua"

	"rws/luabind/bind"
	"rws/luabind/vm"
	"rws/server/db"
)

// asking is reading for a statement that is known beforehand. One that has been quick of late
// keeps the isolate, because giving it up costs more than the read (see vm.WaitBriefly); when it is
// not quick this time, other requests execute after 1 ms.
func (d *Database) asking(L *lua.LState, method, statement string, f func(ctx context.Context, q db.Querier) error) {
	if !d.quick(L, statement) {
		d.reading(L, method, f)
		return
	}
	if err := vm.WaitBriefly(L, func(ctx context.Context) error { return f(ctx, d.q) }); err != nil {
		bind.Raise(L, d.as()+":"+method, dbError(err))
	}
}

func (d *Database) quick(L *lua.LState, statement string) bool {
	return d.tx == nil && d.timeout <= 0 && d.source.pool != nil && d.source.pool.Quick(statement) && !vm.Current(L).ReadOnly
}
