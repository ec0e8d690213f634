package repl_test

import (
	"strings"
	"testing"
	"time"

	"rws/luabind/repl"
)

func TestALineThatNeverEndsIsEnded(t *testing.T) {
	h := &host{stall: 40 * time.Millisecond}
	start(t, h, script)
	for name, c := range map[string]*console{
		"by the isolate's limit": newConsole(t, h),
		"read-only":              {Session: repl.New(h, repl.Options{ReadOnly: true}), t: t},
		"by its own limit":       {Session: repl.New(newHost(t, script), repl.Options{Stall: 40 * time.Millisecond}), t: t},
	} {
		for _, line := range []string{"while true do end", "while true do pcall(function() while true do end end) end"} {
			if got := c.fails(line); !strings.Contains(got, "without waiting") || !strings.Contains(got, "--stall") {
				t.Errorf("%s: %s: %s", name, line, got)
			}
		}
		if got := c.run("1"); got != "1" {
			t.Errorf("%s: afterwards: %s", name, got)
		}
	}
	if got := newConsole(t, h).run("wait = nil for _ = 1, 8 do get('/') end return 'fine'"); got != `"fine"` {
		t.Errorf("waiting: %s", got)
	}
}
