package luabind

import (
	"cmp"
	"slices"
	"strings"

	"rws/luabind/fault"
)

// Fixed compares what the sockets of a server were opened with, c, to what a newer version
// of the script wants, and returns a *fault.Error that names the settings which only a
// restart applies, at the place of the first, or nil.
func (c *Config) Fixed(next *Config) error {
	fixed := []string{"tls.cert", "tls.key", "h2c", "max_connections", "max_header", "metrics.listen"}
	if !slices.Equal(c.Addresses(), next.Addresses()) {
		fixed = append(fixed, "listen", "host", "port", "env")
	}
	var names []string
	at := ""
	for _, s := range Settings() {
		if slices.Contains(fixed, s.Name) && s.Show(c) != s.Show(next) {
			names = append(names, s.Name)
			at = cmp.Or(at, next.at[s.Name], c.at[s.Name])
		}
	}
	if names == nil {
		return nil
	}
	return &fault.Error{Code: "restart", At: at, Message: "the sockets are open already: restart rws to apply the new " + strings.Join(names, ", ")}
}
