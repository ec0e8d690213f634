package luabind

import (
	"cmp"
	"fmt"
	"slices"
	"strings"
	"time"

	lua "github.com/yuin/gopher-lua"

	"rws/luabind/bind"
	"rws/server/proxy/balance"
	"rws/server/proxy/health"
)

// UpstreamInfo is an upstream in listings.
type UpstreamInfo struct {
	Name     string   `json:"name"`
	Backends []string `json:"backends"` // URLs, and what says where others are
	Policy   string   `json:"balance"`
	Health   string   `json:"health,omitempty"` // how often it is checked, "" for never
	Source   string   `json:"source"`
	Insecure bool     `json:"insecure,omitempty"` // certificates are not verified
}

// Upstreams lists what app:upstream declared.
func (p *Program) Upstreams() []UpstreamInfo {
	list := []UpstreamInfo{}
	for _, u := range p.upstreams {
		if u.named {
			list = append(list, UpstreamInfo{Name: u.pool.Name(), Backends: u.backends(), Policy: u.policy(), Health: u.checked(), Source: u.source, Insecure: u.insecure()})
		}
	}
	return list
}

// String is the upstream as a banner has it.
func (u UpstreamInfo) String() string {
	n := fmt.Sprintf("%d backends", len(u.Backends))
	if len(u.Backends) == 1 {
		n = "1 backend"
	}
	parts := []string{n, u.Policy}
	if u.Health != "" {
		parts = append(parts, "checked every "+u.Health)
	}
	return u.Name + ": " + strings.Join(parts, ", ")
}

// StreamInfo is an address of app:tcp or app:udp in listings.
type StreamInfo struct {
	Network string `json:"network"` // "tcp" or "udp"
	Listen  string `json:"listen"`
	To      string `json:"to"`
	Source  string `json:"source"`
}

// String is the address as a banner has it.
func (s StreamInfo) String() string { return s.Network + " " + s.Listen + " → " + s.To }

// Streams lists what app:tcp and app:udp declared.
func (p *Program) Streams() []StreamInfo {
	list := []StreamInfo{}
	for _, r := range p.relays {
		list = append(list, StreamInfo{r.network, r.listen, r.to(), r.source})
	}
	return list
}

// to says where bytes go.
func (r *relayed) to() string {
	var parts []string
	for i, u := range r.upstreams {
		text := shortList(u.backends())
		if r.names[i] != "" {
			text = r.names[i] + " → " + text
		}
		parts = append(parts, text)
	}
	if r.secure {
		parts = append(parts, "TLS ends here")
	}
	if r.accepts != nil {
		parts = append(parts, "PROXY protocol")
	}
	return strings.Join(parts, " · ")
}

// Unverified lists the upstreams and addresses whose backends show certificates that nobody looks at.
func (p *Program) Unverified() []string {
	var list []string
	for _, u := range p.upstreams {
		if u.insecure() {
			list = append(list, u.pool.Name())
		}
	}
	for _, r := range p.relays {
		if r.insecure {
			list = append(list, r.network+" "+r.listen)
		}
	}
	return list
}

func (u *Upstream) insecure() bool { return u.options.TLS != nil && u.options.TLS.Insecure }

// backends are the places of an upstream as it was declared.
func (u *Upstream) backends() []string { return u.reach.places }

// policy is how backends are chosen.
func (u *Upstream) policy() string {
	switch v := u.options.Balance.(type) {
	case lua.LString:
		return string(v)
	case *lua.LTable:
		return cmp.Or(lua.LVAsString(v.RawGetString("policy")), string(balance.RoundRobin))
	}
	return string(balance.RoundRobin)
}

// checked says how often backends are, "" for never.
func (u *Upstream) checked() string {
	switch v := u.options.Health.(type) {
	case lua.LString:
		return health.DefaultEvery.String()
	case *lua.LTable:
		return cmp.Or(lua.LVAsString(v.RawGetString("every")), health.DefaultEvery.String())
	}
	return ""
}

