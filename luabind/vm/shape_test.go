package vm

import (
	"testing"

	lua "github.com/yuin/gopher-lua"

	"github.com/stretchr/testify/assert"
)

func TestShapeLayout(t *testing.T) {
	assert.True(t, tableFits, "lua.LTable is laid out in another way than vm.table: rows are made more slowly")
}

// entries are the keys and values of a table, in order.
func entries(t *lua.LTable) []lua.LValue {
	var list []lua.LValue
	for k, v := t.Next(lua.LNil); k != lua.LNil; k, v = t.Next(k) {
		list = append(list, k, v)
	}
	return list
}

func TestTablesOfAShapeAreLikeOthers(t *testing.T) {
	L := lua.NewState()
	defer L.Close()
	s := NewShape([]string{"a", "b", "c"})
	values := []lua.LValue{lua.LNumber(1), lua.LNil, lua.LString("x")}
	one := s.New(L, func(i int) lua.LValue { return values[i] })
	two := s.New(L, func(int) lua.LValue { return lua.LTrue })
	none := s.New(L, func(int) lua.LValue { return lua.LNil })

	assert.Equal(t, []lua.LValue{lua.LString("a"), lua.LNumber(1), lua.LString("c"), lua.LString("x")}, entries(one))
	assert.Empty(t, entries(none))
	assert.Equal(t, lua.LNil, one.RawGetString("b"))

	one.RawSetString("d", lua.LTrue)
	one.RawSetString("b", lua.LFalse)
	one.RawSetString("a", lua.LNil)
	one.Append(lua.LNumber(7))
	two.RawSetString("e", lua.LTrue)
	two.RawSetString("d", lua.LFalse)
	assert.Equal(t, []lua.LValue{lua.LNumber(1), lua.LNumber(7), lua.LString("b"), lua.LFalse, lua.LString("c"), lua.LString("x"),
		lua.LString("d"), lua.LTrue}, entries(one))
	assert.Equal(t, []lua.LValue{lua.LString("a"), lua.LTrue, lua.LString("b"), lua.LTrue, lua.LString("c"), lua.LTrue,
		lua.LString("e"), lua.LTrue, lua.LString("d"), lua.LFalse}, entries(two), "a key that one table gets is none of another")
	assert.Equal(t, []string{"a", "b", "c"}, s.Names())
	none.RawSetString("z", lua.LTrue)
	assert.Equal(t, []lua.LValue{lua.LString("z"), lua.LTrue}, entries(none))

	empty := NewShape(nil).New(L, nil)
	empty.RawSetString("a", lua.LTrue)
	assert.Equal(t, []lua.LValue{lua.LString("a"), lua.LTrue}, entries(empty))
}

func BenchmarkShape(b *testing.B) {
	L := lua.NewState()
	defer L.Close()
	names := []string{"id", "title", "body", "done", "created_at"}
	s := NewShape(names)
	b.Run("shape", func(b *testing.B) {
		b.ReportAllocs()
		for b.Loop() {
			s.New(L, func(int) lua.LValue { return lua.LTrue })
		}
	})
	b.Run("set", func(b *testing.B) {
		b.ReportAllocs()
		for b.Loop() {
			t := L.CreateTable(0, len(names))
			for _, name := range names {
				t.RawSetString(name, lua.LTrue)
			}
		}
	})
}
