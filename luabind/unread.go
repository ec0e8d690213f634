package luabind

import (
	"bytes"
	"errors"
	"io"
	"net/http"
	"os"
)

// unreadBody gives r the body that functions before have read, for the handler of the engine behind them,
// such as a proxy. What functions outside another handler have read it has already.
func (c *Ctx) unreadBody(r *http.Request) *http.Request {
	switch {
	case c.reader != c || r.Body == nil || r.Body == http.NoBody:
	case c.spool != nil:
		rest := io.Reader(c.r.Body)
		if c.bodyRead {
			rest = bytes.NewReader(c.body)
		}
		r.Body = &unread{io.MultiReader(c.spool.reader(), rest), c.r.Body}
	case c.bodyRead:
		r.Body = &unread{bytes.NewReader(c.body), c.r.Body}
		r.ContentLength, r.TransferEncoding = int64(len(c.body)), nil
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
	if c.bodyRead {
		return bytes.NewReader(c.body)
	}
	if c.route == nil || c.route.native == nil {
		return c.r.Body
	}
	c.spool, c.reader = new(spool), c
	c.cleanup = append(c.cleanup, c.spool.remove)
	return io.TeeReader(c.r.Body, c.spool)
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
