package db

import (
	"context"
	"database/sql/driver"
	"strings"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
	"modernc.org/libc"
	lib "modernc.org/sqlite/lib"
)

// behindTheFirst returns what SQLite would run behind the first statement of a text; "" for nothing, or
// when the first fails, which keeps the rest from running.
func behindTheFirst(t testing.TB, c driver.Conn, text string) string {
	t.Helper()
	tls := libc.NewTLS()
	defer tls.Close()
	memory, err := libc.CString(text)
	require.NoError(t, err)
	defer libc.Xfree(tls, memory)
	out := tls.Alloc(16)
	defer tls.Free(16)
	next := memory
	for first := true; ; first = false {
		rc := lib.Xsqlite3_prepare_v2(tls, uintptr(fieldOf(c, "db").Uint()), next, -1, out, out+8)
		tail := libc.AtomicLoadPUintptr(out + 8)
		stmt := libc.AtomicLoadPUintptr(out)
		rest := text[min(int(next-memory), len(text)):]
		switch {
		case rc != lib.SQLITE_OK:
			return ""
		case !first && stmt != 0:
			lib.Xsqlite3_finalize(tls, stmt)
			return rest
		case stmt == 0 && tail >= memory+uintptr(len(text)):
			return ""
		}
		lib.Xsqlite3_finalize(tls, stmt)
		next = tail
	}
}

// Names may be begin and end; SQLite knows better than a count of words where a trigger ends.
func TestSQLiteSeesOneStatementWhereOneIsSeen(t *testing.T) {
	c := plainSQLite(t)
	require.Equal(t, " select 2", behindTheFirst(t, c, "select 1; select 2"))
	require.Empty(t, behindTheFirst(t, c, "create trigger t after insert on tt begin select 1; end;  "))
	for _, text := range notOne {
		require.NotEmpty(t, behindTheFirst(t, c, text), text)
		_, err := parse(SQLite, text)
		assert.ErrorContains(t, err, "more than one statement", text)
	}
	for _, text := range []string{
		"create trigger begin after insert on tt begin select 1; end",
		"create temp trigger [begin] after insert on begin when new.a > 1 begin select case when 1 then 2 end; insert into begin values (1); end ; ",
		"create trigger if not exists \"end\" after insert on tt begin select 1 end; /* x */ end -- y",
	} {
		st, err := parse(SQLite, text)
		require.NoError(t, err, text)
		assert.Empty(t, behindTheFirst(t, c, st.text), text)
	}
}

var notOne = []string{
	"create trigger begin after insert on tt begin select 1; end; drop table keepme; end",
	"create trigger begin after insert on tt begin select 1; end; drop table keepme; begin",
	"create trigger t after insert on tt begin insert into begin values (1); end; delete from tt; end",
	"create trigger t after insert on tt begin select 1 end; end; delete from tt; end",
	"create table trigger (begin int); delete from tt; end",
	"create temp table trigger (begin int); delete from tt; end",
	"select $x('), 1; drop table keepme; --')",
	"select @x('), 1; drop table keepme; --')",
	"select :::x('), 1; drop table keepme; --')",
	"select $a::b('), 1; drop table keepme; --')",
}

func FuzzOneStatementOfSQLite(f *testing.F) {
	for _, text := range notOne {
		f.Add(text)
	}
	f.Add("create trigger if not exists t after insert on tt begin select 1; end; select $a::b(x;), #1, @a")
	c := plainSQLite(f)
	f.Fuzz(func(t *testing.T, text string) {
		st, err := parse(SQLite, text)
		if err != nil || strings.Contains(strings.ToLower(text), "pragma") {
			return
		}
		assert.Empty(t, behindTheFirst(t, c, st.text), text)
	})
}

func plainSQLite(t testing.TB) driver.Conn {
	t.Helper()
	c, err := sqliteConnector{":memory:"}.Connect(context.Background())
	require.NoError(t, err)
	t.Cleanup(func() { assert.NoError(t, c.Close()) })
	for _, s := range []string{"create table tt (a)", "create table begin (a)", "create table keepme (a)"} {
		_, err := c.(driverConn).ExecContext(context.Background(), s, nil)
		require.NoError(t, err)
	}
	return c
}
