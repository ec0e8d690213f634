package luabind

import (
	"errors"
	"fmt"
	"net/http"
	"strings"

	lua "github.com/yuin/gopher-lua"
	"golang.org/x/net/http/httpguts"

	"rws/luabind/bind"
	"rws/luabind/fault"
	"rws/server/discard"
	"rws/server/proxy"
)

const (
	proxyRequestType  = "rws.ProxyRequest"
	proxyResponseType = "rws.ProxyResponse"
	proxyHeadersType  = "rws.ProxyHeaders"
)

// proxyHooks puts functions of the script into a proxy.
func (s *state) proxyHooks(e *proxy.Options, o *proxyOptions) {
	p := s.program
	if o.OnRequest != nil {
		callback := s.keepCallback(o.OnRequest)
		e.OnRequest = func(w http.ResponseWriter, in, out *http.Request) error {
			return p.proxyHook(w, in, callback, functionAt(o.OnRequest), func(L *lua.LState) lua.LValue { return bind.New(L, proxyRequestType, out) })
		}
	}
	if o.OnResponse != nil {
		callback := s.keepCallback(o.OnResponse)
		e.OnResponse = func(in *http.Request, res *http.Response) error {
			return p.proxyHook(nil, in, callback, functionAt(o.OnResponse), func(L *lua.LState) lua.LValue { return bind.New(L, proxyResponseType, res) })
		}
	}
	if o.Fallback != nil {
		e.Fallback = s.aside(o.Fallback)
	}
}

// proxyHook calls a function of the script with the request and what it is about.
func (p *Program) proxyHook(w http.ResponseWriter, in *http.Request, callback int, at string, about func(L *lua.LState) lua.LValue) error {
	if w == nil {
		w = discard.Writer()
	}
	c := p.glance(w, in, errHookBody)
	return p.call(in.Context(), callback, c, func(L *lua.LState, c *Ctx) []lua.LValue {
		return []lua.LValue{c.value(), about(L)}
	}, func(_ *lua.LState, v lua.LValue) error {
		if v == lua.LNil {
			return nil
		}
		what := "a " + v.Type().String()
		if v == &c.answer {
			what = "an answer, which is not sent"
		}
		return &fault.Error{Code: "result", At: at, Message: "a hook of a proxy returned " + what,
			Hint: "it changes the request or the answer it is given and returns nothing; refuse with c:fail(403), or answer in middleware before the proxy: function(c, next)"}
	})
}

// errHookBody is about c.body in a hook.
var errHookBody = errors.New("a hook of a proxy has no body: it goes straight to the backend; read it in middleware before the proxy: function(c, next)")

// aside is a handler of the script that no route leads to.
func (s *state) aside(fn *lua.LFunction) http.Handler {
	p, n := s.program, len(s.asides)
	s.asides = append(s.asides, &route{kind: "fallback", handler: fn, source: functionAt(fn)})
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) { p.asides[n].ServeHTTP(w, r) })
}

// compileAsides makes the handlers of aside.
func (p *Program) compileAsides() {
	for n := range p.states[0].asides {
		at := len(p.states[0].routes)
		for _, s := range p.states {
			s.routes = append(s.routes, s.asides[n])
		}
		p.asides = append(p.asides, p.chainHandler(at))
	}
}

// proxyTypes are what hooks of proxies are given.
func proxyTypes() []bind.Type {
	return []bind.Type{
		{Name: proxyRequestType, As: "request", Fields: map[string]func(*lua.LState, any) lua.LValue{
			"method": func(_ *lua.LState, self any) lua.LValue { return lua.LString(self.(*http.Request).Method) },
			"url":    func(_ *lua.LState, self any) lua.LValue { return lua.LString(self.(*http.Request).URL.RequestURI()) },
			"path":   func(_ *lua.LState, self any) lua.LValue { return lua.LString(self.(*http.Request).URL.Path) },
			"query":  func(_ *lua.LState, self any) lua.LValue { return lua.LString(self.(*http.Request).URL.RawQuery) },
			"host":   func(_ *lua.LState, self any) lua.LValue { return lua.LString(self.(*http.Request).Host) },
			"headers": func(L *lua.LState, self any) lua.LValue {
				return bind.New(L, proxyHeadersType, self.(*http.Request).Header)
			},
		}, Set: setProxyRequest},
		{Name: proxyResponseType, As: "response", Fields: map[string]func(*lua.LState, any) lua.LValue{
			"status": func(_ *lua.LState, self any) lua.LValue { return lua.LNumber(self.(*http.Response).StatusCode) },
			"headers": func(L *lua.LState, self any) lua.LValue {
				return bind.New(L, proxyHeadersType, self.(*http.Response).Header)
			},
		}, Set: setProxyResponse},
		{Name: proxyHeadersType, As: "headers", Index: func(_ *lua.LState, self any, key string) (lua.LValue, bool) {
			values := self.(http.Header).Values(headerName(key))
			if len(values) == 0 {
				return lua.LNil, true
			}
			return lua.LString(strings.Join(values, ", ")), true
		}, Set: setProxyHeader},
	}
}

