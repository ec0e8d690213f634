package db_test

import (
	"errors"
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"rws/server/db"
)

func TestIntegersStayExact(t *testing.T) {
	everywhere(t, func(t *testing.T, d *db.DB) {
		run(t, d, "create table n (n bigint)")
		for _, n := range []int64{0, -1, 1<<53 + 1, 1<<63 - 1, -1 << 63} {
			run(t, d, "delete from n")
			_, err := d.Exec(ctx, "insert into n values (?)", n)
			require.NoError(t, err)
			assert.Equal(t, n, value(t, d, "select n from n"))
		}
	})
}

func TestValuesComeBackAsTheyWent(t *testing.T) {
	blob := map[db.Engine]string{db.SQLite: "blob", db.Postgres: "bytea", db.MySQL: "blob"}
	stamp := map[db.Engine]string{db.SQLite: "timestamp", db.Postgres: "timestamptz", db.MySQL: "datetime(6)"}
	everywhere(t, func(t *testing.T, d *db.DB) {
		run(t, d, "create table v (t text, f double precision, b "+blob[d.Engine()]+", at "+stamp[d.Engine()]+", day date, yes boolean, d decimal(30,10))")
		at := time.Date(2026, 2, 28, 23, 59, 59, 123456000, time.FixedZone("", 3600))
		in := []any{"tëxt'\"\\", 1.5, []byte{0, 255, 'x'}, at, "2026-02-28", true, "12345678901234567890.0123456789"}
		_, err := d.Exec(ctx, "insert into v values (?,?,?,?,?,?,?)", in...)
		require.NoError(t, err)
		_, err = d.Exec(ctx, "insert into v values (?,?,?,?,?,?,?)", nil, nil, nil, nil, nil, nil, nil)
		require.NoError(t, err)

		rows := all(t, d, "select * from v order by t is null")
		want := []any{"tëxt'\"\\", 1.5, db.Blob{0, 255, 'x'}, at.UTC(), "2026-02-28", true, "12345678901234567890.0123456789"}
		switch d.Engine() {
		case db.MySQL:
			want[5] = int64(1) // its boolean is a tinyint
		case db.SQLite:
			want[6] = 12345678901234567890.0123456789 // it has no decimals
		}
		assert.Equal(t, want, rows[0])
		assert.Equal(t, []any{nil, nil, nil, nil, nil, nil, nil}, rows[1])
		assert.Equal(t, want[3], value(t, d, "select at from v where at = ?", at), "a time is found by itself")
	})
}

func TestJSONIsRaw(t *testing.T) {
	everywhere(t, func(t *testing.T, d *db.DB) {
		run(t, d, "create table j (j json)")
		_, err := d.Exec(ctx, "insert into j values (?)", db.JSON(`{"a": [1, "x"]}`))
		require.NoError(t, err)
		v := value(t, d, "select j from j")
		if d.Engine() == db.MySQL { // MariaDB's json is a text
			assert.Equal(t, `{"a": [1, "x"]}`, v)
			return
		}
		assert.Equal(t, db.JSON(`{"a": [1, "x"]}`), v)
	})
}

func TestAListIsJSONInAColumnOfJSON(t *testing.T) {
	everywhere(t, func(t *testing.T, d *db.DB) {
		run(t, d, "create table j (id int primary key, j json)")
		read := func() any {
			v := value(t, d, "select j from j where id = :id", db.Named{"id": 1})
			if text, ok := v.(string); ok { // MariaDB
				return db.JSON(text)
			}
			return v
		}
		for n, text := range []db.JSON{"[1,2]", "[]", "{}", `[[1],{"a":null}]`} {
			for _, made := range []bool{false, true} {
				list := db.Either{List: make(db.List, n), JSON: text, Array: made}
				_, err := db.Upsert(ctx, d, "j", []db.Field{{"id", 1}, {"j", list}}, []string{"id"}, nil)
				require.NoError(t, err)
				assert.Equal(t, text, read())
				run(t, d, "delete from j")
				_, err = db.Insert(ctx, d, "j", []db.Field{{"id", 1}, {"j", list}})
				require.NoError(t, err)
				assert.Equal(t, text, read())
				run(t, d, "update j set j = null")
				require.NoError(t, db.InTx(ctx, d, db.TxOptions{}, func(tx *db.Tx) error {
					_, err := db.Update(ctx, tx, "j", []db.Field{{"j", list}}, db.Raw("id = ?", 1))
					return err
				}))
				assert.Equal(t, text, read())
			}
		}
		_, err := d.Exec(ctx, "insert into j values (2, :list)", db.Named{"list": db.Either{JSON: "[3]"}})
		require.NoError(t, err)
		none := db.Either{List: db.List{7}, Err: errors.New("no JSON")}
		assert.EqualValues(t, 0, value(t, d, "select count(*) from j where id in (?)", none), "as values it is fine")
		_, err = d.Exec(ctx, "update j set j = ?", none)
		assert.ErrorContains(t, err, "parameter 1: no JSON")
		lists := db.List{db.Either{JSON: "[1]"}, db.Either{JSON: "[3]"}}
		assert.EqualValues(t, 1, value(t, d, "select count(*) from j where cast(j as "+map[db.Engine]string{
			db.SQLite: "text", db.Postgres: "text", db.MySQL: "char"}[d.Engine()]+") in (?)", lists), "a list of lists")
	})
}

func TestBytesThatAreNoTextStayBytes(t *testing.T) {
	blob := map[db.Engine]string{db.SQLite: "blob", db.Postgres: "bytea", db.MySQL: "blob"}
	everywhere(t, func(t *testing.T, d *db.DB) {
		run(t, d, "create table b (b "+blob[d.Engine()]+")")
		_, err := d.Exec(ctx, "insert into b values (?)", "\xff\xfe\x00")
		require.NoError(t, err)
		assert.Equal(t, db.Blob("\xff\xfe\x00"), value(t, d, "select b from b"))
	})
}

// texts are such as a server may take for something else than their bytes.
func texts() []string {
	bytes := make([]byte, 256)
	for i := range bytes {
		bytes[i] = byte(i)
	}
	return []string{`C:\101\102`, `\x4142`, `\x4`, `{"a":"x\\y"}`, "line\\n", `\`, "\x00", "a\x00b", "tëxt", "{", string(bytes), "plain", ""}
}

func TestATextForBytesIsItsBytes(t *testing.T) {
	everywhere(t, func(t *testing.T, d *db.DB) {
		run(t, d, "create table b (id int primary key, b "+map[db.Engine]string{db.SQLite: "blob", db.Postgres: "bytea", db.MySQL: "blob"}[d.Engine()]+")")
		for i, text := range texts() {
			_, err := d.Exec(ctx, "insert into b values (?, ?)", i, text)
			require.NoError(t, err, "%q", text)
			got := value(t, d, "select b from b where id = ?", i)
			if s, ok := got.(string); ok && d.Engine() == db.SQLite { // which keeps a text as one
				got = db.Blob(s)
			}
			assert.Equal(t, db.Blob(text), got, "%q", text)
			assert.EqualValues(t, 1, value(t, d, "select count(*) from b where b = ? and b in (?)", text, db.List{text, "none"}), "%q", text)
		}
	})
}
