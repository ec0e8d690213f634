package luabind

import (
	"context"

	lua "github.com/yuin/gopher-lua"

	"rws/luabind/bind"
	"rws/luabind/fault"
	"rws/server/db"
)

// allRows, in the place of a condition, says that every row is meant.
const allRows = "all"

// dbInsert adds a row and returns it as the database has it, or several in one transaction.
func dbInsert(L *lua.LState, d *Database) int {
	d.usable(L, "insert")
	name := d.as() + ":insert"
	table, row := bind.Arg[string](L, name, 2), bind.Arg[*lua.LTable](L, name, 3)
	if isList(L, row) {
		return d.insertList(L, name, table, row)
	}
	fields := d.fields(L, name, row, 3)
	var in *db.Inserted
	d.writing(L, "insert", func(ctx context.Context) (err error) {
		in, err = db.Insert(ctx, d.q, table, fields, "*")
		return err
	})
	return d.pushRecord(L, in.Row)
}

func (d *Database) insertList(L *lua.LState, name, table string, list *lua.LTable) int {
	rows := make([][]db.Field, 0, list.Len())
	for n := 1; n <= list.Len(); n++ {
		row, ok := list.RawGetInt(n).(*lua.LTable)
		if !ok {
			bind.ArgError(L, name, 2, "row %d: a table of columns expected, got %s", n, list.RawGetInt(n).Type())
		}
		rows = append(rows, d.fields(L, name, row, 3))
	}
	var inserted []*db.Record
	d.writing(L, "insert", func(ctx context.Context) error {
		return db.InTx(ctx, d.q, db.TxOptions{}, func(tx *db.Tx) error {
			for _, row := range rows {
				in, err := db.Insert(ctx, tx, table, row, "*")
				if err != nil {
					return err
				}
				inserted = append(inserted, in.Row)
			}
			return nil
		})
	})
	out := L.CreateTable(len(inserted), 0)
	for _, row := range inserted {
		if row != nil {
			m := d.newRowMaker(L, row.Columns)
			out.Append(m.row(row.Values))
		}
	}
	L.Push(bind.MarkArray(L, out))
	return 1
}

// dbUpdate changes rows and returns how many.
func dbUpdate(L *lua.LState, d *Database) int {
	d.usable(L, "update")
	name := d.as() + ":update"
	table := bind.Arg[string](L, name, 2)
	set := d.fields(L, name, bind.Arg[*lua.LTable](L, name, 3), 3)
	where := d.where(L, name, 4)
	return d.changed(L, "update", func(ctx context.Context) (db.Result, error) { return db.Update(ctx, d.q, table, set, where...) })
}

// dbDelete removes rows and returns how many.
func dbDelete(L *lua.LState, d *Database) int {
	d.usable(L, "delete")
	name := d.as() + ":delete"
	table := bind.Arg[string](L, name, 2)
	where := d.where(L, name, 3)
	return d.changed(L, "delete", func(ctx context.Context) (db.Result, error) { return db.Delete(ctx, d.q, table, where...) })
}

func (d *Database) changed(L *lua.LState, method string, f func(ctx context.Context) (db.Result, error)) int {
	var r db.Result
	d.writing(L, method, func(ctx context.Context) (err error) {
		r, err = f(ctx)
		return err
	})
	L.Push(bind.Integer(r.Affected))
	return 1
}

// dbUpsert adds a row, or changes the one that is there, and returns it.
func dbUpsert(L *lua.LState, d *Database) int {
	d.usable(L, "upsert")
	name := d.as() + ":upsert"
	table := bind.Arg[string](L, name, 2)
	row := d.fields(L, name, bind.Arg[*lua.LTable](L, name, 3), 3)
	on := bind.Arg[[]string](L, name, 4)
	update := bind.Arg[bind.Opt[[]string]](L, name, 5)
	if update.Set && update.Value == nil {
		update.Value = []string{}
	}
	var in *db.Inserted
	d.writing(L, "upsert", func(ctx context.Context) (err error) {
		in, err = db.Upsert(ctx, d.q, table, row, on, update.Value, "*")
		return err
	})
	return d.pushRecord(L, in.Row)
}

// where reads a condition from argument n on: none, "all", a table of columns and values, or
// SQL with its values.
func (d *Database) where(L *lua.LState, name string, n int) []db.Cond {
	switch v := L.Get(n).(type) {
	case *lua.LNilType:
		return nil // the engine says what is missing
	case *lua.LTable:
		return []db.Cond{d.equal(L, name, v, n)}
	case lua.LString:
		if v == allRows && L.GetTop() == n {
			return []db.Cond{db.Everything()}
		}
		return []db.Cond{db.Raw(string(v), d.arguments(L, name, string(v), n+1)...)}
	default:
		bind.ArgError(L, name, n-1, "a condition expected: a table such as { id = 7 }, SQL such as \"id = ?\" and its values, or \"all\"; got %s", v.Type())
		return nil
	}
}

// equal makes a condition of columns and values, a list standing for one of its values.
func (d *Database) equal(L *lua.LState, name string, t *lua.LTable, n int) db.Cond {
	if t.Len() > 0 {
		bind.ArgError(L, name, n-1, "columns and values expected, as in { id = 7 }, got a list")
	}
	fields := d.fields(L, name, t, n)
	if len(fields) == 0 {
		fault.Raise(L, &fault.Error{Code: string(db.CodeRefused),
			Message: name + ": the condition {} has no column, and would hold for every row",
			Hint:    `nil values vanish from Lua tables: { name = nil } is {}; NULL is { name = rws.null }, and every row is "all"`})
	}
	for i, f := range fields {
		if list, ok := t.RawGetString(f.Column).(*lua.LTable); ok && (isList(L, list) || !hasNames(list)) {
			values, err := listToSQL(L, d.engine(), list)
			if err != nil {
				bind.ArgError(L, name, n-1, "column %q: %s", f.Column, err)
			}
			fields[i].Value = values
		}
	}
	return db.Equal(fields...)
}
