package luabind

import (
	"bytes"
	"context"
	"fmt"
	"net/http"
	"slices"
	"time"

	lua "github.com/yuin/gopher-lua"

	"rws/luabind/codec"
	"rws/luabind/fault"
	"rws/luabind/vm"
)

// saveTime is what saving a session may take, also when the client has left.
const saveTime = 10 * time.Second

// gather notes tables that the script has changed in place. It runs in the isolate, when a
// handler is done.
func (c *Ctx) gather(L *lua.LState) error {
	s := c.session.Load()
	if s == nil || s.sent.Load() || !s.loaded.Load() {
		return nil
	}
	for i, t := range s.held {
		if _, ok := t.value.(*lua.LTable); !ok {
			continue
		}
		raw, err := codec.Append(nil, L, t.value, codec.Options{Numbers: true})
		if err != nil {
			return &fault.Error{Code: "session", At: c.handlerAt(), Message: fmt.Sprintf("saving c.session.%s, which was changed after it was set: %s", t.key, err), Cause: err}
		}
		if bytes.Equal(raw, t.json) {
			continue
		}
		if err := s.s.SetJSON(c.ex, t.key, raw); err != nil {
			return storeError(err)
		}
		s.held[i].json = raw
	}
	return nil
}

// handlerAt is where the handler of the request was written.
func (c *Ctx) handlerAt() string {
	if c.route == nil || c.route.handler == nil {
		return ""
	}
	return functionAt(c.route.handler)
}

// saveSession writes the session and adds its cookie to h. No lock is held. The client having
// left does not keep it from being saved: a logout counts all the same.
func (c *Ctx) saveSession(h http.Header) error {
	s := c.session.Load()
	if s == nil || s.sent.Load() || !s.loaded.Load() {
		return nil
	}
	addVary(h)
	if vm.IsReadOnly(c.ex) {
		return nil // what the script has set was refused; the rest is when it was used last
	}
	if !c.state.program.sessionsWait() {
		return s.s.Save(context.Background(), h)
	}
	ctx, cancel := context.WithTimeout(context.WithoutCancel(c.ex), saveTime)
	defer cancel()
	return s.s.Save(ctx, h)
}

// varyCookie has no room for a second value, so that nobody appends to it.
var varyCookie = []string{"Cookie"}

// addVary tells caches that the answer depends on who asks.
func addVary(h http.Header) {
	switch {
	case h["Vary"] == nil:
		h["Vary"] = varyCookie
	case !slices.Contains(h["Vary"], "Cookie"):
		h["Vary"] = append(h["Vary"], "Cookie")
	}
}

// keepSession saves the session with the answer res. It returns what to answer instead when
// that fails.
func (c *Ctx) keepSession(res *response) *response {
	s := c.session.Load()
	if s == nil || !s.loaded.Load() {
		return res
	}
	err := c.saveSession(res.headers())
	if err == nil {
		return res
	}
	s.sent.Store(true) // so that the answer to this failure is not held up by another
	res.reset(bodyNone)
	e := asFault(storeError(err))
	if e.At == "" {
		e.At = c.handlerAt()
	}
	c.state.program.logError(c.r, e)
	failed := c.failed(e, statusOf(e))
	return &failed
}
