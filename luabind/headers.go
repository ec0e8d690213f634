package luabind

import (
	"errors"
	"fmt"
	"net/http"
	"strings"

	lua "github.com/yuin/gopher-lua"

	"rws/luabind/bind"
	"rws/luabind/fault"
	"rws/luabind/vm"
)

const (
	headersType        = "rws.Headers"
	requestHeadersType = "rws.RequestHeaders"
)

// requestHeaders is c.headers: a table of headerTable that refuses what would go nowhere.
type requestHeaders struct{ table *lua.LTable }

// headersOf is c.headers. It is what there was when it was first read, and outlives the request.
func (c *Ctx) headersOf(L *lua.LState) lua.LValue {
	if c.headers == nil {
		t := headerTable(L, c.r.Header)
		t.RawSetString("host", lua.LString(c.r.Host))
		c.headers = bind.New(L, requestHeadersType, &requestHeaders{t})
	}
	return c.headers
}

// requestHeadersOfType describes c.headers.
func requestHeadersOfType() bind.Type {
	return bind.Type{
		Name: requestHeadersType, As: "c.headers",
		Index: func(_ *lua.LState, self any, key string) (lua.LValue, bool) {
			return headerField(self.(*requestHeaders).table, key), true
		},
		Set: func(L *lua.LState, _ any, key string, _ lua.LValue) bool {
			fault.Raise(L, &fault.Error{Code: "field", Message: fmt.Sprintf("c.headers.%s can't be set: it is what the client sent", key),
				Hint: "headers of the answer are c.res.headers; what a backend gets is changed by on_request of app:proxy, and for all that comes after by rws.headers { request = { set = … } }"})
			return true
		},
		View: func(_ *lua.LState, self any) *lua.LTable { return self.(*requestHeaders).table },
	}
}

// headersOfType describes res.headers.
func headersOfType() bind.Type {
	return bind.Type{
		Name: headersType, As: "res.headers",
		Index: func(L *lua.LState, self any, key string) (lua.LValue, bool) {
			values := contextOf(L, self).res.headers().Values(headerName(key))
			if len(values) == 0 {
				return lua.LNil, true
			}
			return lua.LString(strings.Join(values, ", ")), true
		},
		Set:    setResponseHeader,
		String: func(self any) string { return fmt.Sprint(self.(*Ctx).res.header) },
	}
}

// setResponseHeader takes a string, a number, a list for several lines, or nil to
// remove.
func setResponseHeader(L *lua.LState, self any, key string, v lua.LValue) bool {
	c := contextOf(L, self)
	vm.WritesTo(L, c)
	name := headerName(key)
	if !validHeaderName(name) {
		fault.Raisef(L, "header", "%q is not a header name", key)
	}
	if framing[name] && v != lua.LNil {
		fault.Raisef(L, "header", "header %s: the server sets it itself, to what it really sends", name)
	}
	h := c.res.headers()
	switch v := v.(type) {
	case *lua.LNilType:
		h.Del(name)
	case lua.LString, lua.LNumber:
		c.setHeader(L, name, v.String())
	case *lua.LTable:
		h.Del(name)
		for n := 1; n <= v.Len(); n++ {
			value := v.RawGetInt(n).String()
			if err := checkHeaderValue(value); err != nil {
				fault.Raisef(L, "header", "header %s: %s", name, err)
			}
			h.Add(name, value)
		}
	default:
		fault.Raisef(L, "header", "header %s: a string, a list or nil expected, got %s", name, v.Type())
	}
	return true
}

// framing are the headers that say where a message ends.
var framing = map[string]bool{
	"Content-Length": true, "Transfer-Encoding": true, "Connection": true, "Keep-Alive": true, "Trailer": true, "Upgrade": true,
}

func headerName(key string) string {
	return http.CanonicalHeaderKey(strings.ReplaceAll(key, "_", "-"))
}

func validHeaderName(name string) bool {
	if name == "" {
		return false
	}
	for i := range len(name) {
		ch := name[i]
		if ch <= ' ' || ch >= 0x7f || strings.IndexByte(`()<>@,;:\"/[]?={}`, ch) >= 0 {
			return false
		}
	}
	return true
}

var errHeaderValue = errors.New("a header value can't hold line breaks or control characters")

func checkHeaderValue(v string) error {
	for i := range len(v) {
		if ch := v[i]; ch < ' ' && ch != '\t' || ch == 0x7f {
			return errHeaderValue
		}
	}
	return nil
}
