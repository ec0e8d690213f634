// Package luabind is rws as a script sees it: it loads an app.lua into isolates, offers
// the modules of the engine to it, and turns what it declares into a server.App.
//
// One file holds one Lua module or one kind of object; Modules lists them all. The
// documentation of every name is in stdlib, and a test holds both equal.
package luabind

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"net/http"
	"os"
	"path/filepath"
	"runtime"
	"slices"
	"strings"
	"sync"
	"sync/atomic"
	"time"

	lua "github.com/yuin/gopher-lua"

	"rws/luabind/bind"
	"rws/luabind/fault"
	"rws/luabind/vm"
	"rws/server"
	"rws/server/certs"
	"rws/server/client"
	"rws/server/httpcache"
	"rws/server/template"
)

// Options say how to load a script.
type Options struct {
	// File is the script's path; its folder is the app's. With Source set, File is only
	// a name and Dir the folder.
	File   string
	Source string
	Dir    string
	// Flags are settings from the command line, by flag name.
	Flags map[string]string
	// Environ is the environment, as os.Environ gives it. Below it are the variables of .env in the app's
	// folder, unless NoDotEnv is set.
	Environ  []string
	NoDotEnv bool
	// Logger makes the logger for what rws.log writes and what goes wrong, from the
	// configuration: before the script runs, and again when app:config has spoken.
	// Default: nowhere.
	Logger func(*Config) *slog.Logger
	// Excerpts logs failures with the lines of the script around them, for people.
	Excerpts bool
	// Output takes what print writes. Default: nowhere.
	Output io.Writer
	// Transport replaces the network for rws.http, as tests do. Default: the network.
	Transport http.RoundTripper
	// Clock replaces the wall clock of rws.now and rws.sleep, as tests do.
	Clock Clock
	// Version is shown to scripts as rws.version.
	Version string
	// Shared is the store of app.shared, kept over reloads. Default: a new one.
	Shared *Shared
	// Pools are the open databases, kept over reloads. Default: none.
	Pools *Pools
	// Databases says what app:db opens. Default: what the script names.
	Databases Databases

	testing bool // see RunTests
	// What loadLimit and loadNotice are in tests.
	loadLimit, loadNotice time.Duration
	certPoll              time.Duration // between looks at the files of app:tcp; default that of certs
}

// A Program is a script that has been loaded and the app it declared. Close it when no
// request uses it any more.
type Program struct {
	Config *Config
	App    *server.App

	options   Options
	logger    *slog.Logger
	dir       string
	root      *os.Root
	environ   map[string]string
	states    []*state
	turn      atomic.Uint32
	templates *template.Engine
	client    *client.Client
	shared    *Shared
	pools     *Pools
	databases databases
	stores    stores
	fallback  http.Handler // answers what no route does
	misses    misses
	dev       *development   // nil in production
	pages     []string       // folders of app:static in the app's
	statics   []staticFolder // of app:static, in the order of the script
	later     []func() error // see whenConfigured
	limits    []*limit       // in the order of the script
	tokens    tokens
	measured  bool       // app:metrics was called
	health    *appHealth // of app:health; nil for none
	operators []*route   // of app:health and app:metrics
	tls       []*tlsSite // of app:tls, in the order of the script
	// httpCaches are those of rws.http_cache, in the order of their declaration.
	httpCaches  []*httpcache.Cache
	upstreams   []*Upstream     // in the order of the script
	present     context.Context // until another program has taken the place of this one
	pass        context.CancelFunc
	streams     []server.Stream // of app:tcp and app:udp
	relays      []*relayed      // the same
	certs       []*certs.Store  // of app:tcp
	proxied     []*proxied      // in the order of the script
	trials      []*trial        // the same of app:canary
	mirrored    []*mirrored     // the same of app:mirror
	asides      []http.Handler  // see aside
	fullMetrics sync.Map        // names of metrics with no room for more labels

	mu      sync.Mutex
	sources map[string]string // as loaded, for excerpts
	files   map[string]bool   // what a reload depends on
	closed  sync.Once
	ending  atomic.Bool
}

