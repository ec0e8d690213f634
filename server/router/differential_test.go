package router_test

import (
	"cmp"
	"fmt"
	"math/rand/v2"
	"net/url"
	"regexp"
	"slices"
	"strings"
	"testing"

	"rws/server/router"
)

// The naive matcher below tries every route, one regular expression for each segment, and sorts what matches. It knows
// nothing of trees: it is the contract, written again.

// naiveSegment is a segment of a generated pattern with its meaning.
type naiveSegment struct {
	text string // as in the pattern
	re   *regexp.Regexp
	name string
	rank [3]int // compared segment by segment
	rest bool
}

func static(text string) naiveSegment {
	return naiveSegment{text: text, re: regexp.MustCompile("^" + regexp.QuoteMeta(text) + "$"), rank: [3]int{0}}
}

func param(rank int, typ, re string) func(before, after, name string) naiveSegment {
	return func(before, after, name string) naiveSegment {
		return naiveSegment{
			text: before + ":" + name + typ + after,
			re:   regexp.MustCompile("(?s)^" + regexp.QuoteMeta(before) + "(" + re + ")" + regexp.QuoteMeta(after) + "$"),
			name: name,
			rank: [3]int{rank, -len(before), -len(after)},
		}
	}
}

var params = []func(before, after, name string) naiveSegment{
	param(1, "{int}", "-?[0-9]{1,15}"),
	param(3, "{slug}", "[a-z0-9]+(?:-[a-z0-9]+)*"),
	param(4, "", ".+"),
}

// naiveRoute is one variant of a route.
type naiveRoute struct {
	host, method string
	segments     []naiveSegment
	value        string
}

// match are the values of the parameters, nil when the path does not match.
func (r naiveRoute) match(segments []string) []string {
	values := []string{}
	for i, s := range r.segments {
		if s.rest {
			return append(values, s.name+"="+strings.Join(segments[min(i, len(segments)):], "/"))
		}
		if i == len(segments) {
			return nil
		}
		m := s.re.FindStringSubmatch(segments[i])
		if m == nil {
			return nil
		}
		if s.name != "" {
			values = append(values, s.name+"="+m[1])
		}
	}
	if len(segments) != len(r.segments) {
		return nil
	}
	return values
}

func (r naiveRoute) takes(method string) bool {
	return r.method == "" || r.method == method || r.method == "GET" && method == "HEAD"
}

// hostRank is lower for the more specific host; false when the route is for another one.
func (r naiveRoute) hostRank(host string) (int, bool) {
	switch {
	case r.host == "":
		return 1000, true
	case r.host == host:
		return 0, true
	case strings.HasPrefix(r.host, "*"):
		return 500 - len(r.host), strings.HasSuffix(host, r.host[1:]) && len(host) >= len(r.host)
	}
	return 0, false
}

func compareRoutes(a, b naiveRoute, method string) int {
	for i := range min(len(a.segments), len(b.segments)) {
		if c := slices.Compare(a.segments[i].rank[:], b.segments[i].rank[:]); c != 0 {
			return c
		}
	}
	order := func(r naiveRoute) int {
		return slices.Index([]string{method, "GET", ""}, r.method)
	}
	// A path that ends before a wildcard is shorter, and more specific, without it.
	return cmp.Or(cmp.Compare(len(a.segments), len(b.segments)), cmp.Compare(order(a), order(b)))
}

// naive answers as the helper ask does.
func naive(routes []naiveRoute, method, host, path string) string {
	if bad(path) {
		return "bad path"
	}
	found, allow := search(routes, method, host, path)
	if found != "" {
		return "found " + found
	}
	if len(allow) > 0 {
		kind := "method not allowed "
		if method == "OPTIONS" {
			kind = "options "
		}
		return kind + strings.Join(allow, ", ")
	}
	other := path + "/"
	if strings.HasSuffix(path, "/") {
		other = path[:len(path)-1]
	}
	if other == "" || strings.Contains(path, "//") && (strings.HasPrefix(path, "//") || strings.HasSuffix(path, "//")) {
		return "not found"
	}
	if found, _ := search(routes, method, host, other); found != "" {
		return "redirect " + other
	}
	return "not found"
}

