package http3_test

import (
	"fmt"
	"io"
	"net/http"
	"strings"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"rws/server/http3"
)

// What gets a request as HTTP/1 must not be sent an empty body in chunks.
func TestARequestThatEndsWithItsHeaderHasNoBody(t *testing.T) {
	_, addr := serve(t, http3.Options{Handler: http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		body, err := io.ReadAll(r.Body)
		fmt.Fprintf(w, "%d %t %s %v", r.ContentLength, r.Body == http.NoBody, body, err)
	})})
	c := client(t, nil)
	for _, method := range []string{"GET", "DELETE", "OPTIONS"} {
		for body, want := range map[string]string{"": "0 true  <nil>", "a body": "-1 false a body <nil>"} {
			r, err := http.NewRequest(method, "https://"+addr+"/", nil)
			require.NoError(t, err)
			if body != "" {
				r.Body, r.ContentLength = io.NopCloser(strings.NewReader(body)), -1
			}
			res, err := c.Do(r)
			require.NoError(t, err)
			got, err := io.ReadAll(res.Body)
			require.NoError(t, err)
			res.Body.Close()
			assert.Equal(t, want, string(got), "%s %q", method, body)
		}
	}
}

// A request whose client leaves open whether there is a body is answered all the same.
func TestABodyThatDoesNotBeginHoldsNothingUp(t *testing.T) {
	_, addr := serve(t, http3.Options{Handler: hello})
	body, end := io.Pipe()
	defer end.Close()
	r, err := http.NewRequest("GET", "https://"+addr+"/", body)
	require.NoError(t, err)
	res, err := client(t, nil).Do(r)
	require.NoError(t, err)
	defer res.Body.Close()
	assert.Equal(t, 200, res.StatusCode)
}
