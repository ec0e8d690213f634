package luabind

import (
	"errors"
	"fmt"
	"net/url"
	"strconv"
	"strings"

	lua "github.com/yuin/gopher-lua"

	"rws/luabind/bind"
	"rws/luabind/vm"
)

// urlModule is rws.url.
func urlModule() bind.Module {
	return bind.Module{Name: "rws.url", Funcs: []bind.Func{
		bind.Call1("parse(text)", urlParse),
		bind.Raw("build(parts)", urlBuild),
		bind.Call1("encode(text)", func(text string) (string, error) { return escapeComponent(text), nil }),
		bind.Call1("decode(text)", urlDecode),
		bind.Raw("query_encode(values)", queryEncode),
		bind.Call1("query_decode(text)", queryDecode),
		bind.Call2("join(base, reference)", urlJoin),
	}}
}

// urlParts are the parts of a URL as scripts see them. The path is as the URL has it, with
// its escapes: decoding would make "%2F" a separator.
type urlParts struct {
	Scheme   string      `json:"scheme"`
	User     *string     `json:"user"`
	Password *string     `json:"password"`
	Host     string      `json:"host"`
	Port     *int        `json:"port"`
	Path     string      `json:"path"`
	Query    *lua.LTable `json:"query"`
	Fragment string      `json:"fragment"`
}

// readURL is url.Parse with errors that do not show the URL, which may hold a password.
func readURL(text string) (*url.URL, error) {
	u, err := url.Parse(text)
	if err != nil {
		if wrapped, ok := errors.AsType[*url.Error](err); ok {
			err = wrapped.Err
		}
		return nil, bind.Errorf("url", "this is no URL: %w", err)
	}
	if u.Opaque != "" {
		hint := ""
		if strings.HasPrefix(u.Opaque, "//") || u.Opaque[0] >= '0' && u.Opaque[0] <= '9' {
			hint = "; write the scheme before the host, as in \"http://localhost:3000\""
		}
		return nil, bind.Errorf("url", "%q has no \"//\" after its scheme%s", u.Scheme+":"+u.Opaque, hint)
	}
	if _, err := portOf(u); err != nil {
		return nil, err
	}
	return u, nil
}

// portOf returns the port of u, -1 without one.
func portOf(u *url.URL) (int, error) {
	text := u.Port()
	if text == "" {
		return -1, nil
	}
	n, err := strconv.ParseUint(text, 10, 16)
	if err != nil {
		return 0, bind.Errorf("url", "the port %s is not one from 0 to 65535", text)
	}
	return int(n), nil
}

// urlParse takes a URL apart.
func urlParse(text string) (bind.Pusher, error) {
	u, err := readURL(text)
	if err != nil {
		return nil, err
	}
	query, err := url.ParseQuery(u.RawQuery)
	if err != nil {
		return nil, bind.Errorf("url", "the query of the URL: %w", err)
	}
	return func(L *lua.LState) int {
		t := fresh(L, L.CreateTable(0, 8))
		set := func(name, value string) {
			if value != "" {
				t.RawSetString(name, lua.LString(value))
			}
		}
		set("scheme", u.Scheme)
		set("host", u.Hostname())
		set("fragment", u.Fragment)
		t.RawSetString("path", lua.LString(u.EscapedPath()))
		t.RawSetString("query", queryTable(L, query))
		if port, _ := portOf(u); port >= 0 {
			t.RawSetString("port", lua.LNumber(port))
		}
		if u.User != nil {
			t.RawSetString("user", lua.LString(u.User.Username()))
			if password, ok := u.User.Password(); ok {
				t.RawSetString("password", lua.LString(password))
			}
		}
		L.Push(t)
		return 1
	}, nil
}

// queryTable holds the value of each name, a list of them when there are several.
func queryTable(L *lua.LState, values url.Values) *lua.LTable {
	t := fresh(L, L.CreateTable(0, len(values)))
	for name, list := range values {
		if len(list) == 1 {
			t.RawSetString(name, lua.LString(list[0]))
		} else {
			t.RawSetString(name, bind.Strings(L, list))
		}
	}
	return t
}

// urlBuild puts a URL together from its parts.
func urlBuild(L *lua.LState) int {
	const name = "rws.url.build"
	bind.Arg[*lua.LTable](L, name, 1)
	text, err := buildParts(bind.Options[urlParts](L, name, 1))
	if err != nil {
		bind.Raise(L, name, err)
	}
	L.Push(lua.LString(text))
	return 1
}

func buildParts(o urlParts) (string, error) {
	u := url.URL{Scheme: o.Scheme, Fragment: o.Fragment}
	if err := setHost(&u, o); err != nil {
		return "", err
	}
	path, err := url.PathUnescape(o.Path)
	if err != nil {
		return "", bind.Errorf("url", "option \"path\": %w; a percent sign itself is \"%%25\"", err)
	}
	u.Path, u.RawPath = path, o.Path
	if u.Host != "" && path != "" && path[0] != '/' {
		u.Path, u.RawPath = "/"+path, "/"+o.Path
	}
	if u.Host == "" && strings.HasPrefix(o.Path, "//") {
		return "", bind.Errorf("url", "option \"path\": %q begins with two slashes, so that its first part would be read as the host", o.Path)
	}
	if o.Query != nil {
		values, err := queryValues(o.Query)
		if err != nil {
			return "", bind.Errorf("url", "option \"query\": %w", err)
		}
		u.RawQuery = values.Encode()
	}
	text := u.String()
	again, err := readURL(text)
	if err != nil {
		return "", err
	}
	if again.Scheme != strings.ToLower(o.Scheme) || again.Hostname() != u.Hostname() || again.EscapedPath() != u.EscapedPath() && u.Scheme+u.Host != "" {
		return "", bind.Errorf("url", "these parts make %q, which would be read as other parts", again.Redacted())
	}
	return text, nil
}

