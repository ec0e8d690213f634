package db_test

import (
	"fmt"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"rws/server/db"
	"rws/spec_test/peers"
)

func f(column string, value any) db.Field { return db.Field{Column: column, Value: value} }

func TestInsertUpdateDelete(t *testing.T) {
	everywhere(t, func(t *testing.T, d *db.DB) {
		users(t, d)
		in, err := db.Insert(ctx, d, "users", db.Fields(map[string]any{"email": "a@x", "age": 20}))
		require.NoError(t, err)
		assert.Equal(t, int64(1), in.ID)
		in, err = db.Insert(ctx, d, "users", db.Fields(map[string]any{"email": "b@x", "age": 30}), "*")
		require.NoError(t, err)
		assert.Equal(t, "b@x", in.Row.Get("email"))
		assert.Equal(t, int64(2), in.ID)

		r, err := db.Update(ctx, d, "users", []db.Field{f("age", 40)}, db.Equal(f("email", "a@x")))
		require.NoError(t, err)
		assert.EqualValues(t, 1, r.Affected)
		_, err = db.Update(ctx, d, "users", []db.Field{f("age", 40)})
		assert.ErrorContains(t, err, "it would hit every row")
		assert.NotContains(t, err.Error(), "db.Everything", "which is no name of Lua")
		_, err = db.Delete(ctx, d, "users", db.Equal())
		assert.ErrorContains(t, err, "it would hit every row")
		r, err = db.Delete(ctx, d, "users", db.Everything())
		require.NoError(t, err)
		assert.EqualValues(t, 2, r.Affected)

		run(t, d, "create table plain (a int)", "create table texts (id varchar(20) primary key, a int default 7)")
		in, err = db.Insert(ctx, d, "plain", []db.Field{f("a", 1)})
		require.NoError(t, err)
		assert.Equal(t, &db.Inserted{Affected: 1}, in, "without a primary key")
		in, err = db.Insert(ctx, d, "texts", []db.Field{f("id", "x")})
		require.NoError(t, err)
		assert.Equal(t, "x", in.ID)
		_, err = db.Insert(ctx, d, "plain", nil)
		require.NoError(t, err, "a row of defaults")
		for _, name := range []string{`us"ers`, "users;--", "", "a..b", "us`ers"} {
			_, err = db.Insert(ctx, d, name, []db.Field{f("a", 1)})
			assert.Equal(t, db.CodeRefused, db.CodeOf(err), "%q: %v", name, err)
		}
	})
}

func TestUpsert(t *testing.T) {
	everywhere(t, func(t *testing.T, d *db.DB) {
		users(t, d)
		up := func(email string, age int, update ...string) *db.Inserted {
			t.Helper()
			in, err := db.Upsert(ctx, d, "users", []db.Field{f("email", email), f("age", age)}, []string{"email"}, update)
			require.NoError(t, err)
			return in
		}
		assert.Equal(t, int64(1), up("a@x", 20).ID)
		assert.Equal(t, int64(1), up("a@x", 33).ID, "the row that was changed")
		assert.EqualValues(t, 33, value(t, d, "select age from users"))
		up("a@x", 50, "email")
		assert.EqualValues(t, 33, value(t, d, "select age from users"), "age was not to change")
		_, err := db.Upsert(ctx, d, "users", []db.Field{f("email", "b@x")}, nil, nil)
		assert.ErrorContains(t, err, "needs the columns")
		run(t, d, "create table pairs (a int, b int, n int, unique (a, b))")
		pair := []db.Field{f("a", 1), f("b", 2), f("n", 3)}
		for _, on := range [][]string{{"a"}, {"n"}, {"a", "b", "n"}} {
			_, err = db.Upsert(ctx, d, "pairs", pair, on, nil)
			assert.Equal(t, db.CodeRefused, db.CodeOf(err), "%v: %v", on, err)
			assert.ErrorContains(t, err, "no unique index is over just these columns")
		}
		for range 2 {
			_, err = db.Upsert(ctx, d, "pairs", pair, []string{"b", "a"}, nil)
			require.NoError(t, err)
		}
		assert.EqualValues(t, 1, value(t, d, "select count(*) from pairs"))
	})
}

