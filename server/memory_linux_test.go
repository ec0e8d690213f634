package server_test

import (
	"math"
	"net/http"
	"os"
	"path/filepath"
	"runtime/debug"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"rws/server"
)

func TestTheLeastLimitOfACgroupAndThoseAboveCounts(t *testing.T) {
	root := t.TempDir()
	for path, limit := range map[string]string{"a": "5000\n", "a/b": "max\n", "a/b/c": "9000\n", "x": "junk"} {
		require.NoError(t, os.MkdirAll(filepath.Join(root, path), 0o755))
		require.NoError(t, os.WriteFile(filepath.Join(root, path, "memory.max"), []byte(limit), 0o600))
	}
	for group, want := range map[string]int64{
		"/a/b/c": 5000, "/a": 5000, "/a/b/gone": 5000,
		"/": math.MaxInt64, "/x": math.MaxInt64, "": math.MaxInt64, "/../../a": 5000,
	} {
		assert.Equal(t, want, server.LeastLimit(root, group, "memory.max"), group)
	}
}

func TestTheMachineLimitsMemory(t *testing.T) {
	limit := compiled(t, app(nil)).Settings().MemoryLimit
	assert.Greater(t, limit, int64(10<<20))
	assert.Less(t, limit, int64(1<<50))
}

func TestTheCollectorMindsTheLimitWhileTheServerRuns(t *testing.T) {
	if debug.SetMemoryLimit(-1) != math.MaxInt64 {
		t.Skip("GOMEMLIMIT is set, and stays")
	}
	start := func(limit int64) *server.App {
		a := app(map[string]http.Handler{"/": say("")})
		a.Settings.Listen, a.Settings.MemoryLimit = []string{"127.0.0.1:0"}, limit
		return a
	}
	s := run(t, start(1<<40), server.Options{})
	assert.EqualValues(t, 1<<40/10*9, debug.SetMemoryLimit(-1))
	require.NoError(t, s.Swap(start(1<<41)))
	assert.EqualValues(t, 1<<41/10*9, debug.SetMemoryLimit(-1))
	require.NoError(t, s.Swap(start(-1)))
	assert.EqualValues(t, math.MaxInt64, debug.SetMemoryLimit(-1))
	require.NoError(t, s.Swap(start(1<<40)))
	require.NoError(t, s.Shutdown(t.Context()))
	assert.EqualValues(t, math.MaxInt64, debug.SetMemoryLimit(-1))
}
