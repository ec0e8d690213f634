package client

import "net/netip"

// RedactURL is how URLs appear in errors.
func RedactURL(raw string) string { return redactURL(raw) }

// IsPublic is what the guard lets through.
func IsPublic(ip netip.Addr) bool { return isPublic(ip) }
