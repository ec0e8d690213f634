package logtext_test

import (
	"strings"
	"sync"
	"testing"

	"github.com/stretchr/testify/assert"

	"rws/spec_test/logtext"
)

func TestTheTextIsReadWhileItIsWritten(t *testing.T) {
	var b logtext.Buffer
	assert.Empty(t, b.String())
	var all sync.WaitGroup
	for range 4 {
		all.Go(func() {
			for range 100 {
				_, err := b.Write([]byte("one line\n"))
				assert.NoError(t, err)
				assert.True(t, b.Contains("one line\n"))
			}
		})
	}
	all.Wait()
	assert.Equal(t, strings.Repeat("one line\n", 400), b.String())
	assert.False(t, b.Contains("two"))
}
