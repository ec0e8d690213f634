package luabind

import (
	"errors"
	"fmt"
	"net/netip"
	"slices"
	"strings"

	lua "github.com/yuin/gopher-lua"

	"rws/luabind/bind"
	"rws/luabind/fault"
	"rws/server"
	"rws/server/listen"
	"rws/server/middleware"
)

// ListenConfig is one address to listen on, as app:config or a list of addresses has it.
type ListenConfig struct {
	Address string
	TLS     *bool // nil leaves it to the rest
	Hosts   []string
	HTTP3   *bool // nil leaves it to the setting
	Proxy   *ProxyListen
}

// ProxyListen says from whom a listener expects the PROXY protocol.
type ProxyListen struct {
	Trusted []string `json:"trusted"` // addresses, prefixes, and words such as "loopback"
	Others  string   `json:"others"`  // "refuse", the default, or "plain"

	prefixes []netip.Prefix
}

// listenSetting is the list of addresses, as text or, in app:config, with tables in it.
func listenSetting() Setting {
	return Setting{
		Name: "listen", Doc: `addresses instead of host and port: ":8080", "unix:/run/app.sock", "systemd:web"; app:config knows more of each`,
		read: func(c *Config, text string) error {
			c.Listen = nil
			for part := range strings.SplitSeq(text, ",") {
				if part = strings.TrimSpace(part); part == "" {
					continue
				}
				if err := listen.Check(part); err != nil {
					return err
				}
				c.Listen = append(c.Listen, ListenConfig{Address: part})
			}
			return nil
		},
		show: func(c *Config) string {
			var list []string
			for _, l := range c.Listen {
				list = append(list, l.String())
			}
			return strings.Join(list, ", ")
		},
	}
}

// setListen takes the listeners of app:config.
func (c *Config) setListen(L *lua.LState, t *lua.LTable, at string) error {
	list, err := readListeners(L, t)
	if err == nil {
		c.Listen, c.origin["listen"], c.at["listen"] = list, fromScript, at
	}
	return err
}

// readListeners reads a list of addresses and tables, or one such table.
func readListeners(L *lua.LState, t *lua.LTable) (list []ListenConfig, err error) {
	names := bind.Keys(t)
	if t.Len() == 0 && len(names) > 0 {
		one, err := readListener(L, t)
		return []ListenConfig{one}, err
	}
	if len(names) > 0 {
		return nil, fmt.Errorf("%q stands beside the list; a listener is a table in it", names[0])
	}
	if t.Len() == 0 {
		return nil, errors.New("the list is empty: leave it out, or name an address")
	}
	for n := 1; n <= t.Len(); n++ {
		l, err := readListener(L, t.RawGetInt(n))
		if err != nil {
			return nil, fmt.Errorf("number %d: %w", n, err)
		}
		list = append(list, l)
	}
	return list, nil
}

// checkListeners refuses what needs TLS and has none. certified says that there is a certificate.
func (c *Config) checkListeners(certified bool) (faults []*fault.Error) {
	wrong := func(name, text string) { faults = append(faults, settingError(name, c, errors.New(text))) }
	for _, l := range c.Listen {
		switch {
		case l.TLS != nil && *l.TLS && !certified:
			wrong("listen", l.Address+" shall speak TLS, and there is no certificate: app:tls gets one, or tls.cert and tls.key name one")
		case l.HTTP3 != nil && *l.HTTP3 && (!certified || l.TLS != nil && !*l.TLS):
			wrong("listen", l.Address+" shall speak HTTP/3, which needs TLS")
		case l.HTTP3 != nil && *l.HTTP3 && listen.IsUnix(l.Address):
			wrong("listen", l.Address+" shall speak HTTP/3, which needs a TCP address")
		}
	}
	for _, name := range []string{"port", "host"} {
		if len(c.Listen) > 0 && c.Origin(name) == fromScript && c.Origin("listen") == fromScript {
			wrong(name, "it has no effect beside listen, which has addresses with their ports")
		}
	}
	some := slices.ContainsFunc(c.listeners(), func(l server.Listener) bool { return l.HTTP3 })
	switch {
	case c.HTTP3 && (!certified || !some):
		wrong("http3", "it needs an address with TLS: app:tls gets a certificate, or tls.cert and tls.key name one")
	case c.EarlyData && !some:
		wrong("early_data", "it is for HTTP/3, which is off: http3 = true turns it on")
	}
	return faults
}

