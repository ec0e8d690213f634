package luabind

import (
	"context"
	"errors"
	"fmt"
	"io/fs"
	"mime"
	"net/http"
	"net/url"
	"strings"
	"sync"

	lua "github.com/yuin/gopher-lua"

	"rws/luabind/bind"
	"rws/luabind/codec"
	"rws/luabind/fault"
	"rws/luabind/vm"
	"rws/server/static"
)

const responseType = "rws.Response"

// A response is what will be sent once the chain has returned. Setting another body
// keeps the headers.
type response struct {
	status int      // 0: not decided
	mime   []string // Content-Type, while header has none
	header http.Header
	kind   bodyKind
	buf    *[]byte // pooled
	file   string
	static static.Options
	stream *lua.LFunction
	bridge *bridge
	stored *storedFile
}

type bodyKind uint8

const (
	bodyNone bodyKind = iota
	bodyEmpty
	bodyBytes
	bodyFile
	bodyStream
	bodyBridge
	bodyStored
)

// buffers hold response bodies; those that grew beyond maxBuffer are dropped.
var buffers = sync.Pool{New: func() any { b := make([]byte, 0, 4096); return &b }}

const maxBuffer = 1 << 20

// Values of Content-Type that are shared by all responses.
var (
	typeJSON = []string{"application/json"}
	typeText = []string{"text/plain; charset=utf-8"}
	typeHTML = []string{"text/html; charset=utf-8"}
)

// result returns the userdata of c.res.
func (c *Ctx) result(L *lua.LState) *lua.LUserData {
	if c.answer.Value == nil {
		c.answer.Value, c.answer.Metatable = c, c.state.responses
	}
	return &c.answer
}

// headers returns the response headers, all of them.
func (r *response) headers() http.Header {
	if r.header == nil {
		r.header = make(http.Header, 4)
	}
	if r.mime != nil {
		r.header["Content-Type"] = r.mime
		r.mime = nil
	}
	return r.header
}

// setType sets the Content-Type. Most answers have no other header, and then need no map.
func (r *response) setType(t []string) {
	r.mime = t
	if r.header != nil {
		delete(r.header, "Content-Type")
	}
}

// contentType returns the Content-Type, nil when it is not decided.
func (r *response) contentType() []string {
	if r.mime != nil {
		return r.mime
	}
	return r.header["Content-Type"]
}

// reset forgets the body, for another one.
func (r *response) reset(kind bodyKind) {
	if r.buf != nil {
		freeBuffer(r.buf)
		r.buf = nil
	}
	if r.bridge != nil {
		r.bridge.drop() // it is waited for at the end: its handler may need the isolate to end
		r.bridge = nil
		r.header, r.mime = nil, nil
		r.status = 0
	}
	r.kind, r.file, r.stream, r.stored = kind, "", nil, nil
}

func freeBuffer(b *[]byte) {
	if cap(*b) <= maxBuffer {
		*b = (*b)[:0]
		buffers.Put(b)
	}
}

// bytes returns an empty buffer for a new body.
func (r *response) bytes() *[]byte {
	r.reset(bodyBytes)
	r.buf = buffers.Get().(*[]byte)
	return r.buf
}

// setText makes s the body.
func (r *response) setText(s string, contentType []string, status int) {
	b := r.bytes()
	*b = append(*b, s...)
	r.setType(contentType)
	r.setStatus(status)
}

func (r *response) setStatus(status int) {
	if status != 0 {
		r.status = status
	}
}

// setJSON makes v the body.
func (c *Ctx) setJSON(L *lua.LState, v lua.LValue, status int) error {
	b := c.res.bytes()
	var err error
	*b, err = codec.Append(*b, L, v, codec.Options{})
	if err != nil {
		c.res.reset(bodyNone)
		return err
	}
	c.res.setType(typeJSON)
	c.res.setStatus(status)
	return nil
}

