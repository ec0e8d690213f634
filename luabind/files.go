package luabind

import (
	"errors"
	"fmt"
	"io/fs"
	"net/http"
	"os"
	"path/filepath"
	"strings"

	"rws/luabind/fault"
	"rws/server/static"
)

// path returns the place of a file or folder that the script names.
func (p *Program) path(name string) string {
	if filepath.IsAbs(name) {
		return name
	}
	return filepath.Join(p.dir, name)
}

// optionalPath is path for a name that may be empty.
func (p *Program) optionalPath(name string) string {
	if name == "" {
		return ""
	}
	return p.path(name)
}

// allowed reports whether a place is the app's folder, one of fs.allow, or in one of them.
func (p *Program) allowed(place string) bool {
	for _, folder := range append([]string{p.dir}, p.Config.FSAllow...) {
		below, err := filepath.Rel(p.path(folder), place)
		if err == nil && below != ".." && !strings.HasPrefix(below, ".."+string(filepath.Separator)) {
			return true
		}
	}
	return false
}

// rooted returns the folder a script's file lies in, and its name below it: the app's own,
// or one of fs.allow. The caller closes a root that is not the app's, by done.
func (p *Program) rooted(name string) (root *os.Root, below string, done func(), err error) {
	if !filepath.IsAbs(name) {
		return p.root, filepath.ToSlash(filepath.Clean(name)), func() {}, nil
	}
	for _, folder := range append([]string{p.dir}, p.Config.FSAllow...) {
		below, err := filepath.Rel(p.path(folder), name)
		if err != nil || below == ".." || strings.HasPrefix(below, ".."+string(filepath.Separator)) {
			continue
		}
		root, err := os.OpenRoot(p.path(folder))
		if err != nil {
			return nil, "", nil, err
		}
		return root, filepath.ToSlash(below), func() { root.Close() }, nil
	}
	return nil, "", nil, &fs.PathError{Op: "open", Path: name, Err: errElsewhere}
}

var errElsewhere = fmt.Errorf("%w: it is outside of the app's folder; allow its folder with app:config { fs = { allow = { … } } }", fs.ErrPermission)

// plainly is an error of os.Root in the words of os: "stat x" for "statat x".
func plainly(err error) error {
	at, ok := errors.AsType[*fs.PathError](err)
	if !ok || at != err {
		return err
	}
	return &fs.PathError{Op: strings.TrimSuffix(at.Op, "at"), Path: at.Path, Err: at.Err}
}

// checkAllowed refuses folders of fs.allow that are not there.
func (p *Program) checkAllowed() (faults []*fault.Error) {
	for _, folder := range p.Config.FSAllow {
		info, err := os.Stat(p.path(folder))
		if err == nil && !info.IsDir() {
			err = errors.New("it is not a folder")
		}
		if err != nil {
			faults = append(faults, settingError("fs.allow", p.Config, fmt.Errorf("%q: %w", folder, err)))
		}
	}
	return faults
}

func (p *Program) stat(name string) (fs.FileInfo, error) {
	root, below, done, err := p.rooted(name)
	if err != nil {
		return nil, err
	}
	defer done()
	info, err := root.Stat(below)
	err = plainly(err)
	if err == nil && !info.Mode().IsRegular() {
		return nil, &fs.PathError{Op: "open", Path: name, Err: fs.ErrNotExist}
	}
	return info, err
}

// create makes a file of the app, and the folders above it.
func (p *Program) create(name string) (*os.File, error) {
	root, below, done, err := p.rooted(name)
	if err != nil {
		return nil, err
	}
	defer done()
	if dir := filepath.Dir(below); dir != "." {
		if err := root.MkdirAll(dir, 0o755); err != nil {
			return nil, err
		}
	}
	return root.Create(below)
}

func (p *Program) serveFile(w http.ResponseWriter, r *http.Request, name string, o static.Options) error {
	root, below, done, err := p.rooted(name)
	if err != nil {
		return err
	}
	defer done()
	return static.ServeFile(w, r, root, below, o)
}
