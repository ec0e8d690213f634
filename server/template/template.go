// Package template renders Jinja-style pages and Markdown.
//
// Templates know {{ output }}, if, for, set, with, block and extends, include,
// import and macro, call, filter, raw, autoescape, do, break and continue, with
// Jinja's expressions, filters and tests. Differences, all on purpose:
//
//   - true and false print as "true" and "false", whole numbers without ".0",
//     lists and maps as JSON; printing a function is an error.
//   - nil and undefined are the same thing: they print as nothing, are false
//     and loop zero times; reading a field of one is an error.
//   - a bare key in {name: "ann"} is text, as in JavaScript.
//   - a macro from another file sees the data of the page, unless it was
//     imported "without context".
//   - "for k, v in map" works without ".items()"; maps go in order of key.
//   - data is never changed: lists and maps have no append, update or pop.
//   - "a if b else c" stands at the top of an output or a set, not inside
//     another expression.
//
// Output is escaped for HTML in every template but those whose names end in
// .txt, .text, .md, .markdown, .csv, .json, .yaml, .yml or .toml (a further
// .j2 or .jinja is ignored). What an escaping page includes, extends or imports
// is escaped too.
//
// The lexer, the expression parser and most filters are gonja's; execution is
// ours. No name of gonja is part of the API, so it can be replaced.
package template

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path"
	"slices"
	"strings"
	"sync"
	"time"

	"rws/server/suggest"
)

// Options changes how an engine works. The zero value is for production.
type Options struct {
	// Reload looks at the files of a page on each render, and reads those anew
	// that have changed. Without it a template is read once.
	Reload bool

	// MaxOutput bounds the bytes of one rendered page, of one value that is
	// built on the way, and of all values captured by set, macro and filter
	// blocks. The default is 16 MiB.
	MaxOutput int
}

// Safe is text that is HTML already: it is printed without escaping. A string
// in the data becomes Safe only when Go code says so.
type Safe string

// Func is the type of Go functions in the data that templates can call. The
// arguments are nil, bool, string, Safe, int64, float64, []any, map[string]any
// (copies, which the function may keep) or whatever else the data holds. Named
// arguments arrive together, as a map[string]any after the others.
type Func = func(args ...any) (any, error)

// Engine renders the templates of one folder. It is safe for concurrent use.
type Engine struct {
	files fs.FS
	opts  Options

	mu    sync.RWMutex
	units map[string]*unit
}

// maxSource bounds one template file; the parser recurses over it.
const maxSource = 1 << 20

// New returns an engine for the templates in files. Names are slash-separated
// paths from its root ([fs.ValidPath]), also in include and extends.
func New(files fs.FS, o Options) *Engine {
	if o.MaxOutput <= 0 {
		o.MaxOutput = 16 << 20
	}
	return &Engine{files: files, opts: o, units: map[string]*unit{}}
}

// Open is [New] for the folder dir. Symbolic links that leave it are refused.
func Open(dir string, o Options) (*Engine, error) {
	root, err := os.OpenRoot(dir)
	if err != nil {
		return nil, fmt.Errorf("template: open folder: %w; create %q or correct its name", err, dir)
	}
	return New(root.FS(), o), nil
}

// Render executes a template with data and returns the page. The values in
// data are nil, bool, string, Safe, integers, floats, []any, map[string]any and
// [Func]; data is only read, so renders may share it.
//
// Every failure is an [*Error]; then there is no output. The render stops when
// ctx is done (errors.Is with the cause of ctx holds), though not within a
// single filter or Func, and when templates nest more than 100 deep.
func (e *Engine) Render(ctx context.Context, name string, data map[string]any) ([]byte, error) {
	r := &run{engine: e, ctx: ctx, units: map[string]*unit{}}
	return r.render(name, data)
}

// Check reads a template and all that it names in extends, include and import
// with a literal string. It reports the first syntax error, unknown tag, filter
// or test, and missing file, as an [*Error].
func (e *Engine) Check(name string) error {
	return e.check(name, map[string]bool{})
}

func (e *Engine) check(name string, seen map[string]bool) error {
	if seen[name] {
		return nil
	}
	seen[name] = true
	u, err := e.load(name)
	if err != nil {
		return err
	}
	for _, ref := range u.refs {
		err := e.check(ref.name, seen)
		if err == nil || ref.optional && errors.Is(err, fs.ErrNotExist) {
			continue
		}
		if missing, ok := errors.AsType[*Error](err); ok && missing.Line == 0 {
			return u.fail(ref.line, err)
		}
		return err
	}
	return nil
}

