package luabind

import (
	"errors"
	"fmt"
	"slices"
	"strconv"
	"strings"
	"time"

	lua "github.com/yuin/gopher-lua"

	"rws/luabind/bind"
	"rws/luabind/codec"
	"rws/luabind/vm"
	"rws/server/db"
)

// sqliteLayout is how times are stored in SQLite, which has no type for them: its own
// functions read it, the order of texts is the order of times, and the zone is in it.
const sqliteLayout = "2006-01-02 15:04:05.000Z"

// toSQL converts a Lua value to one that the engine takes.
func toSQL(L *lua.LState, engine db.Engine, v lua.LValue) (any, error) {
	return toSQLWithin(L, engine, v, 0)
}

// toSQLWithin is toSQL of what lies within so many lists.
func toSQLWithin(L *lua.LState, engine db.Engine, v lua.LValue, depth int) (any, error) {
	switch v := v.(type) {
	case *lua.LNilType:
		return nil, nil
	case lua.LString:
		return string(v), nil
	case lua.LNumber:
		return bind.Number(v), nil
	case lua.LBool:
		return bool(v), nil
	case *lua.LTable:
		return tableToSQL(L, engine, v, depth)
	case *lua.LUserData:
		if bind.IsNull(L, v) {
			return nil, nil
		}
		if t, ok := v.Value.(*Time); ok {
			return timeToSQL(engine, t.at), nil
		}
	}
	return nil, fmt.Errorf("a %s can't be stored in a database", v.Type())
}

func timeToSQL(engine db.Engine, at time.Time) any {
	if engine == db.SQLite {
		return at.UTC().Format(sqliteLayout)
	}
	return at
}

// maxDimensions is how deep arrays of Postgres nest (MAXDIM).
const maxDimensions = 6

// tableToSQL makes JSON of a table. A list, which an empty table may be, is also the values of
// "in (?)", and an array where Postgres has one.
func tableToSQL(L *lua.LState, engine db.Engine, t *lua.LTable, depth int) (any, error) {
	if depth >= maxDimensions || !isList(L, t) && hasNames(t) {
		return jsonToSQL(L, t)
	}
	text, fault := jsonToSQL(L, t)
	if limit := (*codec.LimitError)(nil); errors.As(fault, &limit) { // as of a list that contains itself
		return nil, fault
	}
	list, err := listWithin(L, engine, t, depth+1)
	if err != nil {
		return nil, err
	}
	return db.Either{List: list, JSON: text, Err: fault, Array: bind.IsArray(L, t)}, nil
}

func jsonToSQL(L *lua.LState, t *lua.LTable) (db.JSON, error) {
	text, err := codec.Append(nil, L, t, codec.Options{})
	if err != nil {
		return "", fmt.Errorf("a table is stored as JSON: %w", err)
	}
	return db.JSON(text), nil
}

// isList tells lists from tables with names. An empty table without a mark may be either.
func isList(L *lua.LState, t *lua.LTable) bool { return t.Len() > 0 || bind.IsArray(L, t) }

func listToSQL(L *lua.LState, engine db.Engine, t *lua.LTable) (db.List, error) {
	return listWithin(L, engine, t, 1)
}

func listWithin(L *lua.LState, engine db.Engine, t *lua.LTable, depth int) (db.List, error) {
	list := make(db.List, 0, t.Len())
	for n := 1; n <= t.Len(); n++ {
		v, err := toSQLWithin(L, engine, t.RawGetInt(n), depth)
		if err != nil {
			return nil, fmt.Errorf("element %d: %w", n, err)
		}
		list = append(list, v)
	}
	return list, nil
}

// arguments reads the values of a statement from argument n on: one table of names, or as
// many values as it has.
func (d *Database) arguments(L *lua.LState, name, statement string, n int) []any {
	top := L.GetTop()
	if top < n {
		return nil
	}
	if t, ok := L.Get(n).(*lua.LTable); ok && top == n && !isList(L, t) && !db.TakesValues(d.q, statement) {
		return d.named(L, name, t, n)
	}
	args := make([]any, 0, top-n+1)
	for ; n <= top; n++ {
		v, err := toSQL(L, d.q.Engine(), L.Get(n))
		if err != nil {
			bind.ArgError(L, name, n-1, "%s", err)
		}
		args = append(args, v)
	}
	return args
}

func hasNames(t *lua.LTable) bool {
	key, _ := t.Next(lua.LNil)
	return key != lua.LNil
}

