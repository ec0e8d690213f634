package fault_test

import (
	"fmt"
	"strings"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
)

func TestTheNameOfALoadedChunkIsInItsPlaces(t *testing.T) {
	long := strings.Repeat("a", 300)
	for name, shown := range map[string]string{
		"my": "my", "=my": "my", "@my.lua": "my.lua", "": "<string>", "=": "<string>", "@": "<string>", "\n": "<string>", "=\n\n": "<string>", "==my": "my",
		"two\nlines": "two lines", "=two\r\nlines\n": "two lines", "local x\nreturn x.y": "local x return x.y", "\xff": "\uFFFD", long: strings.Repeat("a", 59) + "…",
	} {
		for how, call := range map[string]string{
			"loadstring": "return assert(loadstring(%q, %q))()",
			"load":       "local text = %q return assert(load(function() local t = text text = nil return t end, %q))()",
		} {
			for _, text := range []string{"local x\nreturn x.y", "local x\nlocal y = x.y", "\nerror('plain')", "\nlocal function f() local n = nil + 1 end f()"} {
				script := fmt.Sprintf(strings.ReplaceAll(call, "%q", "%s"), quoteLua(text), quoteLua(name))
				err := newWorld(t).run(script)
				require.NotNil(t, err, script)
				assert.Equal(t, shown+":2", err.At, "%s %s", how, script)
				assert.NotContains(t, err.Message, ":2", script)
				if assert.NotEmpty(t, err.Frames, script) {
					last := err.Frames[len(err.Frames)-1]
					assert.Equal(t, "app.lua:1", fmt.Sprintf("%s:%d", last.File, last.Line), script)
				}
			}
			err := newWorld(t).run(fmt.Sprintf(strings.ReplaceAll(call, "%q", "%s"), quoteLua("\nx = = 1"), quoteLua(name)))
			require.NotNil(t, err)
			assert.Contains(t, err.Error(), shown+":2: unexpected", how)
		}
	}
}

// quoteLua writes a text as Lua does, byte by byte.
func quoteLua(text string) string {
	var b strings.Builder
	b.WriteByte('"')
	for i := range len(text) {
		fmt.Fprintf(&b, "\\%03d", text[i])
	}
	return b.String() + `"`
}