func search(routes []naiveRoute, method, host, path string) (found string, allow []string) {
	segments := strings.Split(path[1:], "/")
	for i, s := range segments {
		segments[i], _ = url.PathUnescape(s)
	}
	matching := map[int][]naiveRoute{} // by rank of the host
	for _, r := range routes {
		if rank, ok := r.hostRank(host); ok && r.match(segments) != nil {
			matching[rank] = append(matching[rank], r)
		}
	}
	if len(matching) == 0 {
		return "", nil
	}
	best := 1000
	for rank := range matching {
		best = min(best, rank)
	}
	list := matching[best]
	taking := slices.DeleteFunc(slices.Clone(list), func(r naiveRoute) bool { return !r.takes(method) })
	if len(taking) > 0 {
		r := slices.MinFunc(taking, func(a, b naiveRoute) int { return compareRoutes(a, b, method) })
		return strings.Join(append([]string{r.value}, r.match(segments)...), " "), nil
	}
	allow = []string{"OPTIONS"}
	for _, r := range list {
		allow = append(allow, r.method)
		if r.method == "GET" {
			allow = append(allow, "HEAD")
		}
	}
	slices.Sort(allow)
	return "", slices.Compact(allow)
}

func bad(path string) bool {
	for s := range strings.SplitSeq(path, "/") {
		text, err := url.PathUnescape(s)
		if err != nil {
			return true
		}
		for part := range strings.FieldsFuncSeq(text, func(r rune) bool { return r == '/' || r == '\\' }) {
			if part == "." || part == ".." {
				return true
			}
		}
	}
	return false
}

// world generates small patterns and paths that often meet.
type world struct{ *rand.Rand }

func (w world) pick(list ...string) string { return list[w.IntN(len(list))] }

func (w world) segment(i int) naiveSegment {
	if w.IntN(2) == 0 {
		return static(w.pick("a", "b", "7", "a.x", "va"))
	}
	kind, before, after := w.IntN(len(params)), "", ""
	if w.IntN(3) == 0 {
		before, after = w.pick("", "v", "a"), w.pick("", ".x", "-7")
	}
	if kind < 2 && after == "-7" {
		after = w.pick("x", "7") // after a name without a type these would belong to the name
	}
	return params[kind](before, after, fmt.Sprint("p", i))
}

// route is a random pattern and its variants.
func (w world) route() (router.Route, []naiveRoute) {
	r := router.Route{
		Host:   w.pick("", "", "", "x.com", "*.com", "*.x.com", "y.x.com"),
		Method: w.pick("", "GET", "GET", "POST", "HEAD", "OPTIONS"),
	}
	var segments []naiveSegment
	add := func(s naiveSegment) {
		segments = append(segments, s)
		r.Pattern += "/" + s.text
	}
	for i := range 1 + w.IntN(3) {
		add(w.segment(i))
	}
	variants := [][]naiveSegment{slices.Clone(segments)}
	switch w.IntN(6) {
	case 0:
		add(static(""))
		variants = [][]naiveSegment{segments}
	case 1:
		add(naiveSegment{text: "*w", name: "w", rank: [3]int{9}, rest: true})
		variants = [][]naiveSegment{segments}
	case 2:
		s := w.segment(9)
		r.Pattern += "(/" + s.text + ")"
		variants = append(variants, append(segments, s))
	}
	var list []naiveRoute
	for _, v := range variants {
		list = append(list, naiveRoute{r.Host, r.Method, v, r.String()})
	}
	return r, list
}

