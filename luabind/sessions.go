package luabind

import (
	"context"

	lua "github.com/yuin/gopher-lua"

	"rws/luabind/bind"
	"rws/luabind/vm"
	"rws/server/session"
)

const sessionsType = "rws.Sessions"

// Sessions is app.sessions: the sessions of everybody.
type Sessions struct{ program *Program }

// sessionsOfType describes app.sessions.
func sessionsOfType() bind.Type {
	return bind.Type{Name: sessionsType, As: "app.sessions", Methods: append(bind.Writing(
		bind.RawWaitMethod("revoke(user, except?)", sessionsRevoke),
		bind.RawWaitMethod("remove(id)", sessionsRemove),
	), bind.RawWaitMethod("list(user?, limit?)", sessionsList))}
}

// wait calls f with the manager and the lock released, and raises its error.
func (s *Sessions) wait(L *lua.LState, name string, f func(context.Context, *session.Manager) error) {
	err := vm.Wait(L, func(ctx context.Context) error {
		m, err := s.program.sessions()
		if err == nil {
			err = f(ctx, m)
		}
		return err
	})
	if err != nil {
		raiseSession(L, name, err)
	}
}

// Limits of app.sessions:list.
const (
	listedSessions    = 100
	maxListedSessions = 10_000
)

func sessionsList(L *lua.LState, s *Sessions) int {
	const name = "app.sessions:list"
	user := bind.Arg[bind.Opt[string]](L, name, 2)
	limit := bind.Arg[bind.Opt[int]](L, name, 3).Or(listedSessions)
	if user.Set && user.Value == "" {
		bind.ArgError(L, name, 1, "a user expected, or nil for all, got an empty text")
	}
	if limit < 1 || limit > maxListedSessions {
		bind.ArgError(L, name, 2, "a number from 1 to %d expected, got %d", maxListedSessions, limit)
	}
	var list []session.Info
	s.wait(L, name, func(ctx context.Context, m *session.Manager) (err error) {
		list, err = m.List(ctx, user.Value, limit)
		return err
	})
	t := L.CreateTable(len(list), 0)
	for _, info := range list {
		t.Append(infoOfSession(L, info))
	}
	L.Push(bind.MarkArray(L, t))
	return 1
}

func sessionsRevoke(L *lua.LState, s *Sessions) int {
	const name = "app.sessions:revoke"
	user := bind.Arg[string](L, name, 2)
	except := bind.Arg[bind.Opt[[]string]](L, name, 3).Value
	n := 0
	s.wait(L, name, func(ctx context.Context, m *session.Manager) (err error) {
		n, err = m.RevokeUser(ctx, user, except...)
		return err
	})
	L.Push(lua.LNumber(n))
	return 1
}

func sessionsRemove(L *lua.LState, s *Sessions) int {
	const name = "app.sessions:remove"
	id := bind.Arg[string](L, name, 2)
	removed := false
	s.wait(L, name, func(ctx context.Context, m *session.Manager) (err error) {
		removed, err = m.Revoke(ctx, id)
		return err
	})
	L.Push(lua.LBool(removed))
	return 1
}
