package command

import (
	"os"
	"strconv"
	"strings"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
)

// filePages is how much of files is in memory, in kB.
func filePages(t *testing.T) int {
	status, err := os.ReadFile("/proc/self/status")
	require.NoError(t, err)
	_, rest, ok := strings.Cut(string(status), "RssFile:")
	require.True(t, ok)
	kb, err := strconv.Atoi(strings.Fields(rest)[0])
	require.NoError(t, err)
	return kb
}

func TestForgetStart(t *testing.T) {
	before := filePages(t)
	forgetStart()
	assert.Less(t, filePages(t), before)
	forgetStart() // and the program goes on
}
