package middleware

import (
	"crypto/sha256"
	"encoding/hex"
	"errors"
	"fmt"
	"net/http"
	"net/netip"
	"net/textproto"
	"strings"

	"golang.org/x/net/http/httpguts"

	"rws/server/exchange"
	"rws/server/suggest"
)

// KeyOptions say by what requests are counted.
type KeyOptions struct {
	// By is "ip", the default, "user" or "header:NAME". A client that tells no user or header is
	// counted by its address. A header is only as good as what checks it: behind an
	// authentication; before it, whoever invents values escapes.
	By string
	// User names who sent the request, "" for nobody; needed by "user".
	User func(*http.Request) string
	// Key replaces By. What it returns "" for is counted by address.
	Key func(*http.Request) string
}

type keyFunc func(*http.Request) string

// maxKey is the longest key a store gets to see; longer ones are hashed.
const maxKey = 64

// key makes the function that names who a request is counted for. Keys of different kinds differ.
func (o KeyOptions) key() (keyFunc, error) {
	if o.Key != nil {
		if o.By != "" {
			return nil, errors.New("both by and a key function are given: leave one out")
		}
		return orIP("k:", o.Key), nil
	}
	if name, ok := strings.CutPrefix(o.By, "header:"); ok {
		if !httpguts.ValidHeaderFieldName(name) {
			return nil, fmt.Errorf("by %q: %q is no name of a header", o.By, name)
		}
		name = textproto.CanonicalMIMEHeaderKey(name)
		return orIP("h:", func(r *http.Request) string { return strings.Join(r.Header[name], "\n") }), nil
	}
	switch o.By {
	case "", "ip":
		return ipKey, nil
	case "user":
		if o.User == nil {
			return nil, errors.New(`by "user": nothing tells who the user is: put an authentication before`)
		}
		return orIP("u:", o.User), nil
	}
	return nil, fmt.Errorf(`by %q%s: want "ip", "user" or "header:NAME"`, o.By, suggest.DidYouMean(o.By, []string{"ip", "user"}))
}

func orIP(kind string, name func(*http.Request) string) keyFunc {
	return func(r *http.Request) string {
		key := name(r)
		switch {
		case key == "":
			return ipKey(r)
		case len(key) > maxKey:
			sum := sha256.Sum256([]byte(key))
			return kind + "sha256:" + hex.EncodeToString(sum[:])
		}
		return kind + key
	}
}

// ipKey is the address of the client, for IPv6 the network of /64 that one customer has at least.
// Clients without an address, on a unix socket, share a key, and so do those that a trusted proxy does
// not name.
func ipKey(r *http.Request) string {
	ip := clientIPOf(r)
	switch {
	case !ip.IsValid():
		return "unix"
	case ip.IsUnspecified():
		return "unknown"
	}
	if ip.Is4() {
		return ip.String()
	}
	p, _ := ip.Prefix(64) // fails for no IPv6 address
	return p.String()
}

// clientIPOf is the address of the client, IPv4 where it is one; not valid when it has none.
func clientIPOf(r *http.Request) netip.Addr {
	if e := exchange.From(r.Context()); e != nil {
		return clean(e.ClientIP())
	}
	peer, err := netip.ParseAddrPort(r.RemoteAddr)
	if err != nil {
		return netip.Addr{}
	}
	return clean(peer.Addr())
}
