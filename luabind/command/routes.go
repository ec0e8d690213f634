package command

import (
	"cmp"
	"fmt"
	"strings"

	"github.com/spf13/cobra"

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
	Summary    string   `json:"summary,omitempty"`
}

func (t *terminal) routesCommand() *cobra.Command {
	cmd := &cobra.Command{
		Use:   "routes [app.lua]",
		Short: "List the routes of an app",
		Long: `Lists the routes of an app in the order they are declared: method, host, pattern, name,
middleware, where it was declared, and what answers. Which route answers a request does
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
		rows := routeRows(p.App.Routes, *all)
		if *asJSON {
			return writeJSON(t.out, rows)
		}
		t.listRoutes(rows)
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
			Middleware: append([]string{}, r.Middleware...), Source: r.Source, Kind: r.Kind, Summary: r.Summary,
		})
	}
	return rows
}

func (t *terminal) listRoutes(rows []routeRow) {
	if len(rows) == 0 {
		fmt.Fprintln(t.out, `no routes: declare one with app:get("/", function(c) return "hello" end)`)
		return
	}
	cells := make([][]string, len(rows))
	for i, r := range rows {
		cells[i] = []string{r.Method, r.Host, r.Pattern, r.Name, strings.Join(r.Middleware, ", "), r.Source, r.Kind, r.Summary}
	}
	writeTable(t.out, []string{"METHOD", "HOST", "PATTERN", "NAME", "MIDDLEWARE", "SOURCE", "KIND", "SUMMARY"}, cells)
}
