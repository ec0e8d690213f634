package static

import (
	"cmp"
	"errors"
	"fmt"
	"io/fs"
	"net/http"
	"os"
	"strconv"
	"strings"
	"syscall"
	"time"
)

// ServeFile answers r with one file below root, with the same headers as a
// [Handler]. The options Precompressed, Cache, Immutable and DotFiles apply.
//
// It writes nothing and returns an error that is [fs.ErrNotExist] when there
// is no such regular file or the name is refused ("..", an absolute name, a
// dot file, a link that leaves root), [fs.ErrPermission] when the file cannot
// be read, or about a range or a condition that does not hold: then the header
// Content-Range is set. [Status] turns the error into a status. The request method
// is not looked at, except that HEAD gets no body.
func ServeFile(w http.ResponseWriter, r *http.Request, root *os.Root, name string, o Options) error {
	clean, folder, ok := clean(name, o.DotFiles)
	if !ok || folder || strings.HasPrefix(name, "/") {
		return fmt.Errorf("static: file name %q: %w", name, fs.ErrNotExist)
	}
	f, info, err := open(root, clean)
	if err != nil {
		return fmt.Errorf("static: open %q: %w", name, err)
	}
	defer f.Close()
	if info.IsDir() {
		return fmt.Errorf("static: %q is a folder: %w", name, fs.ErrNotExist)
	}
	return send(w, r, root, clean, f, info, &o, o.cacheControl())
}

// open opens a regular file or a folder. O_NONBLOCK (in openFlags) keeps a
// named pipe without a writer from blocking; the type is read from the open
// file, so nothing can be swapped between the check and the use.
func open(root *os.Root, name string) (*os.File, fs.FileInfo, error) {
	f, err := root.OpenFile(name, os.O_RDONLY|openFlags, 0)
	if err != nil {
		return nil, nil, classify(err)
	}
	info, err := f.Stat()
	if err != nil {
		f.Close()
		return nil, nil, classify(err)
	}
	if !info.Mode().IsRegular() && !info.IsDir() {
		f.Close()
		return nil, nil, fs.ErrNotExist
	}
	return f, info, nil
}

// classify keeps "permission denied" and a machine in trouble apart from the
// many ways in which a name can fail to be a file (too long, a file used as a
// folder, a link loop, a link out of the root): those are all "not found".
func classify(err error) error {
	trouble := []error{fs.ErrPermission, os.ErrClosed, syscall.EMFILE, syscall.ENFILE, syscall.EIO, syscall.ENOMEM}
	for _, t := range trouble {
		if errors.Is(err, t) {
			return err
		}
	}
	return fs.ErrNotExist
}

// send writes the file, or the precompressed one beside it.
func send(w http.ResponseWriter, r *http.Request, root *os.Root, name string, f *os.File, info fs.FileInfo, o *Options, cache string) error {
	h := w.Header()
	h.Set("Content-Type", cmp.Or(o.Type, contentType(name)))
	h.Set("X-Content-Type-Options", "nosniff")
	h.Set("Cache-Control", cache)
	encoding := ""
	if o.Precompressed {
		h.Add("Vary", "Accept-Encoding")
		if v, vinfo, e := variant(root, name, r); v != nil {
			defer v.Close()
			f, info, encoding = v, vinfo, e
			h.Set("Content-Encoding", e)
			setLength(r, h, info.Size())
		}
	}
	r = Heeded(r)
	modified := info.ModTime()
	if modified.Unix() <= 1 {
		// Reproducible builds stamp every file with second 0 or 1: such a time
		// says nothing about the content, so there is nothing to validate by.
		modified = time.Time{}
	} else {
		h.Set("ETag", etag(modified, info.Size(), encoding))
	}
	return content(w, r, modified, f)
}

// setLength sets the Content-Length that http.ServeContent leaves out when
// there is a Content-Encoding. A failed If-Match or If-Unmodified-Since would
// send it with an empty 412, so such requests go without.
func setLength(r *http.Request, h http.Header, size int64) {
	if r.Header.Get("If-Match") == "" && r.Header.Get("If-Unmodified-Since") == "" {
		h.Set("Content-Length", strconv.FormatInt(size, 10))
	}
}

func etag(modified time.Time, size int64, encoding string) string {
	b := make([]byte, 0, 40)
	b = append(b, '"')
	b = strconv.AppendInt(b, modified.UnixNano(), 36)
	b = append(b, '-')
	b = strconv.AppendInt(b, size, 36)
	if encoding != "" {
		b = append(b, '-')
		b = append(b, encoding...)
	}
	return string(append(b, '"'))
}

func (o *Options) cacheControl() string {
	age := o.Cache
	if age == 0 && o.Immutable {
		age = year
	}
	if age < time.Second {
		return "no-cache"
	}
	who := "public"
	if o.Private {
		who = "private"
	}
	s := who + ", max-age=" + strconv.FormatInt(int64(age/time.Second), 10)
	if o.Immutable {
		s += ", immutable"
	}
	return s
}
