// Package static serves the files below one folder over HTTP.
//
// Nothing outside the folder can be reached: every name is opened through an
// [os.Root], so neither "..", nor an encoded form of it, nor a symbolic link
// leads out. Links that stay inside work. Only regular files are served; a
// named pipe or a device is "not found" and never blocks a request.
//
// Answers carry a strong ETag and Last-Modified, so conditional and range
// requests work (RFC 9110 §13 and §14).
package static

import (
	"errors"
	"fmt"
	"io/fs"
	"net/http"
	"os"
	"path"
	"strings"
	"sync/atomic"
	"time"
)

// Options says how files are served. The zero value is ready to use.
type Options struct {
	// Index lists the file names that answer for a folder, the first that
	// exists wins. nil means "index.html"; an empty list switches it off.
	Index []string

	// SPA answers GET and HEAD of a path that has no file extension and no
	// file with the index page of the root and status 200, if the client
	// accepts text/html by name. That page is always sent with
	// "Cache-Control: no-cache", or browsers would miss new releases.
	SPA bool

	// List shows the content of folders that have no index page: JSON for a
	// client that prefers application/json, else HTML.
	List bool

	// Precompressed serves name.br, name.zst or name.gz in place of name when
	// the file exists beside it and the client accepts it. Whether such a file
	// is up to date is not checked: the build that writes one writes both.
	Precompressed bool

	// Cache is how long a client may use a file without asking again. Zero
	// sends "no-cache": the client asks each time and is answered 304 by ETag.
	Cache time.Duration

	// Private keeps Cache to browsers: no cache that several people share may use it.
	Private bool

	// Immutable tells clients never to ask again while the file is fresh; for
	// file names that hold a hash of the content. Cache is then a year unless
	// it is set. Index pages are never marked immutable.
	Immutable bool

	// DotFiles serves names that begin with a dot. Without it they are not
	// found, except below ".well-known" (RFC 8615).
	DotFiles bool

	// Type is the Content-Type. The default goes by the file's extension.
	Type string

	// Name gives the slash-separated name of the file a request asks for; a
	// trailing slash, or the empty name, means a folder. The default is
	// r.URL.Path. Stripping a prefix is up to this function.
	Name func(*http.Request) string

	// Hide reports files and folders that are not found, whatever DotFiles
	// says, by their slash-separated name below the folder. Lists leave them out.
	Hide func(name string) bool

	// Error writes the answer for a request that fails with status 403, 404,
	// 405, 412, 416 or 500. The default is one line of plain text.
	Error func(w http.ResponseWriter, r *http.Request, status int)
}

// year is the Cache default of Immutable; RFC 9111 knows no "forever".
const year = 365 * 24 * time.Hour

// normal fills in defaults and reports settings that contradict each other.
func (o Options) normal() (Options, error) {
	if o.Index == nil {
		o.Index = []string{"index.html"}
	}
	for _, name := range o.Index {
		if !fs.ValidPath(name) || path.Base(name) != name || name == "." {
			return o, fmt.Errorf("static: index %q: want a plain file name such as \"index.html\"", name)
		}
	}
	if o.SPA && len(o.Index) == 0 {
		return o, errors.New("static: spa needs an index page, but the index list is empty")
	}
	if o.Cache < 0 {
		return o, fmt.Errorf("static: cache %s: must not be negative", o.Cache)
	}
	if o.Name == nil {
		o.Name = func(r *http.Request) string { return r.URL.Path }
	}
	if o.Error == nil {
		o.Error = func(w http.ResponseWriter, _ *http.Request, status int) {
			http.Error(w, http.StatusText(status), status)
		}
	}
	return o, nil
}

// Handler serves one folder. It is safe for concurrent use.
type Handler struct {
	dir  string
	opts Options
	root atomic.Pointer[rootDir]
}

// rootDir is an open folder and what it was when it was opened.
type rootDir struct {
	*os.Root
	info fs.FileInfo
}

// New returns a handler for the files below dir. It fails if dir is not a
// folder or if the options contradict each other.
//
// The handler follows dir by name: when the folder is replaced (a symbolic
// link is switched to a new release, a build deletes it and writes it anew),
// the next request is served from the new one.
func New(dir string, o Options) (*Handler, error) {
	o, err := o.normal()
	if err != nil {
		return nil, err
	}
	h := &Handler{dir: dir, opts: o}
	if _, err := h.open(); err != nil {
		return nil, fmt.Errorf("static: %w; create the folder %q or correct its name", err, dir)
	}
	return h, nil
}

