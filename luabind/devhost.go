package luabind

import (
	"net"
	"net/http"
	"net/netip"
	"slices"
	"strings"

	"rws/server/problem"
)

// knows reports whether a request names the host by a name that only whoever runs the app
// can have given it: localhost and names below it, an IP address, a host that the script
// declares or listens on. Sources and variables are shown to no other: a page elsewhere can
// make its own name mean 127.0.0.1 and then read what it is answered (DNS rebinding).
func (d *development) knows(r *http.Request) bool {
	name := hostName(r.Host)
	if name == "localhost" || strings.HasSuffix(name, ".localhost") {
		return true
	}
	if _, err := netip.ParseAddr(name); err == nil {
		return true
	}
	return slices.ContainsFunc(d.hosts(), func(declared string) bool {
		if below, ok := strings.CutPrefix(declared, "*"); ok {
			return strings.HasSuffix(name, below) && name != below
		}
		return name == declared
	})
}

// hosts lists the hosts of the script's routes and the one it listens on.
func (d *development) hosts() []string {
	p := d.program
	var list []string
	for _, a := range p.Config.Addresses() {
		list = append(list, hostName(a))
	}
	for _, l := range p.Config.Listen {
		list = append(list, l.Hosts...)
	}
	for _, r := range p.App.Routes {
		list = append(list, hostName(r.Host))
	}
	return slices.DeleteFunc(list, func(name string) bool { return name == "" })
}

// hostName is a Host header in lower case, without its port and a dot at the end.
func hostName(host string) string {
	if name, _, err := net.SplitHostPort(host); err == nil {
		host = name
	}
	return strings.TrimSuffix(strings.ToLower(strings.Trim(host, "[]")), ".")
}

// private makes a handler refuse requests for other hosts.
func (d *development) private(h http.HandlerFunc) http.HandlerFunc {
	return func(w http.ResponseWriter, r *http.Request) {
		if d.knows(r) {
			h(w, r)
			return
		}
		problem.Write(w, r, problem.Details{Status: http.StatusForbidden, ID: exchangeOf(r).ID(),
			Detail: "pages about the script are for localhost, IP addresses and hosts that the script declares by app:host"})
	}
}

// link returns where a failure can be looked at again: a whole URL when the request says
// how to reach it.
func (d *development) link(r *http.Request, id string) string {
	if !d.knows(r) {
		return errorsPath + id
	}
	scheme := "http"
	if r.TLS != nil || exchangeOf(r).Secure {
		scheme = "https"
	}
	return scheme + "://" + r.Host + errorsPath + id
}
