package luabind

import (
	"fmt"
	"maps"
	"slices"
	"strconv"
	"strings"
	"time"

	lua "github.com/yuin/gopher-lua"

	"rws/luabind/bind"
	"rws/luabind/fault"
	"rws/server/suggest"
)

// Config is what an app runs with: a built-in default, then app:config {}, then an RWS_*
// variable, then a command-line flag. Origin tells which it was.
type Config struct {
	Port        int
	Host        string
	Listen      []ListenConfig
	HTTP3       bool
	EarlyData   bool
	TLSCert     string
	TLSKey      string
	H2C         bool
	Env         string
	Isolates    int // 0 is "auto"
	Timeout     time.Duration
	Stall       time.Duration
	MaxBody     int64
	MaxHeader   int64
	MaxConns    int
	MemoryLimit int64 // 0 is "auto", negative is off
	StopGrace   time.Duration
	Templates   string
	FSAllow     []string
	Log         string
	LogLevel    string
	AccessLog   bool
	Proxies     ProxyConfig
	AccessLogs  AccessLogConfig
	Metrics     MetricsConfig
	StopDelay   time.Duration // 0 is none
	Watch       bool
	Console     bool
	Migrate     string   // migrateAuto, migrateAlways or migrateNever
	Secret      []string // the current one first
	Session     SessionConfig
	Cache       CacheConfig
	Limits      LimitsConfig

	// Unknown are variables of the environment that look like settings and are none.
	Unknown []string

	origin map[string]string
	at     map[string]string // where app:config gave the value, as "app.lua:3"
}

// Origins of a value.
const (
	fromDefault = "default"
	fromScript  = "app:config"
	fromFlag    = "flag"
)

// A Setting is one entry of Config: how it is called, read and shown.
type Setting struct {
	Name    string // in app:config; the flag has "-" for "_" and ".", the variable is RWS_NAME
	Default string
	Doc     string
	read    func(c *Config, text string) error
	show    func(c *Config) string
}

// Flag returns the command-line flag, without the dashes.
func (s Setting) Flag() string { return dashes.Replace(s.Name) }

// dashes is made once: commands ask for hundreds of flags at each start.
var dashes = strings.NewReplacer("_", "-", ".", "-")

// Variable returns the environment variable.
func (s Setting) Variable() string {
	return "RWS_" + strings.ToUpper(strings.ReplaceAll(s.Name, ".", "_"))
}

// Show returns the value in c as it would be written.
func (s Setting) Show(c *Config) string { return s.show(c) }

