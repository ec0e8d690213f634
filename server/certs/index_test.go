package certs_test

import (
	"testing"

	"github.com/stretchr/testify/assert"

	"rws/server/certs"
)

func TestHostsAreCleanedToOneSpelling(t *testing.T) {
	for host, want := range map[string]string{
		"A.Example.:443": "a.example", "[0:0::1]:8": "::1", "[::FFFF:127.0.0.1]": "127.0.0.1", "127.0.0.1:80": "127.0.0.1", "a:b:c": "a:b:c", "": "",
	} {
		assert.Equal(t, want, certs.CleanName(certs.HostName(host)), host)
	}
}
