package storage_test

import (
	"context"
	"fmt"
	"io"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"sync"
	"syscall"
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"rws/server/storage"
)

func folder(t *testing.T) (*storage.Dir, string) {
	t.Helper()
	place := filepath.Join(t.TempDir(), "files")
	return open(t, "dir:"+place).(*storage.Dir), place
}

func TestAFolderIsMadeWhenItIsNeeded(t *testing.T) {
	s, place := folder(t)
	assert.Equal(t, "absent", get(t, s, "a"))
	assert.Empty(t, keys(t, s, ""))
	require.NoError(t, s.Delete(t.Context(), "a"))
	assert.NoDirExists(t, place)
	put(t, s, "a/b", "x")
	content, err := os.ReadFile(filepath.Join(place, "a", "b"))
	require.NoError(t, err)
	assert.Equal(t, "x", string(content), "files are plain files")
}

func TestFilesThatWereThereAreServed(t *testing.T) {
	s, place := folder(t)
	require.NoError(t, os.MkdirAll(filepath.Join(place, "a"), 0o755))
	require.NoError(t, os.WriteFile(filepath.Join(place, "a", "b.txt"), []byte("x"), 0o644))
	assert.Equal(t, "x", get(t, s, "a/b.txt"))
	assert.Equal(t, []string{"a/b.txt"}, keys(t, s, ""))
}

func TestOneKeyCannotBeTheFolderOfAnother(t *testing.T) {
	s, _ := folder(t)
	put(t, s, "a/b", "x")
	for _, key := range []string{"a", "a/b/c", "a/b/c/d"} {
		err := s.Put(t.Context(), key, strings.NewReader("y"), storage.PutOptions{})
		assert.Equal(t, storage.CodeInvalidKey, storage.CodeOf(err), "%v", err)
		assert.ErrorContains(t, err, `"a`)
	}
	assert.Equal(t, "x", get(t, s, "a/b"))
	nothingIsLeft(t, s)
}

func TestFoldersComeAndGoAtTheSameTime(t *testing.T) {
	s, _ := folder(t)
	var all sync.WaitGroup
	for i := range 4 {
		all.Go(func() {
			for range 50 {
				key := fmt.Sprintf("a/b/%d", i)
				assert.NoError(t, s.Put(t.Context(), key, strings.NewReader("x"), storage.PutOptions{}))
				assert.NoError(t, s.Delete(t.Context(), key))
			}
		})
	}
	all.Wait()
	assert.Empty(t, keys(t, s, ""))
}

// putForever stands for a process that is killed in the middle of a Put.
func putForever(place string) {
	l, _ := storage.Parse("dir:" + place)
	s, _ := storage.Open(l, storage.Options{})
	_ = s.Put(context.Background(), "a", &slow{}, storage.PutOptions{ContentType: "text/x-new"})
}

// slow gives some bytes, says so, and then no more.
type slow struct{ given bool }

func (s *slow) Read(p []byte) (int, error) {
	if s.given {
		_, _ = os.Stdout.WriteString("half\n")
		select {}
	}
	s.given = true
	return len(p), nil
}

func TestHalfAPutOfAKilledProcessIsNotSeenAndGoes(t *testing.T) {
	s, place := folder(t)
	put(t, s, "a", "before")
	child := exec.Command(os.Args[0])
	child.Env = append(os.Environ(), "RWS_STORAGE_FOLDER="+place)
	out, err := child.StdoutPipe()
	require.NoError(t, err)
	require.NoError(t, child.Start())
	line := make([]byte, 5)
	_, err = io.ReadFull(out, line)
	require.NoError(t, err)
	require.NoError(t, child.Process.Signal(syscall.SIGKILL))
	_ = child.Wait()

	assert.Equal(t, "before", get(t, s, "a"))
	assert.Equal(t, []string{"a"}, keys(t, s, ""))
	left, err := filepath.Glob(filepath.Join(place, storage.TempFolder, "*"))
	require.NoError(t, err)
	require.Len(t, left, 1)

	again := open(t, "dir:"+place)
	put(t, again, "b", "x")
	assert.FileExists(t, left[0], "it may be another process that is at it")
	old := time.Now().Add(-2 * time.Hour)
	require.NoError(t, os.Chtimes(left[0], old, old))
	put(t, open(t, "dir:"+place), "b", "x")
	assert.NoFileExists(t, left[0])
}

func TestAFileInThePlaceOfTheFolderIsSaid(t *testing.T) {
	file := filepath.Join(t.TempDir(), "file")
	require.NoError(t, os.WriteFile(file, nil, 0o600))
	for name, err := range all(t.Context(), open(t, "dir:"+file)) {
		assert.Equal(t, storage.CodeUnavailable, storage.CodeOf(err), "%s: %v", name, err)
		assert.ErrorContains(t, err, "a file where the folder is to be", name)
	}
}
