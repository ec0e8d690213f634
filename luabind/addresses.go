package luabind

import (
	"fmt"
	"net"
	"slices"
	"strings"

	"rws/luabind/fault"
)

// socket is an address that the program will listen on.
type socket struct {
	network string // "tcp" or "udp"
	address string
	fault   func(text string) *fault.Error // about its place
	where   string                         // for the one that it clashes with
}

// checkAddresses refuses two listeners for one address, of which the second could not be opened.
func (p *Program) checkAddresses() (faults []*fault.Error) {
	all := p.addresses()
	for i, b := range all {
		if at := slices.IndexFunc(all[:i], b.clashes); at >= 0 {
			faults = append(faults, b.fault(fmt.Sprintf("%s is taken by %s", b.address, all[at].where)))
		}
	}
	return faults
}

// addresses are those of the app, of its redirects, and of streams.
func (p *Program) addresses() (all []socket) {
	c := p.Config
	name := "listen"
	if len(c.Listen) == 0 {
		name = "port"
	}
	own := func(text string) *fault.Error { return settingError(name, c, fmt.Errorf("%s", text)) }
	for _, l := range c.listeners() {
		all = append(all, socket{"tcp", l.Address, own, "the app itself"})
		if l.HTTP3 {
			all = append(all, socket{"udp", l.Address, own, "HTTP/3 of the app itself"})
		}
	}
	for _, address := range p.serverTLS().Redirect {
		all = append(all, socket{"tcp", address, func(text string) *fault.Error { return p.redirectFault(address, text) }, "redirect of app:tls"})
	}
	for _, r := range p.relays {
		all = append(all, socket{r.network, r.listen, func(text string) *fault.Error {
			return &fault.Error{Code: "option", At: r.source, Message: "app:" + r.network + ": " + text}
		}, "app:" + r.network + ", declared already (" + r.source + ")"})
	}
	return all
}

func (p *Program) redirectFault(address, text string) *fault.Error {
	for _, t := range p.tls {
		if slices.Contains(t.options.Redirect, address) {
			return t.fault(fmt.Errorf("option \"redirect\": %s", text))
		}
	}
	return &fault.Error{Code: "option", Message: text}
}

// clashes reports whether two addresses can't be open at a time, as far as that is seen by their text.
func (b socket) clashes(other socket) bool {
	if b.network != other.network {
		return false
	}
	host, port, err := net.SplitHostPort(b.address)
	otherHost, otherPort, otherErr := net.SplitHostPort(other.address)
	if err != nil || otherErr != nil {
		return b.address == other.address // files, or sockets of systemd
	}
	return port == otherPort && port != "0" && (host == otherHost || covers(host, otherHost) || covers(otherHost, host))
}

// covers reports whether one host stands for all addresses of the machine, and the other for one of them.
func covers(all, host string) bool {
	return all == "" || all == "::" || all == "0.0.0.0" && !strings.Contains(host, ":")
}
