package upstream

import (
	"errors"
	"fmt"
	"net"
	"net/netip"
	"net/url"
	"slices"
	"strconv"
	"strings"

	"rws/server/proxy/discover"
	"rws/server/suggest"
)

// A Target is where one backend answers: "http://10.0.0.7:9001", "unix:/run/app.sock". Its
// schemes are http, https, h2 (HTTP/2 over TLS), h2c, grpc (over h2c), grpcs, ws, wss, unix and
// those of [Options.Makers]. A URL that names a source, as "srv+http://api.internal", stands for
// the targets found there; see package discover.
type Target = discover.Target

// limits of a pool.
const (
	maxBackends = 1024
	maxWeight   = 1000
)

// A scheme is how a kind of backend is spoken to.
type scheme struct {
	name string
	port string // default
	tls  bool
	mux  bool // many requests share a connection
}

var schemes = []scheme{
	{"http", "80", false, false},
	{"https", "443", true, false},
	{"h2", "443", true, true},
	{"h2c", "80", false, true},
	{"grpc", "80", false, true},
	{"grpcs", "443", true, true},
	{"ws", "80", false, false},
	{"wss", "443", true, false},
	{"unix", "", false, false},
	{"fastcgi", "9000", false, false},
}

// builtin says whether package transport speaks it; a maker must, otherwise.
func (s scheme) builtin() bool { return s.name != "fastcgi" && s.known() }

func (s scheme) known() bool { return slices.Contains(schemes, s) }

// schemeNames are the schemes that can be used.
func schemeNames(extra []string) []string {
	var names []string
	for _, s := range schemes {
		if s.builtin() {
			names = append(names, s.name)
		}
	}
	return append(names, extra...)
}

// A place is a target that was understood.
type place struct {
	scheme  scheme
	url     *url.URL // with the host that the Host header names
	name    string   // "scheme://address:port": the identity of the backend
	address string   // to dial: "host:port", or the path of a socket
	host    string   // Host of the target
	weight  int
	backup  bool
}

// same says whether a backend at p can serve as one at q.
func (p place) same(q place) bool { return p.name == q.name && p.host == q.host }

// parse understands a target. extra are schemes beside the known ones.
func parse(t Target, extra []string) (place, error) {
	p := place{weight: t.Weight, backup: t.Backup}
	if p.weight == 0 {
		p.weight = 1
	}
	if p.weight < 0 || p.weight > maxWeight {
		return place{}, fmt.Errorf("upstream target %q: weight %d: give 1 to %d", t.URL, t.Weight, maxWeight)
	}
	u, err := url.Parse(t.URL)
	if bare(t.URL, u) {
		return place{}, fmt.Errorf("upstream target %q: it has no scheme: write http://%s", hidden(t.URL), hidden(t.URL))
	}
	if strings.HasPrefix(t.URL, ":") {
		return place{}, fmt.Errorf("upstream target %q: it has neither scheme nor host: write http://127.0.0.1%s", t.URL, t.URL)
	}
	if err != nil {
		return place{}, fmt.Errorf("upstream target %q is no URL: %w", hidden(t.URL), errors.Unwrap(err))
	}
	if err = p.setScheme(u, extra); err == nil {
		err = p.setAddress(u)
	}
	if err == nil {
		err = p.setHost(t.Host)
	}
	if err != nil {
		return place{}, fmt.Errorf("upstream target %q: %w", hidden(t.URL), err)
	}
	return p, nil
}

// bare reports an address without a scheme, as "127.0.0.1:9001" or "api:9001", of which u is what a URL would be,
// or nil.
func bare(raw string, u *url.URL) bool {
	host, port, err := net.SplitHostPort(strings.TrimSuffix(raw, "/"))
	if err != nil || checkHost(strings.ToLower(host)) != nil {
		return false
	}
	_, err = strconv.ParseUint(port, 10, 16)
	return err == nil && (u == nil || u.Host == "")
}

// hidden is a URL for a message: without a password.
func hidden(raw string) string {
	if at := strings.LastIndexByte(raw, '@'); at >= 0 {
		return raw[:strings.IndexByte(raw, ':')+1] + "…" + raw[at:]
	}
	return raw
}

