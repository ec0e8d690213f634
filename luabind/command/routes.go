package command

import (
	"cmp"
	"fmt"
	"slices"
	"strings"

	"github.com/spf13/cobra"

	"rws/luabind"
	"rws/server"
)

// A routeRow is a route in listings.
type routeRow struct {
	Method     string   `json:"method"` // "*" for any
	Host       string   `json:"host,omitempty"`
	Pattern    string   `json:"pattern"`
	Name       string   `json:"name,omitempty"`
	Middleware []string `json:"middleware"` // outermost first
	Source     string   `json:"source"`
	Kind       string   `json:"kind"`
	To         string   `json:"to,omitempty"` // where a proxy passes requests on to
	Summary    string   `json:"summary,omitempty"`
}

func (t *terminal) routesCommand() *cobra.Command {
	cmd := &cobra.Command{
		Use:   "routes [app.lua]",
		Short: "List the routes of an app",
		Long: `Lists the routes of an app in the order they are declared: method, host, pattern, name,
middleware, where it was declared, what answers, and where proxies pass it on to; then the
addresses of app:tcp and app:udp, and those of the server where they differ. Which route answers a request does
not depend on the order but on which is most specific: see "rws why".`,
		Example: "  rws routes app.lua\n  rws routes --json | jq '.[].pattern'",
		Args:    arguments(0, 1),
	}
	flags := settingFlags(cmd)
	asJSON := cmd.Flags().Bool("json", false, "print JSON")
	all := cmd.Flags().Bool("all", false, "also the routes that rws adds in development")
	cmd.RunE = func(_ *cobra.Command, args []string) error {
		p, err := t.open(args, flags())
		if err != nil {
			return err
		}
		defer closeProgram(p)
		rows := append(routeRows(p.App.Routes, *all), streamRows(p)...)
		if *asJSON {
			return writeJSON(t.out, rows)
		}
		t.listRoutes(rows)
		t.listListeners(p)
		return nil
	}
	return command(cmd)
}

// isOwn reports whether a route is one that rws adds.
func isOwn(r server.Route) bool { return r.Kind == "rws" }

func routeRows(routes []server.Route, all bool) []routeRow {
	rows := []routeRow{}
	for _, r := range routes {
		if isOwn(r) && !all {
			continue
		}
		rows = append(rows, routeRow{
			Method: cmp.Or(r.Method, "*"), Host: r.Host, Pattern: r.Pattern, Name: r.Name,
			Middleware: append([]string{}, r.Middleware...), Source: r.Source, Kind: r.Kind, To: r.To, Summary: r.Summary,
		})
	}
	return rows
}

// streamRows are the addresses of app:tcp and app:udp as routes.
func streamRows(p *luabind.Program) (rows []routeRow) {
	for _, s := range p.Streams() {
		rows = append(rows, routeRow{Method: strings.ToUpper(s.Network), Pattern: s.Listen, Middleware: []string{}, Source: s.Source, Kind: s.Network, To: s.To})
	}
	return rows
}

// listListeners shows the addresses of the server, where some have hosts or ways of their own.
func (t *terminal) listListeners(p *luabind.Program) {
	list := p.App.Settings.Listeners
	if len(list) < 2 && !slices.ContainsFunc(list, func(l server.Listener) bool { return len(l.Hosts) > 0 || l.Proxy != nil }) {
		return
	}
	var cells [][]string
	for _, l := range list {
		cells = append(cells, []string{l.Address, strings.Join(speaks(l), ", "), strings.Join(l.Hosts, " ")})
	}
	fmt.Fprintln(t.out)
	writeTable(t.out, []string{"LISTEN", "SPEAKS", "HOSTS"}, cells)
}

// speaks says what a listener is told to speak.
func speaks(l server.Listener) (parts []string) {
	switch l.TLS {
	case server.TLSOn:
		parts = append(parts, "https")
	case server.TLSOff:
		parts = append(parts, "http")
	}
	if l.HTTP3 {
		parts = append(parts, "HTTP/3")
	}
	if l.Proxy != nil {
		parts = append(parts, "PROXY protocol")
	}
	return parts
}

func (t *terminal) listRoutes(rows []routeRow) {
	if len(rows) == 0 {
		fmt.Fprintln(t.out, `no routes: declare one with app:get("/", function(c) return "hello" end)`)
		return
	}
	cells := make([][]string, len(rows))
	for i, r := range rows {
		cells[i] = []string{r.Method, r.Host, r.Pattern, r.Name, strings.Join(r.Middleware, ", "), r.Source, r.Kind, r.To, r.Summary}
	}
	writeTable(t.out, []string{"METHOD", "HOST", "PATTERN", "NAME", "MIDDLEWARE", "SOURCE", "KIND", "TO", "SUMMARY"}, cells)
}
