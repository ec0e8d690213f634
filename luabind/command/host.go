package command

import (
	"bytes"
	"context"
	"errors"
	"net/http"
	"path/filepath"

	lua "github.com/yuin/gopher-lua"

	"rws/luabind"
	"rws/luabind/luadoc"
	"rws/luabind/repl"
	"rws/luabind/vm"
	"rws/server"
)

// A host is an app as a console sees it: one that is being served, or one that was only
// loaded.
type host struct {
	program func() *luabind.Program
	handler func() *server.Handler
	reload  func(ctx context.Context) error
	url     string
	docs    *luadoc.Package
	source  bool // there is a script
}

var _ repl.Host = (*host)(nil)

// newHost returns the host of a program that is not served.
func newHost(p *luabind.Program, source bool) (*host, error) {
	h, err := server.Compile(p.App)
	if err != nil {
		return nil, err
	}
	docs, err := luadoc.ParseFS(faces())
	if err != nil {
		return nil, err
	}
	return &host{
		program: func() *luabind.Program { return p }, handler: func() *server.Handler { return h }, docs: docs, source: source,
		reload: func(context.Context) error {
			return errors.New("the app is not being served: leave and start the console again")
		},
	}, nil
}

// host returns the host of the site.
func (s *site) host() (*host, error) {
	docs, err := luadoc.ParseFS(faces())
	if err != nil {
		return nil, err
	}
	h := &host{program: s.current, handler: s.server.Handler, docs: docs, source: true, reload: func(ctx context.Context) error { return s.reload(ctx, nil, s.reloadRefused) }}
	if open := s.server.Listening(); len(open) > 0 {
		h.url = address(open[0])
	}
	return h, nil
}

func (h *host) Isolate() *vm.Isolate { return h.program().Isolates()[0] }

func (h *host) Main() string {
	if !h.source {
		return ""
	}
	return h.program().Main()
}

func (h *host) Source(file string) (string, bool) { return h.program().Source(file) }

func (h *host) Path(file string) string {
	if _, ok := h.Source(file); !ok || !h.source {
		return ""
	}
	return filepath.Join(h.program().Dir(), file)
}

func (h *host) Chunk() *lua.FunctionProto {
	if !h.source {
		return nil
	}
	return h.program().Chunk()
}

func (h *host) Functions() []*lua.LFunction { return h.program().Functions() }

func (h *host) Docs() *luadoc.Package { return h.docs }

func (h *host) Routes() []repl.Route {
	var list []repl.Route
	for _, s := range h.handler().Stats().Routes {
		r := s.Route
		if isOwn(r) {
			continue
		}
		list = append(list, repl.Route{
			Method: r.Method, Host: r.Host, Pattern: r.Pattern, Name: r.Name, Source: r.Source, Kind: r.Kind, Middleware: r.Middleware,
			Load: repl.Load{Count: s.Count, Errors: s.Errors, Time: s.Time, Slowest: s.Slowest},
		})
	}
	return list
}

func (h *host) Serve(w http.ResponseWriter, r *http.Request, user lua.LValue) error {
	if user != nil {
		as, err := h.program().As(r, user)
		if err != nil {
			return err
		}
		r = as
	}
	h.handler().ServeHTTP(w, r)
	return nil
}

func (h *host) Why(method, path string) string {
	var b bytes.Buffer
	q, _, err := parseQuestion([]string{method, path}, "localhost")
	if err != nil {
		return err.Error()
	}
	(&terminal{out: &b}).why(q, h.handler(), h.program().Early(), false)
	return b.String()
}

// consoleRows is how many rows of a statement a console shows.
const consoleRows = 100

// data are the databases of the present program.
type data struct{ *luabind.Program }

func (h *host) Data() repl.Data { return data{h.program()} }

func (d data) Databases() []repl.Database {
	var list []repl.Database
	for _, info := range d.Program.Databases() {
		list = append(list, repl.Database{Name: info.Name, Label: info.Label})
	}
	return list
}

func (d data) Tables(ctx context.Context) ([]repl.Table, error) {
	tables, err := d.Program.Tables(ctx)
	list := make([]repl.Table, 0, len(tables))
	for _, t := range tables {
		table := repl.Table{Database: t.Database, Name: t.Name, View: t.View}
		for _, c := range t.Columns {
			table.Columns = append(table.Columns, repl.Column{Name: c.Name, Type: c.Type, Nullable: c.Nullable, Key: c.Key > 0})
		}
		list = append(list, table)
	}
	return list, err
}

func (d data) Query(ctx context.Context, database, statement string, readOnly bool) (*repl.Rows, error) {
	r, err := d.Program.Query(ctx, database, statement, readOnly, consoleRows)
	if err != nil {
		return nil, err
	}
	return &repl.Rows{Columns: r.Columns, Lines: r.Rows, Numbers: r.Numbers, More: r.More, Affected: r.Affected}, nil
}

func (h *host) Reload(ctx context.Context) error { return h.reload(ctx) }

func (h *host) URL() string { return h.url }
