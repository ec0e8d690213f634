package luabind

import (
	"bytes"
	"errors"
	"fmt"
	"io"
	"mime"
	"mime/multipart"
	"net/http"
	"net/url"
	"os"
	"strings"
	"unicode/utf8"

	lua "github.com/yuin/gopher-lua"

	"rws/luabind/bind"
	"rws/luabind/fault"
)

// Bounds of a form.
const (
	// formMemory is how much of the files of a form stays in memory, 1 MB; others go to disk.
	formMemory = 1 << 20
	// maxFormText bounds the values that are no files: 10 MB.
	maxFormText = 10 << 20
	maxParts    = 1000
	maxFields   = 10_000
)

// A form is what the body of a request holds, of either kind.
type form struct {
	values url.Values
	files  map[string][]*File
}

// errNoForm is a body that is no form.
type errNoForm struct{ mediaType string }

func (e errNoForm) Error() string {
	return fmt.Sprintf("the body must be a form (application/x-www-form-urlencoded or multipart/form-data), not %q", e.mediaType)
}

// errLimit is a form of too many parts or bytes.
type errLimit string

func (e errLimit) Error() string { return string(e) }

// parseForm reads the form on the first call.
func (c *Ctx) parseForm(L *lua.LState) *form {
	if c.form != nil {
		return c.form
	}
	c.notStreamed(L, "c.form")
	f := &form{values: make(url.Values), files: make(map[string][]*File)}
	var err error
	switch t := c.mediaType(); {
	case t == "application/x-www-form-urlencoded":
		err = f.readText(c.readBody(L))
	case t == "multipart/form-data":
		c.atEnd(f.remove)
		body := c.spooled(f)
		err = c.reading(L, func() error { return f.readParts(c.r, body) })
	case c.r.Method != http.MethodGet && c.r.Method != http.MethodHead && (t != "" || c.r.ContentLength != 0):
		err = errNoForm{t}
	}
	if err == nil {
		err = checkText(f.values)
	}
	if err != nil {
		fault.Raise(L, formError(err))
	}
	c.form = f
	return f
}

func formError(err error) *fault.Error {
	if e, ok := errors.AsType[errNoForm](err); ok {
		return &fault.Error{Code: "media_type", Status: http.StatusUnsupportedMediaType, Message: e.Error(), Cause: err}
	}
	if e, ok := errors.AsType[errLimit](err); ok {
		return &fault.Error{Code: "too_large", Status: http.StatusRequestEntityTooLarge, Message: "the form has more than " + e.Error(), Cause: err}
	}
	return bodyError(err)
}

// readText reads the fields of a plain form.
func (f *form) readText(text []byte) (err error) {
	if bytes.Count(text, []byte("&")) >= maxFields {
		return errLimit(fmt.Sprintf("%d fields", maxFields))
	}
	f.values, err = url.ParseQuery(string(text))
	return err
}

// readParts reads a multipart form (RFC 7578). Part by part, because http.ParseMultipartForm
// takes a body that ends within the head of a part for a whole one, and leaves out parts
// without a name.
func (f *form) readParts(r *http.Request, from io.Reader) error {
	_, params, err := mime.ParseMediaType(r.Header.Get("Content-Type"))
	boundary := params["boundary"]
	if err != nil || boundary == "" {
		return errors.New("the content type of the form has no boundary")
	}
	body := &closing{Reader: from, mark: []byte("--" + boundary + "--")}
	parts := multipart.NewReader(body, boundary)
	memory, text := int64(formMemory), int64(maxFormText)
	for n := 1; ; n++ {
		part, err := parts.NextPart()
		if err == io.EOF && body.closed {
			return nil
		}
		if err != nil {
			return body.explain(err)
		}
		if n > maxParts {
			return errLimit(fmt.Sprintf("%d parts", maxParts))
		}
		if part.FormName() == "" {
			return fmt.Errorf("part %d of the form has no name: it needs the header Content-Disposition: form-data; name=\"…\"", n)
		}
		if !utf8.ValidString(part.FileName()) || !utf8.ValidString(part.FormName()) {
			return fmt.Errorf("part %d of the form has a name that is not UTF-8", n)
		}
		if part.FileName() == "" { // also what a browser sends when no file was chosen
			err = f.readValue(part, &text)
		} else {
			err = f.readFile(part, &memory)
		}
		if err != nil {
			return body.explain(err)
		}
	}
}

