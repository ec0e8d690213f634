package db_test

import (
	"encoding/base64"
	"math"
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"rws/server/db"
	"rws/spec_test/peers"
)

func TestPostgresCutsNoNumber(t *testing.T) {
	d := open(t, peers.Postgres(t))
	run(t, d, "create table acc (id bigint primary key, cents bigint, small smallint, f float8, num numeric, s text, b bool, j jsonb)",
		"insert into acc values (1, 100)")
	for sql, arg := range map[string]any{
		"select * from acc where id = ?":            1.9,
		"delete from acc where id = ? and 1 = 1":    1.9,
		"update acc set cents = ?":                  10.99,
		"update acc set cents = ? where true":       math.NaN(),
		"update acc set cents = ? where 1 = 1":      math.Inf(1),
		"update acc set cents = ? where 2 = 2":      float64(1 << 63),
		"update acc set cents = ? where 3 = 3":      1e19,
		"update acc set cents = ? where 4 = 4":      1e300,
		"update acc set small = ?":                  70000,
		"update acc set cents = ? where 5 = 5":      "x",
		"update acc set cents = ? where 6 = 6":      time.Now(),
		"update acc set cents = ? where 7 = 7":      true,
		"select * from acc where id in (1, ?, 2.0)": nil,
	} {
		_, err := db.All(ctx, d, sql, arg)
		if arg == nil {
			assert.NoError(t, err)
			continue
		}
		assert.Equal(t, db.CodeValue, db.CodeOf(err), "%s %v: %v", sql, arg, err)
	}
	assert.Equal(t, [][]any{{int64(1), int64(100), nil, nil, nil, nil, nil, nil}}, all(t, d, "select * from acc"), "nothing changed")

	_, err := d.Exec(ctx, "update acc set id = ?, cents = ?, small = ?, f = ?, num = ?, s = ?, b = ?, j = ?", 1e15, math.MinInt64, 7.0, 0.1, 1e25, 5, true, 1.5)
	require.NoError(t, err)
	assert.Equal(t, [][]any{{int64(1e15), int64(math.MinInt64), int64(7), 0.1, "10000000000000000000000000", "5", true, db.JSON("1.5")}}, all(t, d, "select * from acc"))
	for _, f := range []float64{math.MaxFloat64, math.SmallestNonzeroFloat64, math.Inf(-1), 1 << 53, 0.1 + 0.2} {
		assert.Equal(t, f, value(t, d, "select ?::float8", f))
	}
	assert.Equal(t, "true", value(t, d, "select ?::text", true))
	_, err = d.Exec(ctx, "select concat('a', ?)", 1)
	assert.Equal(t, db.CodeParameters, db.CodeOf(err))
	assert.ErrorContains(t, err, "say its type, as in ?::text")
}

func TestATimeInATextOfPostgresIsRFC3339(t *testing.T) {
	at := time.Date(2026, 11, 26, 1, 26, 54, 900_000_000, time.UTC)
	for _, mode := range []string{"cache_statement", "exec", "simple_protocol"} {
		d := open(t, peers.Postgres(t)+"&default_query_exec_mode="+mode)
		run(t, d, "create table m (s text, z timestamptz, n timestamp, d date, j jsonb)")
		_, err := d.Exec(ctx, "insert into m values (?, ?, ?, ?, to_jsonb(?::text))", at, at, at, at, at)
		require.NoError(t, err, mode)
		row := all(t, d, "select s, z, n::text, d::text, j from m")[0]
		assert.Equal(t, "2026-11-26T01:26:54.9Z", row[0], mode)
		assert.True(t, at.Equal(row[1].(time.Time)), mode)
		assert.Equal(t, []any{"2026-11-26 01:26:54.9", "2026-11-26", db.JSON(`"2026-11-26T01:26:54.9Z"`)}, row[2:], mode)
	}
	d := open(t, peers.Postgres(t))
	assert.Equal(t, "2026-11-26T01:26:54.9Z", value(t, d, "select ?", at))
	assert.Equal(t, "01:26:54.9", value(t, d, "select (?::time)::text", at))
}