// open returns the current root, reopened if dir now names another folder. An
// old root is closed by the garbage collector, when no request uses it. The
// look at dir costs about 2 of the 11 µs that a 10 KB file takes.
func (h *Handler) open() (*os.Root, error) {
	info, err := os.Stat(h.dir)
	if err != nil {
		return nil, err
	}
	if old := h.root.Load(); old != nil && os.SameFile(old.info, info) {
		return old.Root, nil
	}
	root, err := os.OpenRoot(h.dir)
	if err != nil {
		return nil, err
	}
	if info, err = root.Stat("."); err != nil {
		return nil, err
	}
	h.root.Store(&rootDir{root, info})
	return root, nil
}

// ServeHTTP answers GET and HEAD; every other method is 405.
func (h *Handler) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	if r.Method != http.MethodGet && r.Method != http.MethodHead {
		w.Header().Set("Allow", "GET, HEAD")
		h.opts.Error(w, r, http.StatusMethodNotAllowed)
		return
	}
	if err := h.serve(w, r); err != nil {
		h.opts.Error(w, r, Status(err))
	}
}

// Status is the HTTP status for an error of [ServeFile]: 404, 403, 412, 416 or 500.
func Status(err error) int {
	var refused refusal
	switch {
	case errors.As(err, &refused):
		return int(refused)
	case errors.Is(err, fs.ErrNotExist):
		return http.StatusNotFound
	case errors.Is(err, fs.ErrPermission):
		return http.StatusForbidden
	}
	return http.StatusInternalServerError
}

// serve finds what the request names. It writes nothing when it fails.
func (h *Handler) serve(w http.ResponseWriter, r *http.Request) error {
	root, err := h.open()
	if err != nil {
		return classify(err)
	}
	name, folder, ok := clean(h.opts.Name(r), h.opts.DotFiles)
	if !ok || h.opts.hides(name) {
		return fs.ErrNotExist
	}
	err = h.serveName(w, r, root, name, folder)
	if !h.opts.SPA || !errors.Is(err, fs.ErrNotExist) {
		return err
	}
	w.Header().Add("Vary", "Accept")
	if path.Ext(name) != "" && name != "." || !mentions(r.Header, "text/html") {
		return err
	}
	return h.serveIndex(w, r, root, ".")
}

func (h *Handler) serveName(w http.ResponseWriter, r *http.Request, root *os.Root, name string, folder bool) error {
	f, info, err := open(root, name)
	if err != nil {
		return err
	}
	defer f.Close()
	if info.Mode().IsRegular() {
		if folder {
			return fs.ErrNotExist
		}
		return send(w, r, root, name, f, info, &h.opts, h.opts.cacheControl())
	}
	if to, ok := withSlash(r, folder); ok {
		if !h.opts.List && !h.hasIndex(root, name) {
			return fs.ErrNotExist
		}
		redirect(w, to)
		return nil
	}
	err = h.serveIndex(w, r, root, name)
	if h.opts.List && errors.Is(err, fs.ErrNotExist) {
		return h.list(w, r, root, name, f)
	}
	return err
}

// hides reports whether a name, or a folder above it, is hidden.
func (o *Options) hides(name string) bool {
	if o.Hide == nil {
		return false
	}
	for ; name != "." && name != "/"; name = path.Dir(name) {
		if o.Hide(name) {
			return true
		}
	}
	return false
}

func (h *Handler) serveIndex(w http.ResponseWriter, r *http.Request, root *os.Root, folder string) error {
	o := h.opts
	o.Immutable = false
	if o.SPA && folder == "." {
		o.Cache = 0
	}
	for _, index := range o.Index {
		err := ServeFile(w, r, root, path.Join(folder, index), o)
		if !errors.Is(err, fs.ErrNotExist) {
			return err
		}
	}
	return fs.ErrNotExist
}

func (h *Handler) hasIndex(root *os.Root, folder string) bool {
	for _, index := range h.opts.Index {
		info, err := root.Stat(path.Join(folder, index))
		if err == nil && info.Mode().IsRegular() {
			return true
		}
	}
	return false
}

// withSlash returns where a request for a folder must go when its URL lacks
// the final slash that relative links need. The answer is relative and begins
// with "./", so no path can turn it into another host ("//evil.example").
func withSlash(r *http.Request, folder bool) (string, bool) {
	p := r.URL.EscapedPath()
	if folder || p == "" || strings.HasSuffix(p, "/") {
		return "", false
	}
	to := "./" + p[strings.LastIndexByte(p, '/')+1:] + "/"
	if r.URL.RawQuery != "" {
		to += "?" + r.URL.RawQuery
	}
	return to, true
}

// redirect is permanent but revalidated: a folder can become a file.
func redirect(w http.ResponseWriter, to string) {
	w.Header().Set("Location", to)
	w.Header().Set("Cache-Control", "no-cache")
	w.WriteHeader(http.StatusMovedPermanently)
}
