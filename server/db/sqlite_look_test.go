package db_test

import (
	"os"
	"path/filepath"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"rws/server/db"
)

func TestLookingAtAFileMakesNone(t *testing.T) {
	dir := t.TempDir()
	text, empty := filepath.Join(dir, "text"), filepath.Join(dir, "empty")
	require.NoError(t, os.WriteFile(text, []byte("this is a text and no database"), 0o600))
	require.NoError(t, os.WriteFile(empty, nil, 0o600))
	for path, want := range map[string]string{
		filepath.Join(dir, "new.db"): "", empty: "", text: "is no SQLite database", dir: "is no file",
		filepath.Join(dir, "none", "a.db"): "there is no folder", filepath.Join(text, "a.db"): "not a directory",
	} {
		err := db.LookAtSQLite(path)
		if want == "" {
			assert.NoError(t, err, path)
		} else {
			assert.ErrorContains(t, err, want, path)
		}
	}
	_, err := os.Stat(filepath.Join(dir, "new.db"))
	require.ErrorIs(t, err, os.ErrNotExist)
}
