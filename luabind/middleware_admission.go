package luabind

import (
	"errors"
	"fmt"
	"io/fs"
	"net/http"
	"net/url"
	"path/filepath"
	"slices"
	"strings"
	"time"

	lua "github.com/yuin/gopher-lua"

	"rws/luabind/bind"
	"rws/server/exchange"
	"rws/server/middleware"
)

// admissionFuncs make middleware that says who may come in, when, and how many at once.
func admissionFuncs() []bind.Func {
	return []bind.Func{
		bind.Raw("ip_filter(options)", ipFilter),
		bind.Raw("maintenance(options)", maintenance),
		bind.Raw("concurrency(options)", concurrency),
		bind.Raw("timeout(duration)", timeout),
	}
}

// ipFilterOptions are the options of rws.ip_filter.
type ipFilterOptions struct {
	Allow      []string `json:"allow"`
	Deny       []string `json:"deny"`
	AllowFiles []string `json:"allow_files"`
	DenyFiles  []string `json:"deny_files"`
}

func ipFilter(L *lua.LState) int {
	o := options[ipFilterOptions](L, "ip_filter", `{ allow = { "10.0.0.0/8" } }`)
	return push(L, &Middleware{Name: "ip_filter", Guard: true}, func(p *Program) (func(http.Handler) http.Handler, error) {
		f, err := middleware.NewIPFilter(middleware.IPFilterOptions{
			Allow: o.Allow, Deny: o.Deny, AllowFiles: p.paths(o.AllowFiles), DenyFiles: p.paths(o.DenyFiles),
			Logger: p.options.Logger(p.Config), // as app:config has it so far; that of the program comes when all is loaded
		})
		if err != nil {
			return nil, filterOption(err)
		}
		return f.Wrap, p.stores.atClose(f.Close)
	})
}

// filterOption says which option an error of an IP filter is about.
func filterOption(err error) error {
	text := strings.TrimPrefix(err.Error(), "ip filter: ")
	name, rest, ok := strings.Cut(text, ": ")
	if name = strings.ReplaceAll(name, " ", "_"); !ok || !slices.Contains([]string{"allow", "deny", "allow_files", "deny_files"}, name) {
		return err
	}
	return badOption(name, "%s", rest)
}

// paths places files in the app's folder.
func (p *Program) paths(names []string) []string {
	var list []string
	for _, name := range names {
		list = append(list, p.path(name))
	}
	return list
}

// maintenanceOptions are the options of rws.maintenance.
type maintenanceOptions struct {
	File       string         `json:"file"`
	Page       string         `json:"page"`
	Allow      []string       `json:"allow"`
	RetryAfter *time.Duration `json:"retry_after"`
}

func maintenance(L *lua.LState) int {
	o := options[maintenanceOptions](L, "maintenance", `{ file = "maintenance.html" }`)
	mo := middleware.MaintenanceOptions{Allow: o.Allow}
	var err error
	switch {
	case o.File == "":
		err = errors.New(`option "file": the name of a file expected: the service is in maintenance while it exists`)
	case o.Page != "" && !strings.HasPrefix(strings.TrimSpace(o.Page), "<"):
		err = fmt.Errorf("option \"page\": HTML expected, which begins with \"<\", got %q", o.Page)
	case o.RetryAfter != nil && *o.RetryAfter < time.Second:
		err = fmt.Errorf("option \"retry_after\": %s: a second or more expected", *o.RetryAfter)
	}
	if err != nil {
		raiseOption(L, "rws.maintenance", err)
	}
	if o.Page != "" {
		mo.Page = []byte(o.Page)
	}
	if o.RetryAfter != nil {
		mo.RetryAfter = *o.RetryAfter
	}
	return push(L, &Middleware{Name: "maintenance", Guard: true}, func(p *Program) (func(http.Handler) http.Handler, error) {
		mo.File, mo.Folder = p.path(o.File), p.folderOf(o.File)
		p.whenConfigured(L, "rws.maintenance", func() error { return p.checkSwitch(o.File) })
		m, err := middleware.NewMaintenance(mo)
		if err != nil {
			return nil, err
		}
		return p.sparing(m.Wrap), nil
	})
}

// folderOf opens the folder that scripts may name a file in, each time, as it may be replaced.
func (p *Program) folderOf(name string) func() (fs.FS, string, func(), error) {
	return func() (fs.FS, string, func(), error) {
		root, below, done, err := p.rooted(name)
		if err != nil {
			return nil, "", nil, err
		}
		return root.FS(), filepath.ToSlash(below), done, nil
	}
}

