package luabind_test

import (
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"rws/luabind"
)

func TestABadLineOfEnvIsNamedWithoutItsValue(t *testing.T) {
	for name, c := range map[string]struct{ text, want string }{
		"no name":         {"BAD LINE hunter2\nSECRET=hunter2\n", ".env:1: the line can't be read"},
		"an open quote":   {"# the keys\nA=1\n\nKEY=\"hunter2\nSECRET=hunter2\n", ".env:4: the variable KEY can't be read"},
		"after two lines": {"A=\"x\ny\"\nnoise hunter2\nB=1\n", ".env:3: the line can't be read"},
		"a bad name":      {"A=1\nMY-KEY=hunter2\nSECRET=hunter2\n", ".env:2: the line can't be read"},
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
