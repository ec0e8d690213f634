package db_test

import (
	"context"
	"errors"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"rws/server/db"
)

var ctx = context.Background()

func TestParametersAreTheSameEverywhere(t *testing.T) {
	everywhere(t, func(t *testing.T, d *db.DB) {
		users(t, d)
		run(t, d, "insert into users (email, age) values ('a@x', 20), ('b@x', 30), ('c?x :age', null)")
		assert.Equal(t, "a@x", value(t, d, "select email from users where age = ? and email = ?", 20, "a@x"))
		assert.Equal(t, "b@x", value(t, d, "select email from users where age = :age and :age > 20 -- :no ?", db.Named{"age": 30}))
		assert.Equal(t, "c?x :age", value(t, d, "select email /* ? :x */ from users where email = 'c?x :age' and 1 = ?", 1))
		assert.EqualValues(t, 2, value(t, d, "select count(*) from users where email in (?)", db.List{"a@x", "b@x", "none"}))
		assert.EqualValues(t, 0, value(t, d, "select count(*) from users where email in (:e) and age > :a", db.Named{"e": db.List{}, "a": 1}))
		assert.EqualValues(t, 1, value(t, d, "select count(*) from users where age is null"))
	})
}

func TestParametersThatDoNotFit(t *testing.T) {
	everywhere(t, func(t *testing.T, d *db.DB) {
		for _, c := range []struct {
			sql  string
			args []any
			want string
		}{
			{"select ?", nil, "the statement has 1 parameter and was given no values"},
			{"select 1", []any{1}, "the statement has no parameters and was given 1 value"},
			{"select :user", []any{db.Named{"usr": 1}}, `parameter :user has no value (did you mean "usr"?)`},
			{"select :user", []any{db.Named{"user": 1, "x": 2}}, `a value is given for "x", but the statement has no :x`},
			{"select :user", []any{1}, "give their values by name"},
			{"select ?, :user", []any{1}, "in one way in a statement"},
			{"select 'x", nil, "does not end"},
			{"select 1; select 2", nil, "more than one statement"},
			{"delete from x \x00 where n = 1", nil, "U+0000"},
			{"select ?", []any{struct{}{}}, "a struct {} cannot be stored"},
		} {
			_, err := d.Query(ctx, c.sql, c.args...)
			require.ErrorContains(t, err, c.want)
			assert.Equal(t, db.CodeParameters, db.CodeOf(err))
		}
		idle(t, d)
	})
}

func TestErrorsHaveTheSameCodes(t *testing.T) {
	everywhere(t, func(t *testing.T, d *db.DB) {
		users(t, d)
		run(t, d, "create table notes (id int primary key, user_id bigint not null, constraint owner foreign key (user_id) references users (id))",
			"insert into users (email, age) values ('secret@x', 20)")
		for _, c := range []struct {
			code db.Code
			sql  string
			args []any
		}{
			{db.CodeUnique, "insert into users (email, age) values (?, 20)", []any{"secret@x"}},
			{db.CodeForeignKey, "insert into notes values (1, 99)", nil},
			{db.CodeCheck, "insert into users (email, age) values ('b@x', 3)", nil},
			{db.CodeNotNull, "insert into users (email) values (?)", []any{nil}},
			{db.CodeSyntax, "selct 1", nil},
			{db.CodeNoTable, "select * from nowhere", nil},
			{db.CodeNoColumn, "select missing from users", nil},
			{db.CodeRefused, "begin", nil},
			{db.CodeRefused, "/* x */ COMMIT", nil},
			{db.CodeSyntax, " -- nothing", nil},
		} {
			_, err := d.Exec(ctx, c.sql, c.args...)
			require.Error(t, err, c.sql)
			e, ok := errors.AsType[*db.Error](err)
			require.True(t, ok)
			assert.Equal(t, c.code, e.Code, "%s: %v", c.sql, err)
			assert.Equal(t, c.sql, e.Statement)
			assert.NotContains(t, err.Error(), "secret@x", "a value is in the message")
		}
		_, err := d.Exec(ctx, "insert into users (email, age) values ('secret@x', 20)")
		e, _ := errors.AsType[*db.Error](err)
		if d.Engine() == db.SQLite {
			assert.Equal(t, "users.email", e.Table+"."+e.Column)
		} else {
			assert.Contains(t, e.Constraint, "email_once")
		}
		idle(t, d)
	})
}

func TestATableMayChangeUnderAPreparedStatement(t *testing.T) {
	everywhere(t, func(t *testing.T, d *db.DB) {
		run(t, d, "create table t (a int)", "insert into t values (1)")
		const q = "select * from t where a = ?"
		assert.Len(t, all(t, d, q, 1)[0], 1)
		run(t, d, "alter table t add column b varchar(10) default 'x'")
		assert.Equal(t, []any{int64(1), "x"}, all(t, d, q, 1)[0])
		run(t, d, "drop table t", "create table t (b varchar(10), a int)", "insert into t values ('y', 1)")
		assert.Equal(t, []any{"y", int64(1)}, all(t, d, q, 1)[0])
	})
}

func TestAffectedRowsAndIDs(t *testing.T) {
	everywhere(t, func(t *testing.T, d *db.DB) {
		users(t, d)
		r, err := d.Exec(ctx, "insert into users (email, age) values ('a@x', 20)")
		require.NoError(t, err)
		assert.EqualValues(t, 1, r.Affected)
		if d.Engine() != db.Postgres {
			assert.EqualValues(t, 1, r.ID)
		}
		r, err = d.Exec(ctx, "update users set age = 20")
		require.NoError(t, err)
		assert.EqualValues(t, 1, r.Affected, "a row that is set to what it was has been found")
		r, err = d.Exec(ctx, "delete from users where age = 99")
		require.NoError(t, err)
		assert.Equal(t, db.Result{}, r)
	})
}

func TestNothingIsInAnEmptyList(t *testing.T) {
	everywhere(t, func(t *testing.T, d *db.DB) {
		run(t, d, "create table t (id int, name varchar(20), at timestamp null, price decimal(10,2))",
			"insert into t (id, name, at, price) values (1, 'a', '2026-01-31 00:00:00', 1.5)", "insert into t (id) values (2)")
		for _, column := range []string{"id", "name", "at", "price", "(id + 1)", "lower(name)"} {
			for condition, want := range map[string]int{
				" in (?)": 0, " not in (?)": 2, "\nNOT\n IN( ? )": 2, " In(?)": 0,
			} {
				assert.EqualValues(t, want, value(t, d, "select count(*) from t where "+column+condition, db.List{}), column+condition)
			}
			assert.EqualValues(t, 1, value(t, d, "select count(*) from t where "+column+" not in (:none) and id in (:some) and "+column+" not in (:none) and not "+column+" in (:none)",
				db.Named{"none": db.List{}, "some": db.List{1, 7}}), column)
			assert.EqualValues(t, 1, value(t, d, "select count(*) from t where id < ? and "+column+" not in (?) and id > ? and 'x' not in (?)", 3, db.Either{}, 1, db.List{"y"}), column)
		}
		r, err := d.Exec(ctx, "delete from t where id not in (?)", db.List{})
		require.NoError(t, err)
		assert.EqualValues(t, 2, r.Affected)
	})
}