func TestSelectAsData(t *testing.T) {
	everywhere(t, func(t *testing.T, d *db.DB) {
		users(t, d)
		run(t, d, "create table notes (id int primary key, user_id bigint, title varchar(50))",
			"insert into users (email, age) values ('a@x', 20), ('b@x', 30), ('c@x', null)",
			"insert into notes values (1, 1, 'one'), (2, 1, 'two'), (3, 2, 'it''s ? :x')")
		emails := func(s db.Select) []any {
			t.Helper()
			s.From, s.Columns, s.Order = "users", []string{"email"}, []db.Order{{Column: "email", Desc: true}}
			set, err := s.All(ctx, d)
			require.NoError(t, err)
			var out []any
			for _, r := range set.Rows {
				out = append(out, r[0])
			}
			n, err := s.Count(ctx, d)
			require.NoError(t, err)
			if s.Limit == 0 && s.Offset == 0 {
				assert.EqualValues(t, len(out), n)
			}
			return out
		}
		where := func(c ...db.Cond) db.Select { return db.Select{Where: c} }
		assert.Equal(t, []any{"c@x", "b@x", "a@x"}, emails(where()))
		assert.Equal(t, []any{"a@x"}, emails(where(db.Equal(f("age", 20), f("email", "a@x")))))
		assert.Equal(t, []any{"c@x"}, emails(where(db.Equal(f("age", nil)))))
		assert.Equal(t, []any{"b@x", "a@x"}, emails(where(db.Compare("age", "!=", nil))))
		assert.Equal(t, []any{"b@x", "a@x"}, emails(where(db.Equal(f("email", db.List{"a@x", "b@x"})))))
		assert.Empty(t, emails(where(db.Compare("email", "in", db.List{}))))
		assert.Equal(t, []any{"c@x", "a@x"}, emails(where(db.Or(db.Compare("age", "<", 25), db.Raw("age is null and 1 = ?", 1)))))
		assert.Equal(t, []any{"b@x"}, emails(where(db.Raw("age between :a and :b and age > :a", db.Named{"a": 21, "b": 40}))))
		assert.Equal(t, []any{"c@x"}, emails(where(db.Not(db.Compare("email", "in", db.List{"a@x", "b@x"})))))
		assert.Equal(t, []any{"b@x"}, emails(db.Select{Limit: 1, Offset: 1}))
		assert.Equal(t, []any{"a@x"}, emails(db.Select{Offset: 2}))

		joined := db.Select{
			From: "users as u", Columns: []string{"u.email"}, Exprs: []db.Fragment{{SQL: "count(n.id) as notes"}},
			Joins: []db.Join{{Kind: "left", Table: "notes as n", On: []db.Cond{db.Raw("n.user_id = u.id")}}},
			Group: []string{"u.email"}, Having: []db.Cond{db.Raw("count(n.id) > ?", 0)}, Order: []db.Order{{Column: "u.email"}},
		}
		set, err := joined.All(ctx, d)
		require.NoError(t, err)
		assert.Equal(t, [][]any{{"a@x", int64(2)}, {"b@x", int64(1)}}, set.Rows)
		n, err := joined.Count(ctx, d)
		require.NoError(t, err)
		assert.EqualValues(t, 2, n)

		r, err := db.Select{From: "notes", Where: []db.Cond{db.Equal(f("title", "it's ? :x"))}}.Delete(ctx, d)
		require.NoError(t, err)
		assert.EqualValues(t, 1, r.Affected)
		_, err = db.Select{From: "notes", Limit: 1, Where: []db.Cond{db.Everything()}}.Delete(ctx, d)
		assert.Equal(t, db.CodeRefused, db.CodeOf(err))
	})
}