// Names lists all files below the root, sorted, at most 1000. Those that begin
// with a dot are left out, as are folders of that kind.
func (e *Engine) Names() ([]string, error) {
	var names []string
	err := fs.WalkDir(e.files, ".", func(name string, d fs.DirEntry, err error) error {
		switch {
		case err != nil:
			return err
		case name != "." && strings.HasPrefix(d.Name(), "."):
			if d.IsDir() {
				return fs.SkipDir
			}
		case d.IsDir():
		case len(names) == 1000:
			return fs.SkipAll
		default:
			names = append(names, name)
		}
		return nil
	})
	return names, err
}

// load returns the compiled template, from memory when it is still current.
func (e *Engine) load(name string) (*unit, error) {
	if !fs.ValidPath(name) || name == "." || strings.ContainsAny(name, "\\\x00") {
		return nil, &Error{File: name, Message: "this is no template name: use a path below the template folder, without \"..\" and without a slash in front", Err: fs.ErrInvalid}
	}
	e.mu.RLock()
	u := e.units[name]
	e.mu.RUnlock()
	if u != nil && !e.opts.Reload {
		return u, nil
	}
	info, err := fs.Stat(e.files, name)
	if err != nil {
		return nil, e.missing(name, err)
	}
	if u != nil && u.modified.Equal(info.ModTime()) && u.size == info.Size() {
		return u, nil
	}
	if u, err = e.read(name, info); err != nil {
		return nil, err
	}
	e.mu.Lock()
	e.units[name] = u
	e.mu.Unlock()
	return u, nil
}

func (e *Engine) read(name string, info fs.FileInfo) (*unit, error) {
	if !info.Mode().IsRegular() {
		return nil, &Error{File: name, Message: "this is not a regular file", Err: fs.ErrNotExist}
	}
	if info.Size() > maxSource {
		return nil, &Error{File: name, Message: fmt.Sprintf("the file has %d bytes, a template may have %d", info.Size(), maxSource)}
	}
	source, err := fs.ReadFile(e.files, name)
	if err != nil {
		return nil, &Error{File: name, Message: err.Error(), Err: err}
	}
	u, err := compile(name, string(source))
	if err != nil {
		return nil, err
	}
	u.modified, u.size = info.ModTime(), info.Size()
	return u, nil
}

// missing explains why there is no such template and what there is.
func (e *Engine) missing(name string, err error) error {
	out := &Error{File: name, Message: "cannot be read: " + err.Error(), Err: err}
	if !errors.Is(err, fs.ErrNotExist) {
		return out
	}
	out.Message = "there is no such template"
	names, err := e.Names()
	switch {
	case err != nil:
		out.Message += "; the template folder cannot be read: " + err.Error()
	case len(names) == 0:
		out.Message += "; the template folder is empty"
	default:
		the := "; the"
		if near := closest(name, names); near != "" {
			the = fmt.Sprintf("; did you mean %q? The", near)
		}
		out.Message += the + " template folder has " + some(names, 12)
	}
	return out
}

// some joins the first names of a list.
func some(names []string, limit int) string {
	if len(names) <= limit {
		return strings.Join(names, ", ")
	}
	return fmt.Sprintf("%s and %d more", strings.Join(names[:limit], ", "), len(names)-limit)
}

// closest returns the candidate that looks like name, or "". A file of the same
// name in another folder counts as near.
func closest(name string, candidates []string) string {
	limit := max(1, len(name)/3)
	best, found := limit+1, ""
	for _, c := range candidates {
		d := suggest.Distance(name, c)
		if path.Base(c) == path.Base(name) {
			d = min(d, limit)
		}
		if d < best {
			best, found = d, c
		}
	}
	return found
}

// unit is one compiled file.
type unit struct {
	name     string
	source   string
	modified time.Time
	size     int64
	escape   bool
	body     []statement
	blocks   map[string][]statement
	extends  *reference
	refs     []literal
}

// literal is another file that a template names with a string.
type literal struct {
	name     string
	line     int
	optional bool
}

// escapes reports whether output of the template is escaped for HTML.
func escapes(name string) bool {
	ext := path.Ext(name)
	if ext == ".j2" || ext == ".jinja" {
		ext = path.Ext(strings.TrimSuffix(name, ext))
	}
	return !slices.Contains([]string{".txt", ".text", ".md", ".markdown", ".csv", ".json", ".yaml", ".yml", ".toml"}, ext)
}

// sortedKeys gives maps a fixed order.
func sortedKeys[V any](m map[string]V) []string {
	keys := make([]string, 0, len(m))
	for k := range m {
		keys = append(keys, k)
	}
	slices.SortFunc(keys, cmp.Compare[string])
	return keys
}
