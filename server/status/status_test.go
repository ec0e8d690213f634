package status_test

import (
	"testing"

	"github.com/stretchr/testify/assert"

	"rws/server/status"
)

func TestText(t *testing.T) {
	for code, text := range map[int]string{200: "OK", 404: "Not Found", 499: "Client Closed Request", 299: "", 0: ""} {
		assert.Equal(t, text, status.Text(code), code)
	}
}
