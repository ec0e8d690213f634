package luabind

import (
	"context"
	"io"

	lua "github.com/yuin/gopher-lua"

	"rws/luabind/bind"
	"rws/luabind/vm"
)

// fileRead returns the content.
func fileRead(L *lua.LState, f *File) int {
	var content []byte
	err := vm.Wait(L, func(context.Context) error {
		r, err := f.open()
		if err != nil {
			return err
		}
		defer r.Close()
		content, err = io.ReadAll(r)
		return err
	})
	if err != nil {
		bind.Raise(L, "file:read", err)
	}
	L.Push(lua.LString(content))
	return 1
}

// fileSave copies the content to a file of the app, without holding it in memory.
func fileSave(L *lua.LState, f *File) int {
	name := L.CheckString(2)
	p := stateOf(L).program
	err := vm.Wait(L, func(context.Context) error {
		r, err := f.open()
		if err != nil {
			return err
		}
		defer r.Close()
		w, err := p.create(name)
		if err != nil {
			return err
		}
		_, err = io.Copy(w, r)
		if closed := w.Close(); err == nil {
			err = closed
		}
		return err
	})
	if err != nil {
		bind.Raise(L, "file:save", err)
	}
	return 0
}
