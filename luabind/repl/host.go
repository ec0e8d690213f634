package repl

import (
	"context"
	"errors"
	"net/http"
	"time"

	lua "github.com/yuin/gopher-lua"

	"rws/luabind/luadoc"
	"rws/luabind/vm"
)

// ErrNoUser is returned by Host.Serve when the app can't act for a given user.
var ErrNoUser = errors.New("this app can't act for a user: log in with post(\"/login\", { form = { … } }) instead")

// A Host is the app that sessions look into. Its methods are safe for concurrent use.
type Host interface {
	// Isolate returns where lines run: the present app's first isolate. A reload makes
	// it another one.
	Isolate() *vm.Isolate
	// Main is the name of the script in errors, "app.lua"; "" when there is no script.
	Main() string
	// Source returns the text of a script file as it was loaded.
	Source(file string) (string, bool)
	// Path returns where a script file is on disk, "" when it is not.
	Path(file string) string
	// Chunk is the compiled main function of the script, of which Functions are parts;
	// nil when there is no script.
	Chunk() *lua.FunctionProto
	// Functions returns the functions that the script handed to rws: handlers,
	// middleware, jobs, hooks. It is called inside a run of Isolate.
	Functions() []*lua.LFunction
	// Docs are the faces of the library. It may be nil.
	Docs() *luadoc.Package
	// Routes returns the routes in the order of their declaration, with their counters.
	Routes() []Route
	// Serve answers r in process, as the server would, and ends with r's context. With a
	// user other than nil it acts for that user: c.user is the value, which belongs to
	// Isolate; an app that can't returns ErrNoUser. It is called with the isolate's lock
	// released.
	Serve(w http.ResponseWriter, r *http.Request, user lua.LValue) error
	// Why says which routes and middleware would answer, as lines of text.
	Why(method, path string) string
	// Data are the databases of the app, nil when it has none.
	Data() Data
	// Reload loads the script again. It returns why the present version stays.
	Reload(ctx context.Context) error
	// URL is where the app listens, "http://localhost:3000"; "" when it does not.
	URL() string
}

// A Route is one declaration of the app.
type Route struct {
	Method     string // "" for all
	Host       string
	Pattern    string
	Name       string
	Source     string // file:line
	Kind       string // "lua", "static", "proxy", …
	Middleware []string
	Load
}

// Load is what a route has had to do since its app was put in place.
type Load struct {
	Count   int64
	Errors  int64         // of these, with status 500 or above
	Time    time.Duration // sum
	Slowest time.Duration
}

// Mean returns the average time of an answer.
func (l Load) Mean() time.Duration {
	if l.Count == 0 {
		return 0
	}
	return l.Time / time.Duration(l.Count)
}
