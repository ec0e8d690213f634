//go:build !windows

package listen_test

import (
	"errors"
	"io/fs"
	"net"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"rws/server/listen"
)

func TestUnixSocketFile(t *testing.T) {
	path := filepath.Join(t.TempDir(), "app.sock")
	for _, mode := range []fs.FileMode{0, 0o600} {
		l := open(t, "unix:"+path, listen.Options{SocketMode: mode})
		info, err := os.Stat(path)
		if err != nil {
			t.Fatal(err)
		}
		want := mode
		if mode == 0 {
			want = 0o660
		}
		if got := info.Mode().Perm(); got != want {
			t.Errorf("mode %o, want %o", got, want)
		}
		l.Close()
		if _, err := os.Stat(path); !errors.Is(err, fs.ErrNotExist) {
			t.Errorf("the file is still there after Close: %v", err)
		}
	}
}

func TestStaleSocketIsReplaced(t *testing.T) {
	path := filepath.Join(t.TempDir(), "app.sock")
	dead, err := net.Listen("unix", path)
	if err != nil {
		t.Fatal(err)
	}
	dead.(*net.UnixListener).SetUnlinkOnClose(false)
	dead.Close()
	l := open(t, "unix:"+path, listen.Options{})
	dial(t, l)
	accept(t, l)
}

func TestSocketInUseIsKept(t *testing.T) {
	path := filepath.Join(t.TempDir(), "app.sock")
	l := open(t, "unix:"+path, listen.Options{})
	_, err := listen.Open(t.Context(), "unix:"+path, listen.Options{})
	wantError(t, err, "listening on unix:"+path, "another program answers")
	dial(t, l)
}

func TestFileThatIsNoSocketIsKept(t *testing.T) {
	path := filepath.Join(t.TempDir(), "notes.db")
	if err := os.WriteFile(path, []byte("data"), 0o600); err != nil {
		t.Fatal(err)
	}
	_, err := listen.Open(t.Context(), "unix:"+path, listen.Options{})
	wantError(t, err, "exists and is no socket")
	if data, _ := os.ReadFile(path); string(data) != "data" {
		t.Error("the file was touched")
	}
}

func TestUnixErrorsTeach(t *testing.T) {
	_, err := listen.Open(t.Context(), "unix:"+filepath.Join(t.TempDir(), "none", "a.sock"), listen.Options{})
	wantError(t, err, "the folder of", "create it first")
	_, err = listen.Open(t.Context(), "unix:"+filepath.Join(t.TempDir(), strings.Repeat("x", 120)), listen.Options{})
	wantError(t, err, "choose a shorter one")
}
