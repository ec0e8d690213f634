package luabind

import (
	"strings"
	"time"

	lua "github.com/yuin/gopher-lua"

	"rws/luabind/bind"
	"rws/luabind/fault"
	"rws/luabind/vm"
	"rws/server/cookie"
)

const cookiesType = "rws.Cookies"

// makeCookies returns c.cookies.
func makeCookies(L *lua.LState, c *Ctx) lua.LValue { return bind.New(L, cookiesType, c) }

// cookieOptions are the options of c.cookies:set. The defaults are safe ones: HttpOnly,
// SameSite=Lax, Secure under TLS, for the whole site, until the browser closes.
type cookieOptions struct {
	Signed      bool          `json:"signed"`
	Encrypted   bool          `json:"encrypted"`
	MaxAge      time.Duration `json:"max_age"`
	Path        string        `json:"path"`
	Domain      string        `json:"domain"`
	HTTPOnly    *bool         `json:"http_only"`
	Secure      *bool         `json:"secure"`
	SameSite    string        `json:"same_site"`
	Partitioned bool          `json:"partitioned"`
}

// cookieReadOptions are those of c.cookies:get.
type cookieReadOptions struct {
	Signed    bool `json:"signed"`
	Encrypted bool `json:"encrypted"`
}

// cookieDeleteOptions are those of c.cookies:delete.
type cookieDeleteOptions struct {
	Path        string `json:"path"`
	Domain      string `json:"domain"`
	Secure      *bool  `json:"secure"`
	SameSite    string `json:"same_site"`
	Partitioned bool   `json:"partitioned"`
}

// cookiesOfType describes c.cookies: reading a name gives the client's value or nil,
// assigning one sends it.
func cookiesOfType() bind.Type {
	return bind.Type{
		Name: cookiesType, As: "c.cookies",
		Methods: []bind.Func{
			bind.RawMethod("set(name, value, options?)", cookieSet),
			bind.RawMethod("delete(name, options?)", cookieDelete),
			bind.RawMethod("get(name, options?)", cookieGet),
		},
		Index: func(L *lua.LState, self any, key string) (lua.LValue, bool) {
			return contextOf(L, self).cookie(key), true
		},
		Set:  setCookieField,
		View: func(L *lua.LState, self any) *lua.LTable { return contextOf(L, self).cookiesTable(L) },
	}
}

// setCookieField is c.cookies.name = value.
func setCookieField(L *lua.LState, self any, key string, v lua.LValue) bool {
	c := contextOf(L, self)
	vm.WritesTo(L, c)
	c.notSessions(L, "c.cookies."+key, key)
	switch v := v.(type) {
	case *lua.LNilType:
		raiseCookie(L, "c.cookies", cookie.Delete(c.res.headers(), key, cookie.Options{}, c.overTLS()))
	case lua.LString:
		raiseCookie(L, "c.cookies", cookie.Set(c.res.headers(), key, string(v), cookie.Options{}, c.overTLS()))
	default:
		fault.Raisef(L, "argument", "c.cookies.%s: a string or nil expected, got %s", key, v.Type())
	}
	return true
}

// notSessions raises for the cookie of sessions, which both would write.
func (c *Ctx) notSessions(L *lua.LState, by, name string) {
	if own := c.state.program.Config.Session.Cookie.Name; strings.TrimPrefix(name, "__Host-") == own {
		fault.Raisef(L, "argument", "%s: %q carries the id of the session: use c.session and c.session:destroy(), or give it another name by app:config { session = { cookie = { name = … } } }", by, name)
	}
}

// raiseCookie raises what the browser would have dropped in silence.
func raiseCookie(L *lua.LState, by string, err error) {
	if err != nil {
		fault.Raise(L, &fault.Error{Code: "argument", Message: by + ": " + err.Error(), Cause: err})
	}
}

// overTLS reports whether the client came over TLS.
func (c *Ctx) overTLS() bool { return scheme(c) == "https" }

func (c *Ctx) cookie(name string) lua.LValue {
	if value, ok := cookie.Get(c.r.Header, name); ok {
		return lua.LString(headerText(value))
	}
	return lua.LNil
}

// cookieGet returns what the client sent, and of a cookie that was signed or encrypted what was
// set: nil when that is not what came back.
func cookieGet(L *lua.LState, c *Ctx) int {
	contextOf(L, c)
	name := bind.Arg[string](L, "c.cookies:get", 2)
	o := bind.Options[cookieReadOptions](L, "c.cookies:get", 3)
	value, ok := cookie.Get(c.r.Header, name)
	if ok && (o.Signed || o.Encrypted) {
		codec := c.codec(L, "c.cookies:get", o.Signed && o.Encrypted)
		if o.Signed {
			value, ok = codec.Verify(name, value)
		} else {
			value, ok = codec.Decrypt(name, value)
		}
	}
	if !ok {
		L.Push(lua.LNil)
		return 1
	}
	L.Push(lua.LString(headerText(value)))
	return 1
}

func cookieSet(L *lua.LState, c *Ctx) int {
	vm.WritesTo(L, contextOf(L, c))
	name, value := bind.Arg[string](L, "c.cookies:set", 2), bind.Arg[string](L, "c.cookies:set", 3)
	o := bind.Options[cookieOptions](L, "c.cookies:set", 4)
	c.notSessions(L, "c.cookies:set", name)
	if o.Signed || o.Encrypted {
		codec := c.codec(L, "c.cookies:set", o.Signed && o.Encrypted)
		if o.Signed {
			value = codec.Sign(name, value, o.MaxAge)
		} else {
			value = codec.Encrypt(name, value, o.MaxAge)
		}
	}
	raiseCookie(L, "c.cookies:set", cookie.Set(c.res.headers(), name, value, cookie.Options{
		MaxAge: o.MaxAge, Path: o.Path, Domain: o.Domain, HTTPOnly: o.HTTPOnly, Secure: o.Secure, SameSite: o.SameSite, Partitioned: o.Partitioned,
	}, c.overTLS()))
	return 0
}

// codec returns what signs and encrypts.
func (c *Ctx) codec(L *lua.LState, by string, both bool) *cookie.Codec {
	if both {
		fault.Raisef(L, "option", "%s: a cookie is signed or encrypted; what is encrypted can't be altered either", by)
	}
	codec, err := c.state.program.cookieCodec()
	if err != nil {
		bind.Raise(L, by, err)
	}
	return codec
}

func cookieDelete(L *lua.LState, c *Ctx) int {
	vm.WritesTo(L, contextOf(L, c))
	name := bind.Arg[string](L, "c.cookies:delete", 2)
	o := bind.Options[cookieDeleteOptions](L, "c.cookies:delete", 3)
	c.notSessions(L, "c.cookies:delete", name)
	raiseCookie(L, "c.cookies:delete", cookie.Delete(c.res.headers(), name, cookie.Options{
		Path: o.Path, Domain: o.Domain, Secure: o.Secure, SameSite: o.SameSite, Partitioned: o.Partitioned,
	}, c.overTLS()))
	return 0
}

// cookiesTable holds what the client sent; of two with one name the first counts.
func (c *Ctx) cookiesTable(L *lua.LState) *lua.LTable {
	t := fresh(L, L.NewTable())
	for name, value := range cookie.All(c.r.Header) {
		if t.RawGetString(name) == lua.LNil {
			t.RawSetString(headerText(name), lua.LString(headerText(value)))
		}
	}
	return t
}
