package luabind

import (
	"net/http"
	"reflect"

	lua "github.com/yuin/gopher-lua"

	"rws/luabind/bind"
	"rws/luabind/fault"
	"rws/server/exchange"
)

// A shownUser is c.user as the script has it. The user itself is that of the exchange, which the
// guards of the engine and the script both set, whoever is last.
type shownUser struct {
	value lua.LValue
	of    any
}

// userField is c.user. The table is the same each time, until somebody sets another user.
func userField(L *lua.LState, self any) lua.LValue {
	c := contextOf(L, self)
	if c.user.value == nil || !sameValue(c.user.of, c.ex.User) {
		c.user = shownUser{bind.FromGo(L, c.ex.User), c.ex.User}
	}
	return c.user.value
}

// setUser is c.user = value.
func (c *Ctx) setUser(L *lua.LState, v lua.LValue) {
	user, err := bind.ToGo(L, v)
	if err != nil {
		fault.Raise(L, &fault.Error{Code: "argument", Cause: err, Message: "c.user: " + err.Error(),
			Hint: "the user is data, which limits, guards and logs read too: keep functions and objects under another name, as c.account"})
	}
	c.ex.User = user
	if user == nil {
		v = lua.LNil // rws.null and such
	}
	c.user = shownUser{v, user}
}

// sameValue reports whether a and b are one value: maps and lists are compared by what they are,
// not by what is in them.
func sameValue(a, b any) bool {
	x, y := reflect.ValueOf(a), reflect.ValueOf(b)
	if !x.IsValid() || !y.IsValid() || x.Type() != y.Type() {
		return x.IsValid() == y.IsValid() && !x.IsValid()
	}
	switch x.Kind() {
	case reflect.Map:
		return x.Pointer() == y.Pointer()
	case reflect.Slice:
		return x.Pointer() == y.Pointer() && x.Len() == y.Len()
	}
	return a == b
}

// userName names the user of a request for limits.
func userName(r *http.Request) string {
	if e := exchange.From(r.Context()); e != nil {
		return e.UserName()
	}
	return ""
}

// lendUser makes the user that a test or the console has put into the request that of the
// exchange; no other request has one.
func lendUser(next http.Handler) http.Handler {
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		if user := r.Context().Value(asKey{}); user != nil {
			exchange.From(r.Context()).User = user
		}
		next.ServeHTTP(w, r)
	})
}