func TestPages(t *testing.T) {
	everywhere(t, func(t *testing.T, d *db.DB) {
		run(t, d, "create table p (id int primary key, grade int, name varchar(20))")
		for n := 1; n <= 23; n++ {
			grade := any(n % 4)
			if n%7 == 0 {
				grade = nil
			}
			_, err := d.Exec(ctx, "insert into p values (?, ?, ?)", n, grade, fmt.Sprint("n", n))
			require.NoError(t, err)
		}
		p, err := db.PageOf(ctx, d, "select * from p where id > :min order by id -- all", []any{db.Named{"min": 3}}, db.PageOptions{Page: 2, Size: 8, Total: true})
		require.NoError(t, err)
		assert.EqualValues(t, 20, p.Total)
		assert.EqualValues(t, 12, p.Rows[0][0])
		assert.Len(t, p.Rows, 8)
		assert.True(t, p.More && p.Less)
		p, err = db.Select{From: "p", Order: []db.Order{{Column: "id"}}}.Page(ctx, d, db.PageOptions{Page: 3, Size: 10})
		require.NoError(t, err)
		assert.Len(t, p.Rows, 3)
		assert.False(t, p.More)
		assert.EqualValues(t, -1, p.Total)
		_, err = db.PageOf(ctx, d, "select * from p limit 5", nil, db.PageOptions{})
		assert.ErrorContains(t, err, "limit")

		for _, keys := range [][]db.Order{
			{{Column: "id"}}, {{Column: "id", Desc: true}}, {{Column: "grade"}, {Column: "id"}},
			{{Column: "grade", Desc: true}, {Column: "id"}}, {{Column: "grade"}, {Column: "id", Desc: true}},
		} {
			everyRowOnce(t, d, keys)
		}
		seen := map[any]bool{}
		for o := (db.PageOptions{Size: 4, Keys: []db.Order{{Column: "grade", Desc: true}}}); ; {
			p, err := db.Select{From: "p"}.Page(ctx, d, o)
			require.NoError(t, err)
			for _, r := range p.Rows {
				assert.False(t, seen[r[0]], "row %v comes twice: the primary key makes the order definite", r[0])
				seen[r[0]] = true
			}
			if o.After = p.Next; !p.More {
				break
			}
		}
		assert.Len(t, seen, 23)
		_, err = db.PageOf(ctx, d, "select * from p", nil, db.PageOptions{After: "nonsense", Keys: []db.Order{{Column: "id"}}})
		assert.Equal(t, db.CodeCursor, db.CodeOf(err))
		_, err = db.PageOf(ctx, d, "select * from p", nil, db.PageOptions{Keys: []db.Order{{Column: "nope"}}})
		assert.Equal(t, db.CodePage, db.CodeOf(err), "%v", err)
		_, err = db.Select{From: "p"}.Page(ctx, d, db.PageOptions{Keys: []db.Order{{Column: "nope"}}})
		assert.Equal(t, db.CodePage, db.CodeOf(err), "%v", err)
		_, err = db.PageOf(ctx, d, "select wrong from p", nil, db.PageOptions{Keys: []db.Order{{Column: "id"}}})
		assert.Equal(t, db.CodeNoColumn, db.CodeOf(err), "%v", err)
		_, err = db.PageOf(ctx, d, "select * from p", nil, db.PageOptions{After: "nonsense"})
		assert.Equal(t, db.CodePage, db.CodeOf(err))
	})
}

func TestOnlyWhatChangesRowsCountsThem(t *testing.T) {
	everywhere(t, func(t *testing.T, d *db.DB) {
		run(t, d, "create table t (n int)", "insert into t values (1), (2), (3)")
		for _, statement := range []string{"create table u (n int)", "drop table u", "create table v (n int)"} {
			r, err := d.Exec(ctx, statement)
			require.NoError(t, err)
			assert.Zero(t, r.Affected, statement)
		}
		r, err := d.Exec(ctx, "with a as (select 1 as n) select * from a")
		require.NoError(t, err)
		if d.Engine() == db.SQLite {
			assert.Zero(t, r.Affected)
			r, err = d.Exec(ctx, "pragma user_version")
			require.NoError(t, err)
			assert.Zero(t, r.Affected)
			r, err = d.Exec(ctx, "with a as (select 1 as n) delete from t where n in (select n from a)")
			require.NoError(t, err)
			assert.EqualValues(t, 1, r.Affected)
		}
	})
}

