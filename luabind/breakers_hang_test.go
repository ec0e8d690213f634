package luabind_test

import (
	"fmt"
	"io"
	"log/slog"
	"net"
	"strings"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"rws/luabind"
)

// Each upstream waits a while for a store of breakers that accepts and does not answer: all of them do at the same
// time, so that a reload takes as long as for one. This store turns everybody away when the last has come.
func TestManyBreakersWaitForTheirStoreAtOnce(t *testing.T) {
	const pools = 6
	l, err := net.Listen("tcp", "127.0.0.1:0")
	require.NoError(t, err)
	defer l.Close()
	go func() {
		var waiting []net.Conn
		for {
			conn, err := l.Accept()
			if err != nil {
				return
			}
			if waiting = append(waiting, conn); len(waiting) < pools {
				continue
			}
			for _, conn := range waiting {
				_, _ = io.WriteString(conn, "-ERR go away\r\n")
				_ = conn.Close()
			}
			waiting = nil
			_ = l.Close()
		}
	}()
	var log strings.Builder
	source := fmt.Sprintf(`for i = 1, %d do
		app:proxy("/" .. i .. "/*", { to = "http://127.0.0.1:1", breaker = { store = "redis://%s" } })
	end`, pools, l.Addr())
	p, err := luabind.Load(luabind.Options{File: "app.lua", Dir: t.TempDir(), Source: source,
		Logger: func(*luabind.Config) *slog.Logger { return slog.New(slog.NewTextHandler(&log, nil)) }})
	require.NoError(t, err)
	require.NoError(t, p.Start(t.Context()))
	require.NoError(t, p.Close(t.Context()))
	assert.Equal(t, pools, strings.Count(log.String(), "their store fails"))
	assert.NotContains(t, log.String(), "no answer before the deadline", "somebody has waited alone")
}