func contextJSON(L *lua.LState, c *Ctx) int {
	contextOf(L, c)
	if err := c.setJSON(L, L.Get(2), optStatus(L, "c:json", 3)); err != nil {
		bind.Raise(L, "c:json", err)
	}
	return c.push(L)
}

func (c *Ctx) push(L *lua.LState) int {
	L.Push(c.result(L))
	return 1
}

func contextText(L *lua.LState, c *Ctx) int {
	contextOf(L, c)
	c.res.setText(L.CheckString(2), typeText, optStatus(L, "c:text", 3))
	return c.push(L)
}

func contextHTML(L *lua.LState, c *Ctx) int {
	contextOf(L, c)
	c.res.setText(L.CheckString(2), typeHTML, optStatus(L, "c:html", 3))
	return c.push(L)
}

func contextStatus(L *lua.LState, c *Ctx) int {
	contextOf(L, c)
	c.res.status = checkStatus(L, "c:status", 2, 200, 599)
	if c.res.kind == bodyNone {
		c.res.kind = bodyEmpty
	}
	return c.push(L)
}

func contextRedirect(L *lua.LState, c *Ctx) int {
	contextOf(L, c)
	to := L.CheckString(2)
	if err := checkHeaderValue(to); err != nil {
		bind.ArgError(L, "c:redirect", 1, "%s", err)
	}
	if scheme := schemeOf(to); scheme != "" && scheme != "http" && scheme != "https" {
		bind.ArgError(L, "c:redirect", 1, "a path or a URL of http or https expected, got %q; for another scheme that you chose yourself set c.res.headers.location", to)
	}
	status := http.StatusFound
	if L.Get(3) != lua.LNil {
		status = checkStatus(L, "c:redirect", 3, 300, 399)
	}
	c.res.reset(bodyEmpty)
	c.res.status = status
	c.res.headers().Set("Location", asciiURL(to))
	return c.push(L)
}

// schemeOf is the scheme of a URL in lower case, "" for a relative one.
func schemeOf(to string) string {
	i := strings.IndexAny(to, ":/?#")
	if i < 1 || to[i] != ':' {
		return ""
	}
	return strings.ToLower(to[:i])
}

// asciiURL percent-encodes what a header can't carry.
func asciiURL(s string) string {
	var b strings.Builder
	for i := range len(s) {
		if ch := s[i]; ch <= ' ' || ch >= 0x7f {
			fmt.Fprintf(&b, "%%%02X", ch)
		} else {
			b.WriteByte(ch)
		}
	}
	return b.String()
}

// contextRender renders a template with the lock released.
func contextRender(L *lua.LState, c *Ctx) int {
	contextOf(L, c)
	name := L.CheckString(2)
	html, err := c.render(L, name, L.Get(3))
	if err != nil {
		fault.Raise(L, c.state.program.templateError(err, name, fault.Where(L)))
	}
	c.res.setText(string(html), contentTypeOf(name), optStatus(L, "c:render", 4))
	return c.push(L)
}

// contentTypeOf returns the type of a template by its name.
func contentTypeOf(name string) []string {
	if i := strings.LastIndexByte(name, '.'); i >= 0 {
		switch name[i:] {
		case ".txt", ".md":
			return typeText
		case ".json":
			return typeJSON
		case ".xml":
			return []string{"application/xml; charset=utf-8"}
		}
	}
	return typeHTML
}

// fileOptions are the options of c:file.
type fileOptions struct {
	Download *string     `json:"download"`
	Type     string      `json:"type"`
	Cache    *lua.LValue `json:"cache"`
}

