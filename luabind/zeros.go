package luabind

import (
	"fmt"
	"slices"
	"strings"

	lua "github.com/yuin/gopher-lua"

	"rws/luabind/bind"
)

// noZeros refuses options of a table that are 0, where the engine means its default by that, except those that
// are named.
func noZeros(name string, v lua.LValue, except ...string) error {
	t, ok := v.(*lua.LTable)
	if !ok {
		return nil
	}
	for _, key := range bind.Keys(t) {
		if isZero(t.RawGetString(key)) && !slices.Contains(except, key) {
			return fmt.Errorf("option %q: 0 would be its default: leave it out, or say more than nothing", strings.TrimPrefix(name+"."+key, "."))
		}
	}
	return nil
}

// isZero reports whether an option is 0, be it with a unit or a share.
func isZero(v lua.LValue) bool {
	switch v := v.(type) {
	case lua.LNumber:
		return v == 0
	case lua.LString:
		if d, err := bind.ParseDuration(string(v)); err == nil {
			return d == 0
		}
		if n, err := bind.ParseSize(string(v)); err == nil {
			return n == 0
		}
		n, err := shareOf("", v)
		return err == nil && n == 0
	}
	return false
}

// noEmptyLists refuses lists without an element, which a variable that is not set may have become: what
// they are about would be off without a word.
func noEmptyLists(t *lua.LTable, prefix string, names ...string) error {
	for _, name := range names {
		if list, ok := t.RawGetString(name).(*lua.LTable); ok && isEmpty(list) {
			return fmt.Errorf("option %q: the list is empty: leave it out, or name one", prefix+name)
		}
	}
	return nil
}

func isEmpty(t *lua.LTable) bool {
	key, _ := t.Next(lua.LNil)
	return key == lua.LNil
}

// mustFit raises an error about the options of a function, if there is one.
func mustFit(L *lua.LState, name string, err error) {
	if err != nil {
		bind.Raise(L, name, bind.Errorf("option", "%w", err))
	}
}
