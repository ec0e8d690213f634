package luabind

import (
	"context"
	"errors"

	lua "github.com/yuin/gopher-lua"

	"rws/luabind/bind"
	"rws/luabind/vm"
	"rws/server/auth/password"
)

// passwordModule is rws.password.
func passwordModule() bind.Module {
	return bind.Module{Name: "rws.password", Funcs: []bind.Func{
		bind.RawWait("hash(password)", passwordHash),
		bind.RawWait("verify(password, hash?)", passwordVerify),
		bind.Raw("needs_rehash(hash)", passwordNeedsRehash),
		bind.RawWait("dummy()", passwordDummy),
	}}
}

func hasher(L *lua.LState, name string) *password.Hasher {
	h, err := stateOf(L).program.shared.kept.passwords()
	if err != nil {
		bind.Raise(L, name, err)
	}
	return h
}

func passwordHash(L *lua.LState) int {
	text := bind.Arg[string](L, "rws.password.hash", 1)
	h := hasher(L, "rws.password.hash")
	var hash string
	err := vm.Wait(L, func(ctx context.Context) (err error) {
		hash, err = h.Hash(ctx, text)
		return err
	})
	if err != nil {
		bind.Raise(L, "rws.password.hash", passwordError(err))
	}
	L.Push(lua.LString(hash))
	return 1
}

// passwordVerify takes as long without a hash as with one.
func passwordVerify(L *lua.LState) int {
	text := bind.Arg[string](L, "rws.password.verify", 1)
	hash := bind.Arg[bind.Opt[string]](L, "rws.password.verify", 2).Value
	ok := verify(L, "rws.password.verify", hash, text)
	L.Push(lua.LBool(ok))
	return 1
}

func verify(L *lua.LState, name, hash, text string) (ok bool) {
	h := hasher(L, name)
	err := vm.Wait(L, func(ctx context.Context) (err error) {
		ok, err = h.Verify(ctx, hash, text)
		return err
	})
	if err != nil {
		bind.Raise(L, name, passwordError(err))
	}
	return ok
}

func passwordNeedsRehash(L *lua.LState) int {
	hash := bind.Arg[string](L, "rws.password.needs_rehash", 1)
	L.Push(lua.LBool(hasher(L, "rws.password.needs_rehash").NeedsRehash(hash)))
	return 1
}

// passwordDummy does the work of a verification.
func passwordDummy(L *lua.LState) int {
	verify(L, "rws.password.dummy", "", "-")
	return 0
}

// passwordError gives the errors their codes.
func passwordError(err error) error {
	switch {
	case errors.Is(err, vm.ErrDeadline), errors.Is(err, vm.ErrStopped), errors.Is(err, context.Canceled):
		return err
	case errors.Is(err, password.ErrUnknown):
		return bind.Errorf("hash", "%w", err)
	case errors.Is(err, password.ErrTooCostly):
		return bind.Errorf("too_costly", "%w", err)
	}
	return bind.Errorf("password", "%w", err)
}
