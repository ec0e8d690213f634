package server

import (
	"fmt"
	"net"
	"strings"

	"rws/server/certs"
)

// hosts are the names that a listener serves; nil are all.
type hosts map[string]struct{}

func newHosts(list []string) hosts {
	if len(list) == 0 {
		return nil
	}
	h := hosts{}
	for _, name := range list {
		h[certs.CleanName(name)] = struct{}{}
	}
	return h
}

// serve reports whether a Host, with or without a port, is one of them. "*.example.com" is every name
// below.
func (h hosts) serve(host string) bool {
	if h == nil {
		return true
	}
	name := certs.CleanName(certs.HostName(host))
	if _, ok := h[name]; ok {
		return true
	}
	for {
		_, above, ok := strings.Cut(name, ".")
		if !ok {
			return false
		}
		if _, ok := h["*."+above]; ok {
			return true
		}
		name = above
	}
}

// CheckHost reports what is wrong with a name of [Listener.Hosts]: "a.example", "*.example" for one label
// more, or an address.
func CheckHost(name string) error {
	rest := strings.TrimPrefix(name, "*.")
	switch {
	case rest == "" || strings.ContainsAny(rest, "*/ \x00"):
		return fmt.Errorf(`the host %q: want a name, as "a.example" or "*.example"`, name)
	case net.ParseIP(rest) == nil && strings.Contains(rest, ":"):
		return fmt.Errorf("the host %q: leave out the port, which is that of the listener", name)
	}
	return nil
}