// A state is what one isolate of a program holds beside its Lua values. Its fields are
// guarded by the isolate's lock.
type state struct {
	program      *Program
	isolate      *vm.Isolate
	loading      bool
	main         *lua.FunctionProto // the script
	root         *App
	routes       []*route
	parts        []*App // groups and hosts
	hooks        map[string][]*lua.LFunction
	errors       map[int]*lua.LFunction // by status; 0 is all
	tests        []Test
	modules      map[string]lua.LValue     // what require returned
	pending      map[string]*pendingModule // by name
	requires     *lua.LFunction            // the global require
	globals      map[string]lua.LValue     // env, rws, app
	contexts     lua.LValue                // metatable of requests
	responses    lua.LValue                // and of their answers
	enter        *lua.LFunction            // see entry
	segments     map[*segment]*lua.LUserData
	migrators    []*lua.LFunction  // of db:migrate
	shapes       shapes            // of rows
	callbacks    []*lua.LFunction  // that Go calls for requests
	limits       map[string]string // where the limit of a name was declared
	late         []*App            // that may have idle middleware
	guardsBehind []guardBehind
	health       bool     // app:health was called
	httpCaches   int      // how many the script has declared so far
	upstreams    int      // the same
	trials       int      // the same of app:canary
	asides       []*route // see aside
	tls          int      // the same of app:tls
}

func stateOf(L *lua.LState) *state { return vm.Data(L).(*state) }

// Load runs the script, once per isolate, and returns what it declared. An error is a
// *fault.Error when it is the script's.
func Load(o Options) (*Program, error) {
	p, err := prepare(o)
	if err != nil {
		return nil, err
	}
	if err := p.load(); err != nil {
		p.Close(context.Background())
		return nil, err
	}
	return p, nil
}

// prepare reads everything but the script.
func prepare(o Options) (*Program, error) {
	if o.Logger == nil {
		o.Logger = func(*Config) *slog.Logger { return slog.New(slog.DiscardHandler) }
	}
	if o.Clock == nil {
		o.Clock = SystemClock{}
	}
	if o.Shared == nil {
		o.Shared = NewShared()
	}
	if o.Pools == nil {
		o.Pools = NewPools()
	}
	dir := o.Dir
	if dir == "" {
		dir = filepath.Dir(o.File)
	}
	dir, err := filepath.Abs(dir)
	if err != nil {
		return nil, fmt.Errorf("finding the folder of %s: %w", o.File, err)
	}
	root, err := os.OpenRoot(dir)
	if err != nil {
		return nil, fmt.Errorf("opening the app's folder: %w", err)
	}
	p := &Program{
		options: o, dir: dir, root: root, shared: o.Shared, pools: o.Pools,
		sources: make(map[string]string), files: make(map[string]bool),
		client: client.New(client.Options{RoundTrip: o.Transport}),
	}
	p.present, p.pass = context.WithCancel(context.Background())
	if p.environ, err = p.environment(); err == nil {
		p.Config, err = newConfig(p.environ, o.Flags)
	}
	if err != nil {
		root.Close()
		return nil, err
	}
	p.logger = o.Logger(p.Config)
	p.shared.kept.acquire()
	return p, nil
}

// load runs the script in the isolates and compiles what it declared.
func (p *Program) load() error {
	source, err := p.script()
	if err != nil {
		return err
	}
	first, err := p.boot(0, source)
	if err != nil {
		return err
	}
	if err := p.Config.overlay(p.environ, p.options.Flags); err != nil {
		return err
	}
	if err := p.Config.checkTLS(); err != nil {
		return err
	}
	if err := joinFaults("the settings are wrong", slices.Concat(p.checkAllowed(), p.Config.checkState(), p.Config.checkProxies(), p.Config.checkListeners(len(p.TLS()) > 0), p.checkChallenges(), p.checkAddresses(), p.checkAccessLog(), p.checkMetricsPath())); err != nil {
		return err
	}
	p.logger = p.options.Logger(p.Config)
	n := p.Config.Isolates
	if n == 0 {
		n = runtime.GOMAXPROCS(0)
	}
	if err := first.checkLibrary(); err != nil {
		return err
	}
	if n > 1 {
		if err := first.checkShareable(); err != nil {
			return err
		}
	}
	for i := 1; i < n; i++ {
		s, err := p.boot(i, source)
		if err == nil {
			err = s.agree(first)
		}
		if err != nil {
			return err
		}
	}
	limit := p.settings().Memory()
	for _, s := range p.states {
		s.isolate.SetMemoryLimit(limit)
		s.isolate.SetStall(p.Config.Stall) // which the script may have set
	}
	if err := p.configured(); err != nil {
		return err
	}
	p.templates = template.New(p.templateFiles(), template.Options{Reload: !p.Config.Production()})
	return p.compile()
}

