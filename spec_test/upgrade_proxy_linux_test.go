package spec_test

import (
	"syscall"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
)

// The program that leaves for another ends its streams as one that stops does: what comes back finds the new one.
func TestAnUpgradeBreaksProxiedStreamsOff(t *testing.T) {
	p := startProxied(t, nil)
	p.streams(t)
	require.NoError(t, p.cmd.Process.Signal(syscall.SIGUSR2))
	successor(t, p.server)
	p.brokenOff(t)
	ended(t, p.server)
	p.bodies, p.sockets = nil, nil
	assert.Equal(t, "version 0", p.mustGet(t, "/version"))
}
