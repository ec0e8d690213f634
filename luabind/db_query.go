package luabind

import (
	"context"
	"path/filepath"
	"slices"

	lua "github.com/yuin/gopher-lua"

	"rws/luabind/bind"
	"rws/luabind/fault"
	"rws/luabind/vm"
	"rws/server/db"
)

// dbOfType describes what app:db returns.
func dbOfType() bind.Type {
	return bind.Type{Name: dbType, As: "db", Methods: append(append(queryMethods(), bind.Writing(
		bind.RawWaitMethod("migrate(migrations, options?)", dbMigrate),
		bind.RawWaitMethod("backup(to, key?)", dbBackup),
		bind.RawWaitMethod("close()", dbClose),
	)...),
		bind.RawWaitMethod("ping()", dbPing),
		bind.RawWaitMethod("check()", dbCheck),
		bind.RawMethod("stats()", dbStats),
	), Fields: dbFields(), String: func(self any) string { return self.(*Database).source.label }}
}

// txOfType describes what the function of db:tx gets.
func txOfType() bind.Type {
	return bind.Type{Name: txType, As: "tx", Methods: queryMethods(), Fields: dbFields(), String: func(self any) string {
		return "transaction on " + self.(*Database).source.label
	}}
}

func dbFields() map[string]func(*lua.LState, any) lua.LValue {
	return map[string]func(*lua.LState, any) lua.LValue{
		"name":   func(_ *lua.LState, self any) lua.LValue { return lua.LString(self.(*Database).source.name) },
		"engine": func(_ *lua.LState, self any) lua.LValue { return lua.LString(self.(*Database).engine()) },
	}
}

// queryMethods are those of databases and transactions.
func queryMethods() []bind.Func {
	return append(bind.Writing(
		bind.RawWaitMethod("exec(sql, ...)", dbExec),
		bind.RawWaitMethod("insert(table, row)", dbInsert),
		bind.RawWaitMethod("update(table, set, where, ...)", dbUpdate),
		bind.RawWaitMethod("delete(table, where, ...)", dbDelete),
		bind.RawWaitMethod("upsert(table, row, on, update?)", dbUpsert),
		bind.RawWaitMethod("tx(...)", dbTx),
	),
		bind.RawWaitMethod("one(sql, ...)", dbOne),
		bind.RawWaitMethod("all(sql, ...)", dbAll),
		bind.RawWaitMethod("value(sql, ...)", dbValue),
		bind.RawWaitMethod("each(sql, ...)", dbEach),
		bind.RawWaitMethod("page(sql, args?, options?)", dbPage),
		bind.RawMethod("from(table)", dbFrom),
		bind.RawWaitMethod("tables()", dbTables),
		bind.RawWaitMethod("columns(table)", dbColumns),
	)
}

// engine is the kind of database, also of one that a test may not use.
func (d *Database) engine() db.Engine {
	if d.q != nil {
		return d.q.Engine()
	}
	return db.Postgres
}

// statement reads the SQL and the values of a call.
func (d *Database) statement(L *lua.LState, method string) (string, []any) {
	d.usable(L, method)
	name := d.as() + ":" + method
	text, ok := L.Get(2).(lua.LString)
	if !ok {
		bind.ArgError(L, name, 1, "a statement of SQL expected, got %s", L.Get(2).Type())
	}
	return string(text), d.arguments(L, name, string(text), 3)
}

// reading calls f with what a reading statement may use: in a console that may change nothing,
// a transaction in which the engine refuses to write.
func (d *Database) reading(L *lua.LState, method string, f func(ctx context.Context, q db.Querier) error) {
	if d.tx == nil && vm.Current(L).ReadOnly {
		d.wait(L, method, func(ctx context.Context) error {
			return db.InTx(ctx, d.q, db.TxOptions{ReadOnly: true}, func(tx *db.Tx) error { return f(ctx, tx) })
		})
		return
	}
	d.guard(L, method, false)
	d.wait(L, method, func(ctx context.Context) error { return f(ctx, d.q) })
}

// writing calls f to change something.
func (d *Database) writing(L *lua.LState, method string, f func(ctx context.Context) error) {
	d.guard(L, method, true)
	d.wait(L, method, f)
}

