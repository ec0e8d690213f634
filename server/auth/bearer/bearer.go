// Package bearer guards handlers with tokens (RFC 6750): who has none, or one that does not
// hold, is answered with 401, and who may not do this with 403. What a token says becomes the
// User of the exchange.
//
// With [Cookie] a browser sends the token by itself, also for other sites: guard such routes
// against cross-site requests too.
package bearer

import (
	"context"
	"errors"
	"fmt"
	"net/http"
	"slices"
	"strings"

	"rws/server/auth/jwt"
	"rws/server/exchange"
	"rws/server/problem"
)

// Verifier judges tokens, as [jwt.Verifier] does. Its error is [jwt.ErrKeys] if it cannot, or
// that of ctx; any other means that the token does not hold.
type Verifier interface {
	Verify(ctx context.Context, token string) (jwt.Claims, error)
}

// DefaultRealm is what browsers and programs are told the guard protects.
const DefaultRealm = "api"

// Options of a guard. Verifier must be set.
type Options struct {
	Verifier Verifier
	// From is where a token may be; default [Authorization] alone. One in two of them is
	// refused, since others might take the other one.
	From []Source
	// Realm is shown to clients.
	Realm string
	// Scopes that a token must have, all of them (see [jwt.Claims.Scopes]).
	Scopes []string
	// Roles, of which a token must have one; RoleClaim is where they are, default "roles" (see
	// [jwt.Claims.Texts]).
	Roles     []string
	RoleClaim string
	// Optional lets requests without any token pass, with no User. A token that does not hold
	// never passes.
	Optional bool
}

// guard is Options that have been checked.
type guard struct {
	Options
	challenge string // the WWW-Authenticate without an error
}

// New returns the middleware, or an error for options that guard nothing.
func New(o Options) (func(http.Handler) http.Handler, error) {
	if o.From == nil {
		o.From = []Source{Authorization()}
	}
	if o.Realm == "" {
		o.Realm = DefaultRealm
	}
	if o.RoleClaim == "" {
		o.RoleClaim = "roles"
	}
	if err := o.check(); err != nil {
		return nil, fmt.Errorf("bearer guard: %w", err)
	}
	g := &guard{Options: o, challenge: `Bearer realm="` + o.Realm + `"`}
	return func(next http.Handler) http.Handler {
		return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) { g.serve(w, r, next) })
	}, nil
}

func (o Options) check() error {
	switch {
	case o.Verifier == nil:
		return errors.New("it has nothing to verify tokens with")
	case len(o.From) == 0:
		return errors.New("the list of places where a token may be is empty")
	case !quotable(o.Realm):
		return fmt.Errorf(`the realm %q: use letters, digits and signs but \ and "`, o.Realm)
	case slices.Contains(o.Roles, ""):
		return errors.New("a role is empty")
	case o.Optional && len(o.Scopes)+len(o.Roles) > 0:
		return errors.New("it is optional and asks for scopes or roles, which nobody without a token has; leave out one of the two")
	}
	for _, scope := range o.Scopes {
		if !quotable(scope) || strings.Contains(scope, " ") {
			return fmt.Errorf(`the scope %q: must not be empty or have spaces, \ or " (RFC 6749 §3.3)`, scope)
		}
	}
	for _, from := range o.From {
		if err := from.check(); err != nil {
			return err
		}
	}
	return nil
}

// quotable reports whether s can stand between quotes in a header.
func quotable(s string) bool {
	return s != "" && !strings.ContainsFunc(s, func(c rune) bool { return c < ' ' || c > '~' || c == '"' || c == '\\' })
}

