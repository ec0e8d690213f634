package discard_test

import (
	"fmt"
	"io"
	"net/http"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"rws/server/discard"
)

func TestWhatIsWrittenIsDroppedAndCounted(t *testing.T) {
	w := discard.Writer()
	w.Header().Set("X", "1")
	w.WriteHeader(http.StatusTeapot)
	for _, write := range []func() (int, error){
		func() (int, error) { return fmt.Fprint(w, "hello") }, func() (int, error) { return io.WriteString(w, "hello") },
	} {
		n, err := write()
		require.NoError(t, err)
		assert.Equal(t, 5, n)
	}
	assert.Equal(t, "1", w.Header().Get("X"))
	assert.Empty(t, discard.Writer().Header(), "each has a header of its own")
}