// guard raises where a statement of the database would wait for the transaction of the same
// run, which waits for it.
func (d *Database) guard(L *lua.LState, method string, writes bool) {
	if d.tx != nil || d.q == nil || d.engine() != db.SQLite || !writes && d.source.place.path != "" {
		return
	}
	d.source.mu.Lock()
	open := d.source.txs[vm.Current(L)] > 0
	d.source.mu.Unlock()
	if open {
		fault.Raise(L, &fault.Error{Code: string(db.CodeRefused),
			Message: "db:" + method + ": this would wait for the transaction around it, for ever",
			Hint:    "inside of db:tx(function(tx) … end) call tx:" + method + ", not db:" + method})
	}
}

func dbOne(L *lua.LState, d *Database) int {
	text, args := d.statement(L, "one")
	var row *db.Record
	d.asking(L, "one", text, func(ctx context.Context, q db.Querier) (err error) {
		row, err = db.One(ctx, q, text, args...)
		return err
	})
	return d.pushRecord(L, row)
}

// pushRecord pushes a row, or nil.
func (d *Database) pushRecord(L *lua.LState, row *db.Record) int {
	if row == nil {
		L.Push(lua.LNil)
	} else {
		m := d.newRowMaker(L, row.Columns)
		L.Push(m.row(row.Values))
	}
	return 1
}

func (d *Database) pushSet(L *lua.LState, set *db.Set) int {
	m := d.newRowMaker(L, set.Columns)
	L.Push(m.list(set.Rows))
	return 1
}

func dbAll(L *lua.LState, d *Database) int {
	text, args := d.statement(L, "all")
	var set *db.Set
	d.asking(L, "all", text, func(ctx context.Context, q db.Querier) (err error) {
		set, err = db.All(ctx, q, text, args...)
		return err
	})
	return d.pushSet(L, set)
}

func dbValue(L *lua.LState, d *Database) int {
	text, args := d.statement(L, "value")
	var v any
	found := false
	d.asking(L, "value", text, func(ctx context.Context, q db.Querier) (err error) {
		v, found, err = db.Value(ctx, q, text, args...)
		return err
	})
	return d.pushValue(L, v, found)
}

func (d *Database) pushValue(L *lua.LState, v any, found bool) int {
	if !found {
		L.Push(lua.LNil)
	} else {
		m := d.newRowMaker(L, nil)
		L.Push(m.value(v))
	}
	return 1
}

func dbExec(L *lua.LState, d *Database) int {
	text, args := d.statement(L, "exec")
	var r db.Result
	d.writing(L, "exec", func(ctx context.Context) (err error) {
		r, err = d.q.Exec(ctx, text, args...)
		return err
	})
	t := L.CreateTable(0, 2)
	t.RawSetString("affected", bind.Integer(r.Affected))
	if r.ID != 0 {
		t.RawSetString("id", bind.Integer(r.ID))
	}
	L.Push(t)
	return 1
}

func dbPing(L *lua.LState, d *Database) int {
	d.wait(L, "ping", func(ctx context.Context) error { return d.source.pool.Ping(ctx) })
	return 0
}

func dbCheck(L *lua.LState, d *Database) int {
	d.wait(L, "check", func(ctx context.Context) error { return d.source.pool.Check(ctx) })
	return 0
}

// dbBackup writes a copy of a SQLite database to a file in the app's folder or in fs.allow.
func dbBackup(L *lua.LState, d *Database) int {
	const name = "db:backup"
	if s, ok := userdata[Storage](L.Get(2)); ok {
		return d.backupInto(L, s, bind.Arg[string](L, name, 3))
	}
	if L.Get(2).Type() != lua.LTString || L.GetTop() > 2 {
		bind.ArgError(L, name, 1, "a path, as in db:backup(\"copy.db\"), or a store and a key, as in db:backup(files, \"copy.db\"), expected, got %s", L.Get(2).Type())
	}
	p := stateOf(L).program
	to := p.path(bind.Arg[string](L, name, 2))
	if !p.allowed(to) || !p.reallyAllowed(filepath.Dir(to)) {
		fault.Raisef(L, "permission", "%s: %s is outside of the app's folder; allow it with app:config { fs = { allow = { %q } } }", name, to, to)
	}
	if below, err := filepath.Rel(filepath.Join(p.dir, ".rws"), to); err == nil && filepath.IsLocal(below) {
		fault.Raisef(L, string(db.CodeRefused), "%s: %s is in the folder .rws, where rws keeps its secret and logs: choose another", name, to)
	}
	if i := slices.IndexFunc(p.reachable(), func(s *source) bool { return s.place.path == to }); i >= 0 {
		fault.Raisef(L, string(db.CodeRefused), "%s: %s is a database of this script: give the copy another name", name, to)
	}
	d.wait(L, "backup", func(ctx context.Context) error { return d.source.pool.Backup(ctx, to) })
	return 0
}