func (g *guard) serve(w http.ResponseWriter, r *http.Request, next http.Handler) {
	e, r := exchange.Of(r)
	token, from, err := g.token(r)
	if err != nil {
		g.refuse(w, r, e, refusal{http.StatusBadRequest, "invalid_request", err.Error()})
		return
	}
	if token == "" {
		g.anonymous(w, r, e, next)
		return
	}
	if from != Authorization() { // of that one caches know (RFC 9111 §3.5)
		w.Header().Set("Cache-Control", "private")
	}
	claims, err := g.Verifier.Verify(r.Context(), token)
	switch {
	case err == nil:
		g.authorize(w, r, e, claims, next)
	case r.Context().Err() != nil: // who set the time answers
		e.Fault = errors.Join(err, context.Cause(r.Context()))
	case errors.Is(err, jwt.ErrKeys):
		e.Fault = err
		problem.Write(w, r, problem.Details{Status: http.StatusServiceUnavailable, ID: e.ID(),
			Detail: "Tokens cannot be checked at the moment.", Extra: http.Header{"Retry-After": {"10"}}})
	default:
		e.Fault = err
		g.refuse(w, r, e, refusal{http.StatusUnauthorized, "invalid_token", describe(err)})
	}
}

// token is the token of the request, "" for none, and where it was.
func (g *guard) token(r *http.Request) (token string, place Source, err error) {
	for _, from := range g.From {
		found, err := from.token(r)
		switch {
		case err != nil:
			return "", from, err
		case found != "" && token != "":
			return "", from, errors.New("there is more than one token")
		case found != "":
			token, place = found, from
		}
	}
	return token, place, nil
}

func (g *guard) anonymous(w http.ResponseWriter, r *http.Request, e *exchange.Exchange, next http.Handler) {
	e.User = nil
	if g.Optional {
		next.ServeHTTP(w, r)
		return
	}
	g.refuse(w, r, e, refusal{status: http.StatusUnauthorized, detail: "A token is needed."})
}

// authorize lets the bearer of a good token in if it is for this.
func (g *guard) authorize(w http.ResponseWriter, r *http.Request, e *exchange.Exchange, claims jwt.Claims, next http.Handler) {
	if missing := lacking(g.Scopes, claims); missing != "" {
		g.refuse(w, r, e, refusal{http.StatusForbidden, "insufficient_scope", "the token lacks the scope " + missing})
		return
	}
	if len(g.Roles) > 0 && !slices.ContainsFunc(claims.Texts(g.RoleClaim), func(role string) bool { return slices.Contains(g.Roles, role) }) {
		g.refuse(w, r, e, refusal{http.StatusForbidden, "insufficient_scope", "the token has none of the roles that may do this"})
		return
	}
	e.User = map[string]any(claims)
	next.ServeHTTP(w, r)
}

// lacking is the first scope that a token does not have.
func lacking(scopes []string, claims jwt.Claims) string {
	for _, scope := range scopes {
		if !claims.HasScope(scope) {
			return scope
		}
	}
	return ""
}

// describe says what a client may know about its token.
func describe(err error) string {
	switch {
	case errors.Is(err, jwt.ErrExpired):
		return "the token has expired"
	case errors.Is(err, jwt.ErrNotYet):
		return "the token is not valid yet"
	}
	return "the token is not valid"
}

// refusal is an answer to somebody who may not enter.
type refusal struct {
	status int
	code   string // of RFC 6750 §3.1; "" when no token was sent
	detail string
}

func (g *guard) refuse(w http.ResponseWriter, r *http.Request, e *exchange.Exchange, f refusal) {
	challenge := g.challenge
	if f.code != "" {
		challenge += `, error="` + f.code + `", error_description="` + f.detail + `"`
	}
	if f.status == http.StatusForbidden && len(g.Scopes) > 0 {
		challenge += `, scope="` + strings.Join(g.Scopes, " ") + `"`
	}
	problem.Write(w, r, problem.Details{Status: f.status, Detail: sentence(f.detail), ID: e.ID(), Extra: http.Header{"Www-Authenticate": {challenge}}})
}

func sentence(s string) string { return strings.ToUpper(s[:1]) + strings.TrimSuffix(s[1:], ".") + "." }
