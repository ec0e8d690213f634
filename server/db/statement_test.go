package db

import (
	"strings"
	"testing"
	"unicode/utf8"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
)

func TestParametersAreFoundWhereTheyAre(t *testing.T) {
	for _, c := range []struct {
		engine   Engine
		in, want string
	}{
		{Postgres, "select ?, ? from t", "select $1, $2 from t"},
		{Postgres, "select :a, :b, :a", "select $1, $2, $1"},
		{SQLite, "select :a, :b, :a", "select ?, ?, ?"},
		{Postgres, "select '?', \"?\", ? -- ?\n, ?", "select '?', \"?\", $1 -- ?\n, $2"},
		{Postgres, "select a::text, :b::int, x.y::\"T\"", "select a::text, $1::int, x.y::\"T\""},
		{Postgres, "select arr[1:2], arr[:n], arr[a:b], f(x)[1:n]", "select arr[1:2], arr[$1], arr[a:b], f(x)[1:n]"},
		{Postgres, "select a ?? 'x', a ??| b, ?", "select a ? 'x', a ?| b, $1"},
		{Postgres, "select $$ ? $$, $x$ ? $$ :y $x$, ?", "select $$ ? $$, $x$ ? $$ :y $x$, $1"},
		{Postgres, `select E'\'?', 'a\', ?`, `select E'\'?', 'a\', $1`},
		{Postgres, "select /* /* ? */ ? */ ?", "select /* /* ? */ ? */ $1"},
		{Postgres, "select f(a := 1, b => ?)", "select f(a := 1, b => $1)"},
		{Postgres, "select a$b$c, ?", "select a$b$c, $1"},
		{Postgres, "select 'it''s ?', U&'\\00?', ?;  ", "select 'it''s ?', U&'\\00?', $1"},
		{SQLite, "select [a?b], `c:d`, \"e?\", x'00', ?", "select [a?b], `c:d`, \"e?\", x'00', ?"},
		{SQLite, "select /* /* ? */ :a", "select /* /* ? */ ?"},
		{SQLite, `select 'a\', :a`, `select 'a\', ?`},
		{MySQL, `select 'a\'?', "b\"?", :a`, `select 'a\'?', "b\"?", ?`},
		{MySQL, "select 5--3, :a # :b\n-- :c\n", "select 5--3, ? # :b\n-- :c\n"},
		{MySQL, "select @x := 1, :a", "select @x := 1, ?"},
		{MySQL, "select `a?` from t where b = :größe", "select `a?` from t where b = ?"},
	} {
		st, err := parse(c.engine, c.in)
		require.NoError(t, err, c.in)
		assert.Equal(t, c.want, st.text, c.in)
	}
}

func TestStatementsAreSorted(t *testing.T) {
	for text, reads := range map[string]bool{
		"select 1": true, " -- x\n(select 1)": true, "VALUES (1)": true, "with a as (select 1) select * from a": true,
		"explain delete from t": true, "with a as (select 1) insert into t select * from a": false,
		"with a as (select 1) /* x */ UPDATE t set n = 1": false, "insert into t values (1)": false,
		"pragma user_version": false, "delete from t": false, "vacuum": false,
	} {
		st, err := parse(SQLite, text)
		require.NoError(t, err)
		assert.Equal(t, reads, st.reads, text)
	}
}

func TestScriptsAreSplit(t *testing.T) {
	for _, c := range []struct {
		engine Engine
		in     string
		want   []Piece
	}{
		{SQLite, " a;\n\n-- x;\nb ';' \n;;", []Piece{{"a", 1}, {"b ';'", 4}}},
		{SQLite, "create trigger t after insert on a begin select case when 1 then 2 end; select 3; end; x", []Piece{
			{"create trigger t after insert on a begin select case when 1 then 2 end; select 3; end", 1}, {"x", 1}}},
		{SQLite, "select case when 1 then 2 end; y", []Piece{{"select case when 1 then 2 end", 1}, {"y", 1}}},
		{SQLite, "create table event (start int); z", []Piece{{"create table event (start int)", 1}, {"z", 1}}},
		{Postgres, "create function f() returns int as $$ begin return 1; end; $$ language plpgsql;\nselect 1", []Piece{
			{"create function f() returns int as $$ begin return 1; end; $$ language plpgsql", 1}, {"select 1", 2}}},
		{Postgres, "create function f() returns int begin atomic select 1; select 2; end; q", []Piece{
			{"create function f() returns int begin atomic select 1; select 2; end", 1}, {"q", 1}}},
		{MySQL, "create procedure p() begin if 1 then select 1; end if; while 0 do select 2; end while; case 1 when 1 then select 3; end case; end; w", []Piece{
			{"create procedure p() begin if 1 then select 1; end if; while 0 do select 2; end while; case 1 when 1 then select 3; end case; end", 1}, {"w", 1}}},
	} {
		got, err := Split(c.engine, c.in)
		require.NoError(t, err)
		assert.Equal(t, c.want, got, c.in)
	}
	_, err := Split(SQLite, "a;\n'b")
	assert.ErrorContains(t, err, "line 2")
}

func TestCachesAreBounded(t *testing.T) {
	d, err := Open("sqlite::memory:", Options{})
	require.NoError(t, err)
	defer d.Close()
	for n := range 3 * maxStatements {
		_, err := d.statement("select " + strings.Repeat("1", n%5+1) + " + " + string(rune('a'+n%26)) + strings.Repeat("x", n/26))
		require.NoError(t, err)
		require.LessOrEqual(t, len(d.statements.byID), maxStatements)
	}
}