// setProxyRequest is request.path = "/x" and its like.
func setProxyRequest(L *lua.LState, self any, key string, v lua.LValue) bool {
	r := self.(*http.Request)
	text, ok := v.(lua.LString)
	switch {
	case key != "path" && key != "query" && key != "host" && key != "method":
		return false
	case !ok:
		fault.Raisef(L, "argument", "request.%s: a string expected, got %s", key, v.Type())
	}
	value := string(text)
	switch {
	case key == "path" && strings.HasPrefix(value, "/"): // the proxy looks at what comes of it
		r.URL.Path, r.URL.RawPath = value, ""
	case key == "query" && validQuery(value):
		r.URL.RawQuery = strings.TrimPrefix(value, "?")
	case key == "host" && httpguts.ValidHostHeader(value):
		r.Host = value
	case key == "method" && httpguts.ValidHeaderFieldName(value):
		r.Method = value
	default:
		fault.Raise(L, &fault.Error{Code: "argument", Message: fmt.Sprintf("request.%s: %q is none", key, value), Hint: hintOf[key]})
	}
	return true
}

// hintOf says what to do about a field of a request that cannot be sent.
var hintOf = map[string]string{"query": "make it with rws.url.query_encode, which encodes names and values"}

// validQuery reports whether a query can stand in the first line of a request (RFC 3986 §3.4, and what
// browsers leave as it is).
func validQuery(s string) bool {
	return !strings.ContainsFunc(s, func(r rune) bool { return r <= ' ' || r >= 0x7f || r == '#' })
}

func setProxyResponse(L *lua.LState, self any, key string, v lua.LValue) bool {
	if key != "status" {
		return false
	}
	n, ok := v.(lua.LNumber)
	if !ok || n < 200 || n > 599 || n != lua.LNumber(int(n)) {
		fault.Raisef(L, "argument", "response.status: a status from 200 to 599 expected, got %s", v.String())
	}
	self.(*http.Response).StatusCode = int(n)
	return true
}

// setProxyHeader takes a string, a number, a list for several lines, or nil to remove.
func setProxyHeader(L *lua.LState, self any, key string, v lua.LValue) bool {
	h, name := self.(http.Header), headerName(key)
	switch {
	case !validHeaderName(name):
		fault.Raisef(L, "header", "%q is not a header name", key)
	case name == "Host":
		fault.Raise(L, &fault.Error{Code: "header", Message: "header Host: it is no field of this table", Hint: `write request.host = "api.internal" for this request, or give the proxy the option host, for all`})
	case framing[name] && v != lua.LNil:
		fault.Raisef(L, "header", "header %s: the proxy sets it itself, to what it really sends", name)
	}
	list, ok := v.(*lua.LTable)
	if !ok {
		list = L.NewTable()
		if v != lua.LNil {
			list.Append(v)
		}
	}
	var values []string
	for n := 1; n <= list.Len(); n++ {
		value := list.RawGetInt(n)
		if t := value.Type(); t != lua.LTString && t != lua.LTNumber {
			fault.Raisef(L, "header", "header %s: a string, a list or nil expected, got %s", name, t)
		}
		if err := checkHeaderValue(value.String()); err != nil {
			fault.Raisef(L, "header", "header %s: %s", name, err)
		}
		values = append(values, value.String())
	}
	h.Del(name)
	if len(values) > 0 {
		h[name] = values
	}
	return true
}
