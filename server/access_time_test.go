package server_test

import (
	"encoding/json"
	"io"
	"net/http"
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"rws/server"
	"rws/server/logs"
	"rws/spec_test/logtext"
)

func TestAnAccessLineHasTheTimeOfItsEnd(t *testing.T) {
	lines := &logtext.Buffer{}
	access := logs.NewAccess(lines, logs.Options{Format: logs.JSON})
	var answered time.Time
	s := run(t, app(map[string]http.Handler{"/": http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) {
		time.Sleep(20 * time.Millisecond) // a request that takes a while
		answered = time.Now()
		_, _ = io.WriteString(w, "x")
	})}), server.Options{Access: access})
	get(t, client(t, nil), "http://"+address(s)+"/")
	require.NoError(t, s.Shutdown(t.Context()))
	require.NoError(t, access.Close())
	var line struct {
		Time     time.Time
		Duration float64 `json:"duration_ms"`
	}
	require.NoError(t, json.Unmarshal([]byte(lines.String()), &line))
	assert.False(t, line.Time.Before(answered.Truncate(time.Millisecond)), "%v is before the answer at %v", line.Time, answered)
	assert.GreaterOrEqual(t, line.Duration, 20.0)
}
