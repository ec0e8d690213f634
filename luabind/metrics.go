package luabind

import (
	"errors"
	"fmt"
	"log/slog"
	"net"
	"net/http"
	"net/netip"
	"slices"
	"strings"

	lua "github.com/yuin/gopher-lua"

	"rws/luabind/bind"
	"rws/luabind/fault"
	"rws/luabind/vm"
	"rws/server"
	"rws/server/metrics"
)

const (
	counterType   = "rws.Counter"
	gaugeType     = "rws.Gauge"
	histogramType = "rws.Histogram"
)

// MetricsConfig is the part of Config that is about metrics.
type MetricsConfig struct {
	Listen []string // an address of their own, at most one
	Path   string
}

func metricsSettings() []Setting {
	listen := addressSetting("metrics.listen", "", `address for metrics and health alone, as "127.0.0.1:9100"`, func(c *Config) *[]string { return &c.Metrics.Listen })
	return []Setting{listen, textSetting("metrics.path", "/metrics", "path of the metrics there", func(c *Config) *string { return &c.Metrics.Path })}
}

// checkMetricsPath refuses a path for a listener that is not there. One that is no path is refused with
// the routes.
func (p *Program) checkMetricsPath() []*fault.Error {
	c := &p.Config.Metrics
	if len(c.Listen) > 0 || p.Config.Origin("metrics.path") == fromDefault || !strings.HasPrefix(c.Path, "/") {
		return nil
	}
	return []*fault.Error{settingError("metrics.path", p.Config, fmt.Errorf("%q is a path of the listener metrics.listen, which is not set: set it, or put the metrics among the routes by app:metrics(%q)", c.Path, c.Path))}
}

// A metric is a counter, gauge or histogram with values for its labels.
type metric[T any] struct {
	of     *T
	values []string
}

type (
	counter   = metric[metrics.Counter]
	gauge     = metric[metrics.Gauge]
	histogram = metric[metrics.Histogram]
)

// metricOptions are the options of rws.metrics.counter and its siblings.
type metricOptions struct {
	Help string `json:"help"`
}

// histogramOptions are those of rws.metrics.histogram.
type histogramOptions struct {
	Help    string      `json:"help"`
	Buckets *lua.LTable `json:"buckets"`
}

// metricsModule is rws.metrics.
func metricsModule() bind.Module {
	return bind.Module{Name: "rws.metrics", Funcs: []bind.Func{
		bind.Raw("counter(name, labels?, options?)", func(L *lua.LState) int {
			return declareMetric(L, "rws.metrics.counter", counterType, func(m *metrics.Registry, name string, labels []string) (*metrics.Counter, error) {
				return m.Counter(name, bind.Options[metricOptions](L, "rws.metrics.counter", 3).Help, labels...)
			})
		}),
		bind.Raw("gauge(name, labels?, options?)", func(L *lua.LState) int {
			return declareMetric(L, "rws.metrics.gauge", gaugeType, func(m *metrics.Registry, name string, labels []string) (*metrics.Gauge, error) {
				return m.Gauge(name, bind.Options[metricOptions](L, "rws.metrics.gauge", 3).Help, labels...)
			})
		}),
		bind.Raw("histogram(name, labels?, options?)", func(L *lua.LState) int {
			return declareMetric(L, "rws.metrics.histogram", histogramType, func(m *metrics.Registry, name string, labels []string) (*metrics.Histogram, error) {
				o := bind.Options[histogramOptions](L, "rws.metrics.histogram", 3)
				buckets, err := bucketsOf(o.Buckets)
				if err != nil {
					return nil, err
				}
				return m.Histogram(name, o.Help, buckets, labels...)
			})
		}),
	}, Types: []bind.Type{
		{Name: counterType, As: "counter", Methods: bind.Writing(bind.RawMethod("add(n?)", func(L *lua.LState, c *counter) int {
			return record(L, "counter:add", c.of.Add(bind.Arg[bind.Opt[float64]](L, "counter:add", 2).Or(1), c.values...))
		}))},
		{Name: gaugeType, As: "gauge", Methods: bind.Writing(
			bind.RawMethod("set(to)", func(L *lua.LState, g *gauge) int {
				return record(L, "gauge:set", g.of.Set(bind.Arg[float64](L, "gauge:set", 2), g.values...))
			}),
			bind.RawMethod("add(n?)", func(L *lua.LState, g *gauge) int {
				return record(L, "gauge:add", g.of.Add(bind.Arg[bind.Opt[float64]](L, "gauge:add", 2).Or(1), g.values...))
			}),
		)},
		{Name: histogramType, As: "histogram", Methods: bind.Writing(bind.RawMethod("observe(value)", func(L *lua.LState, h *histogram) int {
			return record(L, "histogram:observe", h.of.Observe(bind.Arg[float64](L, "histogram:observe", 2), h.values...))
		}))},
	}}
}

