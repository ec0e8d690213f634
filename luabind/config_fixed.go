package luabind

import (
	"cmp"
	"fmt"
	"reflect"
	"slices"

	"rws/luabind/fault"
)

// Fixed compares what the sockets of a server were opened with, c, to what a newer version
// of the script wants, and returns a *fault.Error that names the settings which only a
// restart applies, each at its place, or nil.
func (c *Config) Fixed(next *Config) error {
	fixed := []string{"tls.cert", "tls.key", "h2c", "max_connections", "max_header", "metrics.listen", "early_data"}
	if !reflect.DeepEqual(c.listeners(), next.listeners()) {
		fixed = append(fixed, "listen", "host", "port", "env", "http3")
	}
	var changed []*fault.Error
	for _, s := range Settings() {
		if was, wanted := s.Show(c), s.Show(next); slices.Contains(fixed, s.Name) && was != wanted {
			changed = append(changed, &fault.Error{Code: "restart", At: cmp.Or(next.at[s.Name], c.at[s.Name]),
				Message: fmt.Sprintf("%s is now %s and was %s", s.Name, cmp.Or(wanted, "empty"), cmp.Or(was, "empty"))})
		}
	}
	if len(changed) == 1 {
		changed[0].Message = "the sockets are open already: restart rws to apply the new setting: " + changed[0].Message
	}
	return joinFaults("the sockets are open already: restart rws to apply the new settings", changed)
}
