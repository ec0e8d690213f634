//go:build unix

package luabind_test

import (
	"os"
	"path/filepath"
	"testing"

	"github.com/stretchr/testify/require"

	"rws/luabind"
)

func TestALinkToTheAppsFolderIsNoFolderForFiles(t *testing.T) {
	dir := t.TempDir()
	require.NoError(t, os.Symlink(dir, filepath.Join(dir, "link")))
	_, err := luabind.Load(luabind.Options{File: "app.lua", Dir: dir, Source: `app:storage("dir:link")`})
	require.ErrorContains(t, err, "a folder of their own")
}
