package luabind

import (
	"context"
	"errors"
	"fmt"
	"net/http"
	"regexp"
	"slices"
	"strconv"
	"strings"
	"time"

	lua "github.com/yuin/gopher-lua"

	"rws/luabind/bind"
	"rws/server/proxy/breaker"
	"rws/server/proxy/discover"
	"rws/server/proxy/fastcgi"
	"rws/server/proxy/health"
	"rws/server/proxy/transport"
	"rws/server/proxy/upstream"
)

// backendHealth are the options of health of an upstream.
type backendHealth struct {
	Scheme  string            `json:"scheme"`
	Port    int               `json:"port"`
	Path    string            `json:"path"`
	Method  string            `json:"method"`
	Host    string            `json:"host"`
	Headers map[string]string `json:"headers"`
	Status  lua.LValue        `json:"status"`
	Match   string            `json:"match"`
	Service string            `json:"service"`
	Every   time.Duration     `json:"every"`
	Fast    time.Duration     `json:"fast"`
	Timeout time.Duration     `json:"timeout"`
	Up      int               `json:"up"`
	Down    int               `json:"down"`
	Reuse   bool              `json:"reuse"`
}

type passiveOptions struct {
	Failures   int           `json:"failures"`
	Share      lua.LValue    `json:"share"`
	Minimum    int           `json:"minimum"`
	Window     time.Duration `json:"window"`
	Eject      time.Duration `json:"eject"`
	MaxEject   time.Duration `json:"max_eject"`
	MaxEjected lua.LValue    `json:"max_ejected"`
	Alone      bool          `json:"alone"`
}

type breakerOptions struct {
	Failures  int           `json:"failures"`
	Share     lua.LValue    `json:"share"`
	Minimum   int           `json:"minimum"`
	Window    time.Duration `json:"window"`
	Open      time.Duration `json:"open"`
	Probes    int           `json:"probes"`
	Successes int           `json:"successes"`
	Store     string        `json:"store"`
}

type fastcgiOptions struct {
	Root      string            `json:"root"`
	Index     string            `json:"index"`
	Extension string            `json:"extension"`
	Front     string            `json:"front"`
	Env       map[string]string `json:"env"`
}

// watchers reads what finds out which backends work.
func (p *Program) watchers(L *lua.LState, e *upstream.Options, o *poolOptions) (err error) {
	if e.Health, err = checkOf(L, o.Health); err != nil {
		return fmt.Errorf("option \"health\": %w", err)
	}
	e.HealthMemory, e.SourceMemory = p.shared.kept.checkMemory(), p.shared.kept.sourceMemory()
	if e.Passive, err = passiveOf(L, o.Passive); err != nil {
		return fmt.Errorf("option \"passive\": %w", err)
	}
	if e.Breaker, err = p.breakerOf(L, o.Breaker); err != nil {
		return fmt.Errorf("option \"breaker\": %w", err)
	}
	return nil
}

// checkOf reads "/healthz", or { path = "/healthz", every = "10s" }. Without it there are no active
// checks.
func checkOf(L *lua.LState, v lua.LValue) (*health.Check, error) {
	var o backendHealth
	switch v := v.(type) {
	case nil:
		return nil, nil
	case lua.LString:
		o.Path = string(v)
	case *lua.LTable:
		if err := bind.Decode(L, v, &o); err != nil {
			return nil, err
		}
	default:
		return nil, fmt.Errorf(`a path such as "/healthz" expected, or { path = "/healthz", every = "10s" }, got %s`, v.Type())
	}
	c := &health.Check{Scheme: o.Scheme, Port: o.Port, Path: o.Path, Method: o.Method, Host: o.Host, Service: o.Service,
		Every: o.Every, Fast: o.Fast, Timeout: o.Timeout, Up: o.Up, Down: o.Down, Reuse: o.Reuse, Header: http.Header{}}
	for name, value := range o.Headers {
		c.Header.Set(headerName(name), value)
	}
	var err error
	if c.Status, err = statusesOf(o.Status); err != nil {
		return nil, fmt.Errorf("status: %w", err)
	}
	if o.Match != "" {
		if c.Match, err = regexp.Compile(o.Match); err != nil {
			return nil, fmt.Errorf("match %q: %w", o.Match, err)
		}
	}
	return c, nil
}

