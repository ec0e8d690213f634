package repl

import (
	"bytes"
	"encoding/json"
	"fmt"
	"net/http"
	"strings"
	"time"

	lua "github.com/yuin/gopher-lua"

	"rws/luabind/bind"
	"rws/luabind/codec"
	"rws/server/status"
)

// A response is what get and the others return. For Lua it is a table with the fields
// status, headers, body, ms and request, and the function json.
type response struct {
	request *http.Request
	body    []byte // of the request
	status  int
	header  http.Header
	content []byte
	took    time.Duration
}

const responseType = "repl.response"

// openResponse makes the metatable of responses, by which the printer knows them.
func openResponse(L *lua.LState) { L.NewTypeMetatable(responseType) }

// table returns r for Lua. The Go value is the table's metatable's, one per response.
func (r *response) table(L *lua.LState) *lua.LTable {
	t := L.NewTable()
	t.RawSetString("status", lua.LNumber(r.status))
	t.RawSetString("body", lua.LString(r.content))
	t.RawSetString("ms", lua.LNumber(float64(r.took.Microseconds())/1000))
	headers := L.NewTable()
	for name, values := range r.header {
		headers.RawSetString(name, lua.LString(strings.Join(values, ", ")))
	}
	headers.Metatable = headerMeta(L)
	t.RawSetString("headers", headers)
	t.RawSetString("json", L.NewFunction(func(L *lua.LState) int {
		v, err := codec.Decode(L, r.content, codec.Limits{})
		if err != nil {
			bind.Raise(L, "json", err)
		}
		L.Push(v)
		return 1
	}))
	mt := L.NewTable()
	ud := L.NewUserData()
	ud.Value = r
	mt.RawSetString(responseType, ud)
	mt.RawSetString("__metatable", lua.LString(responseType))
	t.Metatable = mt
	return t
}

// headerMeta makes the names of headers free of case: headers.content_type works.
func headerMeta(L *lua.LState) *lua.LTable {
	mt := L.NewTable()
	mt.RawSetString("__index", L.NewFunction(func(L *lua.LState) int {
		name := http.CanonicalHeaderKey(strings.ReplaceAll(L.Get(2).String(), "_", "-"))
		L.Push(L.CheckTable(1).RawGetString(name))
		return 1
	}))
	return mt
}

// asResponse returns the response that a table is.
func asResponse(_ *lua.LState, t *lua.LTable) (*response, bool) {
	mt, ok := t.Metatable.(*lua.LTable)
	if !ok {
		return nil, false
	}
	ud, ok := mt.RawGetString(responseType).(*lua.LUserData)
	if !ok {
		return nil, false
	}
	r, ok := ud.Value.(*response)
	return r, ok
}

// maxBody bounds how much of a body is printed.
const maxBody = 4_000

// text shows status, time, type and body.
func (r *response) text(p *printer) string {
	c := green
	switch {
	case r.status >= 500:
		c = red
	case r.status >= 400:
		c = yellow
	case r.status >= 300:
		c = cyan
	}
	head := p.style.paint(c, strings.TrimSpace(fmt.Sprintf("%d %s", r.status, status.Text(r.status)))) + "  " + duration(r.took)
	if t := r.header.Get("Content-Type"); t != "" {
		head += "  " + clean(t)
	}
	if l := r.header.Get("Location"); l != "" {
		head += "  → " + clean(l)
	}
	if body := r.shown(p.style); body != "" {
		head += "\n" + body
	}
	return head
}

// shown is the body as text, JSON indented.
func (r *response) shown(style Style) string {
	content := r.content
	isJSON := strings.Contains(r.header.Get("Content-Type"), "json")
	if isJSON {
		var b bytes.Buffer
		if json.Indent(&b, content, "", "  ") == nil {
			content = b.Bytes()
		}
	} else if bytes.IndexByte(content, 0) >= 0 {
		return style.paint(dim, fmt.Sprintf("(%d bytes that are no text)", len(content)))
	}
	rest := ""
	if len(content) > maxBody {
		rest = "\n" + style.paint(dim, fmt.Sprintf("-- … %d more bytes: print(_.body)", len(content)-maxBody))
		content = content[:maxBody]
	}
	text := clean(strings.TrimRight(strings.ToValidUTF8(string(content), ""), "\n"))
	if isJSON && style.Color {
		text = Highlight(text)
	}
	return text + rest
}

// duration is a time to three digits: "1.2 ms".
func duration(d time.Duration) string {
	switch {
	case d < time.Millisecond:
		return fmt.Sprintf("%d µs", d.Microseconds())
	case d < time.Second:
		return fmt.Sprintf("%.3g ms", float64(d.Microseconds())/1000)
	}
	return fmt.Sprintf("%.3g s", d.Seconds())
}