func TestATimeOfADayWithAZoneOfPostgres(t *testing.T) {
	d := open(t, peers.Postgres(t))
	at := time.Date(2030, 1, 2, 3, 4, 5, 123_456_000, time.UTC)
	run(t, d, "create table tm3 (ttz timetz, tm time)")
	_, err := d.Exec(ctx, "insert into tm3 values (?, ?)", at, at)
	require.NoError(t, err)
	_, err = d.Exec(ctx, "insert into tm3 (ttz) values (?)", "04:00:00+01")
	require.NoError(t, err, "text goes as it is")
	assert.Equal(t, [][]any{{"03:04:05.123456+00", "03:04:05.123456"}, {"04:00:00+01", nil}}, all(t, d, "select ttz, tm from tm3 order by tm"))
	assert.EqualValues(t, 1, value(t, d, "select count(*) from tm3 where ttz = ?", at))
}

// either is a list of Lua: rws.array made it, or it came from elsewhere.
func either(text string, values ...any) db.Either {
	return db.Either{List: values, JSON: db.JSON(text), Array: len(values)%2 == 0}
}

func TestTheTypeOfAParameterSaysWhatAListIs(t *testing.T) {
	d := open(t, peers.Postgres(t))
	at := time.Date(2026, 11, 26, 1, 26, 54, 900_000_700, time.FixedZone("", 3600))
	zoned := "2026-11-26T00:26:54.9000007Z"
	run(t, d, "create domain tags as text[]", "create domain doc as jsonb", "create domain ids as int[] check (cardinality(value) > 0)",
		"create domain whole as doc", "create domain price as numeric(10,2)", "create domain moment as timestamptz", "create type mood as enum ('a', 'b')")
	ab, none := either(`["a","b"]`, "a", "b"), either("[]")
	nested := either(`[[1,2],[3,null]]`, either(`[1,2]`, 1, 2), either(`[3,null]`, 3, nil))
	tables := either(`[{"k":["x"]}]`, db.JSON(`{"k":["x"]}`))
	times := either(`["`+zoned+`"]`, at)
	for _, c := range []struct {
		sql  string
		list db.Either
		want any
	}{
		{"?::jsonb", ab, db.JSON(`["a", "b"]`)},
		{"?::json", ab, db.JSON(`["a","b"]`)},
		{"?::text[]", ab, []any{"a", "b"}},
		{"?::varchar(3)[]", ab, []any{"a", "b"}},
		{"?::text", ab, `["a","b"]`},
		{"'b' = any(?)", ab, true},
		{"'b' <> all(?)", none, true},
		{"1 = any(?)", either("[2,1]", 2, 1), true},
		{"?::jsonb", none, db.JSON("[]")},
		{"?::json", none, db.JSON("[]")},
		{"?::int[]", none, []any{}},
		{"?::int[]", either("{}"), []any{}},
		{"?::jsonb", either("{}"), db.JSON("{}")},
		{"?::jsonb", nested, db.JSON("[[1, 2], [3, null]]")},
		{"?::int[]", nested, []any{[]any{int64(1), int64(2)}, []any{int64(3), nil}}},
		{"?::jsonb[]", nested, []any{db.JSON("[1, 2]"), db.JSON("[3, null]")}},
		{"?::jsonb", tables, db.JSON(`[{"k": ["x"]}]`)},
		{"?::json[]", tables, []any{db.JSON(`{"k":["x"]}`)}},
		{"?::text[]", tables, []any{`{"k":["x"]}`}},
		{"'[1, 2]'::jsonb @> ?", either("[1]", 1), true},
		{"?::jsonb <@ '[1, 2]'", either("[3]", 3), false},
		{"'{\"k\": [1]}'::jsonb->'k' = ?", either("[1]", 1), true},
		{"'{\"k\": 1}'::jsonb ??| ?", either(`["k"]`, "k"), true},
		{"array[1, 2] @> ?", either("[1]", 1), true},
		{"?::jsonb || '[3]'", either("[1]", 1), db.JSON("[1, 3]")},
		{"array[1] || ?", either("[1]", 2), []any{int64(1), int64(2)}},
		{"?::tags", ab, []any{"a", "b"}},
		{"?::ids", nested, []any{[]any{int64(1), int64(2)}, []any{int64(3), nil}}},
		{"?::doc", ab, db.JSON(`["a", "b"]`)},
		{"?::whole", none, db.JSON("[]")},
		{"(?::doc[])::text", nested, `{"[1, 2]","[3, null]"}`},
		{"(?::price[])::text", either("", 1.5, "2"), "{1.50,2.00}"},
		{"(?::mood[])::text", ab, "{a,b}"},
		{"'b'::mood = any(?)", ab, true},
		{"?::float8[]", db.Either{List: db.List{math.Inf(1)}, Err: assert.AnError}, []any{math.Inf(1)}},
		{"?::bytea[]", db.Either{List: db.List{"\xff\x00"}, Err: assert.AnError}, []any{db.Blob("\xff\x00")}},
		{"?::text[]", times, []any{zoned}},
		{"?::jsonb", times, db.JSON(`["` + zoned + `"]`)},
		{"?::jsonb[]", times, []any{db.JSON(`"` + zoned + `"`)}},
		{"?::timestamptz[]", times, []any{at.UTC().Truncate(time.Microsecond)}},
		{"?::timestamp[]", times, []any{at.UTC().Truncate(time.Microsecond)}},
		{"(?::moment[])::text[]", times, []any{"2026-11-26 00:26:54.9+00"}},
		{"?::date[]", times, []any{"2026-11-26"}},
		{"?::time[]", times, []any{"00:26:54.9"}},
		{"?::timetz[]", times, []any{"00:26:54.9+00"}},
	} {
		for range 2 { // the type is known the second time
			assert.Equal(t, c.want, value(t, d, "select "+c.sql, c.list), "%s %s", c.sql, c.list.JSON)
		}
	}
}