// placesOf are the URLs of backends, shown as the script has them.
func placesOf(v lua.LValue) []string {
	switch v := v.(type) {
	case lua.LString:
		return []string{string(v)}
	case *lua.LFunction:
		return []string{"function " + functionAt(v)}
	case *lua.LTable:
		if url, ok := v.RawGetString("url").(lua.LString); ok {
			text := string(url)
			if lua.LVAsBool(v.RawGetString("backup")) {
				text += " (backup)"
			}
			return []string{text}
		}
		var list []string
		for n := 1; n <= v.Len(); n++ {
			list = append(list, placesOf(v.RawGetInt(n))...)
		}
		return list
	}
	return nil
}

// maxPlaces is how many backends a line has.
const maxPlaces = 4

func shortList(places []string) string {
	if len(places) > maxPlaces {
		places = append(slices.Clone(places[:maxPlaces-1]), fmt.Sprintf("%d more", len(places)-maxPlaces+1))
	}
	return strings.Join(places, ", ")
}

// to says where a route passes requests on to, "" where it does not.
func (r *route) to() string {
	var parts []string
	var options *proxyOptions
	for _, x := range r.leads {
		options = x.options
		text := shortList(x.upstream.backends())
		if x.upstream.named {
			text = x.upstream.pool.Name() + ": " + text
		}
		if x.role != "" {
			text = x.role + " " + text
		}
		parts = append(parts, text)
	}
	if options == nil {
		return ""
	}
	return strings.Join(slices.Concat(parts, r.more, options.brief()), " · ")
}

// brief are the options that change what becomes of a request.
func (o *proxyOptions) brief() (parts []string) {
	add := func(on bool, format string, args ...any) {
		if on {
			parts = append(parts, fmt.Sprintf(format, args...))
		}
	}
	add(o.Strip != "", "strip %s", o.Strip)
	add(o.Rewrite != nil, "rewrite")
	add(o.Host != "", "host %s", o.Host)
	add(o.Request != nil, "request headers")
	add(o.Response != nil, "response headers")
	add(o.Retries != nil || o.Retry != nil && o.Retry.Tries != nil, "%s", o.tries())
	add(o.Timeout != nil, "timeout %s", timeoutBrief(o.Timeout))
	add(o.Hedge != nil, "hedge")
	add(o.OnRequest != nil, "on_request")
	add(o.OnResponse != nil, "on_response")
	add(o.Fallback != nil, "fallback")
	return parts
}

func (o *proxyOptions) tries() string {
	n := 0
	switch {
	case o.Retries != nil:
		n = *o.Retries + 1
	case o.Retry != nil && o.Retry.Tries != nil:
		n = *o.Retry.Tries
	}
	return fmt.Sprintf("tries %d", n)
}

// timeoutBrief is "10s", or "response 5s, whole 1m".
func timeoutBrief(v lua.LValue) string {
	t, ok := v.(*lua.LTable)
	if !ok {
		return lua.LVAsString(v)
	}
	var parts []string
	for _, name := range bind.Keys(t) {
		value := lua.LVAsString(t.RawGetString(name))
		parts = append(parts, name+" "+cmp.Or(value, "none"))
	}
	return strings.Join(parts, ", ")
}

// brief is the trial in listings.
func (o *canaryOptions) brief(share float64) (parts []string) {
	if o.Share != nil {
		parts = append(parts, percent(share))
	}
	if o.Header != "" {
		parts = append(parts, "header "+o.Header)
	}
	if o.Cookie != "" {
		parts = append(parts, "cookie "+o.Cookie)
	}
	if r := o.Rollback; r != nil {
		text := "rollback at " + lua.LVAsString(r.Errors)
		parts = append(parts, text+" in "+cmp.Or(r.Window, time.Minute).String())
	}
	return parts
}

func percent(share float64) string {
	return strings.TrimSuffix(strings.TrimRight(fmt.Sprintf("%.2f", share*100), "0"), ".") + "%"
}
