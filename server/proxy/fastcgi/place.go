package fastcgi

import (
	"errors"
	"io/fs"
	"log/slog"
	"os"
	"path/filepath"
	"strings"
)

// runs reports whether a script may be run. Where the root is on this machine, one below a file may
// not, for PHP would look for a script there and run the file (cgi.fix_pathinfo); nor one that links
// lead out of the root to, nor one that can't be looked at. A script that is not there is the
// application's to answer, as are all where the root is elsewhere. No name below the root begins with
// a dot, but for ".well-known" (RFC 8615), as in package static.
func (t *Transport) runs(name string) bool {
	if hidden(name) {
		return false
	}
	root, err := filepath.EvalSymlinks(filepath.FromSlash(t.o.Root + "/"))
	if err != nil {
		return true
	}
	place, err := filepath.EvalSymlinks(filepath.Join(root, filepath.FromSlash(name)))
	if errors.Is(err, fs.ErrNotExist) {
		return true
	}
	if err != nil {
		return false
	}
	if below, err := filepath.Rel(root, place); err != nil || !filepath.IsLocal(below) {
		t.o.Logger.Warn("fastcgi: a link leads out of the root, and its script is not run", slog.String("script", name), slog.String("root", t.o.Root))
		return false
	}
	return true
}

// has reports whether a script is a file below the root on this machine.
func (t *Transport) has(name string) bool {
	info, err := os.Stat(filepath.FromSlash(t.o.Root + name))
	return err == nil && info.Mode().IsRegular()
}

// hidden reports whether a part of a path begins with a dot.
func hidden(name string) bool {
	for part := range parts(name) {
		if strings.HasPrefix(part, ".") && part != ".well-known" {
			return true
		}
	}
	return false
}
