package luabind

import (
	"context"
	"errors"
	"net/http"
	"strings"
	"time"

	lua "github.com/yuin/gopher-lua"

	"rws/luabind/bind"
	"rws/luabind/fault"
	"rws/luabind/vm"
	"rws/server/auth/jwt"
)

// jwtModule is rws.jwt.
func jwtModule() bind.Module {
	return bind.Module{Name: "rws.jwt", Funcs: []bind.Func{
		bind.RawWait("sign(claims, options)", jwtSign),
		bind.RawWait("verify(token, options)", jwtVerify),
		bind.Raw("decode(token)", jwtDecode),
	}}
}

// verifyOptions are the options of rws.jwt.verify.
type verifyOptions struct {
	Secret        []string      `json:"secret"`
	Key           []string      `json:"key"`
	KeyFile       string        `json:"key_file"`
	JWKS          string        `json:"jwks"`
	JWKSOptions   jwksOptions   `json:"jwks_options"`
	Issuer        []string      `json:"issuer"`
	Audience      []string      `json:"audience"`
	Algorithms    []string      `json:"algorithms"`
	Leeway        time.Duration `json:"leeway" zero:"true"`
	RequireExpiry bool          `json:"require_expiry"`
	Type          string        `json:"type"`
}

// signOptions are those of rws.jwt.sign.
type signOptions struct {
	Secret    []string      `json:"secret"`
	Key       []string      `json:"key"`
	KeyFile   string        `json:"key_file"`
	Algorithm string        `json:"algorithm"`
	Expires   time.Duration `json:"expires"`
	Type      string        `json:"type"`
}

func jwtSign(L *lua.LState) int {
	const name = "rws.jwt.sign"
	claims := claimsArg(L, name)
	o := guardOptions[signOptions](L, name, 2)
	k, err := stateOf(L).program.signingKey(o)
	if err != nil {
		raiseOption(L, name, err)
	}
	var token string
	sign := func(context.Context) (err error) {
		token, err = jwt.Sign(k, claims, jwt.SignOptions{Algorithm: o.Algorithm, Expires: o.Expires, Type: o.Type})
		return err
	}
	if len(o.Secret) > 0 { // of microseconds
		err = sign(context.Background())
	} else {
		err = vm.Wait(L, sign)
	}
	if err != nil {
		bind.Raise(L, name, err)
	}
	L.Push(lua.LString(token))
	return 1
}

// signingKey is the first that can sign.
func (p *Program) signingKey(o signOptions) (*jwt.Key, error) {
	if err := noEmpty(map[string][]string{"secret": o.Secret, "key": o.Key}); err != nil {
		return nil, err
	}
	keys, err := p.jwtKeys(keyOptions{secret: o.Secret, key: o.Key, file: o.KeyFile})
	if errors.Is(err, errNoKey) {
		return nil, errors.New("no key: give secret, key or key_file; if you did, its value is nil, as that of a variable of env which is not set")
	}
	if err != nil {
		return nil, err
	}
	for _, k := range keys {
		if k.Signs() {
			return k, nil
		}
	}
	return nil, badOption("key", "it is public, so it can only verify; sign with the private key")
}

// claimsArg reads the claims: times of rws become seconds, as tokens have them.
func claimsArg(L *lua.LState, name string) map[string]any {
	t := bind.Arg[*lua.LTable](L, name, 1)
	if t.Len() > 0 {
		bind.ArgError(L, name, 1, "a table of claims such as { sub = \"ann\" } expected, got a list")
	}
	claims := make(map[string]any)
	for _, key := range bind.Keys(t) {
		v := t.RawGetString(key)
		if at, ok := userdata[Time](v); ok {
			claims[key] = at.at.Unix()
			continue
		}
		x, err := bind.ToGo(L, v)
		if err != nil {
			bind.ArgError(L, name, 1, "the claim %s: %s", key, err)
		}
		claims[key] = x
	}
	return claims
}

func jwtVerify(L *lua.LState) int {
	const name = "rws.jwt.verify"
	token := bind.Arg[bind.Opt[string]](L, name, 1)
	o := guardOptions[verifyOptions](L, name, 2)
	v, err := stateOf(L).program.verifier(o)
	if err != nil {
		raiseOption(L, name, err)
	}
	if !token.Set {
		return nothing(L, "there is no token")
	}
	var claims jwt.Claims
	err = vm.Wait(L, func(ctx context.Context) (err error) {
		claims, err = v.Verify(ctx, token.Value)
		return err
	})
	switch {
	case err == nil:
		L.Push(bind.FromGo(L, map[string]any(claims)))
		return 1
	case errors.Is(err, jwt.ErrKeys):
		fault.Raise(L, &fault.Error{Code: "unavailable", Status: http.StatusServiceUnavailable, Message: name + ": " + err.Error(), Cause: err})
	case errors.Is(err, vm.ErrDeadline), errors.Is(err, vm.ErrStopped), errors.Is(err, context.Canceled):
		bind.Raise(L, name, err)
	}
	return nothing(L, reason(err))
}

// reason is an error without what was being done: "its signature is wrong".
func reason(err error) string {
	if _, why, ok := strings.Cut(err.Error(), ": "); ok {
		return why
	}
	return err.Error()
}

// nothing returns nil and why.
func nothing(L *lua.LState, reason string) int {
	L.Push(lua.LNil)
	L.Push(lua.LString(reason))
	return 2
}

func jwtDecode(L *lua.LState) int {
	header, claims, err := jwt.DecodeUnverified(bind.Arg[string](L, "rws.jwt.decode", 1))
	if err != nil {
		return nothing(L, reason(err))
	}
	L.Push(bind.FromGo(L, map[string]any(claims)))
	L.Push(bind.FromGo(L, header))
	return 2
}
