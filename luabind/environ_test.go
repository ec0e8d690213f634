package luabind_test

import (
	"os"
	"path/filepath"
	"regexp"
	"strings"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"rws/luabind"
)

func TestABadLineOfEnvIsNamedWithoutItsValue(t *testing.T) {
	for name, c := range map[string]struct{ text, want string }{
		"no name":            {"BAD LINE hunter2\nSECRET=hunter2\n", ".env:1: the line can't be read"},
		"an open quote":      {"# the keys\nA=1\n\nKEY=\"hunter2\nSECRET=hunter2\n", ".env:4: the variable KEY can't be read"},
		"after two lines":    {"A=\"x\ny\"\nnoise hunter2\nB=1\n", ".env:3: the line can't be read"},
		"a bad name":         {"A=1\nMY-KEY=hunter2\nSECRET=hunter2\n", ".env:2: the line can't be read"},
		"an empty name":      {"A=1\r\n\r\n=hunter2\r\n", ".env:3: the line can't be read, there is no name"},
		"export nothing":     {"export =hunter2\n", ".env:1: the line can't be read"},
		"a digit first":      {"1BAD=hunter2\n", ".env:1: the line can't be read: a name has letters"},
		"two words":          {"A B=hunter2", ".env:1: the line can't be read: a name has letters"},
		"the last line":      {"A=1\nhunter2", ".env:2: the line can't be read"},
		"a letter beyond":    {"SCHLÜSSEL=hunter2\n", ".env:1: the line can't be read: a name has letters"},
		"a single quote":     {"A='hunter2", ".env:1: the variable A can't be read: its quote is not closed"},
		"a quote too much":   {"A=1\nKEY=\"hunter2\"\"\n", ".env:2: the variable KEY can't be read: there is more behind"},
		"a quote at the end": {"KEY=hunter2\"\nB=1\n", ".env:1: the variable KEY can't be read: it ends with a quote"},
		"two in a line":      {"KEY=\"hunter2\" B=1\n", ".env:1: the variable KEY can't be read: there is more behind"},
		"more at the end":    {"KEY='x' hunter2", ".env:1: the variable KEY can't be read: there is more behind"},
	} {
		t.Run(name, func(t *testing.T) {
			dir := t.TempDir()
			require.NoError(t, os.WriteFile(filepath.Join(dir, ".env"), []byte(c.text), 0o600))
			_, err := luabind.Load(luabind.Options{File: filepath.Join(dir, "app.lua"), Source: "-- none"})
			require.Error(t, err)
			assert.Contains(t, err.Error(), c.want)
			assert.NotContains(t, err.Error(), "hunter2")
			assert.Equal(t, 1, strings.Count(err.Error(), ".env"))
		})
	}
}

func TestLinesOfEnv(t *testing.T) {
	text := "\ufeffPLAIN=a b # comment\r\n" + `
# comment = "not closed
export EXPORTED=x
 SPACED = y
YAML: z
EMPTY=
QUOTED="a \"b\" # c" # comment
SINGLE='a "b" $PLAIN'
LINES="one
two=2"
APOSTROPHE=it's
HASH=a#b
DOTTED.name_1=$EXPORTED
LAST=1`
	env, err := luabind.ReadVariables(".env", text)
	require.NoError(t, err)
	assert.Equal(t, map[string]string{
		"PLAIN": "a b", "EXPORTED": "x", "SPACED": "y", "YAML": "z", "EMPTY": "", "QUOTED": `a "b" # c`, "SINGLE": `a "b" $PLAIN`,
		"LINES": "one\ntwo=2", "APOSTROPHE": "it's", "HASH": "a#b", "DOTTED.name_1": "x", "LAST": "1",
	}, env)
}

// What passes has names that are names, and as many variables as lines with one.
func FuzzEnv(f *testing.F) {
	for _, text := range []string{"A=1\n", "=x", "1BAD=x", "A B=c", "A=\"x\ny\"\n", "A='x' # y", "A: b", "export A=b", "A=\"x\"y", "\ufeffA=1", "A=x\"", "A\x0b=1"} {
		f.Add(text)
	}
	name := regexp.MustCompile(`^[A-Za-z_][A-Za-z0-9_.]*$`)
	f.Fuzz(func(t *testing.T, text string) {
		env, err := luabind.ReadVariables(".env", text)
		if err != nil {
			assert.NotContains(t, err.Error(), "\n")
			return
		}
		for key := range env {
			assert.Regexp(t, name, key)
		}
	})
}
