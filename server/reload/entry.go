package reload

import (
	"io/fs"
	"os"
	"path/filepath"
	"strings"
)

// entry is one member of the set: a file, or a folder with all that is below it.
type entry struct {
	name      string // as given
	path      string // as given, without "/..."
	real      string // absolute and without symbolic links, as notifications name it
	abs       string // absolute; differs from real when a link is on the way
	recursive bool
}

func entries(names []string) []entry {
	set := make([]entry, 0, len(names))
	for _, name := range names {
		set = append(set, newEntry(name))
	}
	return set
}

func newEntry(name string) entry {
	path, recursive := strings.CutSuffix(filepath.ToSlash(name), "/...")
	e := entry{name: name, path: filepath.FromSlash(path), recursive: recursive}
	if recursive && path == "" {
		e.path = string(filepath.Separator)
	}
	e.abs = e.path
	if abs, err := filepath.Abs(e.path); err == nil {
		e.abs = abs
	}
	e.real = e.abs
	if real, err := filepath.EvalSymlinks(e.abs); err == nil {
		e.real = real
	}
	return e
}

// Count returns how many files there are at present in a set as [Watch] takes it. One that several
// members of the set name, or that is reached by a link, counts once.
func Count(names []string) int {
	files := make(map[string]struct{})
	for _, e := range entries(names) {
		if !e.recursive {
			if _, err := os.Stat(e.path); err == nil {
				files[e.real] = struct{}{}
			}
			continue
		}
		e.walk(func(path string, d fs.DirEntry) {
			if !d.IsDir() {
				files[path] = struct{}{}
			}
		})
	}
	return len(files)
}

// has reports whether a notification for the path is about the entry.
func (e entry) has(path string) bool {
	if !e.recursive {
		return path == e.abs || path == e.real
	}
	below, err := filepath.Rel(e.real, path)
	return err == nil && filepath.IsLocal(below) && !isIgnored(below)
}

// folders returns what must be watched to hear of the entry.
func (e entry) folders() []string {
	if !e.recursive {
		folders := []string{filepath.Dir(e.abs)}
		if other := filepath.Dir(e.real); other != folders[0] {
			folders = append(folders, other)
		}
		return folders
	}
	var folders []string
	e.walk(func(path string, d fs.DirEntry) {
		if d.IsDir() {
			folders = append(folders, path)
		}
	})
	return folders
}

// look returns the state of the entry's files, using what was known to spare reading them.
func (e entry) look(known snapshot) snapshot {
	now := snapshot{}
	if !e.recursive {
		now[e.path] = look(e.path, known[e.path])
		return now
	}
	e.walk(func(path string, d fs.DirEntry) {
		below, err := filepath.Rel(e.real, path)
		if err != nil || d.IsDir() {
			return
		}
		path = filepath.Join(e.path, below)
		if s := look(path, known[path]); s.exists {
			now[path] = s
		}
	})
	return now
}

// walk visits the folder and what is below it, except what is ignored. What cannot be read is
// passed over.
func (e entry) walk(visit func(path string, d fs.DirEntry)) {
	_ = filepath.WalkDir(e.real, func(path string, d fs.DirEntry, err error) error {
		switch {
		case err != nil:
			return fs.SkipDir
		case path != e.real && isIgnored(d.Name()) && d.IsDir():
			return fs.SkipDir
		case path != e.real && isIgnored(d.Name()):
			return nil
		}
		visit(path, d)
		return nil
	})
}

// isIgnored reports whether a path inside a watched folder is none of its content: hidden,
// installed by a package manager, or what editors leave behind while saving.
func isIgnored(path string) bool {
	for part := range strings.SplitSeq(filepath.ToSlash(path), "/") {
		switch {
		case part == ".":
		case strings.HasPrefix(part, "."), part == "node_modules":
			return true
		case strings.HasSuffix(part, "~"), strings.HasSuffix(part, ".swp"), strings.HasSuffix(part, ".tmp"):
			return true
		case strings.HasPrefix(part, "#") && strings.HasSuffix(part, "#"):
			return true
		case part == "4913", strings.HasPrefix(part, "___jb_"): // vim's probe, JetBrains' safe write
			return true
		}
	}
	return false
}