func (p *place) setScheme(u *url.URL, extra []string) error {
	if u.Scheme == "" && strings.HasPrefix(u.Path, "/") {
		return fmt.Errorf("it has no scheme: write http://host:port, or unix:%s for a socket file", u.Path)
	}
	if u.Scheme == "" || u.Host == "" && u.Opaque != "" && u.Scheme != "unix" {
		return errors.New("it has no scheme: write http://host:port")
	}
	known := schemeNames(extra)
	if !slices.Contains(known, u.Scheme) {
		return fmt.Errorf("scheme %q is unknown%s: use one of %s", u.Scheme, suggest.DidYouMean(u.Scheme, known), strings.Join(known, ", "))
	}
	p.scheme = scheme{name: u.Scheme}
	if i := slices.IndexFunc(schemes, func(s scheme) bool { return s.name == u.Scheme }); i >= 0 {
		p.scheme = schemes[i]
	}
	return nil
}

func (p *place) setAddress(u *url.URL) error {
	switch {
	case u.User != nil:
		return errors.New("a user and password in the URL would not be sent: set the Authorization header of the request instead")
	case u.RawQuery != "" || u.Fragment != "" || u.ForceQuery:
		return errors.New("a query or fragment has no place in the address of a backend")
	case u.Host == "" && strings.HasPrefix(u.Path, "/"):
		return p.setSocket(u)
	case p.scheme.name == "unix":
		return errors.New("a socket is named by its path, as in unix:/run/app.sock, or unix:app.sock for one in the folder of the app")
	case u.Path != "" && u.Path != "/":
		return fmt.Errorf("the path %q would not be sent: name scheme, host and port, and rewrite the path of the request", u.Path)
	}
	return p.setTCP(u)
}

// setSocket takes the path of a socket file, for unix and schemes of [Options.Makers].
func (p *place) setSocket(u *url.URL) error {
	if p.scheme.builtin() && p.scheme.name != "unix" {
		return errors.New("it has no host: write scheme://host:port")
	}
	if strings.ContainsRune(u.Path, 0) {
		return errors.New("a path with a NUL byte names no socket")
	}
	p.address = u.Path
	p.name = p.scheme.name + ":" + u.Path
	p.url = &url.URL{Scheme: p.scheme.name, Host: "localhost"}
	return nil
}

func (p *place) setTCP(u *url.URL) error {
	host, port := strings.ToLower(u.Hostname()), u.Port()
	if err := checkHost(host); err != nil {
		return err
	}
	if port == "" {
		port = p.scheme.port
	}
	if n, err := strconv.ParseUint(port, 10, 16); err != nil || n == 0 {
		return fmt.Errorf("port %q: give 1 to 65535", port)
	}
	p.address = net.JoinHostPort(host, port)
	p.name = p.scheme.name + "://" + strings.Replace(p.address, "%", "%25", 1) // RFC 6874
	host, _, _ = strings.Cut(host, "%")                                        // a zone is local to this machine
	p.url = &url.URL{Scheme: p.scheme.name, Host: net.JoinHostPort(host, port)}
	if port == p.scheme.port {
		p.url.Host = strings.TrimSuffix(p.url.Host, ":"+port)
	}
	return nil
}

// checkHost wants an address, or a name as DNS has it.
func checkHost(host string) error {
	if host == "" {
		return errors.New("it has no host: write scheme://host:port")
	}
	if _, err := netip.ParseAddr(host); err == nil {
		return nil
	}
	if strings.Trim(host, "abcdefghijklmnopqrstuvwxyz0123456789.-_") != "" {
		return fmt.Errorf("host %q: write an address, or a name of letters, digits, dots and hyphens (others as xn--…)", host)
	}
	return nil
}

// setHost puts the name in place of the address that was looked up.
func (p *place) setHost(host string) error {
	if host == "" {
		return nil
	}
	u, err := url.Parse("//" + host)
	if err != nil || u.Host != host || u.Hostname() == "" {
		return fmt.Errorf("host %q: write host or host:port", host)
	}
	if err := checkHost(strings.ToLower(u.Hostname())); err != nil {
		return err
	}
	p.host = strings.ToLower(host)
	p.url.Host = p.host
	return nil
}
