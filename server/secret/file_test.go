package secret_test

import (
	"os"
	"os/exec"
	"path/filepath"
	"runtime"
	"strings"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"rws/server/secret"
)

// TestMain lets the test binary stand for a second process: with RWS_SECRET_FILE it loads the
// file and prints a signature.
func TestMain(m *testing.M) {
	if name := os.Getenv("RWS_SECRET_FILE"); name != "" {
		keys, err := secret.Load(name)
		if err != nil {
			os.Stderr.WriteString(err.Error())
			os.Exit(1)
		}
		os.Stdout.Write(keys.For("x").Sign("", nil))
		os.Exit(0)
	}
	os.Exit(m.Run())
}

func TestAFileIsMadeOnceForAllProcesses(t *testing.T) {
	name := filepath.Join(t.TempDir(), ".rws", "secret")
	commands := make([]*exec.Cmd, 8)
	outputs := make([]strings.Builder, len(commands))
	for i := range commands {
		commands[i] = exec.Command(os.Args[0])
		commands[i].Env = append(os.Environ(), "RWS_SECRET_FILE="+name)
		commands[i].Stdout, commands[i].Stderr = &outputs[i], &outputs[i]
		require.NoError(t, commands[i].Start())
	}
	keys, err := secret.Load(name)
	require.NoError(t, err)
	want := string(keys.For("x").Sign("", nil))
	for i, c := range commands {
		require.NoError(t, c.Wait(), outputs[i].String())
		assert.Equal(t, want, outputs[i].String())
	}
	entries, err := os.ReadDir(filepath.Dir(name))
	require.NoError(t, err)
	var names []string
	for _, e := range entries {
		names = append(names, e.Name())
	}
	assert.Equal(t, []string{".gitignore", "secret"}, names, "nothing else is left")
	if runtime.GOOS != "windows" {
		info, err := os.Stat(name)
		require.NoError(t, err)
		assert.Equal(t, os.FileMode(0o600), info.Mode().Perm())
	}
}

func write(t *testing.T, text string, mode os.FileMode) string {
	t.Helper()
	name := filepath.Join(t.TempDir(), "secret")
	require.NoError(t, os.WriteFile(name, []byte(text), mode))
	return name
}

func TestAFileHoldsSeveralSecrets(t *testing.T) {
	k, err := secret.Load(write(t, "# new\n"+second+"\n\n# old\n"+first, 0o600))
	require.NoError(t, err)
	assert.Equal(t, 2, k.Len())
	assert.True(t, keys(t, second).For("x").Verify("", nil, k.For("x").Sign("", nil)), "the first line signs")
}

func TestBadFilesAreRefused(t *testing.T) {
	for name, want := range map[string]string{
		write(t, "\n", 0o600):                        "is empty; remove it",
		write(t, "hunter2\n", 0o600):                 "number 1 of 1 has 7 bytes",
		write(t, strings.Repeat(first, 4000), 0o600): "which is no list of secrets",
		t.TempDir(): "is no regular file",
		filepath.Join(write(t, "", 0o600), "secret"): "secret",
	} {
		_, err := secret.Load(name)
		require.ErrorContains(t, err, want)
		assert.NotContains(t, err.Error(), "hunter2")
	}
	if runtime.GOOS != "windows" {
		_, err := secret.Load(write(t, first+"\n", 0o644))
		require.ErrorContains(t, err, "others may read")
		require.ErrorContains(t, err, "(mode 0644); run: chmod 600")
	}
}