// listenerOptions are a listener as a script has it.
type listenerOptions struct {
	Address string      `json:"address"`
	TLS     *bool       `json:"tls"`
	Hosts   []string    `json:"hosts"`
	HTTP3   *bool       `json:"http3"`
	Proxy   *lua.LTable `json:"proxy_protocol"`
}

func readListener(L *lua.LState, v lua.LValue) (ListenConfig, error) {
	var l listenerOptions
	switch v := v.(type) {
	case lua.LString:
		l.Address = string(v)
	case *lua.LTable:
		if err := bind.Decode(L, v, &l); err != nil {
			return ListenConfig{}, err
		}
		if err := noEmptyLists(v, "", "hosts"); err != nil {
			return ListenConfig{}, err
		}
		if l.Address == "" {
			return ListenConfig{}, errors.New(`the address is missing, as in { address = ":8443" }`)
		}
	default:
		return ListenConfig{}, fmt.Errorf("an address or a table expected, got %s", v.Type())
	}
	one := ListenConfig{Address: l.Address, TLS: l.TLS, Hosts: l.Hosts, HTTP3: l.HTTP3}
	if err := listen.Check(l.Address); err != nil {
		return one, err
	}
	for _, host := range l.Hosts {
		if err := server.CheckHost(host); err != nil {
			return one, fmt.Errorf("hosts: %w", err)
		}
	}
	if l.Proxy != nil {
		p, err := readProxyListen(L, l.Proxy, listen.IsUnix(l.Address))
		if err != nil {
			return one, fmt.Errorf("proxy_protocol: %w", err)
		}
		one.Proxy = p
	}
	return one, nil
}

// Words of ProxyListen.Others.
const (
	othersRefuse = "refuse"
	othersPlain  = "plain"
)

func readProxyListen(L *lua.LState, t *lua.LTable, unix bool) (*ProxyListen, error) {
	p := &ProxyListen{Others: othersRefuse}
	if err := bind.Decode(L, t, p); err != nil {
		return nil, err
	}
	if p.Others != othersRefuse && p.Others != othersPlain {
		return nil, fmt.Errorf("others is %q, neither %q nor %q", p.Others, othersRefuse, othersPlain)
	}
	if len(p.Trusted) == 0 && !unix {
		return nil, errors.New(`nobody is trusted to send it: name the proxies, as in { trusted = { "10.0.0.0/8" } }`)
	}
	var err error
	p.prefixes, err = middleware.Prefixes(p.Trusted)
	return p, err
}

func (p *ProxyListen) engine() *listen.ProxyProtocol {
	return &listen.ProxyProtocol{Trusted: p.prefixes, Plain: p.Others == othersPlain}
}

// String is the listener as people read it.
func (l ListenConfig) String() string {
	var more []string
	add := func(on *bool, name string) {
		if on != nil {
			more = append(more, name+" "+map[bool]string{true: "on", false: "off"}[*on])
		}
	}
	add(l.TLS, "tls")
	add(l.HTTP3, "http3")
	if len(l.Hosts) > 0 {
		more = append(more, "hosts "+strings.Join(l.Hosts, " "))
	}
	if p := l.Proxy; p != nil {
		more = append(more, strings.TrimSpace("proxy_protocol "+strings.Join(p.Trusted, " "))+", others "+p.Others)
	}
	if more == nil {
		return l.Address
	}
	return l.Address + " (" + strings.Join(more, "; ") + ")"
}

// listeners are the addresses with what the other settings say about them. Where one listener asks
// for TLS, those that say nothing have none.
func (c *Config) listeners() []server.Listener {
	list := c.Listen
	if len(list) == 0 {
		list = []ListenConfig{{Address: c.address()}}
	}
	some := slices.ContainsFunc(list, func(l ListenConfig) bool { return l.TLS != nil && *l.TLS })
	all := make([]server.Listener, len(list))
	for i, l := range list {
		all[i] = c.listener(l, some)
	}
	return all
}

func (c *Config) listener(l ListenConfig, someTLS bool) server.Listener {
	one := server.Listener{Address: l.Address, Hosts: l.Hosts}
	switch {
	case l.TLS != nil && *l.TLS:
		one.TLS = server.TLSOn
	case l.TLS != nil || someTLS:
		one.TLS = server.TLSOff
	}
	if l.HTTP3 != nil {
		one.HTTP3 = *l.HTTP3
	} else {
		one.HTTP3 = c.HTTP3 && one.TLS != server.TLSOff && !listen.IsUnix(l.Address)
	}
	if p := l.Proxy; p != nil {
		one.Proxy = p.engine()
	}
	return one
}
