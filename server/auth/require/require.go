// Package require guards handlers by what is known of the user that another guard has let in, or a
// handler has found out: scopes and roles. Who is nobody is answered with 401, and who may not do
// this with 403.
package require

import (
	"errors"
	"fmt"
	"net/http"
	"slices"
	"strings"

	"rws/server/auth/jwt"
	"rws/server/exchange"
	"rws/server/problem"
)

// DefaultRoleClaim is where roles are looked for.
const DefaultRoleClaim = "roles"

// Options of a guard. Without scopes and roles anybody who is somebody may pass.
type Options struct {
	// Scopes that the user must have, all of them: in "scopes", which is a text or a list, or
	// where tokens have them (see [jwt.Claims.Scopes]).
	Scopes []string
	// Roles, of which the user must have one; RoleClaim is where they are (see
	// [jwt.Claims.Texts]). One text may be several with commas between them, as headers are.
	Roles     []string
	RoleClaim string
	// Challenge is the WWW-Authenticate of a 401; default "Bearer".
	Challenge string
}

// New returns the middleware, or an error for options that nobody can meet.
func New(o Options) (func(http.Handler) http.Handler, error) {
	if slices.Contains(o.Scopes, "") {
		return nil, errors.New("a scope is empty")
	}
	if slices.Contains(o.Roles, "") {
		return nil, errors.New("a role is empty")
	}
	if o.RoleClaim == "" {
		o.RoleClaim = DefaultRoleClaim
	}
	if o.Challenge == "" {
		o.Challenge = "Bearer"
	}
	return func(next http.Handler) http.Handler {
		return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
			e, r := exchange.Of(r)
			if d := o.refusal(e.User); d != nil {
				d.ID = e.ID()
				problem.Write(w, r, *d)
				return
			}
			next.ServeHTTP(w, r)
		})
	}, nil
}

// refusal is the answer to a user who may not enter, nil for one who may.
func (o *Options) refusal(user any) *problem.Details {
	if user == nil {
		return &problem.Details{Status: http.StatusUnauthorized, Detail: "Nobody is signed in.", Extra: http.Header{"Www-Authenticate": {o.Challenge}}}
	}
	claims := claimsOf(user)
	has := append(claims.Scopes(), claims.Texts("scopes")...)
	for _, scope := range o.Scopes {
		if !slices.Contains(has, scope) {
			return &problem.Details{Status: http.StatusForbidden, Detail: fmt.Sprintf("The scope %s is needed.", scope)}
		}
	}
	roles := listed(claims.Texts(o.RoleClaim))
	if len(o.Roles) > 0 && !slices.ContainsFunc(roles, func(role string) bool { return slices.Contains(o.Roles, role) }) {
		return &problem.Details{Status: http.StatusForbidden, Detail: "None of the user's roles may do this."}
	}
	return nil
}

// listed adds to a single text its parts between commas: package forward has the values of a header so.
func listed(roles []string) []string {
	if len(roles) != 1 || !strings.Contains(roles[0], ",") {
		return roles
	}
	list := []string{roles[0]}
	for role := range strings.SplitSeq(roles[0], ",") {
		list = append(list, strings.TrimSpace(role))
	}
	return list
}

// claimsOf is what is known of a user; of one that is a mere text, nothing.
func claimsOf(user any) jwt.Claims {
	switch user := user.(type) {
	case jwt.Claims:
		return user
	case map[string]any:
		return user
	}
	return nil
}