// declareMetric returns the metric of a name, with the values of its labels.
func declareMetric[T any](L *lua.LState, name, kind string, of func(*metrics.Registry, string, []string) (*T, error)) int {
	title := bind.Arg[string](L, name, 1)
	labels, values := labelsOf(L, name)
	m, err := stateOf(L).program.registry()
	var made *T
	if err == nil {
		made, err = of(m, title, labels)
	}
	if err != nil {
		bind.Raise(L, name, bind.Errorf("option", "%w", err))
	}
	L.Push(bind.New(L, kind, &metric[T]{made, values}))
	return 1
}

// labelLimit bounds the value of a label, in bytes: it may come from a client.
const labelLimit = 128

// labelsOf reads argument 2, { name = value }, in the order of the names.
func labelsOf(L *lua.LState, name string) (labels, values []string) {
	t := bind.Arg[bind.Opt[*lua.LTable]](L, name, 2).Value
	if t == nil {
		return nil, nil
	}
	if t.Len() > 0 {
		bind.ArgError(L, name, 2, "labels have names, as { kind = \"book\" }")
	}
	for _, label := range bind.Keys(t) {
		v := t.RawGetString(label)
		switch v.(type) {
		case lua.LString, lua.LNumber, lua.LBool:
		default:
			bind.ArgError(L, name, 2, "the label %q is a %s: a text, a number or a boolean expected", label, v.Type())
		}
		text := v.String()
		labels, values = append(labels, label), append(values, strings.ToValidUTF8(text[:min(len(text), labelLimit)], "?"))
	}
	return labels, values
}

func bucketsOf(t *lua.LTable) ([]float64, error) {
	if t == nil {
		return nil, nil
	}
	list := []float64{}
	for n := 1; n <= t.Len(); n++ {
		v, ok := t.RawGetInt(n).(lua.LNumber)
		if !ok {
			return nil, errors.New("buckets: a list of numbers expected")
		}
		list = append(list, float64(v))
	}
	if !slices.IsSorted(list) || len(slices.Compact(slices.Clone(list))) != len(list) {
		return nil, errors.New("buckets: ascending bounds expected")
	}
	return list, nil
}

// record ends a call that counted something. One combination of labels too many fails no request: who
// sends what labels are made of could do that at will. It is logged, once for each metric.
func record(L *lua.LState, name string, err error) int {
	if full, ok := errors.AsType[*metrics.SeriesError](err); ok {
		p := stateOf(L).program
		if _, told := p.fullMetrics.LoadOrStore(full.Name, true); !told {
			p.logger.Warn(full.Error(), "at", fault.Where(L))
		}
		return 0
	}
	if err != nil {
		bind.Raise(L, name, err)
	}
	return 0
}

// registry returns the metrics, which are kept over reloads, so that counters never go back.
func (p *Program) registry() (*metrics.Registry, error) { return p.shared.kept.registry(p.logger) }

func (k *kept) registry(logger *slog.Logger) (*metrics.Registry, error) {
	k.mu.Lock()
	defer k.mu.Unlock()
	if k.metrics != nil {
		return k.metrics, nil
	}
	m, err := metrics.New(metrics.Options{Logger: logger})
	if err != nil {
		return nil, err
	}
	for _, g := range []struct {
		name, help string
		value      func(*vm.Isolate) float64
	}{
		{"rws_lua_active", "Requests and other runs that are in Lua, or wait there.", func(i *vm.Isolate) float64 { return float64(i.Active()) }},
		{"rws_lua_queue", "Runs that wait for their turn in an isolate.", func(i *vm.Isolate) float64 { return float64(i.Queue()) }},
		{"rws_lua_wait_seconds", "Time that runs have waited for their turn, since the script was loaded.", func(i *vm.Isolate) float64 { return i.Waited().Seconds() }},
		{"rws_lua_isolates", "Lua isolates.", func(*vm.Isolate) float64 { return 1 }},
	} {
		if err := m.Func(g.name, g.help, k.sum(g.value)); err != nil {
			return nil, err
		}
	}
	if err := m.Read(k.edge()); err != nil {
		return nil, err
	}
	k.metrics = m
	return m, nil
}

// sum adds a value up over the isolates of the present program.
func (k *kept) sum(value func(*vm.Isolate) float64) func() float64 {
	return func() (all float64) {
		if p := k.present.Load(); p != nil {
			for _, s := range p.states {
				all += value(s.isolate)
			}
		}
		return all
	}
}

