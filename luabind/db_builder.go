package luabind

import (
	"context"
	"regexp"
	"slices"
	"strings"

	lua "github.com/yuin/gopher-lua"

	"rws/luabind/bind"
	"rws/server/db"
)

const queryType = "rws.Query"

// A Query is what db:from begins. It never changes: each method returns another one.
type Query struct {
	d *Database
	s db.Select
	// groups are the conditions: one of the groups must hold, that is all in it.
	groups [][]db.Cond
}

// dbFrom is db:from.
func dbFrom(L *lua.LState, d *Database) int {
	d.usable(L, "from")
	L.Push(bind.New(L, queryType, &Query{d: d, s: db.Select{From: bind.Arg[string](L, d.as()+":from", 2)}}))
	return 1
}

// queryOfType describes a Query.
func queryOfType() bind.Type {
	return bind.Type{Name: queryType, As: "query", Methods: append(append(queryParts(), bind.Writing(
		bind.RawWaitMethod("update(set)", queryUpdate),
		bind.RawWaitMethod("delete()", queryDelete),
	)...),
		bind.RawWaitMethod("all()", queryAll),
		bind.RawWaitMethod("one()", queryOne),
		bind.RawWaitMethod("value()", queryFirstValue),
		bind.RawWaitMethod("count()", queryCount),
		bind.RawWaitMethod("exists()", queryExists),
		bind.RawWaitMethod("each()", queryEach),
		bind.RawWaitMethod("page(options?)", queryPage),
	), String: func(self any) string {
		q := self.(*Query)
		text, _, err := q.selection().SQL(q.d.engine())
		if err != nil {
			return err.Error()
		}
		return text
	}}
}

// queryParts are the methods that return another query.
func queryParts() []bind.Func {
	join := func(method, kind string) bind.Func {
		return bind.RawMethod(method+"(table, on, ...)", func(L *lua.LState, q *Query) int {
			name := "query:" + method
			table, on := bind.Arg[string](L, name, 2), bind.Arg[string](L, name, 3)
			cond := db.Raw(on, q.d.arguments(L, name, on, 4)...)
			return q.with(L, func(s *db.Select) { s.Joins = append(s.Joins, db.Join{Kind: kind, Table: table, On: []db.Cond{cond}}) })
		})
	}
	return []bind.Func{
		bind.RawMethod("select(...)", func(L *lua.LState, q *Query) int {
			columns := texts(L, "query:select")
			return q.with(L, func(s *db.Select) { s.Columns = append(s.Columns, columns...) })
		}),
		bind.RawMethod("select_sql(sql, ...)", func(L *lua.LState, q *Query) int {
			f := q.fragment(L, "query:select_sql")
			return q.with(L, func(s *db.Select) { s.Exprs = append(s.Exprs, f) })
		}),
		bind.RawMethod("distinct()", func(L *lua.LState, q *Query) int {
			return q.with(L, func(s *db.Select) { s.Distinct = true })
		}),
		join("join", "inner"), join("left_join", "left"),
		bind.RawMethod("where(...)", func(L *lua.LState, q *Query) int { return q.where(L, "query:where", false) }),
		bind.RawMethod("or_where(...)", func(L *lua.LState, q *Query) int { return q.where(L, "query:or_where", true) }),
		bind.RawMethod("group(...)", func(L *lua.LState, q *Query) int {
			columns := texts(L, "query:group")
			return q.with(L, func(s *db.Select) { s.Group = append(s.Group, columns...) })
		}),
		bind.RawMethod("having(sql, ...)", func(L *lua.LState, q *Query) int {
			f := q.fragment(L, "query:having")
			return q.with(L, func(s *db.Select) { s.Having = append(s.Having, db.Raw(f.SQL, f.Args...)) })
		}),
		bind.RawMethod("order(...)", queryOrder),
		bind.RawMethod("order_sql(sql)", func(L *lua.LState, q *Query) int {
			text := bind.Arg[string](L, "query:order_sql", 2)
			return q.with(L, func(s *db.Select) { s.Order = append(s.Order, db.Order{Column: text, Raw: true}) })
		}),
		bind.RawMethod("limit(n)", func(L *lua.LState, q *Query) int {
			n := atLeast(L, "query:limit", 1)
			return q.with(L, func(s *db.Select) { s.Limit = n })
		}),
		bind.RawMethod("offset(n)", func(L *lua.LState, q *Query) int {
			n := atLeast(L, "query:offset", 0)
			return q.with(L, func(s *db.Select) { s.Offset = n })
		}),
		bind.RawMethod("for_update()", func(L *lua.LState, q *Query) int {
			return q.with(L, func(s *db.Select) { s.ForUpdate = true })
		}),
	}
}

// with pushes a query like q that change has changed. Lists have no room at their end, so that
// appending to one of the copy leaves those of q alone.
func (q *Query) with(L *lua.LState, change func(s *db.Select)) int {
	c := *q
	c.s.Columns, c.s.Exprs, c.s.Joins = slices.Clip(c.s.Columns), slices.Clip(c.s.Exprs), slices.Clip(c.s.Joins)
	c.s.Group, c.s.Having, c.s.Order = slices.Clip(c.s.Group), slices.Clip(c.s.Having), slices.Clip(c.s.Order)
	change(&c.s)
	L.Push(bind.New(L, queryType, &c))
	return 1
}

// texts reads all arguments, texts or lists of them.
func texts(L *lua.LState, name string) []string {
	var list []string
	for n := 2; n <= L.GetTop(); n++ {
		list = append(list, bind.Arg[[]string](L, name, n)...)
	}
	return list
}

func atLeast(L *lua.LState, name string, least int) int {
	n := bind.Arg[int](L, name, 2)
	if n < least {
		bind.ArgError(L, name, 1, "a whole number from %d expected, got %d", least, n)
	}
	return n
}

