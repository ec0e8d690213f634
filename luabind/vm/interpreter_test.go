package vm

import "testing"

func TestTheInterpreterIsGuarded(t *testing.T) {
	if !guarded {
		t.Error("assignments are not looked at: gopher-lua is laid out in another way than frame and opcodes say")
	}
}
