package fastcgi

import (
	"bytes"
	"errors"
	"io"
	"net/http"
	"os"
)

// inMemory is how much of a body of unknown length is kept in memory; more goes to a file, up to what
// the server allows for a body.
const inMemory = 64 << 10

// content is a request body of which is known how long it is, as CGI demands.
type content struct {
	io.Reader
	size   int64
	finish []func() error
}

// Close frees what the content needs.
func (c *content) Close() {
	for _, f := range c.finish {
		_ = f() // it has been read
	}
}

// measured is the body of a request.
func measured(r *http.Request) (*content, error) {
	if r.Body == nil || r.Body == http.NoBody {
		return &content{Reader: http.NoBody}, nil
	}
	c := &content{Reader: r.Body, size: r.ContentLength, finish: []func() error{r.Body.Close}}
	if r.ContentLength >= 0 {
		return c, nil
	}
	if err := c.spool(); err != nil {
		c.Close()
		return nil, err
	}
	return c, nil
}

// spool reads a body to know its length.
func (c *content) spool() error {
	var first bytes.Buffer
	n, err := io.CopyN(&first, c.Reader, inMemory)
	if errors.Is(err, io.EOF) {
		c.Reader, c.size = &first, n
		return nil
	}
	if err != nil {
		return &Error{Phase: "write", Client: true, Err: err}
	}
	file, err := os.CreateTemp("", "rws-body-*")
	if err != nil {
		return &Error{Phase: "write", Client: true, Err: err}
	}
	c.finish = append(c.finish, file.Close, func() error { return os.Remove(file.Name()) })
	size, err := io.Copy(file, io.MultiReader(&first, c.Reader))
	if err == nil {
		_, err = file.Seek(0, io.SeekStart)
	}
	if err != nil {
		return &Error{Phase: "write", Client: true, Err: err}
	}
	c.Reader, c.size = file, size
	return nil
}
