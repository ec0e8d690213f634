package router_test

import (
	"fmt"
	"strings"
	"testing"

	"rws/server/router"
)

// build makes a table whose values are the routes' text.
func build(t testing.TB, routes ...router.Route) *router.Table[string] {
	t.Helper()
	b := router.New[string]()
	for _, r := range routes {
		if err := b.Add(r, r.String()); err != nil {
			t.Fatal(err)
		}
	}
	return b.Build()
}

// parseRoutes reads "GET example.com/path" lines; method and host may be missing.
func parseRoutes(lines ...string) []router.Route {
	var list []router.Route
	for _, line := range lines {
		var r router.Route
		if method, rest, ok := strings.Cut(line, " "); ok && !strings.Contains(method, "/") {
			r.Method, line = method, rest
		}
		slash := strings.IndexByte(line, '/')
		r.Host, r.Pattern = line[:slash], line[slash:]
		list = append(list, r)
	}
	return list
}

// outcome is a match as text: `found GET /a/:b b=1`, `method not allowed GET, HEAD, OPTIONS`, `redirect /a/`.
func outcome(kind router.Kind, m *router.Match[string]) string {
	parts := []string{kind.String()}
	if m.Value != "" {
		parts = append(parts, m.Value)
	}
	for p := range m.Params.All() {
		parts = append(parts, fmt.Sprintf("%s=%s", p.Name, p.Value))
	}
	if len(m.Allow) > 0 {
		parts = append(parts, strings.Join(m.Allow, ", "))
	}
	if m.Location != "" {
		parts = append(parts, m.Location)
	}
	return strings.Join(parts, " ")
}

// ask matches "GET host/path".
func ask(table *router.Table[string], request string) string {
	method, target, _ := strings.Cut(request, " ")
	slash := strings.IndexByte(target, '/')
	if slash < 0 {
		slash = len(target)
	}
	var m router.Match[string]
	kind := table.Match(target[:slash], method, target[slash:], &m)
	return outcome(kind, &m)
}
