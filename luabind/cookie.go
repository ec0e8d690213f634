package luabind

import (
	"net/http"
	"time"

	lua "github.com/yuin/gopher-lua"

	"rws/luabind/bind"
	"rws/luabind/fault"
)

const cookiesType = "rws.Cookies"

// makeCookies returns c.cookies.
func makeCookies(L *lua.LState, c *Ctx) lua.LValue { return bind.New(L, cookiesType, c) }

// cookieOptions are the options of c.cookies:set. The defaults are safe ones: HttpOnly,
// SameSite=Lax, Secure under TLS, for the whole site, until the browser closes.
type cookieOptions struct {
	MaxAge   time.Duration `json:"max_age"`
	Path     string        `json:"path"`
	Domain   string        `json:"domain"`
	HTTPOnly *bool         `json:"http_only"`
	Secure   *bool         `json:"secure"`
	SameSite string        `json:"same_site"`
}

// cookiesOfType describes c.cookies: reading a name gives the client's value or nil,
// assigning one sends it.
func cookiesOfType() bind.Type {
	return bind.Type{
		Name: cookiesType, As: "c.cookies",
		Methods: []bind.Func{
			bind.RawMethod("get(name)", cookieGet),
			bind.RawMethod("set(name, value, options?)", cookieSet),
			bind.RawMethod("del(name, options?)", cookieDel),
		},
		Index: func(L *lua.LState, self any, key string) (lua.LValue, bool) {
			return contextOf(L, self).cookie(key), true
		},
		Set: func(L *lua.LState, self any, key string, v lua.LValue) bool {
			c := contextOf(L, self)
			if v == lua.LNil {
				c.setCookie(L, "c.cookies", key, "", cookieOptions{}, true)
				return true
			}
			s, ok := v.(lua.LString)
			if !ok {
				fault.Raisef(L, "argument", "c.cookies.%s: a string expected, got %s", key, v.Type())
			}
			c.setCookie(L, "c.cookies", key, string(s), cookieOptions{}, false)
			return true
		},
	}
}

func (c *Ctx) cookie(name string) lua.LValue {
	if k, err := c.r.Cookie(name); err == nil {
		return lua.LString(k.Value)
	}
	return lua.LNil
}

func cookieGet(L *lua.LState, c *Ctx) int {
	L.Push(contextOf(L, c).cookie(L.CheckString(2)))
	return 1
}

func cookieSet(L *lua.LState, c *Ctx) int {
	o := bind.Options[cookieOptions](L, "c.cookies:set", 4)
	contextOf(L, c).setCookie(L, "c.cookies:set", L.CheckString(2), L.CheckString(3), o, false)
	return 0
}

func cookieDel(L *lua.LState, c *Ctx) int {
	o := bind.Options[cookieOptions](L, "c.cookies:del", 3)
	contextOf(L, c).setCookie(L, "c.cookies:del", L.CheckString(2), "", o, true)
	return 0
}

// setCookie adds a Set-Cookie header; a second one for the same name replaces the first.
func (c *Ctx) setCookie(L *lua.LState, by, name, value string, o cookieOptions, remove bool) {
	k := &http.Cookie{
		Name: name, Value: value, Path: o.Path, Domain: o.Domain, MaxAge: int(o.MaxAge.Seconds()),
		HttpOnly: o.HTTPOnly == nil || *o.HTTPOnly, Secure: c.r.TLS != nil, SameSite: http.SameSiteLaxMode,
	}
	if k.Path == "" {
		k.Path = "/"
	}
	if o.Secure != nil {
		k.Secure = *o.Secure
	}
	if remove {
		k.MaxAge = -1
	}
	switch o.SameSite {
	case "", "lax":
	case "strict":
		k.SameSite = http.SameSiteStrictMode
	case "none":
		k.SameSite, k.Secure = http.SameSiteNoneMode, true
	default:
		fault.Raisef(L, "option", "%s: option \"same_site\": %q is none of lax, strict, none", by, o.SameSite)
	}
	if err := k.Valid(); err != nil {
		fault.Raisef(L, "argument", "%s: cookie %q: %s", by, name, err)
	}
	text := k.String()
	if len(text) > maxCookie {
		fault.Raisef(L, "argument", "%s: cookie %q has %d bytes; browsers keep at most %d", by, name, len(text), maxCookie)
	}
	h := c.res.headers()
	kept := h["Set-Cookie"][:0:0]
	for _, line := range h["Set-Cookie"] {
		if old, err := http.ParseSetCookie(line); err != nil || old.Name != name {
			kept = append(kept, line)
		}
	}
	h["Set-Cookie"] = append(kept, text)
}

// maxCookie is what browsers keep (RFC 6265 §6.1).
const maxCookie = 4096
