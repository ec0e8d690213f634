//go:build !windows

package static_test

import (
	"net"
	"os"
	"path/filepath"
	"syscall"
	"testing"

	"rws/server/static"
)

func TestSpecialFilesAreNotFound(t *testing.T) {
	dir := site(t, map[string]string{"a.txt": "a"})
	if err := syscall.Mkfifo(filepath.Join(dir, "pipe"), 0o644); err != nil {
		t.Fatal(err)
	}
	if err := syscall.Mkfifo(filepath.Join(dir, "a.txt.gz"), 0o644); err != nil {
		t.Fatal(err)
	}
	listener, err := net.Listen("unix", filepath.Join(dir, "socket"))
	if err != nil {
		t.Fatal(err)
	}
	defer listener.Close()
	h := handler(t, dir, static.Options{Precompressed: true})
	want(t, ask(h, "GET /pipe"), 404, "Not Found\n")
	want(t, ask(h, "GET /socket"), 404, "Not Found\n")
	want(t, ask(h, "GET /a.txt", "Accept-Encoding: gzip"), 200, "a")

	devices := handler(t, "/dev", static.Options{})
	want(t, ask(devices, "GET /zero"), 404, "Not Found\n")
}

func TestUnreadableFileIsForbidden(t *testing.T) {
	if os.Getuid() == 0 {
		t.Skip("root reads everything")
	}
	dir := site(t, map[string]string{"a.txt": "a"})
	if err := os.Chmod(filepath.Join(dir, "a.txt"), 0); err != nil {
		t.Fatal(err)
	}
	want(t, ask(handler(t, dir, static.Options{}), "GET /a.txt"), 403, "Forbidden\n")
}