// checkSwitch refuses a file that may come into being in no folder that scripts may name, or in none
// that exists.
func (p *Program) checkSwitch(name string) error {
	root, below, done, err := p.rooted(name)
	if err != nil {
		return atOption("file", err)
	}
	defer done()
	info, err := root.Stat(filepath.Dir(below))
	if err == nil && !info.IsDir() {
		err = errors.New("it is no folder")
	}
	if err != nil {
		return badOption("file", "%q: looking at its folder: %w", name, plainly(err))
	}
	return nil
}

// sparing puts handlers behind wrap, but for the routes of health and metrics: those are of who runs the
// service, also while it is in maintenance.
func (p *Program) sparing(wrap middleware.Func) middleware.Func {
	return func(next http.Handler) http.Handler {
		closed := wrap(next)
		return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
			if p.isOperators(r) {
				next.ServeHTTP(w, r)
				return
			}
			closed.ServeHTTP(w, r)
		})
	}
}

// isOperators reports whether r goes to a route of app:health or app:metrics.
func (p *Program) isOperators(r *http.Request) bool {
	if r.Method != http.MethodGet && r.Method != http.MethodHead {
		return false
	}
	path := r.URL.EscapedPath()
	return slices.ContainsFunc(p.operators, func(o *route) bool {
		return o.pattern == path && (o.host == "" || strings.EqualFold(o.host, (&url.URL{Host: r.Host}).Hostname()))
	})
}

// concurrencyOptions are the options of rws.concurrency.
type concurrencyOptions struct {
	Max    *int           `json:"max"`
	PerKey *int           `json:"per_key"`
	By     string         `json:"by"`
	Queue  *int           `json:"queue"`
	Wait   *time.Duration `json:"wait"`
}

func concurrency(L *lua.LState) int {
	o := options[concurrencyOptions](L, "concurrency", "{ max = 100 }")
	co := middleware.ConcurrencyOptions{KeyOptions: middleware.KeyOptions{By: o.By, User: countedUser}}
	var limits []string
	for _, n := range []struct {
		name  string
		value *int
		to    *int
		text  string
	}{{"max", o.Max, &co.Max, "%d in all"}, {"per_key", o.PerKey, &co.PerKey, "%d each"}, {"queue", o.Queue, &co.Queue, "%d wait"}} {
		if n.value == nil {
			continue
		}
		if *n.value < 1 {
			raiseOption(L, "rws.concurrency", fmt.Errorf("option %q: %d: 1 or more expected; leave it out for none", n.name, *n.value))
		}
		*n.to = *n.value
		limits = append(limits, fmt.Sprintf(n.text, *n.value))
	}
	if o.Wait != nil {
		if co.Wait = *o.Wait; co.Wait <= 0 {
			raiseOption(L, "rws.concurrency", fmt.Errorf("option \"wait\": %s: more than nothing expected; leave out wait and queue for requests not to wait", *o.Wait))
		}
	}
	if o.By != "" && o.PerKey == nil {
		raiseOption(L, "rws.concurrency", fmt.Errorf("option \"by\": %q says what per_key counts by, and there is no per_key", o.By))
	}
	return push(L, &Middleware{Name: "concurrency", Limit: strings.Join(limits, ", "), perUser: o.By == "user"}, func(*Program) (func(http.Handler) http.Handler, error) {
		return middleware.Concurrency(co)
	})
}

// countedUser names the user of a request as the guard before has told: the subject of a token, the
// id of a key, else the name; "" for nobody.
func countedUser(r *http.Request) string {
	e := exchange.From(r.Context())
	if e == nil {
		return ""
	}
	if name, ok := e.User.(string); ok {
		return name
	}
	user, _ := e.User.(map[string]any)
	for _, key := range []string{"sub", "id", "name"} {
		if name, ok := user[key].(string); ok && name != "" {
			return name
		}
	}
	return ""
}

func timeout(L *lua.LState) int {
	d := bind.Arg[time.Duration](L, "rws.timeout", 1)
	return push(L, &Middleware{Name: "timeout", Limit: showDuration(d)}, func(*Program) (func(http.Handler) http.Handler, error) {
		return middleware.Timeout(d)
	})
}
