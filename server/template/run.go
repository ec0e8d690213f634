package template

import (
	"context"
	"errors"
	"fmt"
	"io/fs"
	"maps"

	"github.com/nikolalohinski/gonja/v2/exec"
)

// maxDepth bounds how deep includes, inheritance, macros and recursive loops
// nest in one render.
const maxDepth = 100

// run is one render. It is used by one goroutine.
type run struct {
	engine *Engine
	ctx    context.Context
	units  map[string]*unit // each file is looked at once per render
	depth  int
	steps  uint
	spent  int // bytes captured by blocks and macros so far

	unit *unit // where execution is, for panics
	line int
}

// frame is what a statement executes in. A nested construct works on a copy.
type frame struct {
	run    *run
	unit   *unit
	chain  []*unit // the page and what it extends, most derived first
	scope  *scope
	out    *buffer
	escape bool
}

// scope holds variables; what it lacks is looked up in parent.
type scope struct {
	parent *scope
	vars   map[string]*exec.Value
	data   map[string]any // of the page, in the outermost scope only
}

func (s *scope) child() *scope { return &scope{parent: s} }

func (s *scope) set(name string, v *exec.Value) {
	if s.vars == nil {
		s.vars = map[string]*exec.Value{}
	}
	s.vars[name] = v
}

// get returns nil for a name that is not defined.
func (s *scope) get(name string) *exec.Value {
	for ; s != nil; s = s.parent {
		if v, ok := s.vars[name]; ok {
			return v
		}
		if v, ok := s.data[name]; ok {
			return value(v)
		}
	}
	return nil
}

// buffer collects output up to a limit.
type buffer struct {
	b     []byte
	limit int
	drop  bool // output of a page that extends another goes nowhere
}

func (b *buffer) write(s string) error {
	if b.drop {
		return nil
	}
	if len(b.b)+len(s) > b.limit {
		return fmt.Errorf("the output is longer than %d bytes", b.limit)
	}
	b.b = append(b.b, s...)
	return nil
}

func (r *run) render(name string, data map[string]any) (page []byte, err error) {
	defer func() {
		if p := recover(); p != nil {
			page, err = nil, r.panicked(name, p)
		}
	}()
	u, err := r.load(name)
	if err != nil {
		return nil, err
	}
	out := &buffer{limit: r.engine.opts.MaxOutput}
	f := &frame{run: r, unit: u, out: out, scope: &scope{data: data}}
	f.scope.parent = globals
	if err := f.page(u); err != nil {
		return nil, u.fail(1, err)
	}
	return out.b, nil
}

func (r *run) panicked(name string, p any) error {
	err, ok := p.(error)
	if !ok {
		err = fmt.Errorf("%v", p)
	}
	err = fmt.Errorf("panic: %w", err)
	if r.unit == nil {
		return &Error{File: name, Message: err.Error(), Err: err}
	}
	return r.unit.fail(r.line, err)
}

func (r *run) load(name string) (*unit, error) {
	if u := r.units[name]; u != nil {
		return u, nil
	}
	u, err := r.engine.load(name)
	if err == nil {
		r.units[name] = u
	}
	return u, err
}

// step counts work and notices the end of ctx. Asking on each of 64 steps
// keeps it out of the profile.
func (r *run) step() error {
	r.steps++
	if r.steps%64 == 1 && r.ctx.Err() != nil {
		return context.Cause(r.ctx)
	}
	return nil
}

// deeper runs fn one level down.
func (r *run) deeper(fn func() error) error {
	if r.depth >= maxDepth {
		return fmt.Errorf("templates nest more than %d deep: does one include, extend or call itself?", maxDepth)
	}
	r.depth++
	defer func() { r.depth-- }()
	return fn()
}

// statements executes a body. Its errors carry file and line, except those
// that break and continue loops.
func (f *frame) statements(body []statement) error {
	for i := range body {
		s := &body[i]
		f.run.unit, f.run.line = f.unit, s.line
		err := f.run.step()
		if err == nil {
			err = s.node.exec(f)
		}
		if err != nil {
			if err == errBreak || err == errContinue {
				return err
			}
			return f.unit.fail(s.line, err)
		}
	}
	return nil
}

var (
	errBreak    = errors.New("break outside of a loop")
	errContinue = errors.New("continue outside of a loop")
)

// page renders u, or what it extends with the blocks of u in place.
func (f *frame) page(u *unit) error {
	return f.run.deeper(func() error {
		f.unit = u
		f.chain = append(f.chain, u)
		f.escape = f.escape || u.escape
		if u.extends == nil {
			return f.statements(u.body)
		}
		quiet := *f
		quiet.out = &buffer{drop: true}
		if err := quiet.statements(u.body); err != nil {
			return err
		}
		parent, err := f.other(u.extends)
		if err == nil {
			err = f.page(parent)
		}
		if err != nil {
			return u.fail(u.extends.line, err)
		}
		return nil
	})
}

// other loads the template that a reference names. Among a list of names the
// first that exists is taken.
func (f *frame) other(ref *reference) (*unit, error) {
	v, err := f.eval(ref.name)
	if err != nil {
		return nil, err
	}
	names := []*exec.Value{v}
	if v.IsList() {
		if names, err = items(v); err != nil {
			return nil, err
		}
	}
	err = fmt.Errorf("no template is named here: %w", fs.ErrNotExist)
	for _, name := range names {
		if !name.IsString() {
			return nil, fmt.Errorf("the name of a template is a string, this is %s", kind(name))
		}
		var u *unit
		if u, err = f.run.load(name.String()); err == nil || !errors.Is(err, fs.ErrNotExist) {
			return u, err
		}
	}
	return nil, err
}

// capture executes a body and returns its output, which is safe if it was
// escaped on the way.
func (f *frame) capture(body []statement) (*exec.Value, error) {
	sub := *f
	sub.out = &buffer{limit: f.run.engine.opts.MaxOutput}
	if err := sub.statements(body); err != nil {
		return nil, err
	}
	return f.captured(sub.out)
}

// captured takes the captured text and charges it to the render, or a template
// that captures in a loop would hold any amount of memory.
func (f *frame) captured(out *buffer) (*exec.Value, error) {
	f.run.spent += len(out.b)
	if limit := f.run.engine.opts.MaxOutput; f.run.spent > limit {
		return nil, fmt.Errorf("blocks and macros have captured more than %d bytes", limit)
	}
	if f.escape {
		return exec.AsSafeValue(string(out.b)), nil
	}
	return exec.AsValue(string(out.b)), nil
}

// module executes a file for its macros and variables.
func (f *frame) module(u *unit, without bool) (map[string]any, error) {
	sub := f.enter(u, without)
	sub.out = &buffer{drop: true}
	err := f.run.deeper(func() error { return sub.statements(u.body) })
	if err != nil {
		return nil, err
	}
	names := make(map[string]any, len(sub.scope.vars))
	for name, v := range maps.All(sub.scope.vars) {
		if name[0] != '_' {
			names[name] = v
		}
	}
	return names, nil
}

// enter is the frame for another file: it has its own variables and blocks.
func (f *frame) enter(u *unit, without bool) *frame {
	sub := *f
	sub.unit, sub.chain = u, []*unit{u}
	sub.escape = f.escape || u.escape
	sub.scope = f.scope.child()
	if without {
		sub.scope.parent = globals
	}
	return &sub
}
