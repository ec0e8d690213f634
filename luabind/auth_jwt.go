package luabind

import (
	"errors"
	"strings"

	lua "github.com/yuin/gopher-lua"

	"rws/server/auth/bearer"
	"rws/server/auth/require"
	"rws/server/suggest"
)

// authJWTOptions are the options of rws.auth.jwt.
type authJWTOptions struct {
	verifyOptions
	From      []string `json:"from"`
	Realm     string   `json:"realm"`
	Scopes    []string `json:"scopes"`
	Roles     []string `json:"roles"`
	RoleClaim string   `json:"role_claim"`
	Optional  bool     `json:"optional"`
}

// authJWT is rws.auth.jwt.
func authJWT(L *lua.LState) int {
	o := guardOptions[authJWTOptions](L, "rws.auth.jwt", 1)
	label := scoped{o.Scopes, o.Roles, o.RoleClaim}.label("auth.jwt")
	return guard(L, "auth.jwt", label, func(p *Program) (wrapper, error) {
		if err := claimOfNone(o.RoleClaim, o.Roles); err != nil {
			return nil, err
		}
		v, err := p.newVerifier(o.verifyOptions)
		if err != nil {
			return nil, err
		}
		from, err := tokenSources(o.From)
		if err != nil {
			return nil, err
		}
		return bearer.New(bearer.Options{Verifier: v, From: from, Realm: o.Realm, Scopes: o.Scopes, Roles: o.Roles, RoleClaim: o.RoleClaim, Optional: o.Optional})
	})
}

// tokenSources reads where tokens may be.
func tokenSources(list []string) ([]bearer.Source, error) {
	var sources []bearer.Source
	for _, text := range list {
		kind, name, named := strings.Cut(text, ":")
		switch {
		case text == "header":
			sources = append(sources, bearer.Authorization())
		case kind == "header" && named:
			sources = append(sources, bearer.Header(name))
		case kind == "cookie" && named:
			sources = append(sources, bearer.Cookie(name))
		case kind == "query" && named:
			sources = append(sources, bearer.Query(name))
		default:
			return nil, badOption("from", `%q%s: "header" (Authorization: Bearer …), "header:NAME", "cookie:NAME" or "query:NAME" expected`,
				text, suggest.DidYouMean(kind, []string{"header", "cookie", "query"}))
		}
	}
	return sources, nil
}

// claimOfNone refuses a place of roles without roles: those were nil.
func claimOfNone(claim string, roles []string) error {
	if claim != "" && len(roles) == 0 {
		return badOption("role_claim", "there are no roles that it is for (if you gave some, the value is nil)")
	}
	return nil
}

// authRequireOptions are the options of rws.auth.require.
type authRequireOptions struct {
	Scopes    []string `json:"scopes"`
	Roles     []string `json:"roles"`
	RoleClaim string   `json:"role_claim"`
	User      bool     `json:"user"`
}

// authRequire is rws.auth.require.
func authRequire(L *lua.LState) int {
	o := guardOptions[authRequireOptions](L, "rws.auth.require", 1)
	label := scoped{o.Scopes, o.Roles, o.RoleClaim}.label("auth.require")
	return guard(L, "auth.require", label, func(*Program) (wrapper, error) {
		if err := claimOfNone(o.RoleClaim, o.Roles); err != nil {
			return nil, err
		}
		if len(o.Scopes)+len(o.Roles) == 0 && !o.User {
			return nil, errors.New("it asks for nothing: give scopes or roles (if you did, the value is nil, as that of a variable of env which is not set), or user = true, for anybody who is signed in")
		}
		return require.New(require.Options{Scopes: o.Scopes, Roles: o.Roles, RoleClaim: o.RoleClaim})
	})
}

// authOf reads "auth" of a spec: a guard, or a list of them.
func authOf(L *lua.LState, v lua.LValue) ([]link, error) {
	list := []lua.LValue{v}
	switch v := v.(type) {
	case nil:
		return nil, nil
	case *lua.LTable:
		list = nil
		for n := 1; n <= v.Len(); n++ {
			list = append(list, v.RawGetInt(n))
		}
		entries := 0
		v.ForEach(func(lua.LValue, lua.LValue) { entries++ })
		if entries > len(list) { // else some of them would guard nothing
			return nil, badOption("auth", "a list of guards expected: it has an entry with a name, or behind one that is nil")
		}
	}
	var links []link
	for _, v := range list {
		l, ok := linkOf(L, v)
		if !ok {
			return nil, badOption("auth", "a guard such as rws.auth.jwt { … } or a function(c, next) expected, got %s", v.Type())
		}
		links = append(links, l)
	}
	if len(links) == 0 {
		return nil, badOption("auth", "the list is empty, so it guards nothing; leave it out")
	}
	return links, nil
}