// SQLite keeps times as text in any form, sorts by the text and hands out the time.
func TestPagesByTimesOfSQLite(t *testing.T) {
	d := file(t, "")
	run(t, d, "create table p (id integer primary key, grade timestamp)")
	for n := range 9 {
		run(t, d, fmt.Sprintf("insert into p (grade) values ('2026-01-01T10:00:0%dZ'), ('2026-01-01 11:00:0%d'), (%d)", n/2, n, n))
	}
	everyRowOnce(t, d, []db.Order{{Column: "grade"}, {Column: "id"}})
	p, err := db.Select{From: "p"}.Page(ctx, d, db.PageOptions{Size: 5, Keys: []db.Order{{Column: "grade", Desc: true}}})
	require.NoError(t, err)
	assert.Equal(t, []string{"id", "grade"}, p.Columns)
	assert.Len(t, p.Rows[0], 2)
}

func TestACursorOfOtherColumnsIsTheFaultOfWhoSendsIt(t *testing.T) {
	d := open(t, peers.Postgres(t))
	run(t, d, "create table p (id int primary key)", "insert into p values (1), (2)")
	o := db.PageOptions{Size: 1, Keys: []db.Order{{Column: "id"}}}
	p, err := db.PageOf(ctx, d, "select 'a' as id union select 'b'", nil, o)
	require.NoError(t, err)
	o.After = p.Next
	_, err = db.PageOf(ctx, d, "select id from p", nil, o)
	assert.Equal(t, db.CodeCursor, db.CodeOf(err))
}

// everyRowOnce walks forward by cursors, then back, and wants the order of the database.
func everyRowOnce(t *testing.T, d *db.DB, keys []db.Order) {
	t.Helper()
	set, err := db.Select{From: "p", Columns: []string{"id", "grade"}, Order: keys}.All(ctx, d)
	require.NoError(t, err)
	var forward, backward [][]any
	o := db.PageOptions{Size: 5, Keys: keys}
	for {
		p, err := db.PageOf(ctx, d, "select id, grade from p", nil, o)
		require.NoError(t, err)
		forward = append(forward, p.Rows...)
		if !p.More {
			o.After, o.Before = "", p.Previous
			backward = p.Rows
			break
		}
		o.After = p.Next
	}
	assert.Equal(t, set.Rows, forward, "%v", keys)
	for o.Before != "" {
		p, err := db.Select{From: "p", Columns: []string{"id", "grade"}}.Page(ctx, d, o)
		require.NoError(t, err)
		backward = append(p.Rows, backward...)
		o.Before = p.Previous
	}
	assert.Equal(t, set.Rows, backward, "%v, backwards", keys)
}

func TestConditionsThatHoldForAllByAccident(t *testing.T) {
	d := file(t, "")
	run(t, d, "create table t (n int)", "insert into t values (1), (2)")
	none := db.List{}
	for _, where := range [][]db.Cond{
		{}, {db.Equal()}, {db.And()}, {db.Raw(" ")}, {db.And(db.Equal(), db.Raw(""))}, {db.Equal(), db.And()},
		{db.Or(db.Equal(), db.Equal(f("n", 7)))}, {db.Not(db.Or())}, {db.Not(db.Equal(f("n", none), f("n", 1)))},
		{db.Compare("n", " NOT in", none)}, {db.Compare("n", "<>", none)}, {db.Compare("n", "!=", none)}, {db.Not(db.Compare("n", "in", none))},
		{db.Or(db.Equal(f("n", 1)), db.Not(db.Not(db.And())))},
	} {
		_, err := db.Delete(ctx, d, "t", where...)
		assert.Equal(t, db.CodeRefused, db.CodeOf(err), "%+v", where)
		_, err = db.Update(ctx, d, "t", []db.Field{f("n", 1)}, where...)
		assert.Equal(t, db.CodeRefused, db.CodeOf(err), "%+v", where)
	}
	assert.EqualValues(t, 2, value(t, d, "select count(*) from t"))
	for _, where := range []db.Cond{db.Equal(f("n", none)), db.Or(), db.Not(db.Equal()), db.Compare("n", "in", none), db.Or(db.Equal(f("n", 7)), db.Or())} {
		r, err := db.Delete(ctx, d, "t", where)
		require.NoError(t, err)
		assert.Zero(t, r.Affected)
	}
	r, err := db.Delete(ctx, d, "t", db.Or(db.Everything(), db.Equal(f("n", 7))))
	require.NoError(t, err)
	assert.EqualValues(t, 2, r.Affected, "who says everything means it")
}

