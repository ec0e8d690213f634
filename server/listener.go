package server

import (
	"errors"
	"fmt"
	"reflect"

	"rws/server/listen"
)

// Listener is an address with what is special about it.
type Listener struct {
	// Address is as in Settings.Listen.
	Address string
	// TLS says whether it speaks TLS; default is as Settings.TLS says.
	TLS TLSMode
	// Hosts are those whose requests are answered here; any other gets 421. "*.example.com" is every
	// name below. None means all.
	Hosts []string
	// Proxy expects the PROXY protocol; nil does not.
	Proxy *listen.ProxyProtocol
	// HTTP3 also serves HTTP/3, on the UDP port of the same number. It needs TLS on a TCP address.
	// With Proxy its networks hold for UDP too, where no header tells about the client.
	HTTP3 bool
}

// TLSMode says whether a listener speaks TLS.
type TLSMode uint8

const (
	TLSAuto TLSMode = iota // on TCP, if there is a certificate
	TLSOn                  // without a certificate the start fails
	TLSOff
)

// secure reports whether a listener speaks TLS when there are certificates.
func (l Listener) secure(network string) bool {
	return l.TLS == TLSOn || l.TLS == TLSAuto && network == "tcp"
}

func (l Listener) check(certified bool) error {
	var faults []error
	for _, name := range l.Hosts {
		faults = append(faults, CheckHost(name))
	}
	switch {
	case l.TLS == TLSOn && !certified:
		faults = append(faults, fmt.Errorf("listening on %s: it shall speak TLS, and there is no certificate", l.Address))
	case l.HTTP3 && (l.TLS == TLSOff || !certified):
		faults = append(faults, fmt.Errorf("listening on %s: HTTP/3 needs TLS", l.Address))
	case l.HTTP3 && listen.IsUnix(l.Address):
		faults = append(faults, fmt.Errorf("listening on %s: HTTP/3 needs a TCP address", l.Address))
	}
	return errors.Join(faults...)
}

// listeners are Listeners, or what Listen stands for.
func (s Settings) listeners() []Listener {
	if len(s.Listeners) > 0 {
		return s.Listeners
	}
	list := make([]Listener, len(s.Listen))
	for i, addr := range s.Listen {
		list[i] = Listener{Address: addr, HTTP3: s.HTTP3 && !listen.IsUnix(addr)}
	}
	return list
}

func sameListeners(a, b []Listener) bool { return reflect.DeepEqual(a, b) }