// Settings returns all settings in the order of the manual.
func Settings() []Setting {
	return append([]Setting{
		intSetting("port", "3000", "TCP port; 0 takes a free one", 0, 65535, func(c *Config) *int { return &c.Port }),
		textSetting("host", "", "address to listen on; empty is all in production, this machine only in development", func(c *Config) *string { return &c.Host }),
		listenSetting(),
		textSetting("tls.cert", "", "certificate file (PEM); with tls.key it turns on HTTPS and HTTP/2", func(c *Config) *string { return &c.TLSCert }),
		textSetting("tls.key", "", "private key file (PEM)", func(c *Config) *string { return &c.TLSKey }),
		boolSetting("http3", "false", "HTTP/3 as well, on the UDP port of each TCP address with TLS", func(c *Config) *bool { return &c.HTTP3 }),
		boolSetting("early_data", "false", "HTTP/3 answers GET, HEAD and OPTIONS in the first flight of a client that comes again and shows its token (0-RTT), which others can send again", func(c *Config) *bool { return &c.EarlyData }),
		boolSetting("h2c", "false", "HTTP/2 without TLS as well", func(c *Config) *bool { return &c.H2C }),
		choiceSetting("env", "development", `"development" shows errors and reloads on save, "production" does neither`, []string{"development", "production"}, func(c *Config) *string { return &c.Env }),
		{"isolates", "1", `Lua isolates that run in parallel; "auto" is one per core`, readIsolates, showIsolates},
		durationSetting("timeout", "30s", "how long a handler may take", func(c *Config) *time.Duration { return &c.Timeout }),
		durationSetting("stall", "1s", "how long Lua may compute without waiting", func(c *Config) *time.Duration { return &c.Stall }),
		sizeSetting("max_body", "10mb", "largest request body", func(c *Config) *int64 { return &c.MaxBody }),
		sizeSetting("max_header", "16kb", "largest request header block", func(c *Config) *int64 { return &c.MaxHeader }),
		intSetting("max_connections", "10000", "connections at a time; more wait in line", 1, 1_000_000, func(c *Config) *int { return &c.MaxConns }),
		{"memory_limit", "auto", `above it new requests get 503; "auto" is 80 % of the machine or container, "off" is none`, readMemory, showMemory},
		durationSetting("stop_grace", "30s", "how long requests may finish when the server stops", func(c *Config) *time.Duration { return &c.StopGrace }),
		spanSetting("stop_delay", "off", "how long the server goes on after SIGTERM while /readyz says 503, so that load balancers leave first", func(c *Config) *time.Duration { return &c.StopDelay }),
		textSetting("templates", "templates", "folder of c:render, inside the app's", func(c *Config) *string { return &c.Templates }),
		listSetting("fs.allow", "", "folders outside the app's that rws.fs may use", func(c *Config) *[]string { return &c.FSAllow }),
		choiceSetting("log", "auto", `"pretty" for people, "json" for machines, "auto" by terminal, "off"`, []string{"auto", "pretty", "json", "off"}, func(c *Config) *string { return &c.Log }),
		choiceSetting("log_level", "info", "least level that is logged", []string{"debug", "info", "warn", "error"}, func(c *Config) *string { return &c.LogLevel }),
		boolSetting("access_log", "true", "a line per request", func(c *Config) *bool { return &c.AccessLog }),
		{"migrate", "auto", `run the migrations of db:migrate at the start: "auto" in development only, "true", "false"`, readMigrate, func(c *Config) string { return c.Migrate }},
		boolSetting("watch", "true", "reload when a file of the app changes, in development", func(c *Config) *bool { return &c.Watch }),
		boolSetting("console", "true", "let the user who runs the server in by `rws attach`; read-only in production", func(c *Config) *bool { return &c.Console }),
	}, slices.Concat(accessLogSettings(), metricsSettings(), proxySettings(), stateSettings())...)
}

// Production reports whether the app runs in production.
func (c *Config) Production() bool { return c.Env == "production" }

// Origin returns where a setting's value came from: "default", "app:config", the name of
// a variable, or a flag.
func (c *Config) Origin(name string) string { return c.origin[name] }

// Addresses returns what to listen on.
func (c *Config) Addresses() []string {
	var list []string
	for _, l := range c.Listen {
		list = append(list, l.Address)
	}
	if list == nil {
		list = []string{c.address()}
	}
	return list
}

// address is that of host and port.
func (c *Config) address() string {
	host := c.Host
	if host == "" && !c.Production() {
		host = "localhost"
	}
	if strings.Contains(host, ":") && !strings.HasPrefix(host, "[") {
		host = "[" + host + "]"
	}
	return host + ":" + strconv.Itoa(c.Port)
}

// newConfig returns the configuration before the script has run: defaults, variables
// and flags. The last two are kept and applied again over what the script says.
func newConfig(environ map[string]string, flags map[string]string) (*Config, error) {
	c := &Config{origin: make(map[string]string), at: make(map[string]string)}
	for _, s := range Settings() {
		if err := c.set(s, s.Default, fromDefault); err != nil {
			return nil, err
		}
	}
	var err error
	if c.Unknown, err = unknownVariables(environ); err != nil {
		return nil, err
	}
	return c, c.overlay(environ, flags)
}

