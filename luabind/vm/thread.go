package vm

import (
	"reflect"
	"unsafe"

	lua "github.com/yuin/gopher-lua"
)

// LState.NewThread builds a Global with two large tables for each thread and throws it away: 12 KB
// and 3 times the time of what is needed (BenchmarkThread), which 10,000 requests that wait at once
// turn into 100 MB. Therefore a thread is a copy of a template with a stack and a registry of its
// own. These are fields that gopher-lua does not export; their types are mirrored here, and where
// the mirror does not fit (another version of the library) NewThread is used after all.
// TestThreadLayout says so.

// registry mirrors that of gopher-lua: the values of a thread.
type registry struct {
	array   []lua.LValue
	_       int // top
	growBy  int
	maxSize int
	alloc   unsafe.Pointer // of numbers; all threads of an isolate share one
	handler iface
}

// frames mirrors autoGrowingCallFrameStack: the calls of a thread.
type frames struct {
	segments []unsafe.Pointer
	_        uint16 // segIdx
	_        uint8  // segSp
}

// iface is how an interface with methods is laid out.
type iface struct{ table, data unsafe.Pointer }

// A thread has room for registrySize values at first; it grows by registryStep when it must.
// Each growth copies all, and deep recursion needs many: with a step of 64, 1,000 calls of 50
// variables copy 310 MB, with 256 it is 78.
const (
	registrySize = 64
	registryStep = 256
)

// layout is where the fields are; segment is the type of what frames.segments points to. A nil
// segment means that the mirror does not fit.
var layout = func() (l struct {
	reg, stack uintptr
	segment    reflect.Type
}) {
	state := reflect.TypeFor[lua.LState]()
	reg, ok := state.FieldByName("reg")
	stack, ok2 := state.FieldByName("stack")
	if !ok || !ok2 || reg.Type.Kind() != reflect.Pointer || stack.Type.Kind() != reflect.Interface ||
		!mirrors(reg.Type.Elem(), reflect.TypeFor[registry](), "array", "top", "growBy", "maxSize", "alloc", "handler") {
		return
	}
	l.reg, l.stack = reg.Offset, stack.Offset
	L := lua.NewState(lua.Options{SkipOpenLibs: true, MinimizeStackMemory: true})
	defer L.Close()
	calls := reflect.ValueOf(L).Elem().FieldByName("stack").Elem()
	if calls.Kind() != reflect.Pointer || !mirrors(calls.Type().Elem(), reflect.TypeFor[frames](), "segments", "segIdx", "segSp") {
		return
	}
	l.segment = calls.Elem().Field(0).Type().Elem().Elem()
	return l
}()

// mirrors reports whether two structs are laid out alike, and a has fields of these names.
func mirrors(a, b reflect.Type, names ...string) bool {
	if a.Kind() != reflect.Struct || a.Size() != b.Size() || a.NumField() != len(names) || b.NumField() != len(names) {
		return false
	}
	for i, name := range names {
		f, g := a.Field(i), b.Field(i)
		if f.Name != name || f.Offset != g.Offset || f.Type.Size() != g.Type.Size() {
			return false
		}
	}
	return true
}

// newThread makes a thread of the isolate.
func (i *Isolate) newThread() *lua.LState {
	if i.template == nil {
		i.template, _ = i.main.NewThread()
		i.template.SetContext(&i.watch)
	}
	if layout.segment == nil {
		L, _ := i.main.NewThread()
		L.SetContext(&i.watch)
		return L
	}
	return copyThread(i.template)
}

// copyThread makes a thread like one that has never run.
func copyThread(template *lua.LState) *lua.LState {
	L := new(lua.LState)
	*L = *template
	reg := *at[*registry](L, layout.reg)
	*at[*registry](L, layout.reg) = &registry{
		array: make([]lua.LValue, registrySize), growBy: registryStep, maxSize: reg.maxSize,
		alloc: reg.alloc, handler: iface{reg.handler.table, unsafe.Pointer(L)},
	}
	stack := at[iface](L, layout.stack)
	calls := &frames{segments: make([]unsafe.Pointer, len((*frames)(stack.data).segments))}
	calls.segments[0] = reflect.New(layout.segment).UnsafePointer()
	stack.data = unsafe.Pointer(calls)
	return L
}

// at is the field of type T at an offset in L.
func at[T any](L *lua.LState, offset uintptr) *T {
	return (*T)(unsafe.Add(unsafe.Pointer(L), offset))
}
