package basic

import (
	"net/netip"

	"rws/server/auth/password"
)

// ClientKey is what counts as one client.
func ClientKey(ip string) string { return clientKey(netip.MustParseAddr(ip)) }

// Count calls f each time a password is verified.
func Count(g *Guard, f func()) { g.verifications = f }

// ParseFile reads an htpasswd file; it returns the names.
func ParseFile(text string, h *password.Hasher) ([]string, error) {
	u, err := parseFile(text, h)
	if err != nil {
		return nil, err
	}
	return u.names, nil
}

// Stand returns the hash that is checked for a name.
func Stand(g *Guard, name string) string {
	h, _ := g.users.users().find(name, g.seed)
	return h.text
}