// explain names the end of a body within a part, or why it could not be read: a head that is cut off
// is malformed for mime/multipart.
func (c *closing) explain(err error) error {
	if c.failure != nil {
		return c.failure
	}
	if errors.Is(err, io.EOF) || errors.Is(err, io.ErrUnexpectedEOF) {
		return errors.New("the form ends in the middle of a part")
	}
	return err
}

func (f *form) readValue(part *multipart.Part, left *int64) error {
	value, err := io.ReadAll(io.LimitReader(part, *left+1))
	if err != nil {
		return err
	}
	if *left -= int64(len(value)); *left < 0 {
		return errLimit(bind.Size(maxFormText).String() + " in fields that are no files")
	}
	f.values.Add(part.FormName(), string(value))
	return nil
}

// readFile keeps a file in memory, or on disk when there is no room.
func (f *form) readFile(part *multipart.Part, left *int64) error {
	file := &File{field: part.FormName(), name: part.FileName(), declared: part.Header.Get("Content-Type")}
	f.files[file.field] = append(f.files[file.field], file)
	var head bytes.Buffer
	n, err := io.CopyN(&head, part, *left+1)
	if err == io.EOF {
		*left -= n
		file.content, file.size = head.Bytes(), n
		return nil
	}
	if err != nil {
		return err
	}
	disk, err := os.CreateTemp("", "rws-upload-")
	if err != nil {
		return err
	}
	file.disk = disk.Name()
	file.size, err = io.Copy(disk, io.MultiReader(&head, part))
	if closed := disk.Close(); err == nil {
		err = closed
	}
	return err
}

// remove deletes the files on disk.
func (f *form) remove() {
	for _, list := range f.files {
		for _, file := range list {
			if file.disk != "" {
				_ = os.Remove(file.disk)
			}
		}
	}
}

// closing reads a body and notes whether it has had the mark that ends it.
type closing struct {
	io.Reader
	mark    []byte
	tail    []byte // what may begin the mark
	closed  bool
	failure error // of reading, other than its end
}

func (c *closing) Read(p []byte) (int, error) {
	n, err := c.Reader.Read(p)
	if err != nil && err != io.EOF && err != io.ErrUnexpectedEOF {
		c.failure = err
	}
	if !c.closed {
		c.tail = append(c.tail, p[:n]...)
		c.closed = bytes.Contains(c.tail, c.mark)
		c.tail = append(c.tail[:0], c.tail[max(0, len(c.tail)-len(c.mark)+1):]...)
	}
	return n, err
}

// makeForm holds the first value of each name.
func makeForm(L *lua.LState, c *Ctx) lua.LValue {
	values := c.parseForm(L).values
	t := fresh(L, L.CreateTable(0, len(values)))
	for name, values := range values {
		t.RawSetString(name, lua.LString(values[0]))
	}
	return t
}

// makeFiles holds the first file of each name.
func makeFiles(L *lua.LState, c *Ctx) lua.LValue {
	files := c.parseForm(L).files
	t := fresh(L, L.CreateTable(0, len(files)))
	for name, list := range files {
		t.RawSetString(name, bind.New(L, fileType, list[0]))
	}
	return t
}

const fileType = "rws.File"

// A File is an uploaded file, in memory or on disk until the request is over.
type File struct {
	field    string
	name     string // as the client called it
	declared string // the media type it claims
	size     int64
	content  []byte
	disk     string // "" while it is in memory
}

func (f *File) open() (io.ReadCloser, error) {
	if f.disk == "" {
		return io.NopCloser(bytes.NewReader(f.content)), nil
	}
	return os.Open(f.disk)
}

// Name is what the client called it, without folders, of whichever system.
func (f *File) Name() string {
	name := f.name[strings.LastIndexAny(f.name, `/\`)+1:]
	if name == "" || name == "." || name == ".." {
		return "file"
	}
	return name
}

// Size is in bytes.
func (f *File) Size() int64 { return f.size }

// MediaType is what the content looks like, not what the client says.
func (f *File) MediaType() string {
	r, err := f.open()
	if err != nil {
		return "application/octet-stream"
	}
	defer r.Close()
	head := make([]byte, 512)
	n, _ := io.ReadFull(r, head)
	t, _, _ := strings.Cut(http.DetectContentType(head[:n]), ";")
	declared, _, err := mime.ParseMediaType(f.declared)
	if err == nil && t == "text/plain" && (strings.HasPrefix(declared, "text/") || declared == "application/json") {
		return declared // one kind of text looks like another
	}
	return t
}
