package luabind

import (
	"iter"
	"net/http"
	"strings"
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
		View: func(L *lua.LState, self any) *lua.LTable { return contextOf(L, self).cookiesTable(L) },
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
	for k, v := range c.cookies() {
		if k == name {
			return lua.LString(v)
		}
	}
	return lua.LNil
}

// cookies yields what the client sent (RFC 6265 §5.4). net/http leaves out values with bytes
// that no server should set, as those of UTF-8; other programs set them nevertheless.
func (c *Ctx) cookies() iter.Seq2[string, string] {
	return func(yield func(name, value string) bool) {
		for _, line := range c.r.Header["Cookie"] {
			for pair := range strings.SplitSeq(line, ";") {
				name, value, ok := strings.Cut(strings.TrimSpace(pair), "=")
				if name = strings.TrimSpace(name); !ok || name == "" {
					continue
				}
				value = strings.TrimSpace(value)
				if n := len(value); n > 1 && value[0] == '"' && value[n-1] == '"' {
					value = value[1 : n-1]
				}
				if !yield(headerText(name), headerText(value)) {
					return
				}
			}
		}
	}
}

// cookiesTable holds what the client sent; of two with one name the first counts.
func (c *Ctx) cookiesTable(L *lua.LState) *lua.LTable {
	t := L.NewTable()
	for name, value := range c.cookies() {
		if t.RawGetString(name) == lua.LNil {
			t.RawSetString(name, lua.LString(value))
		}
	}
	return t
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