func TestAConditionOfCommentsSaysNothing(t *testing.T) {
	everywhere(t, func(t *testing.T, d *db.DB) {
		run(t, d, "create table said (n int)", "insert into said values (1)")
		for _, text := range []string{"", " \n", "-- x", "-- x\n", "/* all */", "/* a */ -- b\n /* c */"} {
			where := db.Raw(text)
			_, err := db.Update(ctx, d, "said", []db.Field{f("n", 2)}, where)
			assert.Equal(t, db.CodeRefused, db.CodeOf(err), "%q", text)
			_, err = db.Delete(ctx, d, "said", where)
			assert.Equal(t, db.CodeRefused, db.CodeOf(err), "%q", text)
			assert.ErrorContains(t, err, `it would hit every row; if that is meant, the condition is "all"`, "%q", text)
			_, err = db.Select{From: "said", Where: []db.Cond{db.Equal(f("n", 1)), where}}.All(ctx, d)
			assert.Equal(t, db.CodeRefused, db.CodeOf(err), "%q", text)
			assert.ErrorContains(t, err, "says nothing", "%q", text)
		}
		assert.EqualValues(t, 1, value(t, d, "select n from said"))
		_, err := db.Delete(ctx, d, "said", db.Raw("/* one */ n = ? -- x", 1))
		require.NoError(t, err, "comments beside a condition")
		if d.Engine() == db.MySQL {
			_, err := db.Delete(ctx, d, "said", db.Raw("/*! n = 1 */"))
			require.ErrorContains(t, err, "depends on the version of the server", "what MySQL may read in a comment")
		}
	})
}

func TestACommentEndsWithItsFragment(t *testing.T) {
	everywhere(t, func(t *testing.T, d *db.DB) {
		run(t, d, "create table t (n int)", "insert into t values (1), (2)")
		comments := []string{"-- all", "-- all\n", "/* all */", "/*/*/"}
		if d.Engine() == db.SQLite {
			comments = append(comments, "/* all", "/*", "/*/")
		}
		if d.Engine() == db.Postgres {
			comments[3] = "/*/**/*/"
		}
		for _, c := range comments {
			r, err := db.Select{From: "t", Exprs: []db.Fragment{{SQL: "count(*) as n " + c}}, Where: []db.Cond{db.Raw("n < ? "+c, 2)}}.One(ctx, d)
			require.NoError(t, err, c)
			assert.EqualValues(t, 1, r.Get("n"), c)
		}
	})
}

func TestTablesAndColumns(t *testing.T) {
	everywhere(t, func(t *testing.T, d *db.DB) {
		users(t, d)
		run(t, d, "create view grown as select id from users", "create table pairs (b int, a int, primary key (a, b))")
		tables, err := db.Tables(ctx, d)
		require.NoError(t, err)
		assert.Equal(t, []db.TableInfo{{Name: "grown", View: true}, {Name: "pairs"}, {Name: "users"}}, tables)
		columns, err := db.Columns(ctx, d, "users")
		require.NoError(t, err)
		require.Len(t, columns, 3)
		assert.Equal(t, "id", columns[0].Name)
		assert.Equal(t, 1, columns[0].Key)
		assert.Empty(t, columns[2].Default)
		assert.False(t, columns[1].Nullable)
		assert.True(t, columns[2].Nullable)
		key, err := db.PrimaryKey(ctx, d, "pairs")
		require.NoError(t, err)
		assert.Equal(t, []string{"a", "b"}, key)
		columns, err = db.Columns(ctx, d, "nowhere")
		require.NoError(t, err)
		assert.Empty(t, columns)
	})
}
