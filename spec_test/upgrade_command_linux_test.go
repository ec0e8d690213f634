package spec_test

import (
	"encoding/json"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
)

func upgradeCommand(dir string) (string, error) {
	cmd := exec.Command(binary, "upgrade", "app.lua")
	cmd.Dir = dir
	out, err := cmd.CombinedOutput()
	return string(out), err
}

// Who asks for a program that does not start hears why at once, and so does the log, which stays JSON.
func TestUpgradeTellsWhyItFailed(t *testing.T) {
	srv, dir := started(t, `app:get("/", function() return "version 1" end)`, "--listen", "127.0.0.1:0", "--log", "json", "--access-log=false", "--console")
	name, port := where(t, srv)
	require.NoError(t, os.WriteFile(filepath.Join(dir, "app.lua"), []byte(`this is no Lua`), 0o600))
	start := time.Now()
	out, err := upgradeCommand(dir)
	assert.Less(t, time.Since(start), patience)
	var exit *exec.ExitError
	require.ErrorAs(t, err, &exit)
	assert.Equal(t, 1, exit.ExitCode())
	assert.Contains(t, out, "app.lua:1")
	assert.Contains(t, out, "the server was not replaced")
	assert.Equal(t, "version 1", bodyOf(t, "http://"+name+":"+port+"/"))
	text := srv.log.String()
	assert.Contains(t, text, "app.lua:1")
	assert.LessOrEqual(t, strings.Count(text, `"detached"`), 1, "it does not ask again and again")
	for line := range strings.Lines(text) {
		assert.True(t, json.Valid([]byte(line)), "%s", line)
	}
}

func TestUpgradeTellsTheNewProcess(t *testing.T) {
	srv, dir := started(t, `app:get("/", function() return "hello" end)`, "--listen", "127.0.0.1:0", "--log", "json", "--access-log=false", "--console")
	where(t, srv)
	out, err := upgradeCommand(dir)
	require.NoError(t, err, "%s", out)
	assert.Regexp(t, fmt.Sprintf(`^replaced: process %d serves now: rws \S+, started as %s\n$`, successor(t, srv), regexp.QuoteMeta(binary)), out)
	ended(t, srv)
}

// What an installation does: the file that runs is moved away, and a new one stands at its path.
func TestUpgradeStartsWhatWasInstalledAtThePath(t *testing.T) {
	dir := t.TempDir()
	program := filepath.Join(dir, "rws")
	install := func() {
		require.NoError(t, exec.Command("cp", binary, program).Run())
	}
	install()
	require.NoError(t, os.WriteFile(filepath.Join(dir, "app.lua"), []byte(`app:get("/", function() return "hello" end)`), 0o600))
	srv := startedAs(t, program, dir, "--listen", "127.0.0.1:0", "--log", "json", "--access-log=false", "--console")
	where(t, srv)
	require.NoError(t, os.Rename(program, program+".old"))
	out, err := upgradeCommand(dir)
	require.Error(t, err)
	assert.Contains(t, out, program, "nothing is there")
	install()
	out, err = upgradeCommand(dir)
	require.NoError(t, err, "%s", out)
	pid := successor(t, srv)
	ended(t, srv)
	running, err := os.Readlink(fmt.Sprintf("/proc/%d/exe", pid))
	require.NoError(t, err)
	assert.Equal(t, program, running)
}
