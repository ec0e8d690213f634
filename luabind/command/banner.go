package command

import (
	"fmt"
	"net"
	"strconv"
	"strings"
	"time"

	"rws/luabind"
	"rws/luabind/bind"
	"rws/server"
	"rws/server/logs"
	"rws/server/reload"
)

// forMachines reports whether what is said goes to a program: with --log json, and in
// production where nobody watches.
func (s *site) forMachines() bool {
	return s.format == logs.JSON || s.format == logs.Auto && s.current().Config.Production()
}

// banner says what is being served, what is limited and what is off: to people as a block
// of text, to machines as one record.
func (s *site) banner() {
	ready := time.Since(s.started)
	if s.forMachines() {
		s.listening(ready)
		return
	}
	p, color := s.current(), paint(isColorful(s.err))
	var b strings.Builder
	fmt.Fprintf(&b, "\n  %s   %s   ready in %s\n\n", color.add(bold, "rws "+Version), s.subject(), took(ready))
	for i, l := range s.server.Listening() {
		more := described(l)
		if i == 0 && more == "" && s.hasConsole() {
			more = "open: o"
		}
		fmt.Fprintln(&b, strings.TrimRight(fmt.Sprintf("  %s  %s   %s", color.add(green, "➜"), color.add(cyan, address(l)), color.add(dim, more)), " "))
	}
	fmt.Fprintf(&b, "\n  %s\n", strings.Join(s.inventory(), " · "))
	fmt.Fprintf(&b, "  %s\n", color.add(dim, "limits: "+strings.Join(append(limits(p.Config, s.server.Handler().Settings()), outsideRoutes(p)), " · ")))
	if list := p.RateLimits(); len(list) > 0 {
		fmt.Fprintf(&b, "  %s\n", color.add(dim, rateLimits(list)))
	}
	if s.source == "" { // without a script nothing is kept
		fmt.Fprintf(&b, "  %s\n", color.add(dim, strings.Join(kept(p.Config), " · ")))
	}
	if list := s.tls(); len(list) > 0 {
		fmt.Fprintf(&b, "  %s\n", color.add(dim, "tls: "+strings.Join(list, " · ")))
	}
	for _, line := range s.edge() {
		fmt.Fprintf(&b, "  %s\n", color.add(dim, line))
	}
	if off := off(p); len(off) > 0 {
		fmt.Fprintf(&b, "  %s\n", color.add(dim, "off: "+strings.Join(off, " · ")))
	}
	if !p.Config.Production() && p.Config.Watch {
		watching := ""
		if n := reload.Count(s.watched()); n > 0 {
			watching = "watching " + count(n, "file") + " · "
		}
		fmt.Fprintf(&b, "\n  %s\n", color.add(dim, watching+s.wayOut()))
	}
	fmt.Fprintln(s.output, b.String())
}

// subject names what is served.
func (s *site) subject() string {
	if s.source != "" {
		return s.what
	}
	return s.file
}

// bound says of an address that is all of the machine's what its URL does not.
func bound(a net.Addr) string {
	host, _, err := net.SplitHostPort(a.String())
	if ip := net.ParseIP(host); err == nil && ip.IsUnspecified() {
		return "on all addresses of this machine: " + a.String()
	}
	return ""
}

// described says of an address what its URL does not.
func described(l server.Listening) string {
	var parts []string
	if all := bound(l.Addr); all != "" {
		parts = append(parts, all)
	}
	if len(l.Protocols) > 1 {
		parts = append(parts, strings.Join(l.Protocols, " "))
	}
	if len(l.Listener.Hosts) > 0 {
		parts = append(parts, "hosts "+strings.Join(l.Listener.Hosts, " "))
	}
	if l.Listener.Proxy != nil {
		parts = append(parts, "PROXY protocol")
	}
	return strings.Join(parts, " · ")
}

// listening is the banner as a record.
func (s *site) listening(ready time.Duration) {
	p := s.current()
	settings := s.server.Handler().Settings()
	s.logger.Info("listening", "version", Version, "file", s.file, "env", p.Config.Env, "addresses", s.addresses(), "bound", s.sockets(), "protocols", s.protocols(),
		"routes", len(routeRows(p.App.Routes, false)), "isolates", len(p.Isolates()), "databases", s.databases(), "storages", p.Storages(),
		"timeout", p.Config.Timeout.String(), "max_body", settings.MaxBody, "max_header", settings.MaxHeaderBytes,
		"max_connections", settings.MaxConns, "all_requests", p.Limits(), "rate_limits", append([]string{}, p.RateLimits()...), "memory_limit", settings.MemoryLimit, "sessions", shown(p.Config, "session.store"),
		"cache", shown(p.Config, "cache.url"), "signing_key", p.Config.Secrets(), "metrics", strings.Join(p.Config.Metrics.Listen, ""), "tls", s.tls(),
		"upstreams", texts(p.Upstreams()), "streams", texts(s.streams()), "unverified", append([]string{}, p.Unverified()...), "ready_ms", ready.Milliseconds())
}

