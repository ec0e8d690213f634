package luabind

import (
	"context"
	"errors"
	"net/http"
	"slices"
	"sync"
	"sync/atomic"
	"time"

	lua "github.com/yuin/gopher-lua"

	"rws/luabind/bind"
	"rws/luabind/codec"
	"rws/luabind/fault"
	"rws/luabind/vm"
	"rws/server/db"
	"rws/server/redis"
	"rws/server/session"
)

const sessionType = "rws.Session"

// A Session is c.session. It is loaded when it is first used, and saved before the head of the
// answer goes out.
type Session struct {
	c *Ctx

	opening sync.Mutex // two functions of rws.parallel may be the first
	loaded  atomic.Bool
	s       *session.Session // set before loaded
	sent    atomic.Bool      // the head of a stream has gone out, or saving has failed

	// What was read and set, in the isolate's values: a table is the same one each time, and is
	// compared with its JSON when the handler is done.
	held []heldValue
}

type heldValue struct {
	key   string
	value lua.LValue
	json  []byte
}

// makeSession returns c.session.
func makeSession(L *lua.LState, c *Ctx) lua.LValue {
	s := &Session{c: c}
	c.session.Store(s)
	return bind.New(L, sessionType, s)
}

// sessionOfType describes c.session.
func sessionOfType() bind.Type {
	return bind.Type{
		Name: sessionType, As: "c.session",
		Methods: append(bind.Writing(
			bind.RawWaitMethod("flash(key, message?)", sessionFlash),
			bind.RawWaitMethod("renew()", func(L *lua.LState, s *Session) int { return s.change(L, "renew", (*session.Session).Renew) }),
			bind.RawWaitMethod("destroy()", sessionDestroy),
		),
			bind.RawWaitMethod("id()", sessionID),
			bind.RawWaitMethod("info()", sessionInfo),
		),
		Index: func(L *lua.LState, self any, key string) (lua.LValue, bool) {
			return self.(*Session).index(L, key), true
		},
		Set: setSessionField,
		Meta: map[string]lua.LGFunction{"__pairs": func(L *lua.LState) int {
			L.Push(L.CheckUserData(1).Value.(*Session).table(L))
			return 1
		}},
		String: func(self any) string { return self.(*Session).String() },
	}
}

// String shows the keys and no values: it goes into logs.
func (s *Session) String() string {
	if !s.loaded.Load() {
		return "session (not loaded)"
	}
	return s.s.String()
}

// who names the user, for errors: " (session uid 4)". A session that is not loaded stays so.
func (s *Session) who() string {
	if s == nil || !s.loaded.Load() {
		return ""
	}
	user, err := s.s.User(context.Background())
	if err != nil || user == "" {
		return ""
	}
	return " (session " + s.c.state.program.Config.Session.User + " " + user + ")"
}

// open loads the session, with the lock released if that may wait, and returns it.
func (s *Session) open(L *lua.LState, name string) *session.Session {
	contextOf(L, s.c)
	if s.loaded.Load() {
		return s.s
	}
	err := s.wait(L, s.load)
	if err != nil {
		raiseSession(L, name, err)
	}
	return s.s
}

// wait calls f: with the lock held if it never waits.
func (s *Session) wait(L *lua.LState, f func(context.Context) error) error {
	if s.c.state.program.sessionsWait() {
		return vm.Wait(L, f)
	}
	return f(s.c.ex)
}

func (s *Session) load(ctx context.Context) error {
	s.opening.Lock()
	defer s.opening.Unlock()
	if s.loaded.Load() {
		return nil
	}
	m, err := s.c.state.program.sessions()
	if err != nil {
		return err
	}
	s.s = m.Start(s.c.r.Header, s.c.overTLS())
	if err := s.s.Load(ctx); err != nil {
		return err
	}
	s.loaded.Store(true)
	return nil
}

// raiseSession raises what a store reports; one that does not answer is status 503.
func raiseSession(L *lua.LState, name string, err error) { bind.Raise(L, name, storeError(err)) }

// storeError gives an error of a store its code and status.
func storeError(err error) error {
	if errors.Is(err, vm.ErrDeadline) || errors.Is(err, vm.ErrStopped) || errors.Is(err, context.Canceled) {
		return err
	}
	if _, ok := errors.AsType[*fault.Error](err); ok {
		return err
	}
	e := &fault.Error{Code: "session", Message: err.Error(), Cause: err}
	code := db.CodeOf(err)
	if redis.Unavailable(err) || code == db.CodeConnection || code == db.CodeBusy || code == db.CodeTimeout || errors.Is(err, context.DeadlineExceeded) {
		e.Code, e.Status = "unavailable", http.StatusServiceUnavailable
	}
	return e
}

// index reads a field.
func (s *Session) index(L *lua.LState, key string) lua.LValue {
	opened := s.open(L, "c.session."+key)
	if i := s.find(key); i >= 0 {
		return s.held[i].value
	}
	raw, ok, err := opened.GetJSON(s.c.ex, key)
	if err != nil {
		raiseSession(L, "c.session."+key, err)
	}
	if !ok {
		return lua.LNil
	}
	v, err := codec.Decode(L, raw, codec.Limits{})
	if err != nil {
		raiseSession(L, "c.session."+key, err)
	}
	s.hold(key, v, raw)
	return v
}