// statusesOf reads 204, "2xx", "200-399", or a list of those.
func statusesOf(v lua.LValue) (health.Statuses, error) {
	switch v := v.(type) {
	case nil:
		return health.Statuses{}, nil
	case lua.LString, lua.LNumber:
		return health.ParseStatuses(v.String())
	case *lua.LTable:
		var parts []string
		for n := 1; n <= v.Len(); n++ {
			parts = append(parts, v.RawGetInt(n).String())
		}
		return health.ParseStatuses(strings.Join(parts, ","))
	}
	return health.Statuses{}, fmt.Errorf(`204, "2xx" or a list of such expected, got %s`, v.Type())
}

// passiveOf reads what is judged by the answers to requests: five failures in a row, unless the script
// says otherwise, or false.
func passiveOf(L *lua.LState, v lua.LValue) (*health.OutlierOptions, error) {
	var o passiveOptions
	switch v := v.(type) {
	case nil:
		return &health.OutlierOptions{}, nil
	case lua.LBool:
		if v {
			return &health.OutlierOptions{}, nil
		}
		return nil, nil
	case *lua.LTable:
		if err := bind.Decode(L, v, &o); err != nil {
			return nil, err
		}
	default:
		return nil, fmt.Errorf(`false expected, or { failures = 5, window = "10s", eject = "30s" }, got %s`, v.Type())
	}
	e := &health.OutlierOptions{Minimum: o.Minimum, Window: o.Window, Eject: o.Eject, MaxEject: o.MaxEject, Alone: o.Alone}
	if e.Failures = o.Failures; o.Window == 0 { // in a row
		e.Consecutive, e.Failures = o.Failures, 0
	}
	var err error
	if e.Share, err = shareOf("share", o.Share); err != nil {
		return nil, err
	}
	e.MaxEjected, err = shareOf("max_ejected", o.MaxEjected)
	return e, err
}

// shareOf reads a share: "50%", or a number from 0 to 1.
func shareOf(name string, v lua.LValue) (float64, error) {
	switch v := v.(type) {
	case nil:
		return 0, nil
	case lua.LNumber:
		if v >= 0 && v <= 1 {
			return float64(v), nil
		}
	case lua.LString:
		if text, ok := strings.CutSuffix(strings.TrimSpace(string(v)), "%"); ok {
			n, err := strconv.ParseFloat(strings.TrimSpace(text), 64)
			if err == nil && n >= 0 && n <= 100 {
				return n / 100, nil
			}
		}
	}
	return 0, fmt.Errorf(`%s: a share such as "50%%" expected, got %s`, name, v.String())
}

// breakerOf reads { failures = 5, open = "30s" }, or true for that. Without it there are no breakers.
func (p *Program) breakerOf(L *lua.LState, v lua.LValue) (*breaker.Options, error) {
	var o breakerOptions
	switch v := v.(type) {
	case nil:
		return nil, nil
	case lua.LBool:
		if !v {
			return nil, nil
		}
	case *lua.LTable:
		if err := bind.Decode(L, v, &o); err != nil {
			return nil, err
		}
	default:
		return nil, fmt.Errorf(`true expected, or { failures = 5, open = "30s" }, got %s`, v.Type())
	}
	e := &breaker.Options{Failures: o.Failures, Minimum: o.Minimum, Window: o.Window, Open: o.Open, Probes: o.Probes, Successes: o.Successes}
	var err error
	if e.Ratio, err = shareOf("share", o.Share); err != nil {
		return nil, err
	}
	e.Store, err = p.breakerStore(o.Store)
	e.Notes = p.shared.kept.breakerNotes()
	return e, err
}

// inSQL is the first database of the app.
const inSQL = "sql"

// breakerStore returns the store with a name: "memory", which a reload does not forget, "redis", "sql", or
// a URL.
func (p *Program) breakerStore(name string) (breaker.Store, error) {
	if name == "" || name == inMemory || p.options.testing {
		return p.shared.kept.breakerMemory(), nil
	}
	err := checkStore(name, []string{inMemory, inRedis, inSQL}, slices.Concat(sqlSchemes, redisSchemes))
	if err != nil {
		return nil, fmt.Errorf("store: %w", err)
	}
	switch name {
	case inSQL:
		name, err = p.firstDatabase()
	case inRedis:
		name, err = p.redisURL()
	}
	if err != nil {
		return nil, fmt.Errorf("store: %w", err)
	}
	if !isRedis(name) {
		return &lateBreakers{late[breaker.SQL]{open: func() (*breaker.SQL, error) { return p.openBreakers(name) }}}, nil
	}
	client, err := p.redisClient(name)
	if err != nil {
		return nil, fmt.Errorf("store: %w", err)
	}
	return breaker.NewRedis(client, ""), nil
}