// edge lists the upstreams, and the addresses beside those of HTTP.
func (s *site) edge() []string {
	var lines []string
	for _, text := range texts(s.current().Upstreams()) {
		lines = append(lines, "upstream "+text)
	}
	if len(lines) > maxListed {
		lines = append(lines[:maxListed:maxListed], fmt.Sprintf("%d upstreams more: rws routes", len(lines)-maxListed))
	}
	return append(lines, texts(s.streams())...)
}

// streams are the addresses beside those of HTTP, as they are open: with the port that was free where the script
// leaves it to the system.
func (s *site) streams() []luabind.StreamInfo {
	list := s.current().Streams()
	for i, a := range s.server.StreamAddrs() {
		if i < len(list) && a.Network() != "unix" {
			list[i].Listen = a.String()
		}
	}
	return list
}

// texts are things as people read them.
func texts[T fmt.Stringer](list []T) []string {
	lines := []string{}
	for _, x := range list {
		lines = append(lines, x.String())
	}
	return lines
}

// tls says where certificates come from, what is asked of clients, and what is redirected.
func (s *site) tls() []string {
	list := s.current().TLS()
	for _, a := range s.server.RedirectAddrs() {
		list = append(list, "http on "+a.String()+" is sent there")
	}
	return list
}

// databases lists the databases for the record.
func (s *site) databases() []string {
	list := []string{}
	for _, d := range s.current().Databases() {
		list = append(list, databaseLine(d))
	}
	return list
}

func took(d time.Duration) string {
	if d < time.Second {
		return fmt.Sprintf("%d ms", max(d.Milliseconds(), 1))
	}
	return d.Round(100 * time.Millisecond).String()
}

// addresses lists what is open, as URLs.
func (s *site) addresses() []string {
	var list []string
	for _, l := range s.server.Listening() {
		list = append(list, address(l))
	}
	return list
}

// sockets lists what is open, as the system names it: "[::]:3000".
func (s *site) sockets() []string {
	var list []string
	for _, a := range s.server.Addrs() {
		list = append(list, a.String())
	}
	return list
}

// protocols lists what each address speaks.
func (s *site) protocols() []string {
	var list []string
	for _, l := range s.server.Listening() {
		list = append(list, strings.Join(l.Protocols, " "))
	}
	return list
}

// address is an open address as a URL.
func address(l server.Listening) string {
	a := l.Addr
	if a.Network() == "unix" {
		return "unix:" + a.String()
	}
	scheme, usual := "http", "80"
	if l.Secure {
		scheme, usual = "https", "443"
	}
	host, port, _ := net.SplitHostPort(a.String())
	if ip := net.ParseIP(host); ip == nil || ip.IsLoopback() || ip.IsUnspecified() {
		host = "localhost"
	}
	if port == usual {
		return scheme + "://" + host
	}
	return scheme + "://" + net.JoinHostPort(host, port)
}

// inventory counts what the script declared.
func (s *site) inventory() []string {
	p := s.current()
	parts := []string{count(len(routeRows(p.App.Routes, false)), "route")}
	if n := len(p.Tests()); n > 0 {
		parts = append(parts, count(n, "test"))
	}
	for _, d := range p.Databases() {
		parts = append(parts, databaseLine(d))
	}
	if stores := p.Storages(); len(stores) > 0 {
		parts = append(parts, "files in "+strings.Join(stores, ", "))
	}
	return append(parts, count(len(p.Isolates()), "isolate"), p.Config.Env)
}

// databaseLine says what a database is, and what became of its migrations.
func databaseLine(d luabind.DatabaseInfo) string {
	switch {
	case d.Pending+d.Dirty+d.Changed > 0:
		return fmt.Sprintf("%s (%s)", d.Label, unapplied(d))
	case d.Ran > 0:
		return fmt.Sprintf("%s (%s applied)", d.Label, count(d.Ran, "migration"))
	case d.Migrations > 0:
		return fmt.Sprintf("%s (%s)", d.Label, count(d.Migrations, "migration"))
	}
	return d.Label
}

