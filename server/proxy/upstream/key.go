package upstream

import (
	"net/http"
	"net/netip"
	"strings"

	"rws/server/cookie"
	"rws/server/exchange"
	"rws/server/proxy/balance"
)

// key is what the policy goes by. False means that r has nothing of the kind, or that the policy
// does not go by a key.
func (p *Pool) key(r *http.Request) (key uint64, ok bool) {
	switch b := &p.o.Balance; b.Policy {
	case balance.IPHash:
		return addressKey(client(r))
	case balance.HeaderHash:
		text := r.Header.Get(b.Header)
		if strings.EqualFold(b.Header, "Host") { // which net/http keeps apart
			text = r.Host
		}
		return balance.Key(text), text != ""
	case balance.CookieHash:
		text, _ := cookie.Get(r.Header, b.Cookie)
		return balance.Key(text), text != ""
	case balance.PathHash:
		return balance.Key(r.URL.Path), true
	}
	return 0, false
}

// client is the address of the client.
func client(r *http.Request) netip.Addr {
	if e := exchange.From(r.Context()); e != nil {
		return e.ClientIP()
	}
	peer, err := netip.ParseAddrPort(r.RemoteAddr)
	if err != nil {
		return netip.Addr{}
	}
	return peer.Addr().Unmap()
}

// addressKey goes by the address, of IPv6 by the network of 64 bits: a host there changes the rest.
func addressKey(a netip.Addr) (key uint64, ok bool) {
	switch {
	case !a.IsValid():
		return 0, false
	case a.Is4():
		b := a.As4()
		return balance.KeyBytes(b[:]), true
	}
	b := a.As16()
	return balance.KeyBytes(b[:8]), true
}
