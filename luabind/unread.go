package luabind

import (
	"bytes"
	"errors"
	"io"
	"net/http"
	"os"
)

// A body is what functions have read of the body of a request.
type body struct {
	by       *Ctx   // who was the first
	read     bool   // text is all, or what there was behind spool
	text     []byte // valid when read
	spool    *spool // the body as it came, once a form of parts was read from it
	streamed bool   // c.body_stream has it
}

// bodyBy returns the body, of which by is the first reader unless there was one.
func (c *Ctx) bodyBy(by *Ctx) *body {
	if c.body == nil {
		c.body = &body{by: by}
	}
	return c.body
}

// unreadBody gives r the body that functions before have read, for the handler of the engine behind them,
// such as a proxy. What functions outside another handler have read it has already.
func (c *Ctx) unreadBody(r *http.Request) *http.Request {
	b := c.body
	switch {
	case b == nil || b.by != c || r.Body == nil || r.Body == http.NoBody:
	case b.spool != nil:
		rest := io.Reader(c.r.Body)
		if b.read {
			rest = bytes.NewReader(b.text)
		}
		r.Body = &unread{io.MultiReader(b.spool.reader(), rest), c.r.Body}
	case b.read:
		r.Body = &unread{bytes.NewReader(b.text), c.r.Body}
		r.ContentLength, r.TransferEncoding = int64(len(b.text)), nil
	}
	return r
}

// unread is a body from its beginning.
type unread struct {
	io.Reader
	io.Closer
}

// spooled is the body for a form of parts. It is kept as it comes where a handler of the engine needs it
// too; the files of the form are on disk beside it.
func (c *Ctx) spooled(f *form) io.Reader {
	if c.body != nil && c.body.read {
		return bytes.NewReader(c.body.text)
	}
	if c.route == nil || c.route.native == nil {
		return c.r.Body
	}
	s := new(spool)
	c.bodyBy(c).spool = s
	c.atEnd(s.remove)
	return io.TeeReader(c.r.Body, s)
}

// A spool keeps what is written, in memory up to formMemory, then on disk.
type spool struct {
	memory bytes.Buffer
	disk   *os.File
}

// Write implements [io.Writer].
func (s *spool) Write(p []byte) (n int, err error) {
	if s.disk == nil && s.memory.Len()+len(p) <= formMemory {
		return s.memory.Write(p)
	}
	if s.disk == nil {
		if s.disk, err = os.CreateTemp("", "rws-upload-"); err != nil {
			return 0, err
		}
	}
	return s.disk.Write(p)
}

// reader returns what was written, from its beginning.
func (s *spool) reader() io.Reader {
	memory := bytes.NewReader(s.memory.Bytes())
	if s.disk == nil {
		return memory
	}
	size, err := s.disk.Seek(0, io.SeekEnd)
	if err != nil {
		return broken{err}
	}
	return io.MultiReader(memory, io.NewSectionReader(s.disk, 0, size))
}

// remove deletes what is on disk.
func (s *spool) remove() {
	if s.disk != nil {
		_ = errors.Join(s.disk.Close(), os.Remove(s.disk.Name())) // it is in the folder for what nobody needs
	}
}

// broken is a body that cannot be read.
type broken struct{ err error }

func (b broken) Read([]byte) (int, error) { return 0, b.err }