// In whatever text, what is taken for a parameter is outside of what is taken for a string,
// and the pieces put together are the text.
func FuzzStatement(f *testing.F) {
	for _, s := range []string{
		"select ?, :a::text, 'x''?', $$ ? $$, E'\\'', \"n\", [x], `y`, -- c\n /* ? */ a[1:2] ?? $1",
		"with a as (select 1) insert into t values (?, ?)", "$a$", "'", "/*", "--", "??", ":", "\x00;", "_utf8'x'",
	} {
		for _, e := range []string{"sqlite", "postgres", "mysql"} {
			f.Add(e, s)
		}
	}
	f.Fuzz(func(t *testing.T, e, s string) {
		engine := Engine(e)
		l := lexer{src: s, engine: engine}
		end := 0
		for tok := l.next(); tok.kind != kindEnd; tok = l.next() {
			if tok.start != end || tok.end <= tok.start {
				t.Fatalf("token %+v after %d in %q", tok, end, s)
			}
			end = tok.end
		}
		if end != len(s) {
			t.Fatalf("%q: the tokens end at %d", s, end)
		}
		st, err := parse(engine, s)
		if err != nil {
			return
		}
		values := make([]any, len(st.names))
		for i := range values {
			values[i] = List{1, 2}
		}
		named := Named{}
		for _, n := range st.names {
			named[n] = List{1, nil}
		}
		if st.style == styleNamed {
			values = []any{named}
		}
		if st.style != styleDollar {
			if _, _, err := st.bind(engine, values); err != nil {
				t.Fatalf("%q: %v", s, err)
			}
		}
		if _, err := Split(engine, s); err != nil {
			t.Fatalf("%q can be parsed, not split: %v", s, err)
		}
	})
}

func FuzzArray(f *testing.F) {
	for _, s := range []string{`{1,2}`, `{{"a","b\"c"},{NULL,null}}`, `[0:1]={7,8}`, `{`, `{"`, `{a,}`, `{}x`} {
		f.Add(s)
	}
	text := func(s string) (any, error) { return s, nil }
	f.Fuzz(func(t *testing.T, s string) {
		if utf8.ValidString(s) {
			b, err := appendArray(nil, []any{s, Either{JSON: "[" + JSON(s)}}, elementJSON)
			require.NoError(t, err)
			back, err := readArray(string(b), text)
			require.NoError(t, err)
			assert.Equal(t, []any{s, "[" + s}, back)
		}
		v, err := readArray(s, text)
		if err != nil || !utf8.ValidString(s) {
			return
		}
		b, err := appendArray(nil, v, elementPlain)
		require.NoError(t, err)
		again, err := readArray(string(b), text)
		require.NoError(t, err, "%q from %q", b, s)
		assert.Equal(t, v, again)
	})
}

func FuzzCursor(f *testing.F) {
	keys := []Order{{Column: "a"}, {Column: "b", Desc: true}}
	good, err := writeCursor([]any{int64(1), "x:y"}, keys)
	if err != nil {
		f.Fatal(err)
	}
	f.Add(good)
	f.Add("")
	f.Add("AAAA")
	f.Fuzz(func(t *testing.T, s string) {
		values, err := readCursor(s, keys)
		if err != nil {
			assert.Equal(t, CodeCursor, CodeOf(err))
			return
		}
		require.Len(t, values, 2)
	})
}

func FuzzName(f *testing.F) {
	f.Add("a.b")
	f.Add(`a"b`)
	f.Fuzz(func(t *testing.T, name string) {
		for _, engine := range []Engine{SQLite, Postgres, MySQL} {
			quoted, err := Quote(engine, name)
			if err != nil {
				continue
			}
			l := lexer{src: quoted, engine: engine}
			for tok := l.next(); tok.kind != kindEnd; tok = l.next() {
				if tok.kind != kindName && l.text(tok) != "." {
					t.Fatalf("%q became %q, which is more than a name", name, quoted)
				}
			}
		}
	})
}

func TestAListIsSeveralValuesInAnInAndSomethingElseElsewhere(t *testing.T) {
	either := Either{List: List{int64(1), int64(2)}, JSON: "[1,2]"}
	for _, c := range []struct {
		engine Engine
		source string
		args   []any
		want   string
		values []any
	}{
		{SQLite, "select ? where id in (?)", []any{either, either}, "select ? where id in (?, ?)", []any{"[1,2]", int64(1), int64(2)}},
		{SQLite, "select 1 where id NOT IN( ? )", []any{either}, "select 1 where id NOT IN( ?, ? )", []any{int64(1), int64(2)}},
		{SQLite, "select json_length(?)", []any{either}, "select json_length(?)", []any{"[1,2]"}},
		{SQLite, "select 1 where (a, b) in ((?, 1))", []any{either}, "select 1 where (a, b) in ((?, 1))", []any{"[1,2]"}},
		{Postgres, "select :a where x = :b and id in (:c)", []any{Named{"a": int64(7), "b": either, "c": either}},
			"select $1 where x = $2 and id in ($3, $4)", []any{int64(7), either, int64(1), int64(2)}},
		{Postgres, "select :a, :a where id in (:c)", []any{Named{"a": int64(7), "c": either}},
			"select $1, $1 where id in ($2, $3)", []any{int64(7), int64(1), int64(2)}},
	} {
		st, err := parse(c.engine, c.source)
		require.NoError(t, err)
		text, values, err := st.bind(c.engine, c.args)
		require.NoError(t, err, c.source)
		assert.Equal(t, c.want, text)
		assert.Equal(t, c.values, values)
	}
}

func TestNoNamesAreNoValues(t *testing.T) {
	st, err := parse(SQLite, "select ?")
	require.NoError(t, err)
	_, _, err = st.bind(SQLite, []any{Named{}})
	assert.ErrorContains(t, err, "1 parameter")
}