// appMetrics is app:metrics(path?, ...): a route that answers with the metrics.
func appMetrics(L *lua.LState, a *App) int {
	const name = "app:metrics"
	a.mustLoad(L, name)
	n, path := 2, "/metrics"
	if v, ok := L.Get(2).(lua.LString); ok {
		n, path = 3, string(v)
	}
	r := &route{method: http.MethodGet, pattern: path, kind: "metrics"}
	r.chain = guards(L, name, n)
	r.native = a.state.program.metricsHandler()
	if !a.state.isGuarded(a, r) {
		a.state.program.logger.Warn("app:metrics: everybody may read the metrics: put a guard before them, or use the setting metrics.listen", "at", fault.Where(L))
	}
	a.state.program.measured = true
	a.add(L, name, r)
	a.state.keepOperators(r)
	L.Push(bind.New(L, routeType, r))
	return 1
}

// keepOperators notes routes for who runs the service.
func (s *state) keepOperators(routes ...*route) {
	if s.isolate.Number() == 0 {
		s.program.operators = append(s.program.operators, routes...)
	}
}

// isGuarded reports whether anything stands before a route, or nobody has to be told: in
// development, and in the isolates behind the first.
func (s *state) isGuarded(a *App, r *route) bool {
	return !s.program.Config.Production() || s.isolate.Number() > 0 || len(r.chain)+len(a.links())+len(s.root.early) > 0
}

// guards reads the arguments from n on as middleware.
func guards(L *lua.LState, name string, n int) (chain []link) {
	for ; n <= L.GetTop(); n++ {
		l, ok := asLink(L, n)
		if !ok {
			bind.ArgError(L, name, n-1, "middleware expected, got %s", L.Get(n).Type())
		}
		chain = append(chain, l)
	}
	return chain
}

// metricsHandler answers with the metrics as Prometheus reads them.
func (p *Program) metricsHandler() http.Handler {
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		m, err := p.registry()
		if err != nil {
			p.Miss(w, r, http.StatusInternalServerError, err)
			return
		}
		w.Header().Set("Cache-Control", "no-store")
		m.Handler().ServeHTTP(w, r)
	})
}

// measure gives the app its metrics and the address for them, if it has asked for either.
func (p *Program) measure(app *server.App) error {
	listen := p.Config.Metrics.Listen
	if len(listen) > 1 {
		return settingError("metrics.listen", p.Config, errors.New("there is one such address"))
	}
	if path := p.Config.Metrics.Path; !strings.HasPrefix(path, "/") {
		return settingError("metrics.path", p.Config, errors.New("a path begins with \"/\""))
	}
	for _, own := range p.Config.Addresses() {
		if len(listen) > 0 && sameAddress(listen[0], own) {
			return settingError("metrics.listen", p.Config, fmt.Errorf("%s is the address of the app itself, %s: choose another port, or use app:metrics for a route of the app", listen[0], own))
		}
	}
	if !p.measured && len(listen) == 0 {
		return nil
	}
	m, err := p.registry()
	if err != nil {
		return err
	}
	app.Metrics = m
	if len(listen) == 0 {
		return nil
	}
	app.Sides = []server.Side{{Listen: listen[0], Handler: p.sideHandler()}}
	return nil
}

// sameAddress reports whether two sockets can't be open at the same time.
func sameAddress(a, b string) bool {
	hostA, portA, errA := net.SplitHostPort(a)
	hostB, portB, errB := net.SplitHostPort(b)
	if errA != nil || errB != nil {
		return a == b
	}
	return portA == portB && portA != "0" && (hostA == hostB || isEverywhere(hostA) || isEverywhere(hostB) || isLoopback(hostA) && isLoopback(hostB))
}

func isEverywhere(host string) bool {
	ip, err := netip.ParseAddr(host)
	return host == "" || err == nil && ip.IsUnspecified()
}

func isLoopback(host string) bool {
	ip, err := netip.ParseAddr(host)
	return host == "localhost" || err == nil && (ip.Unmap() == netip.AddrFrom4([4]byte{127, 0, 0, 1}) || ip == netip.IPv6Loopback())
}

// sideHandler answers at the address for metrics: with them, and with health in full.
func (p *Program) sideHandler() http.Handler {
	measured, health := p.metricsHandler(), p.health
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		switch {
		case r.URL.Path == p.Config.Metrics.Path:
			measured.ServeHTTP(w, r)
		case health != nil && r.URL.Path == health.live:
			health.inside.LiveHandler().ServeHTTP(w, r)
		case health != nil && r.URL.Path == health.ready:
			health.inside.ReadyHandler().ServeHTTP(w, r)
		default:
			http.NotFound(w, r)
		}
	})
}
