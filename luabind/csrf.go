package luabind

import (
	"context"
	"html"
	"net/http"
	"sync"

	lua "github.com/yuin/gopher-lua"

	"rws/luabind/fault"
	"rws/luabind/vm"
	"rws/server/exchange"
	"rws/server/middleware"
	"rws/server/secret"
	"rws/server/template"
)

// csrfOptions are the options of rws.csrf.
type csrfOptions struct {
	TrustedOrigins []string `json:"trusted_origins"`
	Always         bool     `json:"always"`
	Cookie         string   `json:"cookie"`
	Header         string   `json:"header"`
	Field          string   `json:"field"`
}

// csrf is rws.csrf. The key is made of the app's secret.
func csrf(L *lua.LState) int {
	o := guardOptions[csrfOptions](L, "rws.csrf", 1)
	return guard(L, "csrf", "csrf", func(p *Program) (wrapper, error) {
		options := middleware.CSRFOptions{TrustedOrigins: o.TrustedOrigins, Always: o.Always, Cookie: o.Cookie, Header: o.Header, Field: o.Field,
			Key: make([]byte, secret.MinLength), Session: p.sessionOf}
		if _, err := middleware.CSRF(options); err != nil { // all but the key
			return nil, err
		}
		p.whenConfigured(L, "rws.csrf", p.checkSecret)
		guarded := sync.OnceValues(func() (middleware.Func, error) {
			key, err := p.csrfKey()
			if err != nil {
				return nil, err
			}
			options.Key = key
			return middleware.CSRF(options)
		})
		return func(next http.Handler) http.Handler { return lateGuard(guarded, next) }, nil
	})
}

// lateGuard is a guard that is made when the first request comes; while that fails nobody enters.
func lateGuard(make func() (middleware.Func, error), next http.Handler) http.Handler {
	guarded := sync.OnceValues(func() (http.Handler, error) {
		wrap, err := make()
		if err != nil {
			return nil, err
		}
		return wrap(next), nil
	})
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		h, err := guarded()
		if err != nil {
			exchange.From(r.Context()).Fault = err
			return
		}
		h.ServeHTTP(w, r)
	})
}

// checkSecret fails where there is no secret and none will be made. Development makes one when it
// is needed, and not for a look at the script.
func (p *Program) checkSecret() error {
	if p.Config.Production() && !p.Config.hasSecret() && !p.options.testing {
		return errNoSecret
	}
	return nil
}

// csrfKey is derived from the secret of the app.
func (p *Program) csrfKey() ([]byte, error) {
	keys, err := p.stores.keys.get(func() (*secret.Keys, error) { return p.secretKeys(p.Config.Secret, p.Config.Session.Secret) })
	if err != nil {
		return nil, err
	}
	return keys.For("csrf").Sign("key", nil), nil
}

// sessionOf names the session of a request whose user is signed in, which tokens are bound to.
// One without a user is nobody's, and may begin between a page and its form.
func (p *Program) sessionOf(r *http.Request) (string, error) {
	e := exchange.From(r.Context())
	if c, ok := e.Data.(*Ctx); ok {
		if s := c.session.Load(); s != nil && s.loaded.Load() {
			return signedIn(r.Context(), s.s)
		}
	}
	m, err := p.sessions()
	if err != nil {
		return "", err
	}
	s := m.Start(r.Header, clientScheme(r) == "https")
	if err := s.Load(r.Context()); err != nil {
		return "", err
	}
	return signedIn(r.Context(), s)
}

// signedIn is the id of a session that belongs to a user, else "".
func signedIn(ctx context.Context, s interface {
	User(context.Context) (string, error)
	ID(context.Context) (string, error)
}) (string, error) {
	user, err := s.User(ctx)
	if err != nil || user == "" {
		return "", err
	}
	return s.ID(ctx)
}

// csrfToken returns the token of the request, or raises. It may wait for the session.
func (c *Ctx) csrfToken(L *lua.LState, name string) string {
	if middleware.CSRFField(c.r.Context()) == "" {
		fault.Raise(L, &fault.Error{Code: "csrf", Message: name + ": no rws.csrf() stands before this handler", Hint: "app:use(rws.csrf())"})
	}
	var token string
	h := make(http.Header)
	err := vm.Wait(L, func(context.Context) (err error) {
		token, err = middleware.CSRFToken(c.r.Context(), h)
		return err
	})
	if err != nil {
		raiseSession(L, name, err)
	}
	c.carriesToken(h)
	return token
}

// private is what an answer with a token says to caches, unless the script says something.
var private = []string{"private"}

// carriesToken adds the cookie in h, if there is one, and says that the answer is for one visitor.
func (c *Ctx) carriesToken(h http.Header) {
	answer := c.res.headers()
	addVary(answer)
	if answer["Cache-Control"] == nil {
		answer["Cache-Control"] = private
	}
	answer["Set-Cookie"] = append(answer["Set-Cookie"], h["Set-Cookie"]...)
}

// csrfTokenField is c.csrf_token.
func csrfTokenField(L *lua.LState, self any) lua.LValue {
	return lua.LString(contextOf(L, self).csrfToken(L, "c.csrf_token"))
}

// csrfFieldField is c.csrf_field.
func csrfFieldField(L *lua.LState, self any) lua.LValue {
	c := contextOf(L, self)
	return lua.LString(csrfInput(middleware.CSRFField(c.r.Context()), c.csrfToken(L, "c.csrf_field")))
}

func csrfInput(name, token string) string {
	return `<input type="hidden" name="` + html.EscapeString(name) + `" value="` + token + `">`
}

// forms gives a template csrf_token() and csrf_field(), which are made when they are called, and
// returns what is to be called when it is rendered.
func (c *Ctx) forms(values map[string]any) (rendered func()) {
	name := middleware.CSRFField(c.r.Context())
	if name == "" {
		return func() {}
	}
	h, asked := make(http.Header), false
	token := func() (string, error) {
		asked = true
		return middleware.CSRFToken(c.r.Context(), h)
	}
	functions := map[string]template.Func{
		"csrf_token": func(...any) (any, error) { return token() },
		"csrf_field": func(...any) (any, error) {
			t, err := token()
			return template.Safe(csrfInput(name, t)), err
		},
	}
	for name, f := range functions {
		if _, own := values[name]; !own {
			values[name] = f
		}
	}
	return func() {
		if asked {
			c.carriesToken(h)
		}
	}
}
