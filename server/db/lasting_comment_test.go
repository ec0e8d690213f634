package db_test

import (
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"rws/server/db"
	"rws/spec_test/peers"
)

// MySQL and MariaDB run what is in such comments, if their version is the one named.
func TestCommentsThatMySQLRunsAreNoStatements(t *testing.T) {
	d := open(t, peers.MariaDB(t))
	for _, statement := range []string{"select 1 /*!50000 + 1 */", "select /*M!100100 1 */", "/*! select 1 */", "select /*!999999 ? */ 1"} {
		_, err := db.All(ctx, d, statement)
		assert.Equal(t, db.CodeRefused, db.CodeOf(err), statement)
		assert.ErrorContains(t, err, "depends on the version of the server", statement)
	}
	assert.EqualValues(t, 1, value(t, d, "select /* ! plain */ /*+ hint */ 1 -- /*! text"))
	assert.Equal(t, "/*! text */", value(t, d, "select '/*! text */'"))
}

// Dumps are full of them.
func TestAScriptRunsTheCommentsOfADump(t *testing.T) {
	d := open(t, peers.MariaDB(t)+"?max_open=1")
	require.NoError(t, db.Script(ctx, d, "/*!40000 create table t (n int) */;\n/*!999999 drop table t */;\ninsert into t values (1) /*!40000 , (2) */;\n/*M!100000 insert into t values (3) */"))
	assert.EqualValues(t, 3, value(t, d, "select count(*) from t"))
	s, err := d.Session(ctx)
	require.NoError(t, err)
	defer s.Close()
	require.NoError(t, db.Script(ctx, s, "/*!40101 set names latin1 */"))
	assert.Equal(t, "latin1", value(t, s, "select @@character_set_client"))
}
