package middleware_test

import (
	"net/netip"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"rws/server/middleware"
)

func TestPrefixesAreThoseOfAddressesAndWords(t *testing.T) {
	got, err := middleware.Prefixes([]string{"192.0.2.1", " 10.0.0.0/8 ", "loopback"})
	require.NoError(t, err)
	assert.Equal(t, []netip.Prefix{
		netip.MustParsePrefix("192.0.2.1/32"), netip.MustParsePrefix("10.0.0.0/8"),
		netip.MustParsePrefix("127.0.0.0/8"), netip.MustParsePrefix("::1/128"),
	}, got)
	for _, word := range []string{"unix", "unknown"} {
		_, err := middleware.Prefixes([]string{word})
		assert.ErrorContains(t, err, "stands for no address")
	}
}

// TestAPlaceNamesTheWordsThatItTakes: what an error proposes must not be the next error.
func TestAPlaceNamesTheWordsThatItTakes(t *testing.T) {
	_, prefixes := middleware.Prefixes([]string{"nonsense"})
	_, proxies := middleware.ClientIP(middleware.ClientIPOptions{Trusted: []string{"nonsense"}})
	_, ids := middleware.RequestID(middleware.RequestIDOptions{Trusted: []string{"nonsense"}})
	assert.ErrorContains(t, prefixes, "one of loopback, private, all")
	assert.ErrorContains(t, proxies, "one of unix, loopback, private, all")
	assert.NotContains(t, proxies.Error(), "unknown")
	assert.ErrorContains(t, ids, "one of unix, loopback, private, all, unknown")
}