var errNoDatabase = errors.New(`"sql" is the first database of the app, and none is open yet: call app:db before, or give the URL, as in "sqlite:app.db"`)

func (p *Program) firstDatabase() (string, error) {
	p.databases.mu.Lock()
	defer p.databases.mu.Unlock()
	if len(p.databases.list) == 0 {
		return "", errNoDatabase
	}
	return p.databases.list[0].place.url, nil
}

// openBreakers makes the table.
func (p *Program) openBreakers(url string) (*breaker.SQL, error) {
	d, err := p.pools.acquire(p.storePool(url, "breakers"))
	if err != nil {
		return nil, err
	}
	ctx, cancel := context.WithTimeout(context.Background(), openTime)
	defer cancel()
	store, err := breaker.NewSQL(ctx, d.DB)
	if err != nil {
		return nil, errors.Join(err, d.release())
	}
	return store, p.stores.atClose(d.release)
}

// lateBreakers is a store that is opened when it is first used.
type lateBreakers struct{ late[breaker.SQL] }

// Load implements breaker.Store.
func (l *lateBreakers) Load(ctx context.Context, names []string) ([]breaker.Record, error) {
	store, err := l.get(ctx)
	if err != nil {
		return nil, err
	}
	return store.Load(ctx, names)
}

// Save implements breaker.Store.
func (l *lateBreakers) Save(ctx context.Context, r breaker.Record) error {
	store, err := l.get(ctx)
	if err != nil {
		return err
	}
	return store.Save(ctx, r)
}

// Delete implements breaker.Store.
func (l *lateBreakers) Delete(ctx context.Context, name string) error {
	store, err := l.get(ctx)
	if err != nil {
		return err
	}
	return store.Delete(ctx, name)
}

// Close implements breaker.Store; the program closes what was opened.
func (l *lateBreakers) Close() error { return nil }

// breakerMemory returns the breakers in memory, which a reload does not reset.
func (k *kept) breakerMemory() *breaker.Memory {
	k.mu.Lock()
	defer k.mu.Unlock()
	if k.breakers == nil {
		k.breakers = breaker.NewMemory()
	}
	return k.breakers
}

// breakerNotes returns what is known of breakers while their store is away, which a reload does not forget.
func (k *kept) breakerNotes() *breaker.Notes {
	k.mu.Lock()
	defer k.mu.Unlock()
	if k.notes == nil {
		k.notes = breaker.NewNotes()
	}
	return k.notes
}

// checkMemory returns what checks have found out about backends, which a reload does not forget.
func (k *kept) checkMemory() *health.Memory {
	k.mu.Lock()
	defer k.mu.Unlock()
	if k.checks == nil {
		k.checks = health.NewMemory()
	}
	return k.checks
}

// sourceMemory returns what sources have named as backends, which a reload does not forget.
func (k *kept) sourceMemory() *discover.Memory {
	k.mu.Lock()
	defer k.mu.Unlock()
	if k.sources == nil {
		k.sources = discover.NewMemory()
	}
	return k.sources
}

// makers make the connections to backends that are spoken to in another way.
func (p *Program) makers(o *poolOptions) map[string]upstream.Maker {
	f := o.FastCGI
	if f == nil {
		f = &fastcgiOptions{}
	}
	return map[string]upstream.Maker{"fastcgi": func(t transport.Options) (http.RoundTripper, error) {
		network := "tcp"
		if strings.HasPrefix(t.Address, "/") {
			network = "unix"
		}
		root := f.Root
		if root == "" {
			return nil, errors.New(`option "fastcgi.root" is missing: the folder with the scripts, as the application sees it`)
		}
		return fastcgi.New(fastcgi.Options{Network: network, Address: t.Address, Root: p.path(root), Index: f.Index, Extension: f.Extension,
			Front: f.Front, Env: f.Env, Connect: t.Connect, Response: t.Response, Idle: t.ReadIdle, Logger: p.log()})
	}}
}