// boot makes isolate number n and runs the script in it.
func (p *Program) boot(n int, source string) (*state, error) {
	s := &state{
		program: p, loading: true,
		hooks: make(map[string][]*lua.LFunction), errors: make(map[int]*lua.LFunction),
		modules: make(map[string]lua.LValue), pending: make(map[string]*pendingModule), globals: make(map[string]lua.LValue),
	}
	s.isolate = vm.New(vm.Options{Number: n, Data: s, OnError: fault.Capture, Caught: fault.Caught, Output: p.options.Output})
	p.states = append(p.states, s)
	run := &vm.Run{Stall: loadStall}
	limit := cmp.Or(p.options.loadLimit, loadLimit)
	run.SetDeadline(time.Now().Add(limit))
	defer s.noticeWait(cmp.Or(p.options.loadNotice, loadNotice))()
	err := s.isolate.Do(run, func(L *lua.LState) error {
		s.open(L)
		fn, err := s.compileChunk(L, p.Main(), source)
		if err != nil {
			return err
		}
		s.main = fn.Proto
		if _, err := vm.Call(L, L.NewFunction(func(L *lua.LState) int {
			defer vm.KeepOverflow(L)
			L.Push(fn)
			L.Call(0, 0)
			return 0
		})); err != nil {
			return tooSlow(run, limit, err)
		}
		s.isolate.Seal(L)
		return nil
	})
	s.loading = false
	return s, err
}

// Main returns how the main file is called in errors.
func (p *Program) Main() string { return filepath.Base(p.options.File) }

// compileChunk compiles source as the file called name.
func (s *state) compileChunk(L *lua.LState, name, source string) (*lua.LFunction, error) {
	s.program.keep(name, fault.Clean(source))
	return fault.Load(L, name, source)
}

// open gives an isolate the three globals and require.
func (s *state) open(L *lua.LState) {
	bind.Prepare(L)
	fault.Install(L)
	for _, t := range types() {
		t.Open(L)
	}
	s.contexts, s.responses = L.GetTypeMetatable(contextType), L.GetTypeMetatable(responseType)
	s.root = &App{state: s}
	s.globals["app"] = bind.New(L, appType, s.root)
	s.globals["rws"] = s.library(L)
	s.globals["env"] = bind.FromGo(L, s.program.environ)
	for name, v := range s.globals {
		L.SetGlobal(name, v)
	}
	s.requires = L.NewFunction(s.require)
	L.SetGlobal("require", s.requires)
	s.isolate.Prepared(L)
}

// library makes the table rws.
func (s *state) library(L *lua.LState) *lua.LTable {
	var top *lua.LTable
	for _, m := range Modules() {
		t := m.Open(L)
		if m.Name == "rws" {
			top = t
			top.RawSetString("version", lua.LString(s.program.options.Version))
			continue
		}
		parent := top
		parts := strings.Split(m.Name, ".")
		for _, part := range parts[1 : len(parts)-1] {
			parent = parent.RawGetString(part).(*lua.LTable)
		}
		strict(L, t, m.Name)
		parent.RawSetString(parts[len(parts)-1], t)
	}
	strict(L, top, "rws")
	return top
}

// strict makes reading a field that a module does not have an error.
func strict(L *lua.LState, t *lua.LTable, name string) {
	mt := L.NewTable()
	mt.RawSetString("__index", L.NewFunction(func(L *lua.LState) int {
		key := L.Get(2).String()
		fault.Raise(L, unknownField(name, key, bind.Keys(t)))
		return 0
	}))
	t.Metatable = mt
}

// Ending says that the process stops with this program: Close then runs the functions of
// app:on("stop") first.
func (p *Program) Ending() { p.ending.Store(true) }

// Close frees what the program holds. No request may use it any more.
func (p *Program) Close(ctx context.Context) (err error) {
	p.closed.Do(func() {
		p.pass()
		if p.ending.Load() {
			err = p.states[0].runHooks(ctx, "stop")
		}
		for _, s := range p.states {
			s.isolate.Close()
		}
		p.client.Close()
		p.shared.kept.end(p)
		err = errors.Join(err, p.stores.close(), p.shared.kept.release(), p.closeDatabases())
		p.root.Close()
	})
	return err
}

// unknownField is the error for a field that an object does not have.
func unknownField(object, key string, names []string) *fault.Error {
	return &fault.Error{Code: "field", Message: fmt.Sprintf("%s has no field %q%s", object, key, didYouMean(key, names))}
}
