package luabind_test

import (
	"os"
	"path/filepath"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"rws/luabind"
	"rws/luabind/fault"
	"rws/server/logs"
)

func TestAnAccessLogThatCannotBeIsRefusedAtItsLine(t *testing.T) {
	for source, want := range map[string]string{
		"app:config {\n  access_log = {\n    format = '$nothing' } }":                 "unknown variable $nothing",
		"app:config {\n  access_log = {\n    file = 'a.log', max_size = '10kb' } }":   "1 MiB",
		"app:config {\n  access_log = {\n    file = 'a.log', max_age = '36h' } }":     "whole days",
		"app:config {\n  access_log = {\n    file = 'a.log', every = '10s' } }":       "a minute or more",
		"app:config {\n  access_log = {\n    max_size = '10mb' } }":                   "it is about the file of access_log.file",
		"app:config {\n  access_log = {\n    compress = false } }":                    "it is about the file of access_log.file",
		"app:config {\n  access_log = {\n    redact = '' } }":                         "it names nothing",
		"app:config {\n  access_log = {\n    file = 'nowhere/a.log' } }":              "create the folder or correct its name",
		"app:config {\n  port = 3000, metrics = {\n    listen = '127.0.0.1:3000' } }": "is the address of the app itself",
		"app:config {\n  access_log = {\n    sample = 2 } }":                          "share",
		"app:config {\n  access_log = {\n    compres = true } }":                      "unknown option",
	} {
		_, err := loadScript(t, source, nil)
		var e *fault.Error
		require.ErrorAs(t, err, &e, source)
		assert.Contains(t, e.Message, want)
		assert.Equal(t, "app.lua:3", e.At, source)
	}
}

func TestAccessLogsThatDiffer(t *testing.T) {
	one, err := loadScript(t, "app:config { access_log = { sample = 0.5 } }", nil)
	require.NoError(t, err)
	two, err := loadScript(t, "app:config { access_log = { sample = 0.5 }, port = 1 }", nil)
	require.NoError(t, err)
	other, err := loadScript(t, "app:config { access_log = { sample = 0.6 } }", nil)
	require.NoError(t, err)
	assert.False(t, one.Config.AccessLogDiffers(two.Config))
	assert.True(t, one.Config.AccessLogDiffers(other.Config))
}

func TestAnAccessLogFileIsReopened(t *testing.T) {
	dir := t.TempDir()
	p, err := luabind.Load(luabind.Options{File: "app.lua", Dir: dir, Source: "app:config { log = 'off', log_level = 'error', access_log = { file = 'a.log' } }"})
	require.NoError(t, err)
	defer p.Close(t.Context())
	l, err := p.OpenAccessLog(os.Stderr, logs.Options{Format: logs.Off})
	require.NoError(t, err)
	l.Log(logs.Access{Path: "/one", Status: 200})
	require.NoError(t, l.Flush())
	require.NoError(t, os.Rename(filepath.Join(dir, "a.log"), filepath.Join(dir, "b.log")))
	require.NoError(t, l.Reopen())
	l.Log(logs.Access{Path: "/two", Status: 200})
	require.NoError(t, l.Close())
	for name, want := range map[string]string{"b.log": `"path":"/one"`, "a.log": `"path":"/two"`} {
		text, err := os.ReadFile(filepath.Join(dir, name))
		require.NoError(t, err)
		assert.Contains(t, string(text), want)
	}
}
