package luabind_test

import (
	"bytes"
	"log/slog"
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"rws/luabind"
)

// A script that waits at load says so, once, and does not wait forever.
func TestALoadThatWaitsSaysWhereAndEnds(t *testing.T) {
	for name, source := range map[string]string{
		"rws.sleep":    "app:get('/', function() end)\nrws.sleep('1h')",
		"rws.parallel": "app:get('/', function() end)\nrws.parallel(function() rws.sleep('1h') end)",
	} {
		t.Run(name, func(t *testing.T) {
			var log bytes.Buffer
			_, err := luabind.Load(loadSlowly(t, source, &log, 400*time.Millisecond))
			require.Error(t, err)
			assert.Contains(t, err.Error(), "app.lua:2: loading took longer than 400ms, for which nobody is served: ")
			assert.Contains(t, err.Error(), "when a request first needs it")
			assert.Equal(t, 1, bytes.Count(log.Bytes(), []byte("still loading")), log.String())
			if name == "rws.sleep" {
				assert.Contains(t, log.String(), "app.lua:2: still loading: waits in rws.sleep")
			}
		})
	}
	var log bytes.Buffer
	p, err := luabind.Load(loadSlowly(t, "rws.sleep('10ms')", &log, time.Minute))
	require.NoError(t, err)
	require.NoError(t, p.Close(t.Context()))
	assert.Empty(t, log.String())
}

func loadSlowly(t *testing.T, source string, log *bytes.Buffer, limit time.Duration) luabind.Options {
	o := luabind.Options{File: "app.lua", Dir: t.TempDir(), Source: source}
	o.Logger = func(*luabind.Config) *slog.Logger { return slog.New(slog.NewTextHandler(log, nil)) }
	luabind.LoadTimes(limit, 100*time.Millisecond)(&o)
	return o
}