func (d *Database) named(L *lua.LState, name string, t *lua.LTable, n int) []any {
	named := make(db.Named)
	for key, v := t.Next(lua.LNil); key != lua.LNil; key, v = t.Next(key) {
		field, ok := key.(lua.LString)
		if !ok {
			bind.ArgError(L, name, n-1, "names and values expected, as in { id = 7 }, got the key %s", key)
		}
		value, err := toSQL(L, d.q.Engine(), v)
		if err != nil {
			bind.ArgError(L, name, n-1, "field %q: %s", string(field), err)
		}
		named[string(field)] = value
	}
	return []any{named}
}

// fields reads a row, sorted by column.
func (d *Database) fields(L *lua.LState, name string, t *lua.LTable, n int) []db.Field {
	var row []db.Field
	for key, v := t.Next(lua.LNil); key != lua.LNil; key, v = t.Next(key) {
		column, ok := key.(lua.LString)
		if !ok {
			bind.ArgError(L, name, n-1, "columns and values expected, as in { title = \"Milk\" }, got the key %s", key)
		}
		value, err := toSQL(L, d.q.Engine(), v)
		if err != nil {
			bind.ArgError(L, name, n-1, "column %q: %s", string(column), err)
		}
		row = append(row, db.Field{Column: string(column), Value: value})
	}
	slices.SortFunc(row, func(a, b db.Field) int { return strings.Compare(a.Column, b.Column) })
	return row
}

// A rowMaker makes Lua tables of the rows of one result.
type rowMaker struct {
	L     *lua.LState
	shape *vm.Shape
	null  lua.LValue
}

// newRowMaker makes rows with these columns.
func (d *Database) newRowMaker(L *lua.LState, columns []string) rowMaker {
	m := rowMaker{L: L, null: lua.LNil}
	if d.null {
		m.null = bind.Null(L)
	}
	if len(columns) > 0 {
		m.shape = stateOf(L).shapes.of(columns)
	}
	return m
}

// shapes are the shapes of rows that an isolate has made, by their first column and how many
// there are: a program has few, and finds them without an allocation.
type shapes map[shapeKey][]*knownShape

type shapeKey struct {
	first string
	count int
}

type knownShape struct {
	columns []string // as they came
	shape   *vm.Shape
}

// maxShapes bounds what is kept, for programs that put values into the names of columns.
const maxShapes = 1000

// of finds the shape of rows with these columns. Those that come twice are called "id" and
// "id_2".
func (s *shapes) of(columns []string) *vm.Shape {
	key := shapeKey{columns[0], len(columns)}
	for _, known := range (*s)[key] {
		if slices.Equal(known.columns, columns) {
			return known.shape
		}
	}
	if *s == nil || len(*s) > maxShapes {
		*s = make(shapes)
	}
	known := &knownShape{slices.Clone(columns), vm.NewShape(distinctNames(columns))}
	(*s)[key] = append((*s)[key][:min(len((*s)[key]), 8)], known)
	return known.shape
}

func distinctNames(columns []string) []string {
	names := make([]string, 0, len(columns))
	for _, name := range columns {
		free := name
		for n := 2; slices.Contains(names, free); n++ {
			free = name + "_" + strconv.Itoa(n)
		}
		names = append(names, free)
	}
	return names
}

// row makes the table of a row.
func (m *rowMaker) row(values []any) *lua.LTable {
	return m.shape.New(m.L, func(i int) lua.LValue { return m.value(values[i]) })
}

// list makes the tables of rows.
func (m *rowMaker) list(rows [][]any) *lua.LTable {
	t := m.L.CreateTable(len(rows), 0)
	for _, r := range rows {
		t.Append(m.row(r))
	}
	return bind.MarkArray(m.L, t)
}

// value converts what came from a database.
func (m *rowMaker) value(v any) lua.LValue {
	switch v := v.(type) {
	case nil:
		return m.null
	case int64:
		return bind.Integer(v)
	case string:
		return lua.LString(v)
	case float64:
		return lua.LNumber(v)
	case bool:
		return lua.LBool(v)
	case time.Time:
		return newTime(m.L, v, time.UTC)
	case db.Blob:
		return lua.LString(v)
	case db.JSON:
		return m.json(v)
	case []any:
		t := m.L.CreateTable(len(v), 0)
		for _, x := range v {
			if x == nil {
				x = bind.Null(m.L) // a list has no holes
			}
			t.Append(m.value(x))
		}
		return bind.MarkArray(m.L, t)
	case lua.LValue:
		return v
	}
	return lua.LString(fmt.Sprint(v))
}

// json decodes JSON; SQLite keeps any text in a column that is called JSON.
func (m *rowMaker) json(text db.JSON) lua.LValue {
	v, err := codec.Decode(m.L, []byte(text), codec.Limits{})
	if err != nil {
		return lua.LString(text)
	}
	return v
}
