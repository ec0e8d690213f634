package db_test

import (
	"testing"

	"github.com/stretchr/testify/assert"

	"rws/server/db"
	"rws/spec_test/peers"
)

// The semicolons in a body end no statement.
func TestATriggerIsOneStatement(t *testing.T) {
	everywhere(t, func(t *testing.T, d *db.DB) {
		if d.Engine() == db.Postgres { // whose triggers call functions, with a body in quotes
			return
		}
		each := ""
		if d.Engine() == db.MySQL {
			each = "for each row "
		}
		run(t, d, "create table n (x int)", "create table log (x int)", "insert into log values (0)",
			"create trigger tr after insert on n "+each+"begin update log set x = case when x > 8 then 0 else x + 1 end; update log set x = x + 10; end;",
			"insert into n values (1)")
		assert.EqualValues(t, 11, value(t, d, "select x from log"))
		_, err := d.Exec(ctx, "create trigger other after insert on n "+each+"begin delete from log; end; drop table n")
		assert.ErrorContains(t, err, "more than one statement")
		assert.ErrorContains(t, err, "migration")
		if d.Engine() == db.SQLite {
			return
		}
		run(t, d, "create or replace procedure twice(in n int) begin declare i int default 0; while i < 2 do insert into n values (n); set i = i + 1; end while; end")
		run(t, d, "call twice(7)")
		assert.EqualValues(t, 2, value(t, d, "select count(*) from n where x = 7"))
	})
}

func TestAFunctionOfPostgresIsOneStatement(t *testing.T) {
	d := open(t, peers.Postgres(t))
	run(t, d, "create function two() returns int begin atomic select 1; select 2; end")
	assert.EqualValues(t, 2, value(t, d, "select two()"))
}

// A name may be begin: what stands behind a body is another statement.
func TestNothingRunsBehindABody(t *testing.T) {
	everywhere(t, func(t *testing.T, d *db.DB) {
		run(t, d, "create table tt (a int)", "create table keepme (a int)")
		first := map[db.Engine]string{
			db.SQLite:   "create trigger begin after insert on tt begin select 1; end; ",
			db.MySQL:    "create procedure begin() begin select 1; end; ",
			db.Postgres: "create function begin(begin int) returns int begin atomic select 1; end; ",
		}[d.Engine()]
		for _, behind := range []string{"drop table keepme; end", "drop table keepme; begin", "begin"} {
			_, err := d.Exec(ctx, first+behind)
			assert.Error(t, err, behind)
		}
		assert.EqualValues(t, 0, value(t, d, "select count(*) from keepme"))
		run(t, d, "insert into tt values (1)")
	})
}

func TestNothingRunsBehindAParameterCalledBeginOfPostgres(t *testing.T) {
	d := open(t, peers.Postgres(t))
	run(t, d, "create table keepme (a int)", "create domain atomic as int")
	_, err := d.Exec(ctx, "create function f(begin atomic) returns int language sql as 'select 1'; drop table keepme; end")
	assert.ErrorContains(t, err, "more than one statement")
	run(t, d, "create function g(begin atomic) returns int begin atomic select case when begin > 1 then 2 end; select 3; end")
	assert.EqualValues(t, 3, value(t, d, "select g(1)"))
	assert.EqualValues(t, 0, value(t, d, "select count(*) from keepme"))
}

func TestAMarkBeforeATextHidesNothing(t *testing.T) {
	d := file(t, "")
	for _, text := range []string{"\ufeffbegin", "\ufeffattach 'x' as x", "select 1;\ufeffbegin"} {
		_, err := d.Exec(ctx, text)
		assert.Error(t, err, "%q", text)
	}
	run(t, d, "create table a (n int)")
}
