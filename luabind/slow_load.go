package luabind

import (
	"context"
	"fmt"
	"time"

	lua "github.com/yuin/gopher-lua"

	"rws/luabind/fault"
	"rws/luabind/vm"
)

// What a script may take to load: in all, and computing without a wait. Nobody is served
// meanwhile, so that one that waits says so.
const (
	loadLimit  = 30 * time.Second
	loadStall  = 5 * time.Second
	loadNotice = 3 * time.Second
)

// noticeWait logs, once, where a script waits that has not loaded after a while. Call stop when it
// has.
func (s *state) noticeWait(after time.Duration) (stop func()) {
	ctx, cancel := context.WithCancel(context.Background())
	done := make(chan struct{})
	timer := time.AfterFunc(after, func() {
		defer close(done)
		text := ""
		err := s.isolate.Look(ctx, func(L *lua.LState) { text = waitingText(L) })
		if err == nil {
			s.program.logger.Warn(text)
		}
	})
	return func() {
		cancel()
		if !timer.Stop() {
			<-done // nothing is logged once it has loaded
		}
	}
}

// waitingText says where a script is, as "app.lua:1: still loading: waits in rws.sleep".
func waitingText(L *lua.LState) string {
	text := "still loading"
	if at := fault.Where(L); at != "" {
		text = at + ": " + text
	}
	if called := fault.Called(L); called != "" {
		text += ": waits in " + called
	}
	return text
}

// tooSlow explains the error of a script that has not loaded within the limit.
func tooSlow(run *vm.Run, limit time.Duration, err error) error {
	e := asFault(err)
	if run.Cause() != vm.ErrDeadline && e.Code != "timeout" {
		return e
	}
	e.Message = fmt.Sprintf("loading took longer than %v, for which nobody is served: %s; do what takes long when a request first needs it, or give it a shorter time", limit, e.Message)
	return e
}