// fragment reads a piece of SQL with its values.
func (q *Query) fragment(L *lua.LState, name string) db.Fragment {
	text := bind.Arg[string](L, name, 2)
	return db.Fragment{SQL: text, Args: q.d.arguments(L, name, text, 3)}
}

// where adds a condition to the last group, or begins another group with it.
func (q *Query) where(L *lua.LState, name string, other bool) int {
	c := *q
	cond := c.cond(L, name)
	last := len(q.groups) - 1
	if other || last < 0 {
		c.groups = append(slices.Clip(q.groups), []db.Cond{cond})
	} else {
		c.groups = slices.Clone(q.groups)
		c.groups[last] = append(slices.Clip(q.groups[last]), cond)
	}
	L.Push(bind.New(L, queryType, &c))
	return 1
}

// plainColumn is what can't be a condition in itself.
var plainColumn = regexp.MustCompile(`^[A-Za-z_][\w$]*(\.[A-Za-z_][\w$]*)*$`)

// cond reads where { a = 1 }, where("a > ?", 1), where("a", 1) and where("a", ">", 1).
func (q *Query) cond(L *lua.LState, name string) db.Cond {
	if t, ok := L.Get(2).(*lua.LTable); ok {
		return q.d.equal(L, name, t, 2)
	}
	text := bind.Arg[string](L, name, 2)
	top := L.GetTop()
	if text == allRows && top == 2 {
		return db.Everything()
	}
	if top < 3 || top > 4 || !plainColumn.MatchString(text) {
		return db.Raw(text, q.d.arguments(L, name, text, 3)...)
	}
	operator := "="
	if top == 4 {
		operator = bind.Arg[string](L, name, 3)
	}
	return db.Compare(text, operator, q.compared(L, name, top))
}

// compared reads the value of a comparison; a list is the values of "in".
func (q *Query) compared(L *lua.LState, name string, n int) any {
	v, err := toSQL(L, q.d.engine(), L.Get(n))
	if err != nil {
		bind.ArgError(L, name, n-1, "%s", err)
	}
	if e, ok := v.(db.Either); ok {
		return e.List
	}
	return v
}

func queryOrder(L *lua.LState, q *Query) int {
	orders, err := db.ParseOrder(strings.Join(texts(L, "query:order"), ", "))
	if err != nil {
		bind.Raise(L, "query:order", dbError(err))
	}
	return q.with(L, func(s *db.Select) { s.Order = append(s.Order, orders...) })
}

// selection is the query as the engine takes it.
func (q *Query) selection() db.Select {
	s := q.s
	switch len(q.groups) {
	case 0:
	case 1:
		s.Where = q.groups[0]
	default:
		ors := make([]db.Cond, len(q.groups))
		for i, g := range q.groups {
			ors[i] = db.And(g...)
		}
		s.Where = []db.Cond{db.Or(ors...)}
	}
	return s
}

func queryAll(L *lua.LState, q *Query) int {
	var set *db.Set
	q.d.reading(L, "from:all", func(ctx context.Context, on db.Querier) (err error) {
		set, err = q.selection().All(ctx, on)
		return err
	})
	return q.d.pushSet(L, set)
}

func (q *Query) first(L *lua.LState, method string) *db.Record {
	var row *db.Record
	q.d.reading(L, method, func(ctx context.Context, on db.Querier) (err error) {
		row, err = q.selection().One(ctx, on)
		return err
	})
	return row
}

func queryOne(L *lua.LState, q *Query) int { return q.d.pushRecord(L, q.first(L, "from:one")) }

func queryFirstValue(L *lua.LState, q *Query) int {
	row := q.first(L, "from:value")
	if row == nil {
		return q.d.pushValue(L, nil, false)
	}
	return q.d.pushValue(L, row.Values[0], true)
}

func queryCount(L *lua.LState, q *Query) int {
	var n int64
	q.d.reading(L, "from:count", func(ctx context.Context, on db.Querier) (err error) {
		n, err = q.selection().Count(ctx, on)
		return err
	})
	L.Push(bind.Integer(n))
	return 1
}

func queryExists(L *lua.LState, q *Query) int {
	one := *q
	if len(one.s.Group) == 0 && len(one.s.Having) == 0 {
		one.s.Columns, one.s.Exprs = nil, []db.Fragment{{SQL: "1"}}
	}
	one.s.Order = nil
	L.Push(lua.LBool(one.first(L, "from:exists") != nil))
	return 1
}

func queryEach(L *lua.LState, q *Query) int {
	return q.d.eachRow(L, "from:each", func(ctx context.Context, on db.Querier) (*db.Rows, error) { return q.selection().Each(ctx, on) })
}

func queryPage(L *lua.LState, q *Query) int {
	o := q.d.pageOptions(L, "query:page", 2)
	var p *db.Page
	q.d.reading(L, "from:page", func(ctx context.Context, on db.Querier) (err error) {
		p, err = q.selection().Page(ctx, on, o)
		return err
	})
	return q.d.pushPage(L, p)
}

// queryUpdate changes the rows of the query and returns how many.
func queryUpdate(L *lua.LState, q *Query) int {
	set := q.d.fields(L, "query:update", bind.Arg[*lua.LTable](L, "query:update", 2), 2)
	return q.d.changed(L, "from:update", func(ctx context.Context) (db.Result, error) { return q.selection().Update(ctx, q.d.q, set) })
}

// queryDelete removes the rows of the query and returns how many.
func queryDelete(L *lua.LState, q *Query) int {
	return q.d.changed(L, "from:delete", func(ctx context.Context) (db.Result, error) { return q.selection().Delete(ctx, q.d.q) })
}