// reallyAllowed is allowed for a folder that is there, behind links.
func (p *Program) reallyAllowed(folder string) bool {
	real, err := filepath.EvalSymlinks(folder)
	if err != nil {
		return true // what is missing is said better by who opens it
	}
	for _, root := range append([]string{p.dir}, p.Config.FSAllow...) {
		root, err := filepath.EvalSymlinks(p.path(root))
		if err != nil {
			continue
		}
		if below, err := filepath.Rel(root, real); err == nil && filepath.IsLocal(below) {
			return true
		}
	}
	return false
}

func dbClose(L *lua.LState, d *Database) int {
	d.waitLong(L, "close", func(context.Context) error { return d.source.pool.end() })
	return 0
}

// dbStats returns the pools of connections: one, or for SQLite readers and writer.
func dbStats(L *lua.LState, d *Database) int {
	d.usable(L, "stats")
	list := L.NewTable()
	for _, s := range d.source.pool.Stats() {
		t := L.CreateTable(0, 8)
		t.RawSetString("role", lua.LString(s.Role))
		for _, n := range []struct {
			name  string
			value float64
		}{
			{"max", float64(s.Max)}, {"open", float64(s.Open)}, {"in_use", float64(s.InUse)}, {"idle", float64(s.Idle)},
			{"waiting", float64(s.Waiting)}, {"waits", float64(s.Waits)}, {"wait_ms", float64(s.WaitTime.Milliseconds())},
		} {
			t.RawSetString(n.name, lua.LNumber(n.value))
		}
		list.Append(t)
	}
	L.Push(bind.MarkArray(L, list))
	return 1
}

func dbTables(L *lua.LState, d *Database) int {
	var tables []db.TableInfo
	d.reading(L, "tables", func(ctx context.Context, q db.Querier) (err error) {
		tables, err = db.Tables(ctx, q)
		return err
	})
	list := L.NewTable()
	for _, info := range tables {
		list.Append(tableInfo(L, info))
	}
	L.Push(bind.MarkArray(L, list))
	return 1
}

func tableInfo(L *lua.LState, info db.TableInfo) *lua.LTable {
	t := L.CreateTable(0, 3)
	name := info.Name
	if info.Schema != "" {
		name = info.Schema + "." + name
	}
	t.RawSetString("name", lua.LString(name))
	t.RawSetString("view", lua.LBool(info.View))
	return t
}

func dbColumns(L *lua.LState, d *Database) int {
	table := bind.Arg[string](L, d.as()+":columns", 2)
	var columns []db.ColumnInfo
	d.reading(L, "columns", func(ctx context.Context, q db.Querier) (err error) {
		columns, err = db.Columns(ctx, q, table)
		return err
	})
	list := L.NewTable()
	for _, info := range columns {
		list.Append(columnInfo(L, info))
	}
	L.Push(bind.MarkArray(L, list))
	return 1
}

func columnInfo(L *lua.LState, info db.ColumnInfo) *lua.LTable {
	t := L.CreateTable(0, 5)
	t.RawSetString("name", lua.LString(info.Name))
	t.RawSetString("type", lua.LString(info.Type))
	t.RawSetString("nullable", lua.LBool(info.Nullable))
	t.RawSetString("key", lua.LNumber(info.Key))
	if info.Default != "" {
		t.RawSetString("default", lua.LString(info.Default))
	}
	return t
}
