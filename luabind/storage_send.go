package luabind

import (
	"context"
	"fmt"
	"io"
	"mime"
	"net/http"
	"strings"
	"time"

	lua "github.com/yuin/gopher-lua"

	"rws/luabind/bind"
	"rws/luabind/fault"
	"rws/server/static"
	"rws/server/storage"
)

// storageSendOptions are the options of files:send.
type storageSendOptions struct {
	Download *string        `json:"download"`
	Type     string         `json:"type"`
	Cache    *time.Duration `json:"cache"`
}

// storageSend makes a file the answer. It is looked up now, and sent when the chain has returned.
func storageSend(L *lua.LState, s *Storage) int {
	const name = "files:send"
	c, ok := userdata[Ctx](L.Get(2))
	if !ok {
		bind.ArgError(L, name, 1, "the request expected, as in files:send(c, key), got %s", L.Get(2).Type())
	}
	contextOf(L, c)
	key := bind.Arg[string](L, name, 3)
	o := bind.Options[storageSendOptions](L, name, 4)
	if o.Type != "" {
		if err := checkHeaderValue(o.Type); err != nil {
			fault.Raisef(L, "option", "%s: option \"type\": %s", name, err)
		}
	}
	f := &storedFile{store: s.store, options: static.Options{Type: o.Type}}
	if o.Cache != nil {
		f.options.Cache = *o.Cache
	}
	f.ctx, f.cancel = context.WithCancelCause(c.ex)
	c.atEnd(f.close)
	s.wait(L, name, func(ctx context.Context) error {
		stop := context.AfterFunc(ctx, func() { f.cancel(ctx.Err()) })
		err := f.open(key, c.r)
		if err == nil && !stop() {
			err = context.Cause(ctx)
		}
		return sendError(err)
	})
	c.res.reset(bodyStored)
	c.res.stored = f
	if o.Download != nil {
		c.setHeader(L, "Content-Disposition", mime.FormatMediaType("attachment", map[string]string{"filename": *o.Download}))
	}
	return c.push(L)
}

// sendError is 404 for what is not there, and for keys that cannot be: they are often a visitor's.
func sendError(err error) error {
	switch storage.CodeOf(err) {
	case storage.CodeNotFound, storage.CodeInvalidKey:
		return storageFault(err, http.StatusNotFound)
	}
	return err
}

// A storedFile is a file of a store that is being sent. It reads from where http.ServeContent seeks to.
type storedFile struct {
	store   storage.Store
	options static.Options
	info    storage.Info
	ctx     context.Context // until the request is over
	cancel  context.CancelCauseFunc

	body   io.ReadCloser // nil until it is read
	at     int64         // where body is
	want   int64         // where to read
	failed error
}

// open looks a file up, and begins to read it if all of it will be sent.
func (f *storedFile) open(key string, r *http.Request) (err error) {
	if r.Method != http.MethodGet || isConditional(r) {
		f.info, err = f.store.Stat(f.ctx, key)
		return err
	}
	o, err := f.store.Get(f.ctx, key, storage.GetOptions{})
	if err == nil {
		f.info, f.body = o.Info, o
	}
	return err
}

// isConditional reports whether an answer may be less than the whole (RFC 9110 §13 and §14).
func isConditional(r *http.Request) bool {
	for _, name := range []string{"Range", "If-Match", "If-None-Match", "If-Modified-Since", "If-Unmodified-Since"} {
		if r.Header.Get(name) != "" {
			return true
		}
	}
	return false
}

func (f *storedFile) close() {
	if f.body != nil {
		_ = f.body.Close()
	}
	f.cancel(nil)
}

// Seek implements [io.Seeker].
func (f *storedFile) Seek(offset int64, whence int) (int64, error) {
	switch whence {
	case io.SeekCurrent:
		offset += f.want
	case io.SeekEnd:
		offset += f.info.Size
	}
	if offset < 0 {
		return 0, fmt.Errorf("seeking to %d", offset)
	}
	f.want = offset
	return offset, nil
}

// Read implements [io.Reader].
func (f *storedFile) Read(p []byte) (int, error) {
	if f.want >= f.info.Size {
		return 0, io.EOF
	}
	if err := f.there(); err != nil {
		f.failed = err
		return 0, err
	}
	n, err := f.body.Read(p)
	f.at += int64(n)
	f.want = f.at
	if err == io.EOF && f.at < f.info.Size {
		err = io.ErrUnexpectedEOF
	}
	if err != nil && err != io.EOF {
		f.failed = err
	}
	return n, err
}

// there opens the body where it is wanted.
func (f *storedFile) there() error {
	if f.body != nil && f.at == f.want {
		return nil
	}
	if f.body != nil {
		_ = f.body.Close()
		f.body = nil
	}
	o, err := f.store.Get(f.ctx, f.info.Key, storage.GetOptions{From: f.want, ETag: f.info.ETag})
	if err != nil {
		return err
	}
	f.body, f.at = o, f.want
	return nil
}

// sandboxed is what content that browsers would run is sent with: it was made by whoever uploaded it, and
// its scripts would be those of the app.
const sandboxed = "sandbox; default-src 'none'; img-src 'self' data:; media-src 'self'; style-src 'unsafe-inline'"

// runs reports whether browsers run scripts of a type.
func runs(contentType string) bool {
	t, _, err := mime.ParseMediaType(contentType)
	return err != nil || strings.Contains(t, "*") || !strings.Contains(t, "/") || strings.HasPrefix(t, "multipart/") || t == "text/xsl" || t == "text/html" || t == "text/xml" || strings.HasSuffix(t, "/xml") || strings.HasSuffix(t, "+xml")
}

func (c *Ctx) sendStored(res *response, w http.ResponseWriter) {
	f, p := res.stored, c.state.program
	content := static.Content{Type: f.info.ContentType, ETag: f.info.ETag, Modified: f.info.Modified}
	if f.options.Type != "" {
		content.Type = f.options.Type
	}
	if runs(content.Type) && res.header.Get("Content-Security-Policy") == "" {
		w.Header().Add("Content-Security-Policy", sandboxed)
	}
	f.options.Private = c.isPersonal(w.Header())
	err := static.ServeContent(w, c.r, f, content, f.options)
	switch {
	case err != nil:
		p.Miss(w, c.r, static.Status(err), err)
	case f.failed != nil:
		if c.r.Context().Err() == nil {
			p.logError(c.r, asFault(storageError(f.failed)))
		}
		panic(http.ErrAbortHandler) // the head is gone: breaking off is all that can tell the client
	}
}
