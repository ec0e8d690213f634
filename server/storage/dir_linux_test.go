package storage_test

import (
	"os"
	"path/filepath"
	"runtime"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
	"golang.org/x/sys/unix"

	"rws/server/storage"
)

func TestWhatAFolderSaysAboutNoPermission(t *testing.T) {
	s, place := folder(t)
	put(t, s, "a", "x")
	for _, above := range []string{place, filepath.Dir(place), filepath.Dir(filepath.Dir(place))} {
		require.NoError(t, os.Chmod(above, 0o755)) // so that it is the file that nobody may read
	}
	require.NoError(t, os.Chmod(filepath.Join(place, "a"), 0))
	failed := make(chan error)
	go func() {
		if os.Getuid() == 0 {
			notAsRoot()
		}
		_, err := s.Get(t.Context(), "a", storage.GetOptions{})
		failed <- err
	}()
	err := <-failed
	assert.Equal(t, storage.CodeDenied, storage.CodeOf(err), "%v", err)
}

// notAsRoot takes from a goroutine what root alone may do with files. Its thread ends with it.
func notAsRoot() {
	const nobody = 65534
	runtime.LockOSThread()
	_, _, _ = unix.RawSyscall(unix.SYS_SETFSUID, nobody, 0, 0) // returns the user before, never an error
}