// setHost sets host, port and user.
func setHost(u *url.URL, o urlParts) error {
	if o.Host == "" {
		switch {
		case o.Port != nil:
			return bind.Errorf("url", "a port needs a host")
		case o.User != nil || o.Password != nil:
			return bind.Errorf("url", "a user needs a host")
		}
		if o.Scheme != "" {
			return bind.Errorf("url", "the scheme %q needs a host", o.Scheme)
		}
		return nil
	}
	if i := strings.IndexAny(o.Host, "/?#@[] \t\r\n\\"); i >= 0 {
		return bind.Errorf("url", "option \"host\": %q can't have a %q; an IPv6 address stands without brackets, a port in the option \"port\"", o.Host, o.Host[i:i+1])
	}
	u.Host = o.Host
	if strings.Contains(o.Host, ":") {
		u.Host = "[" + o.Host + "]"
	}
	if o.Port != nil {
		if *o.Port < 0 || *o.Port > 65535 {
			return bind.Errorf("url", "option \"port\": %d is not one from 0 to 65535", *o.Port)
		}
		u.Host += ":" + strconv.Itoa(*o.Port)
	}
	switch {
	case o.Password != nil && o.User == nil:
		return bind.Errorf("url", "a password needs a user")
	case o.Password != nil:
		u.User = url.UserPassword(*o.User, *o.Password)
	case o.User != nil:
		u.User = url.User(*o.User)
	}
	return nil
}

// escapeComponent encodes all but letters, digits and "-._~" (RFC 3986 §2.3).
func escapeComponent(text string) string {
	return strings.ReplaceAll(url.QueryEscape(text), "+", "%20")
}

func urlDecode(text string) (string, error) {
	s, err := url.PathUnescape(text)
	if err != nil {
		return "", bind.Errorf("encoding", "%w; a percent sign itself is \"%%25\"", err)
	}
	return s, nil
}

func queryEncode(L *lua.LState) int {
	values, err := queryValues(bind.Arg[*lua.LTable](L, "rws.url.query_encode", 1))
	if err != nil {
		bind.ArgError(L, "rws.url.query_encode", 1, "%s", err)
	}
	L.Push(lua.LString(values.Encode()))
	return 1
}

// queryValues reads a table of names and values: strings, numbers, booleans, times, or lists
// of these for several of one name.
func queryValues(t *lua.LTable) (url.Values, error) {
	values := make(url.Values)
	var bad error
	size := 0
	t.ForEach(func(k, v lua.LValue) {
		name, ok := k.(lua.LString)
		if bad != nil {
			return
		}
		if !ok {
			bad = fmt.Errorf("[%s]: values have names, as { q = \"lua\" }", k)
			return
		}
		list, ok := v.(*lua.LTable)
		if !ok {
			list = &lua.LTable{Metatable: lua.LNil}
			list.Append(v)
		}
		for n := 1; n <= list.Len(); n++ {
			text, err := queryValue(list.RawGetInt(n))
			if err != nil {
				bad = fmt.Errorf("field %q: %w", string(name), err)
				return
			}
			if size += len(name) + len(text); size > vm.MaxString {
				bad = fmt.Errorf("the values have more than %d MB", vm.MaxString>>20)
				return
			}
			values.Add(string(name), text)
		}
		if ok && list.Len() == 0 && len(bind.Keys(list)) > 0 {
			bad = fmt.Errorf("field %q: a string, number, boolean or list of them expected, got a table with names", string(name))
		}
	})
	return values, bad
}

func queryValue(v lua.LValue) (string, error) {
	switch v := v.(type) {
	case lua.LString, lua.LNumber, lua.LBool:
		return v.String(), nil
	case *lua.LUserData:
		if t, ok := v.Value.(*Time); ok {
			return t.String(), nil
		}
	}
	return "", fmt.Errorf("a string, number, boolean or list of them expected, got %s", v.Type())
}

func queryDecode(text string) (bind.Pusher, error) {
	values, err := url.ParseQuery(strings.TrimPrefix(text, "?"))
	if err != nil {
		return nil, bind.Errorf("encoding", "%w; a percent sign itself is \"%%25\"", err)
	}
	return func(L *lua.LState) int {
		L.Push(queryTable(L, values))
		return 1
	}, nil
}

// urlJoin resolves a reference, as a browser does with a link on the page base (RFC 3986 §5).
func urlJoin(base, reference string) (string, error) {
	b, err := readURL(base)
	if err != nil {
		return "", err
	}
	r, err := url.Parse(reference)
	if err != nil {
		return "", bind.Errorf("url", "the reference is no URL")
	}
	return b.ResolveReference(r).String(), nil
}
