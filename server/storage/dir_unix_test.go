//go:build unix

// Links and pipes, which Windows does not let everybody make.

package storage_test

import (
	"os"
	"path/filepath"
	"strings"
	"syscall"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"rws/server/storage"
)

func TestNothingOutsideOfTheFolderIsReached(t *testing.T) {
	s, place := folder(t)
	put(t, s, "in/a", "inside")
	outside := filepath.Join(filepath.Dir(place), "outside")
	require.NoError(t, os.MkdirAll(outside, 0o755))
	require.NoError(t, os.WriteFile(filepath.Join(outside, "secret"), []byte("secret"), 0o644))
	require.NoError(t, os.Symlink(outside, filepath.Join(place, "out")))
	require.NoError(t, os.Symlink(filepath.Join(outside, "secret"), filepath.Join(place, "link")))
	require.NoError(t, os.Symlink("in", filepath.Join(place, "within")))
	ctx := t.Context()

	for _, key := range []string{"out/secret", "link"} {
		_, err := s.Get(ctx, key, storage.GetOptions{})
		assert.Equal(t, storage.CodeDenied, storage.CodeOf(err), "%v", err)
		_, err = s.Stat(ctx, key)
		assert.Equal(t, storage.CodeDenied, storage.CodeOf(err), "%v", err)
	}
	assert.Error(t, s.Put(ctx, "out/new", strings.NewReader("x"), storage.PutOptions{}))
	assert.Error(t, s.Delete(ctx, "out/secret"))
	assert.Equal(t, "inside", get(t, s, "within/a"), "links that stay inside work")
	assert.Equal(t, []string{"in/a"}, keys(t, s, ""), "lists leave links out, which may go in circles")

	put(t, s, "link", "replaces the link")
	content, err := os.ReadFile(filepath.Join(outside, "secret"))
	require.NoError(t, err)
	assert.Equal(t, "secret", string(content))
	assert.NoFileExists(t, filepath.Join(outside, "new"))
}

func TestPipesAreNoFiles(t *testing.T) {
	s, place := folder(t)
	put(t, s, "a", "x")
	require.NoError(t, syscall.Mkfifo(filepath.Join(place, "pipe"), 0o644))
	assert.Equal(t, "absent", get(t, s, "pipe"), "and it does not wait for somebody to write")
	assert.Equal(t, []string{"a"}, keys(t, s, ""))
}
