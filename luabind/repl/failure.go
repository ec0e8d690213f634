package repl

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"strings"

	lua "github.com/yuin/gopher-lua"
	"github.com/yuin/gopher-lua/parse"

	"rws/luabind/fault"
	"rws/luabind/inspect"
	"rws/luabind/vm"
	"rws/server/suggest"
)

// failure makes an *Error.
func (s *Session) failure(err error) error {
	if errors.Is(err, context.Canceled) || errors.Is(err, vm.ErrStopped) {
		return &Error{Text: s.style.paint(red, "interrupted") + "\n", Err: err}
	}
	if e, ok := errors.AsType[*Error](err); ok {
		return e
	}
	return &Error{Text: s.explain(err, s.source), Err: err}
}

// explain shows an error with the lines of a source.
func (s *Session) explain(err error, source fault.Source) string {
	return fault.FromError(err).Text(source, fault.TextOptions{Color: s.style.Color, Width: s.style.width(), Locals: true, Trace: true})
}

// explainNil remarks on a name that is nil because there is no such variable.
func (s *Session) explainNil(name string) {
	names := s.scope.Load().names()
	if slices.Contains(names, name) {
		return
	}
	text, _ := s.host.Source(s.host.Main())
	if chunk, err := parse.Parse(strings.NewReader(text), s.host.Main()); err == nil {
		if slices.ContainsFunc(inspect.TopLocals(chunk), func(l inspect.Local) bool { return l.Name == name }) {
			s.note("%s is a local of %s that no function uses, so Lua has dropped it", name, s.host.Main())
			return
		}
	}
	if near := suggest.Closest(name, names); near != "" {
		s.note("there is no variable %s; did you mean %s?", name, near)
	}
}

// suggest adds to an error about an unknown name of a line what was probably meant. The
// environment of lines is no plain table, so package fault can't look into it.
func (s *Session) suggest(e *fault.Error) {
	file, _, _ := cutPlace(e.At)
	_, name, found := strings.Cut(e.Message, "`")
	name, _, closed := strings.Cut(name, "`")
	if file != inputFile || !found || !closed || !isName(name) {
		return
	}
	sc := s.scope.Load()
	if sc.index(name) != lua.LNil {
		return
	}
	names := sc.names()
	if slices.Contains(names, name) {
		e.Hint = "" // it is there, and nil
		return
	}
	if near := suggest.Closest(name, names); near != "" {
		e.Hint = fmt.Sprintf("did you mean `%s`?", near)
	} else if e.Hint != "" {
		e.Hint = fmt.Sprintf("there is no variable `%s` in the session, in the script or among the globals", name)
	}
}

// cutPlace splits "app.lua:12".
func cutPlace(at string) (file, line string, ok bool) {
	i := strings.LastIndexByte(at, ':')
	if i < 0 {
		return at, "", false
	}
	return at[:i], at[i+1:], true
}

// errorText is how an error of Eval is shown.
func errorText(err error) string {
	if e, ok := errors.AsType[*Error](err); ok {
		return e.Text
	}
	return err.Error() + "\n"
}
