package storage

import (
	"context"
	"errors"
	"io"
	"io/fs"
	"os"
	"path"
	"slices"
	"strings"
	"unicode/utf8"
)

// List implements [Store]. It leaves out what cannot be a key, and links.
func (d *Dir) List(prefix string) (Lister, error) {
	if err := CheckPrefix(prefix); err != nil {
		return nil, named(err, "list", prefix, d.shown)
	}
	return &dirLister{d: d, prefix: prefix}, nil
}

// A dirLister walks through a folder. It keeps the names of the folders that it is in.
type dirLister struct {
	d       *Dir
	prefix  string
	started bool
	stack   []names
}

// names are those of a folder that were not gone through yet, in order. Folders end with "/": so they stand
// where the keys in them belong.
type names struct {
	folder string // with "/" at its end, or ""
	left   []string
}

// Next implements [Lister].
func (l *dirLister) Next(ctx context.Context) ([]Info, error) {
	list, err := l.next(ctx)
	if err == io.EOF {
		return nil, err
	}
	return list, named(err, "list", l.prefix, l.d.shown)
}

func (l *dirLister) next(ctx context.Context) (list []Info, err error) {
	root, err := l.d.open()
	if IsNotFound(err) {
		return nil, io.EOF
	}
	if err != nil {
		return nil, err
	}
	defer root.Close()
	if !l.started {
		l.started = true
		folder, begin := path.Split(l.prefix)
		if err := l.enter(root, folder, begin); err != nil {
			return nil, err
		}
	}
	for len(l.stack) > 0 && len(list) < PageSize {
		if err := ended(ctx, nil); err != nil {
			return nil, err
		}
		if list, err = l.step(root, list); err != nil {
			return nil, err
		}
	}
	if len(list) == 0 {
		return nil, io.EOF
	}
	return list, nil
}

// step takes the next name.
func (l *dirLister) step(root *os.Root, list []Info) ([]Info, error) {
	top := &l.stack[len(l.stack)-1]
	if len(top.left) == 0 {
		l.stack = l.stack[:len(l.stack)-1]
		return list, nil
	}
	name := top.folder + top.left[0]
	top.left = top.left[1:]
	if strings.HasSuffix(name, "/") {
		return list, l.enter(root, name, "")
	}
	stat, err := root.Lstat(name)
	switch {
	case errors.Is(err, fs.ErrNotExist): // meanwhile
		return list, nil
	case err != nil:
		return list, fileError(err)
	case !stat.Mode().IsRegular() || CheckKey(name) != nil:
		return list, nil
	}
	return append(list, Info{Key: name, Size: stat.Size(), ETag: etag(stat), Modified: stat.ModTime()}), nil
}

// enter reads the names of a folder that begin with begin.
func (l *dirLister) enter(root *os.Root, folder, begin string) error {
	if folder == reserved+"/" {
		return nil
	}
	f, err := root.Open(path.Clean(folder))
	if err == nil {
		defer f.Close()
		var entries []fs.DirEntry
		if entries, err = f.ReadDir(-1); err == nil {
			l.stack = append(l.stack, names{folder, sorted(entries, begin)})
			return nil
		}
	}
	err = fileError(err)
	if IsNotFound(err) {
		return nil
	}
	return err
}

func sorted(entries []fs.DirEntry, begin string) []string {
	var list []string
	for _, e := range entries {
		name := e.Name()
		if !strings.HasPrefix(name, begin) || !utf8.ValidString(name) {
			continue
		}
		switch {
		case e.IsDir():
			list = append(list, name+"/")
		case e.Type().IsRegular():
			list = append(list, name)
		}
	}
	slices.Sort(list)
	return list
}
