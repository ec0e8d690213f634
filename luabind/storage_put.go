package luabind

import (
	"cmp"
	"context"
	"errors"
	"io"
	"net/http"
	"strings"

	lua "github.com/yuin/gopher-lua"

	"rws/luabind/bind"
	"rws/luabind/fault"
	"rws/luabind/vm"
	"rws/server/storage"
)

// storagePutOptions are the options of files:put.
type storagePutOptions struct {
	ContentType string            `json:"content_type"`
	Metadata    map[string]string `json:"metadata"`
}

// storagePut stores what a text, or a stream, has.
func storagePut(L *lua.LState, s *Storage) int {
	const name = "files:put"
	key := bind.Arg[string](L, name, 2)
	body := putBody(L, name, 3)
	given := bind.Options[storagePutOptions](L, name, 4)
	s.wait(L, name, func(ctx context.Context) error {
		return body(ctx, func(r io.Reader, o storage.PutOptions) error {
			o.Metadata = given.Metadata
			switch {
			case given.ContentType != "":
				o.ContentType = given.ContentType
			case isGeneric(o.ContentType): // the key may know which kind of it
				o.ContentType = cmp.Or(storage.TypeByExtension(key), o.ContentType)
			}
			return s.store.Put(ctx, key, r, o)
		})
	})
	return 0
}

// isGeneric reports whether a type that content looks like has many kinds, which look alike.
func isGeneric(contentType string) bool {
	t, _, _ := strings.Cut(contentType, ";")
	switch t {
	case "text/plain", "text/xml", "application/zip", "application/octet-stream":
		return true
	}
	return false
}

// A body calls put with a reader and what is known of it. The lock of the isolate is free.
type putting func(ctx context.Context, put func(io.Reader, storage.PutOptions) error) error

// putBody reads argument n: whatever has bytes.
func putBody(L *lua.LState, name string, n int) putting {
	switch v := L.Get(n).(type) {
	case lua.LString:
		return func(_ context.Context, put func(io.Reader, storage.PutOptions) error) error {
			return put(strings.NewReader(string(v)), storage.PutOptions{Size: int64(len(v))})
		}
	case *lua.LUserData:
		switch v := v.Value.(type) {
		case *Reader:
			if v.gone != nil {
				v.gone(L, name)
			}
			return v.put
		case *File:
			return v.put
		case *FileHandle:
			return v.put
		case *HTTPResponse:
			return v.put
		}
	}
	bind.ArgError(L, name, n-1, "a string expected, or what is read in pieces: c.body_stream, a file of c.files, of files:open, of rws.fs.open or an answer of rws.http; got %s", L.Get(n).Type())
	return nil
}

// put is for a stream of unknown kind, of which the type is not believed.
func (r *Reader) put(ctx context.Context, put func(io.Reader, storage.PutOptions) error) error {
	return r.use(ctx, func(from io.Reader) error {
		left, err := leftOf(from, r.used, "the stream \""+r.name+"\"")
		if err != nil {
			return err
		}
		return put(left, storage.PutOptions{Size: max(r.size, 0)})
	})
}

// put takes the type that the content looks like; text without one of its own is UTF-8, as that of a stream is.
func (f *File) put(ctx context.Context, put func(io.Reader, storage.PutOptions) error) error {
	r, err := f.open()
	if err != nil {
		return err
	}
	defer r.Close()
	looks := f.MediaType()
	if strings.HasPrefix(looks, "text/") {
		looks += "; charset=utf-8"
	}
	return put(r, storage.PutOptions{Size: f.size, ContentType: looks})
}

func (h *FileHandle) put(_ context.Context, put func(io.Reader, storage.PutOptions) error) error {
	h.mu.Lock()
	defer h.mu.Unlock()
	if h.file == nil {
		return bind.Errorf("closed", "%s: %w", h.name, errClosed)
	}
	at, err := h.file.Seek(0, io.SeekCurrent)
	left, err := leftOf(h, err == nil && at > 0, "the file "+h.name)
	if err != nil {
		return err
	}
	return put(left, storage.PutOptions{})
}

// put takes the rest of a stream, or the body that was read. Its type is that of the key, as that of a stream is.
func (r *HTTPResponse) put(ctx context.Context, put func(io.Reader, storage.PutOptions) error) error {
	if r.res.Stream == nil {
		return put(strings.NewReader(string(r.res.Body)), storage.PutOptions{Size: int64(len(r.res.Body))})
	}
	r.mu.Lock()
	defer r.mu.Unlock()
	if r.closed {
		return bind.Errorf("closed", "the stream of this answer has been read already, or closed")
	}
	err := put(&bodySource{ctx: ctx, r: r.res.Stream, explain: httpError}, storage.PutOptions{})
	r.closed = true
	_ = r.res.Stream.Close()
	return err
}

// A bodySource tells why a stream that is being stored has failed from why storing it has.
type bodySource struct {
	ctx     context.Context
	r       io.Reader
	explain func(error) error
	late    func(ctx context.Context) error
}

func (s *bodySource) Read(p []byte) (int, error) {
	n, err := s.r.Read(p)
	if err == nil || err == io.EOF || s.explain == nil {
		return n, err
	}
	if s.late != nil && (s.ctx.Err() != nil || errors.Is(err, context.DeadlineExceeded)) {
		if late := s.late(s.ctx); late != nil {
			err = late
		}
	}
	return n, &bodyFault{err, s.explain}
}

// A bodyFault is an error of reading a body.
type bodyFault struct {
	error
	explain func(error) error
}

func (f *bodyFault) Unwrap() error { return f.error }

// makeBodyStream returns c.body_stream.
func makeBodyStream(L *lua.LState, c *Ctx) lua.LValue {
	b := c.bodyBy(c)
	r := &Reader{
		name: "body of " + c.r.Method + " " + c.r.URL.Path, size: c.r.ContentLength, mime: c.r.Header.Get("Content-Type"),
		explain: func(err error) error { return bodyError(err) },
		gone:    func(L *lua.LState, _ string) { contextOf(L, c) },
	}
	switch {
	case b.spool != nil:
		fault.Raisef(L, "stream", "c.body_stream: the form of this request has been read: its files are in c.files, and files:put takes them")
	case b.read:
		r.r, r.size = io.NopCloser(strings.NewReader(string(b.text))), int64(len(b.text))
		return bind.New(L, readerType, r)
	case c.form != nil:
		fault.Raisef(L, "stream", "c.body_stream: the form of this request has been read: its files are in c.files, and files:put takes them")
	}
	b.streamed = true
	r.r = c.r.Body
	if r.r == nil {
		r.r = http.NoBody
	}
	r.begin = func(ctx context.Context) { c.ex.BodyUntil, _ = ctx.Deadline() }
	r.late = func(ctx context.Context) error {
		if ctx.Err() == nil || errors.Is(context.Cause(ctx), vm.ErrDeadline) {
			return errLateBody
		}
		return context.Cause(ctx)
	}
	return bind.New(L, readerType, r)
}

// notStreamed raises where c.body_stream has the body.
func (c *Ctx) notStreamed(L *lua.LState, what string) {
	if c.body != nil && c.body.streamed {
		fault.Raisef(L, "stream", "%s: the body of this request is read by c.body_stream: read it there, or leave c.body_stream out", what)
	}
}
