package luabind

import (
	lua "github.com/yuin/gopher-lua"

	"rws/luabind/bind"
)

// upstreamOfType describes what app:upstream returns.
func upstreamOfType() bind.Type {
	return bind.Type{Name: upstreamType, As: "upstream", String: func(self any) string { return self.(*Upstream).pool.Name() },
		Fields: map[string]func(*lua.LState, any) lua.LValue{
			"name": func(_ *lua.LState, self any) lua.LValue { return lua.LString(self.(*Upstream).pool.Name()) },
		},
		Methods: append(bind.Writing(
			bind.RawMethod("update(to)", upstreamUpdate),
			bind.RawMethod("drain(backend, on?)", upstreamDrain),
		), bind.RawMethod("status()", upstreamStatus)),
	}
}

// upstreamUpdate is upstream:update(to).
func upstreamUpdate(L *lua.LState, u *Upstream) int {
	list, err := stateOf(L).program.targetList(L, u.options.scheme, L.Get(2))
	if err == nil {
		err = u.pool.Update(list)
	}
	if err != nil {
		bind.Raise(L, "upstream:update", bind.Errorf("argument", "%w", err))
	}
	return 0
}

// upstreamDrain is upstream:drain(backend, on?).
func upstreamDrain(L *lua.LState, u *Upstream) int {
	on := L.Get(3) == lua.LNil || L.CheckBool(3)
	if err := u.pool.Drain(L.CheckString(2), on); err != nil {
		bind.Raise(L, "upstream:drain", bind.Errorf("argument", "%w", err))
	}
	return 0
}

// upstreamStatus is upstream:status().
func upstreamStatus(L *lua.LState, u *Upstream) int {
	list := L.NewTable()
	for _, b := range u.pool.Status() {
		t := L.CreateTable(0, 12)
		for key, text := range map[string]string{"name": b.Name, "host": b.Host, "state": b.State, "fault": b.LastFault} {
			if text != "" {
				t.RawSetString(key, lua.LString(text))
			}
		}
		for key, n := range map[string]int64{"weight": int64(b.Weight), "active": int64(b.Active), "requests": int64(b.Requests), "failures": int64(b.Failures)} {
			t.RawSetString(key, bind.Integer(n))
		}
		t.RawSetString("backup", lua.LBool(b.Backup))
		if b.Breaker != nil {
			t.RawSetString("breaker", lua.LString(b.Breaker.State.String()))
		}
		list.Append(t)
	}
	L.Push(list)
	return 1
}