func contextFile(L *lua.LState, c *Ctx) int {
	contextOf(L, c)
	name := L.CheckString(2)
	o := bind.Options[fileOptions](L, "c:file", 3)
	p := c.state.program
	var err error
	_ = vm.Wait(L, func(context.Context) error { err = p.public(name); return nil })
	if err != nil {
		fault.Raise(L, &fault.Error{Code: "not_found", Status: fileStatus(err), Message: "c:file: " + err.Error(), Cause: err})
	}
	c.res.reset(bodyFile)
	c.res.file, c.res.static = name, static.Options{}
	if o.Cache != nil {
		d, err := bind.ParseDuration((*o.Cache).String())
		if err != nil {
			fault.Raisef(L, "option", "c:file: option \"cache\": %s", err)
		}
		c.res.static.Cache = d
	}
	if o.Type != "" {
		if err := checkHeaderValue(o.Type); err != nil {
			fault.Raisef(L, "option", "c:file: option \"type\": %s", err)
		}
		c.res.static.Type = o.Type
	}
	if o.Download != nil {
		c.setHeader(L, "Content-Disposition", mime.FormatMediaType("attachment", map[string]string{"filename": *o.Download}))
	}
	return c.push(L)
}

// fileStatus is 403 for what may not be read, else 404, also for what is elsewhere: the name
// may be a visitor's.
func fileStatus(err error) int {
	if errors.Is(err, fs.ErrPermission) && !errors.Is(err, errElsewhere) {
		return http.StatusForbidden
	}
	return http.StatusNotFound
}

func (c *Ctx) setHeader(L *lua.LState, name, value string) {
	if err := checkHeaderValue(value); err != nil {
		fault.Raisef(L, "header", "header %s: %s", name, err)
	}
	c.res.headers().Set(name, value)
}

// streamOptions are the options of c:stream.
type streamOptions struct {
	Type   string `json:"type"`
	Status int    `json:"status"`
}

func contextStream(L *lua.LState, c *Ctx) int {
	contextOf(L, c)
	fn := L.CheckFunction(2)
	o := bind.Options[streamOptions](L, "c:stream", 3)
	if o.Status != 0 && (o.Status < 200 || o.Status > 599) {
		fault.Raisef(L, "option", "c:stream: option \"status\": a status from 200 to 599 expected, got %d", o.Status)
	}
	c.res.reset(bodyStream)
	c.res.stream = fn
	if o.Type != "" {
		c.setHeader(L, "Content-Type", o.Type)
	} else if c.res.contentType() == nil {
		c.res.setType(typeText)
	}
	c.res.setStatus(o.Status)
	return c.push(L)
}

// responseOfType describes c.res, which is also what next() returns.
func responseOfType() bind.Type {
	return bind.Type{
		Name: responseType, As: "res",
		Fields: map[string]func(*lua.LState, any) lua.LValue{
			"status": func(L *lua.LState, self any) lua.LValue {
				c := contextOf(L, self)
				return lua.LNumber(c.res.effectiveStatus())
			},
			"headers": func(L *lua.LState, self any) lua.LValue {
				return bind.New(L, headersType, contextOf(L, self))
			},
			"body": func(L *lua.LState, self any) lua.LValue {
				c := contextOf(L, self)
				if c.res.kind == bodyBytes {
					return lua.LString(*c.res.buf)
				}
				return lua.LNil
			},
		},
		Set: func(L *lua.LState, self any, key string, v lua.LValue) bool {
			c := contextOf(L, self)
			vm.WritesTo(L, c)
			switch key {
			case "status":
				c.res.status = checkStatusValue(L, v)
			case "body":
				s, ok := v.(lua.LString)
				if !ok {
					fault.Raisef(L, "argument", "res.body: a string expected, got %s", v.Type())
				}
				b := c.res.bytes()
				*b = append(*b, s...)
				c.res.headers().Del("Content-Length")
			default:
				return false
			}
			return true
		},
	}
}

func checkStatusValue(L *lua.LState, v lua.LValue) int {
	n, ok := v.(lua.LNumber)
	if !ok || n < 200 || n > 599 || n != lua.LNumber(int(n)) {
		fault.Raisef(L, "argument", "res.status: a status from 200 to 599 expected, got %s", v.String())
	}
	return int(n)
}

// query encodes the values of t for a URL, sorted by name.
func query(t map[string]string) string {
	v := make(url.Values, len(t))
	for name, value := range t {
		v.Set(name, value)
	}
	return v.Encode()
}