func TestAListThatIsNoJSONSaysWhy(t *testing.T) {
	d := open(t, peers.Postgres(t))
	run(t, d, "create domain doc as jsonb")
	for _, name := range []string{"jsonb", "json", "text", "xml", "doc", "jsonb[]"} {
		list := db.Either{List: db.List{db.Either{List: db.List{"hush"}, Err: assert.AnError}}, Err: assert.AnError}
		_, err := db.All(ctx, d, "select ?::"+name, list)
		assert.Equal(t, db.CodeValue, db.CodeOf(err), name)
		assert.ErrorContains(t, err, assert.AnError.Error(), name)
		assert.NotContains(t, err.Error(), "hush", name)
	}
}

// The server is not asked then.
func TestWithoutTypesAListOfRwsArrayIsAnArray(t *testing.T) {
	for _, mode := range []string{"exec", "simple_protocol"} {
		d := open(t, peers.Postgres(t)+"&default_query_exec_mode="+mode)
		list := either("[1,2]", 1, 2)
		assert.Equal(t, []any{int64(1), int64(2)}, value(t, d, "select ?::int[]", list), mode)
		list.Array = false
		assert.Equal(t, db.JSON("[1, 2]"), value(t, d, "select ?::jsonb", list), mode)
	}
}

func TestDomainsAreWhatTheyAreMadeOf(t *testing.T) {
	at := time.Date(2030, 1, 2, 3, 4, 5, 123_456_900, time.UTC)
	for _, mode := range []string{"cache_statement", "cache_describe", "describe_exec"} {
		d := open(t, peers.Postgres(t)+"&default_query_exec_mode="+mode)
		run(t, d, "create domain z as timestamptz", "create domain zz as z not null", "create domain n as timestamp", "create domain d as date",
			"create domain t as time", "create domain tz as timetz", "create domain s as text", "create domain p as numeric(10,2)",
			"create table m (zz zz, n n, d d, t t, tz tz, s s, p p, times tz[])")
		require.NoError(t, db.InTx(ctx, d, db.TxOptions{}, func(tx *db.Tx) error {
			_, err := tx.Exec(ctx, "insert into m values (:zz, :n, :d, :t, :tz, :s, :p, :times)",
				db.Named{"zz": at, "n": at, "d": at, "t": at, "tz": at, "s": at, "p": 1.5, "times": either("", at, at)})
			return err
		}))
		const want = "2030-01-02 03:04:05.123456 2030-01-02 03:04:05.123456 03:04:05.123456+00"
		assert.Equal(t, want, value(t, d, "select concat_ws(' ', n, d, t, tz) from m"), mode)
		assert.Equal(t, []any{at.Truncate(time.Microsecond), "2030-01-02T03:04:05.1234569Z", "1.50", "{03:04:05.123456+00,03:04:05.123456+00}"},
			all(t, d, "select zz, s, p, times::text from m")[0], mode)
		assert.EqualValues(t, 1, value(t, d, "select count(*) from m where zz = ? and ? >= d", at, at), mode)
	}
}

