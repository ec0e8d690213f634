package require_test

import (
	"net/http"
	"net/http/httptest"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"rws/server/auth/jwt"
	guard "rws/server/auth/require"
	"rws/server/exchange"
)

func ask(t *testing.T, o guard.Options, user any) *httptest.ResponseRecorder {
	t.Helper()
	wrap, err := guard.New(o)
	require.NoError(t, err)
	r := httptest.NewRequest("GET", "/", nil)
	e := exchange.New(r)
	e.User = user
	w := httptest.NewRecorder()
	wrap(http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) { w.WriteHeader(http.StatusNoContent) })).ServeHTTP(w, r.WithContext(e))
	return w
}

func TestWhoMayEnter(t *testing.T) {
	both := guard.Options{Scopes: []string{"read", "write"}}
	admins := guard.Options{Roles: []string{"admin", "owner"}}
	for name, c := range map[string]struct {
		o    guard.Options
		user any
		want int
	}{
		"nobody":                  {guard.Options{}, nil, 401},
		"anybody":                 {guard.Options{}, map[string]any{"name": "ann"}, 204},
		"a mere name":             {guard.Options{}, "ann", 204},
		"scopes of a token":       {both, map[string]any{"scope": "read write"}, 204},
		"scopes of claims":        {both, jwt.Claims{"scp": []any{"read", "write"}}, 204},
		"scopes of a key":         {both, map[string]any{"scopes": []any{"write", "read"}}, 204},
		"one scope of two":        {both, map[string]any{"scope": "read"}, 403},
		"a scope in another":      {both, map[string]any{"scope": "readwrite read"}, 403},
		"scopes that are no text": {both, map[string]any{"scopes": []any{int64(1), true}}, 403},
		"a name has no scopes":    {both, "read write", 403},
		"one role of two":         {admins, map[string]any{"roles": []any{"owner"}}, 204},
		"roles of a header":       {admins, map[string]any{"roles": "staff, owner"}, 204},
		"other roles of a header": {admins, map[string]any{"roles": "staff, owners,sub admin"}, 403},
		"a role with a comma":     {guard.Options{Roles: []string{"cn=admin,ou=x"}}, map[string]any{"roles": "cn=admin,ou=x"}, 204},
		"another role":            {admins, map[string]any{"roles": []any{"guest"}}, 403},
		"roles in other letters":  {admins, map[string]any{"roles": []any{"ADMIN"}}, 403},
		"roles elsewhere":         {guard.Options{Roles: []string{"admin"}, RoleClaim: "realm_access.roles"}, map[string]any{"realm_access": map[string]any{"roles": []any{"admin"}}}, 204},
	} {
		w := ask(t, c.o, c.user)
		assert.Equal(t, c.want, w.Code, name)
		assert.Equal(t, c.want == 401, w.Header().Get("WWW-Authenticate") != "", name)
	}
}

func TestOptionsThatNobodyMeets(t *testing.T) {
	for _, o := range []guard.Options{{Scopes: []string{""}}, {Roles: []string{"admin", ""}}} {
		_, err := guard.New(o)
		assert.Error(t, err)
	}
}
