package db_test

import (
	"bufio"
	"context"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"strconv"
	"strings"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"rws/server/db"
)

const childVariable = "RWS_DB_CHILD"

// childWrites is another process: it inserts 1, 2, 3 … and says each when it is committed.
func childWrites() {
	d, err := db.Open("sqlite:"+os.Getenv(childVariable), db.Options{})
	if err != nil {
		panic(err)
	}
	for n := 1; ; n++ {
		if _, err := d.Exec(context.Background(), "insert into t (n) values (?)", n); err != nil {
			panic(err)
		}
		fmt.Println(n)
	}
}

func TestEveryAcknowledgedWriteSurvivesAKill(t *testing.T) {
	path := filepath.Join(t.TempDir(), "test.db")
	d, err := db.Open("sqlite:"+path, db.Options{})
	require.NoError(t, err)
	run(t, d, "create table t (n integer primary key)")
	require.NoError(t, d.Close())
	acknowledged := 0
	for round := range 3 {
		child := exec.Command(os.Args[0])
		child.Env = append(os.Environ(), childVariable+"="+path)
		out, err := child.StdoutPipe()
		require.NoError(t, err)
		require.NoError(t, child.Start())
		lines := bufio.NewScanner(out)
		for range 1000 + 100*round {
			require.True(t, lines.Scan())
			acknowledged, err = strconv.Atoi(strings.TrimSpace(lines.Text()))
			require.NoError(t, err)
		}
		require.NoError(t, child.Process.Kill())
		for lines.Scan() { // what it said before it died
			if n, err := strconv.Atoi(strings.TrimSpace(lines.Text())); err == nil {
				acknowledged = n
			}
		}
		_ = child.Wait()

		d := open(t, "sqlite:"+path)
		require.NoError(t, d.Check(context.Background()))
		kept := value(t, d, "select count(*) from t where n <= ?", acknowledged)
		assert.EqualValues(t, acknowledged, kept, "a write was acknowledged and is lost")
		most := value(t, d, "select max(n) from t").(int64)
		assert.LessOrEqual(t, most, int64(acknowledged)+1, "more than the one write that was under way")
		run(t, d, "delete from t")
	}
}
