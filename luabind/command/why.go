package command

import (
	"cmp"
	"fmt"
	"net/url"
	"slices"
	"strings"

	"github.com/spf13/cobra"

	"rws/server"
	"rws/server/router"
)

// farRoutes is how many routes with another path or host are shown without --all.
const farRoutes = 10

func (t *terminal) whyCommand() *cobra.Command {
	cmd := &cobra.Command{
		Use:   "why [METHOD] /path [app.lua]",
		Short: "Say which route answers a request, and why the others do not",
		Long: `Says which route answers a request, with its parameters and the middleware that runs
before it, and why the other routes do not. The method is GET when it is left out; the
path may be a whole URL. Nothing is run.`,
		Example: "  rws why GET /notes/new app.lua\n  rws why /notes/7\n  rws why POST https://api.example.com/notes",
		Args:    arguments(1, 3),
	}
	flags := settingFlags(cmd, "host")
	host := cmd.Flags().String("host", "localhost", "`name` in the request's Host header")
	all := cmd.Flags().Bool("all", false, "show all routes, however far from the request")
	cmd.RunE = func(_ *cobra.Command, args []string) error {
		q, rest, err := parseQuestion(args, *host)
		if err != nil {
			return err
		}
		p, err := t.open(rest, flags())
		if err != nil {
			return err
		}
		defer closeProgram(p)
		handler, err := server.Compile(p.App)
		if err != nil {
			return err
		}
		t.why(q, handler, p.Early(), *all)
		return nil
	}
	return command(cmd)
}

// A question is the request that "rws why" is asked about.
type question struct{ method, host, path string }

// parseQuestion reads [METHOD] PATH-OR-URL and returns what follows.
func parseQuestion(args []string, host string) (q question, rest []string, err error) {
	q = question{method: "GET", host: host}
	if !strings.Contains(args[0], "/") && len(args) > 1 {
		q.method, args = strings.ToUpper(args[0]), args[1:]
	}
	u, err := url.Parse(args[0])
	if err != nil {
		return q, nil, fmt.Errorf("reading the path: %w", err)
	}
	if u.Host == "" && !strings.HasPrefix(args[0], "/") {
		return q, nil, fmt.Errorf("%q is not a path: a method and a path are expected, as in `rws why GET /notes/7`", args[0])
	}
	if u.Host != "" {
		q.host = u.Host
	}
	q.path = u.EscapedPath()
	if q.path == "" {
		q.path = "/"
	}
	if len(args) > 2 {
		return q, nil, fmt.Errorf("%q is one argument too many", args[2])
	}
	return q, args[1:], nil
}

// why prints the story of one match, of a request that has passed the early middleware.
func (t *terminal) why(q question, h *server.Handler, early []string, all bool) {
	x := h.Explain(q.host, q.method, q.path)
	color := paint(isColorful(t.out))
	fmt.Fprintf(t.out, "%s %s on %s\n", color.add(bold, q.method), color.add(bold, q.path), q.host)
	if x.Kind == router.Found {
		t.winner(x, h.Routes(), color)
	} else {
		fmt.Fprintf(t.out, "  %s: %s\n", color.add(red, status(x.Kind)), x.Reason)
		if len(early) > 0 {
			fmt.Fprintf(t.out, "  runs %s\n", strings.Join(early, " → "))
		}
	}
	if slices.Contains(early, "rewrite") {
		fmt.Fprintln(t.out, "  rewrite may change where a request goes before a route is looked for: ask for the place it makes")
	}
	t.preflights(q, x, h.Routes())
	t.others(x, h.Routes(), all)
}

// status is what the client gets when no route answers.
func status(k router.Kind) string {
	return map[router.Kind]string{
		router.NotFound: "404 Not Found", router.MethodNotAllowed: "405 Method Not Allowed", router.Options: "204 No Content",
		router.Redirect: "308 Permanent Redirect", router.BadPath: "400 Bad Request",
	}[k]
}

// winner prints the route that answers.
func (t *terminal) winner(x router.Explanation, routes []server.Route, color paint) {
	i := slices.IndexFunc(x.Steps, func(s router.Step) bool { return s.Outcome == router.Matched })
	r := routes[i]
	fmt.Fprintf(t.out, "  %s: %s\n", color.add(green, x.Steps[i].Route.String()), x.Steps[i].Reason)
	for _, p := range x.Params {
		fmt.Fprintf(t.out, "  %s = %q\n", p.Name, p.Value)
	}
	chain := append(slices.Clone(r.Middleware), r.Kind+" handler")
	fmt.Fprintf(t.out, "  runs %s\n", strings.Join(chain, " → "))
	if r.To != "" {
		fmt.Fprintf(t.out, "  passes it on to %s\n", r.To)
	}
}

// preflights names the routes of the place that answer the preflights of CORS, for who asks about
// OPTIONS.
func (t *terminal) preflights(q question, x router.Explanation, routes []server.Route) {
	if q.method != "OPTIONS" {
		return
	}
	for i, s := range x.Steps {
		if s.Outcome == router.WrongMethod && routes[i].Preflight != nil {
			fmt.Fprintf(t.out, "  a preflight for %s is answered by the middleware of %s\n", cmp.Or(routes[i].Method, "*"), s.Route)
		}
	}
}

// others prints why the rest did not answer, the near misses first.
func (t *terminal) others(x router.Explanation, routes []server.Route, all bool) {
	var near, far [][]string
	for i, s := range x.Steps {
		if s.Outcome == router.Matched || isOwn(routes[i]) && !all {
			continue
		}
		row := []string{"  " + s.Route.String(), s.Reason}
		if s.Outcome == router.WrongPath || s.Outcome == router.WrongHost {
			far = append(far, row)
		} else {
			near = append(near, row)
		}
	}
	hidden := 0
	if !all && len(far) > farRoutes {
		hidden, far = len(far)-farRoutes, far[:farRoutes]
	}
	if rows := append(near, far...); len(rows) > 0 {
		fmt.Fprintln(t.out)
		writeTable(t.out, []string{"  OTHERS", "WHY NOT"}, rows)
	}
	if hidden > 0 {
		fmt.Fprintf(t.out, "  and %s with another host or path; --all shows them\n", count(hidden, "route"))
	}
}