func TestATimeIsFoundByItselfInAnArray(t *testing.T) {
	d := open(t, peers.Postgres(t))
	run(t, d, "create table m (s text, z timestamptz, n timestamp, d date, t time, tz timetz)")
	at := time.Date(2026, 11, 26, 23, 59, 59, 999_999_900, time.FixedZone("", -3600))
	_, err := d.Exec(ctx, "insert into m values (?, ?, ?, ?, ?, ?)", at, at, at, at, at, at)
	require.NoError(t, err)
	for _, column := range []string{"s", "z", "n", "d", "t", "tz"} {
		for _, list := range []any{[]any{nil, at}, either("", nil, at)} {
			assert.EqualValues(t, 1, value(t, d, "select count(*) from m where "+column+" = any(?)", list), column)
		}
		assert.EqualValues(t, 1, value(t, d, "select count(*) from m where "+column+" in (?)", db.List{at}), column)
	}
}

func TestATextForByteaIsItsBytesWhereverItStands(t *testing.T) {
	for _, mode := range []string{"cache_statement", "cache_describe", "describe_exec"} {
		d := open(t, peers.Postgres(t)+"&default_query_exec_mode="+mode)
		run(t, d, "create domain raw as bytea", "create domain note as text", "create type mood as enum ('tëxt')", "create table r (r raw)")
		for _, text := range texts() {
			list := either("", text, nil)
			assert.Equal(t, []any{db.Blob(text), nil}, value(t, d, "select ?::bytea[]", list), "%q", text)
			assert.Equal(t, []any{db.Blob(text), nil}, value(t, d, "select (?::raw[])::bytea[]", list), "%q", text)
			assert.Equal(t, true, value(t, d, "select ?::bytea = any(?)", text, list), "%q", text)
			assert.Equal(t, []any{db.Blob(text)}, value(t, d, "select ?::bytea[]", either("", db.JSON(text))), "%q", text)
			for range 2 { // the type is known the second time
				assert.Equal(t, db.Blob(text), value(t, d, "select (?::raw)::bytea", text), "%q", text)
			}
			if text == "tëxt" || text[:min(1, len(text))] == "C" {
				assert.Equal(t, []any{text, text, text}, all(t, d, "select ?::text, (?::note)::text, to_jsonb(?::varchar)->>0", text, text, text)[0])
			}
		}
		assert.Equal(t, "tëxt", value(t, d, "select ?::mood", "tëxt"))
		assert.Equal(t, db.JSON(`{"a": "x\\y"}`), value(t, d, "select ?::jsonb", `{"a":"x\\y"}`))
		assert.Equal(t, "<a>ë</a>", value(t, d, "select ?::xml", "<a>ë</a>"))
		assert.Equal(t, []any{`\`}, value(t, d, "select ?::text[]", `{"\\"}`), "an array may be given as text")
		_, err := db.All(ctx, d, "select ?::int", `1\`)
		assert.Equal(t, db.CodeValue, db.CodeOf(err))
		_, err = db.All(ctx, d, "select ?::text", "a\x00")
		assert.Equal(t, db.CodeValue, db.CodeOf(err))
	}
}

// The server is not asked, and a text is one for it: what db.lua says to write instead.
func TestWithoutTypesBytesAreGivenAsBase64(t *testing.T) {
	for _, mode := range []string{"exec", "simple_protocol"} {
		d := open(t, peers.Postgres(t)+"&default_query_exec_mode="+mode)
		run(t, d, "create table b (b bytea)")
		for _, text := range texts() {
			run(t, d, "delete from b")
			_, err := d.Exec(ctx, "insert into b values (decode(?, 'base64'))", base64.StdEncoding.EncodeToString([]byte(text)))
			require.NoError(t, err, "%s %q", mode, text)
			assert.Equal(t, db.Blob(text), value(t, d, "select b from b"), "%s %q", mode, text)
		}
		assert.Equal(t, "tëxt\\", value(t, d, "select ?::text", "tëxt\\"), mode)
		_, err := d.Exec(ctx, "insert into b values (?)", db.Blob(`\x41\`))
		require.NoError(t, err, mode)
		assert.Equal(t, db.Blob(`\x41\`), value(t, d, "select b from b where b <> ''"), mode)
	}
}

func TestArraysOfOwnTypesAreLists(t *testing.T) {
	url := peers.Postgres(t)
	d := open(t, url+"&max_open=1")
	check := func(q db.Querier) {
		at := time.Date(2030, 1, 2, 3, 4, 5, 0, time.UTC)
		for _, c := range []struct {
			sql  string
			list db.Either
			want any
		}{
			{"?::mood[]", either("", "ok", nil), []any{"ok", nil}},
			{"?::moods", either("", "ok", "{sad}"), []any{"ok", "{sad}"}},
			{"?::mood[]", either("[]"), []any{}},
			{"?::ids", either("", 1, 2), []any{int64(1), int64(2)}},
			{"?::id[]", either("", 1, 2), []any{int64(1), int64(2)}},
			{"?::inner_id[]", either("", 1), []any{int64(1)}},
			{"?::price[]", either("", 1.5), []any{"1.50"}},
			{"?::raw[]", either("", "\\x41"), []any{db.Blob("\\x41")}},
			{"?::doc[]", either("", db.JSON("[1]")), []any{db.JSON("[1]")}},
			{"?::moment[]", either("", at), []any{at}},
			{"?::pair[]", either("", "(1,x)"), []any{"(1,x)"}},
		} {
			assert.Equal(t, c.want, value(t, q, "select "+c.sql, c.list), c.sql)
		}
		assert.Equal(t, "{sad}", value(t, q, "select '{sad}'::mood"), "no list")
		assert.Equal(t, [][]any{{[]any{"ok"}}}, all(t, q, "select array['ok'::mood]"))
	}
	types := []string{"create type mood as enum ('ok', '{sad}')", "create domain moods as mood[]", "create domain ids as int[]", "create domain id as int",
		"create domain inner_id as id", "create domain price as numeric(10,2)", "create domain raw as bytea", "create domain doc as jsonb",
		"create domain moment as timestamptz", "create type pair as (n int, s text)"}
	require.Error(t, db.InTx(ctx, d, db.TxOptions{}, func(tx *db.Tx) error {
		run(t, tx, types...)
		check(tx)
		return assert.AnError
	}))
	run(t, d, types...)
	check(d)
	check(open(t, url))
	for _, mode := range []string{"exec", "simple_protocol"} {
		d := open(t, url+"&default_query_exec_mode="+mode)
		assert.Equal(t, []any{"ok"}, value(t, d, "select '{ok}'::mood[]"), mode)
	}
}

func TestArraysOfBuiltInTypesAreLists(t *testing.T) {
	d := open(t, peers.Postgres(t))
	for sql, want := range map[string]string{
		"10:00:00+01": "timetz", "$1.50": "money", "08:00:2b:01:02:03:04:05": "macaddr8", "16/B374D848": "pg_lsn", "pg_class": "regclass", "'a' & 'b'": "tsquery",
	} {
		assert.Equal(t, []any{sql, nil}, value(t, d, "select array[?::"+want+", null]", sql))
		assert.Equal(t, []any{sql}, value(t, d, "select ?::"+want+"[]", either("", sql)))
	}
}