// unknownVariables lists variables that begin with RWS_ and are no settings: they may be the
// script's own. One that is nearly a setting is an error.
func unknownVariables(environ map[string]string) (unknown []string, err error) {
	var known []string
	for _, s := range Settings() {
		known = append(known, s.Variable())
	}
	for _, name := range slices.Sorted(maps.Keys(environ)) {
		if !strings.HasPrefix(name, "RWS_") || slices.Contains(known, name) {
			continue
		}
		for _, k := range known {
			if suggest.Distance(name, k)*3 <= len(name)-len("RWS_") {
				return nil, fmt.Errorf("unknown variable %s (did you mean %s?)", name, k)
			}
		}
		unknown = append(unknown, name)
	}
	return unknown, nil
}

// overlay applies variables and flags.
func (c *Config) overlay(environ, flags map[string]string) error {
	for _, s := range Settings() {
		if text, ok := environ[s.Variable()]; ok {
			if err := c.set(s, text, s.Variable()); err != nil {
				return fmt.Errorf("reading the variable %s: %w", s.Variable(), err)
			}
		}
		if text, ok := flags[s.Flag()]; ok {
			if err := c.set(s, text, fromFlag); err != nil {
				return fmt.Errorf("reading --%s: %w", s.Flag(), err)
			}
		}
	}
	return nil
}

func (c *Config) set(s Setting, text, origin string) error {
	if err := s.read(c, text); err != nil {
		return err
	}
	c.origin[s.Name] = origin
	return nil
}

// fromTable applies app:config { … } and returns what is wrong with it; place tells where a setting
// stands. Nested tables name settings with a dot.
func (c *Config) fromTable(L *lua.LState, t *lua.LTable, prefix string, place func(name string) string) (faults []*fault.Error) {
	settings := Settings()
	wrong := func(name, text string) {
		faults = append(faults, &fault.Error{Code: "option", At: place(name), Message: text})
	}
	for _, key := range bind.Keys(t) {
		name, v := prefix+key, t.RawGetString(key)
		if list, ok := v.(*lua.LTable); ok && name == "listen" {
			if err := c.setListen(L, list, place(name)); err != nil {
				wrong(name, fmt.Sprintf("option %q: %s", name, err))
			}
			continue
		}
		if nested, ok := v.(*lua.LTable); ok && nested.Len() == 0 {
			if !slices.ContainsFunc(settings, func(s Setting) bool { return s.Name == name || strings.HasPrefix(s.Name, name+".") }) {
				wrong(name, unknownSetting(name, settings))
				continue
			}
			faults = append(faults, c.fromTable(L, nested, name+".", place)...)
			continue
		}
		i := slices.IndexFunc(settings, func(s Setting) bool { return s.Name == name })
		if i < 0 {
			wrong(name, unknownSetting(name, settings))
			continue
		}
		text, err := settingText(v)
		if err == nil {
			err = c.set(settings[i], text, fromScript)
			c.at[name] = place(name)
		}
		if err != nil {
			wrong(name, fmt.Sprintf("option %q: %s", name, err))
		}
	}
	if t.Len() > 0 {
		wrong(strings.TrimSuffix(prefix, "."), "options have names, as { port = 3000 }")
	}
	return faults
}

func unknownSetting(name string, settings []Setting) string {
	var names []string
	for _, s := range settings {
		names = append(names, s.Name)
	}
	if option, ok := strings.CutPrefix(name, "tls."); ok && slices.Contains(bind.Names(tlsOptions{}), option) {
		return fmt.Sprintf("unknown option %q: it belongs to app:tls, with the certificate: app:tls { cert = …, key = …, %s = … }", name, option)
	}
	if near := suggest.DidYouMean(name, names); near != "" {
		return fmt.Sprintf("unknown option %q%s", name, near)
	}
	return fmt.Sprintf("unknown option %q; there are %s", name, strings.Join(names, ", "))
}

// settingText returns the text form of a Lua value, lists separated by commas.
func settingText(v lua.LValue) (string, error) {
	switch v := v.(type) {
	case lua.LString, lua.LNumber, lua.LBool:
		return v.String(), nil
	case *lua.LTable:
		parts := make([]string, 0, v.Len())
		for n := 1; n <= v.Len(); n++ {
			parts = append(parts, v.RawGetInt(n).String())
		}
		return strings.Join(parts, ","), nil
	}
	return "", fmt.Errorf("a %s can't be a setting", v.Type())
}