// unapplied says which migrations are left: "1 of 3 migrations pending".
func unapplied(d luabind.DatabaseInfo) string {
	var parts []string
	if d.Pending > 0 {
		parts = append(parts, fmt.Sprintf("%d of %s pending", d.Pending, count(d.Migrations, "migration")))
	}
	if d.Dirty > 0 {
		parts = append(parts, count(d.Dirty, "migration")+" failed half way")
	}
	if d.Changed > 0 {
		parts = append(parts, count(d.Changed, "migration")+" changed or missing")
	}
	return strings.Join(parts, ", ")
}

// limits names the bounds that a request meets.
func limits(c *luabind.Config, s server.Settings) []string {
	show := make(map[string]string)
	for _, setting := range luabind.Settings() {
		show[setting.Name] = setting.Show(c)
	}
	memory := "none"
	if s.MemoryLimit > 0 {
		memory = size(s.MemoryLimit)
	}
	return []string{
		"handler " + show["timeout"], "Lua without a wait " + show["stall"], "body " + size(s.MaxBody),
		"header " + size(int64(s.MaxHeaderBytes)), strconv.Itoa(s.MaxConns) + " connections", "memory " + memory,
	}
}

// outsideRoutes names the middleware that limits requests whatever their route.
func outsideRoutes(p *luabind.Program) string {
	if names := p.Limits(); len(names) > 0 {
		return "all requests " + strings.Join(names, ", ")
	}
	return "no limits outside routes"
}

// maxListed is how many limits a banner lists.
const maxListed = 6

// rateLimits lists what the script limits by itself.
func rateLimits(list []string) string {
	if len(list) > maxListed {
		list = append(list[:maxListed:maxListed], fmt.Sprintf("%d more: rws routes", len(list)-maxListed))
	}
	return "rate limits: " + strings.Join(list, " · ")
}

// size writes a number of bytes for people, in the largest unit of which there is one.
func size(n int64) string {
	for _, u := range []struct {
		name string
		unit int64
	}{{"gb", 1 << 30}, {"mb", 1 << 20}, {"kb", 1 << 10}} {
		if n >= u.unit {
			return strconv.FormatFloat(float64(10*n/u.unit)/10, 'f', -1, 64) + u.name
		}
	}
	return bind.Size(n).String()
}

// off lists what is switched off that people may expect.
func off(p *luabind.Program) []string {
	var list []string
	c := p.Config
	if !c.AccessLog {
		list = append(list, "access log")
	}
	if c.Log == logs.Off.String() {
		list = append(list, "log")
	}
	if c.MemoryLimit < 0 {
		list = append(list, "memory limit")
	}
	if !c.Production() && !c.Watch {
		list = append(list, "reload")
	}
	if c.Secrets() == "none" {
		list = append(list, "signed and encrypted cookies (no secret)")
	}
	if names := p.Unverified(); len(names) > 0 {
		list = append(list, "verification of the certificates of "+strings.Join(names, ", ")+" (tls.insecure)")
	}
	return list
}

// kept says where things are kept between requests.
func kept(c *luabind.Config) []string {
	store := shown(c, "session.store")
	switch store {
	case "memory":
		store = "in memory"
	case "cookie":
		store = "in cookies"
	}
	cached := shown(c, "cache.url")
	if cached == "memory" {
		cached = "in memory up to " + shown(c, "cache.size")
	}
	parts := []string{"sessions " + store + " for " + shown(c, "session.ttl") + ", idle " + shown(c, "session.idle"), "cache " + cached}
	if len(c.Metrics.Listen) > 0 {
		parts = append(parts, "metrics at "+c.Metrics.Listen[0]+c.Metrics.Path)
	}
	if c.AccessLogs.File != "" && c.AccessLog {
		parts = append(parts, "access log in "+c.AccessLogs.File)
	}
	if c.Secrets() == "generated" {
		parts = append(parts, "secret made in "+secretFile+" when needed")
	}
	return parts
}

// secretFile is where development keeps what a script did not configure.
const secretFile = ownFolder + "/secret"

// shown is the value of a setting as it would be written.
func shown(c *luabind.Config, name string) string {
	for _, s := range luabind.Settings() {
		if s.Name == name {
			return s.Show(c)
		}
	}
	return ""
}

// wayOut says how to stop, and with a console how to get help.
func (s *site) wayOut() string {
	if s.hasConsole() {
		return ":help · Ctrl-D stops"
	}
	return "Ctrl-C stops"
}
