package vm

import (
	"testing"

	"github.com/stretchr/testify/assert"
	lua "github.com/yuin/gopher-lua"
)

func TestThreadLayout(t *testing.T) {
	assert.NotNil(t, layout.segment, "gopher-lua has changed: see thread.go")
}

func TestThreadsAreApart(t *testing.T) {
	i := New(Options{})
	defer i.Close()
	a, b := i.newThread(), i.newThread()
	a.Push(lua.LString("a"))
	assert.Zero(t, b.GetTop())
	for n := range 10 * registrySize { // the registry grows
		b.Push(lua.LNumber(n))
	}
	assert.Equal(t, lua.LString("a"), a.Get(1))
	assert.Equal(t, lua.LNumber(10*registrySize-1), b.Get(-1))
	assert.Same(t, a.G, b.G)
	assert.Panics(t, func() { b.SetTop(2 * maxSlots) }, "there is an end to growth")
	assert.NoError(t, a.DoString("local function f(n) if n > 0 then return 1 + f(n - 1) end return 0 end assert(f(100) == 100)"))
}

func BenchmarkThread(b *testing.B) {
	i := New(Options{})
	defer i.Close()
	b.Run("copy", func(b *testing.B) {
		b.ReportAllocs()
		for b.Loop() {
			i.newThread()
		}
	})
	b.Run("NewThread", func(b *testing.B) {
		b.ReportAllocs()
		for b.Loop() {
			_, _ = i.main.NewThread()
		}
	})
}