// hold remembers what the script has of a key.
func (s *Session) hold(key string, v lua.LValue, raw []byte) {
	if i := s.find(key); i >= 0 {
		s.held[i].value, s.held[i].json = v, raw
		return
	}
	s.held = append(s.held, heldValue{key, v, raw})
}

// find returns the place of a key in held, or -1. There are few.
func (s *Session) find(key string) int {
	return slices.IndexFunc(s.held, func(h heldValue) bool { return h.key == key })
}

// setSessionField is c.session.key = value.
func setSessionField(L *lua.LState, self any, key string, v lua.LValue) bool {
	vm.Writes(L)
	s := self.(*Session)
	if sessionMethods[key] {
		fault.Raisef(L, "field", "c.session.%s is a method; call the value something else", key)
	}
	opened := s.open(L, "c.session."+key)
	s.writable(L, "c.session."+key)
	if v == lua.LNil || bind.IsNull(L, v) {
		if err := opened.Del(s.c.ex, key); err != nil {
			raiseSession(L, "c.session."+key, err)
		}
		s.hold(key, lua.LNil, nil)
		return true
	}
	raw, err := codec.Append(nil, L, v, codec.Options{Numbers: true})
	if err == nil {
		err = opened.SetJSON(s.c.ex, key, raw)
	}
	if err != nil {
		fault.Raise(L, &fault.Error{Code: "argument", Message: "c.session." + key + ": " + err.Error(), Cause: err})
	}
	s.hold(key, v, raw)
	return true
}

// sessionMethods are names that no value can have.
var sessionMethods = map[string]bool{"flash": true, "renew": true, "destroy": true, "id": true, "info": true}

// writable raises when the answer is on its way: the client would not get the cookie.
func (s *Session) writable(L *lua.LState, name string) {
	if s.sent.Load() {
		fault.Raisef(L, "late", "%s: the head of the answer has been sent, and the session saved with it: change it before the first out:write", name)
	}
}

// table returns all fields.
func (s *Session) table(L *lua.LState) *lua.LTable {
	keys, err := s.open(L, "c.session").Keys(s.c.ex)
	if err != nil {
		raiseSession(L, "c.session", err)
	}
	t := fresh(L, L.CreateTable(0, len(keys)))
	for _, key := range keys {
		t.RawSetString(key, s.index(L, key))
	}
	return t
}

// change calls a method that only notes what is to be saved.
func (s *Session) change(L *lua.LState, method string, f func(*session.Session, context.Context) error) int {
	name := "c.session:" + method
	opened := s.open(L, name)
	s.writable(L, name)
	if err := f(opened, s.c.ex); err != nil {
		raiseSession(L, name, err)
	}
	return 0
}

func sessionDestroy(L *lua.LState, s *Session) int {
	s.change(L, "destroy", (*session.Session).Destroy)
	s.held = nil
	return 0
}

// sessionFlash adds a message, or takes those that are there.
func sessionFlash(L *lua.LState, s *Session) int {
	key := bind.Arg[string](L, "c.session:flash", 2)
	if key == "" {
		bind.ArgError(L, "c.session:flash", 1, "a name such as \"error\" expected, got an empty one")
	}
	if L.GetTop() > 2 {
		message := bind.Arg[string](L, "c.session:flash", 3)
		return s.change(L, "flash", func(opened *session.Session, ctx context.Context) error { return opened.Flash(ctx, key, message) })
	}
	opened := s.open(L, "c.session:flash")
	s.writable(L, "c.session:flash")
	taken, err := opened.TakeFlashes(s.c.ex, key)
	if err != nil {
		raiseSession(L, "c.session:flash", err)
	}
	if len(taken[key]) == 0 {
		L.Push(lua.LNil)
		return 1
	}
	for _, message := range taken[key] {
		L.Push(lua.LString(message))
	}
	return len(taken[key])
}

func sessionID(L *lua.LState, s *Session) int {
	id, err := s.open(L, "c.session:id").ID(s.c.ex)
	if err != nil {
		raiseSession(L, "c.session:id", err)
	}
	if id == "" {
		L.Push(lua.LNil)
	} else {
		L.Push(lua.LString(id))
	}
	return 1
}

func sessionInfo(L *lua.LState, s *Session) int {
	info, saved, err := s.open(L, "c.session:info").Info(s.c.ex)
	if err != nil {
		raiseSession(L, "c.session:info", err)
	}
	if !saved {
		L.Push(lua.LNil)
		return 1
	}
	L.Push(infoOfSession(L, info))
	return 1
}

// infoOfSession returns what a list of sessions shows of one.
func infoOfSession(L *lua.LState, i session.Info) *lua.LTable {
	t := L.CreateTable(0, 7)
	t.RawSetString("id", lua.LString(i.ID))
	if i.User != "" {
		t.RawSetString("user", lua.LString(i.User))
	}
	t.RawSetString("keys", bind.Strings(L, i.Keys))
	t.RawSetString("size", lua.LNumber(i.Size))
	t.RawSetString("created", newTime(L, i.Created, time.UTC))
	t.RawSetString("seen", newTime(L, i.Seen, time.UTC))
	t.RawSetString("expires", newTime(L, i.Expires, time.UTC))
	return t
}