func (w world) path() string {
	var b strings.Builder
	for range 1 + w.IntN(4) {
		b.WriteString("/" + w.pick("a", "b", "7", "-7", "a.x", "va", "v7", "v7.x", "ax", "a7", "aax", "A", "a-b", "", "%61",
			"a%2Fb", "%2e", "%C3%A9", "a%5C..", "v%37x", "a77", "a-7", "vb-7"))
	}
	return b.String()
}

func TestMatchAgreesWithNaiveMatcher(t *testing.T) {
	kinds := map[string]int{}
	for seed := range uint64(600) {
		w := world{rand.New(rand.NewPCG(seed, 1))}
		b := router.New[string]()
		var model []naiveRoute
		for range 1 + w.IntN(14) {
			r, variants := w.route()
			if b.Add(r, r.String()) == nil {
				model = append(model, variants...)
			}
		}
		table := b.Build()
		for range 60 {
			method := w.pick("GET", "GET", "POST", "HEAD", "OPTIONS", "PUT")
			host, path := w.pick("", "x.com", "y.x.com", "z.y.x.com", "com"), w.path()
			want := naive(model, method, host, path)
			got := ask(table, method+" "+host+path)
			if got != want {
				t.Fatalf("seed %d: %s %s%s: got %q, want %q with\n%s", seed, method, host, path, got, want, patterns(table))
			}
			kinds[strings.Fields(want)[0]]++
			checkExplanation(t, table, method, host, path)
		}
	}
	for _, kind := range []string{"found", "not", "method", "options", "redirect", "bad"} {
		if kinds[kind] < 20 {
			t.Errorf("the generator gave %q only %d times", kind, kinds[kind])
		}
	}
}

// TestOrderOfDeclarationDoesNotMatter also shows that Add finds every tie: one that it missed would depend on the order.
func TestOrderOfDeclarationDoesNotMatter(t *testing.T) {
	for seed := range uint64(200) {
		w := world{rand.New(rand.NewPCG(seed, 2))}
		b := router.New[string]()
		var routes []router.Route
		for range 12 {
			if r, _ := w.route(); b.Add(r, r.String()) == nil {
				routes = append(routes, r)
			}
		}
		first := b.Build()
		w.Shuffle(len(routes), func(i, j int) { routes[i], routes[j] = routes[j], routes[i] })
		second := build(t, routes...)
		for range 60 {
			request := w.pick("GET ", "POST ", "HEAD ") + w.pick("", "y.x.com") + w.path()
			if a, b := ask(first, request), ask(second, request); a != b {
				t.Fatalf("seed %d: %s: %q or %q with\n%s", seed, request, a, b, patterns(first))
			}
		}
	}
}

func patterns(table *router.Table[string]) string {
	var b strings.Builder
	for r := range table.Routes() {
		fmt.Fprintln(&b, r)
	}
	return b.String()
}

// checkExplanation holds Explain, which judges each route by itself, against Match.
func checkExplanation(t *testing.T, table *router.Table[string], method, host, path string) {
	t.Helper()
	var m router.Match[string]
	kind := table.Match(host, method, path, &m)
	x := table.Explain(host, method, path)
	if x.Kind != kind || x.Reason == "" || x.Location != m.Location || !slices.Equal(x.Allow, m.Allow) {
		t.Fatalf("%s %s%s: %v, explained as %+v", method, host, path, kind, x)
	}
	matched, candidates := 0, 0
	for _, s := range x.Steps {
		if s.Reason == "" {
			t.Fatalf("%s %s%s: no reason for %s", method, host, path, s.Route)
		}
		switch s.Outcome {
		case router.Matched:
			matched++
			if m.Route == nil || s.Route != *m.Route {
				t.Fatalf("%s %s%s: %v found, %s explained", method, host, path, m.Route, s.Route)
			}
		case router.WrongMethod:
			candidates++
		}
	}
	if (matched == 1) != (kind == router.Found) || kind == router.MethodNotAllowed && candidates == 0 {
		t.Fatalf("%s %s%s: %v, explained as %+v", method, host, path, kind, x.Steps)
	}
}
