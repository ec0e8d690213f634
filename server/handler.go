package server

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"net/http"
	"slices"
	"sync"
	"sync/atomic"

	"rws/server/exchange"
	"rws/server/logs"
	"rws/server/proxy"
	"rws/server/router"
)

// Handler answers requests with an [App]. Made by [Compile].
type Handler struct {
	app      *App
	settings Settings // complete
	table    *router.Table[*route]
	routes   []*route     // in the order of App.Routes
	before   http.Handler // App.Before around the routing
	protect  *proxy.Protected
	around   around

	inflight atomic.Int64
	missed   atomic.Int64 // answers without a route

	background  background
	toldDropped atomic.Bool // see dropped
	retired     atomic.Bool // takes no more requests
	idle        chan struct{}
	onIdle      func() // closes idle, once

	life    exchange.Life
	leave   func()                      // closes life.Leaving, once
	halt    func()                      // closes life.Stopping, once, unless that is the server's
	force   func(cause error)           // ends life.Force
	last    func(cause error)           // ends life.Last
	onSwap  func()                      // App.Replaced, or nothing
	onClose func(context.Context) error // closes the app, once
}

// around is what a handler gets from the server it is in.
type around struct {
	log      *slog.Logger
	access   *logs.AccessLogger // nil for none
	shed     *shed              // nil for never
	stopping <-chan struct{}    // closed when the server stops; nil without one
	// misdirected reports whether a request came over a connection for another host; nil for never.
	misdirected func(*http.Request) bool
	// elsewhere sends such a request on, if it came without TLS; nil for one that has to be refused.
	elsewhere func(*http.Request) http.Handler
}

// route is a Route at work.
type route struct {
	*Route
	maxBody int64        // negative for no limit
	options http.Handler // what Guard stands before; nil without
	counters
}

// Compile makes the handler of an app; the error names every route that cannot be. It does not
// need a [Server], and has what belongs to the app, not to sockets and their owner: no access
// log, no memory limit. Errors are logged to [slog.Default].
func Compile(app *App) (*Handler, error) {
	return compile(app, around{log: slog.Default()})
}

func compile(app *App, a around) (*Handler, error) {
	settings, err := app.Settings.complete()
	faults := []error{err, checkStreams(app.Streams)}
	h := &Handler{app: app, settings: settings, around: a, idle: make(chan struct{})}
	h.protect, err = proxy.Protect(app.Protect)
	faults = append(faults, err)
	if settings.NoAccessLog {
		h.around.access = nil
	}
	b := router.New[*route]()
	for i := range app.Routes {
		r := &route{Route: &app.Routes[i], maxBody: app.Routes[i].MaxBody}
		if r.maxBody == 0 {
			r.maxBody = settings.MaxBody
		}
		if r.Guard != nil {
			r.options = r.Guard(http.HandlerFunc(allowed))
		}
		faults = append(faults, b.Add(router.Route{Host: r.Host, Method: r.Method, Pattern: r.Pattern, Source: r.Source}, r), r.check())
		h.routes = append(h.routes, r)
	}
	if err := errors.Join(faults...); err != nil {
		return nil, err
	}
	h.table = b.Build()
	h.before = http.HandlerFunc(dispatch)
	for _, wrap := range slices.Backward(app.Before) {
		h.before = wrap(h.before)
	}
	h.beginLife()
	h.onIdle = sync.OnceFunc(func() { close(h.idle) })
	if h.onSwap = app.Replaced; h.onSwap == nil {
		h.onSwap = func() {}
	}
	h.onClose = onceClose(app)
	return h, nil
}

// told is the limit for a client whose body is larger than limit: one that heeds it is not refused again.
func (r *route) told(limit int64) int64 {
	if r.LeastBody > 0 {
		return min(limit, r.LeastBody)
	}
	return limit
}

func (r *route) check() error {
	switch {
	case r.Handler == nil:
		return fmt.Errorf("route %s %s: it has no handler", r.Method, r.Pattern)
	case r.Timeout < 0:
		return fmt.Errorf("route %s %s: timeout %s: must not be negative; leave it out for none", r.Method, r.Pattern, r.Timeout)
	}
	return nil
}

// onceClose is a function that closes the app when it is called first, and gives that result
// ever after.
func onceClose(app *App) func(context.Context) error {
	var once sync.Once
	var err error
	return func(ctx context.Context) error {
		once.Do(func() {
			if app.Close != nil {
				err = app.Close(ctx)
			}
		})
		return err
	}
}

// Routes are the routes of the app.
func (h *Handler) Routes() []Route { return h.app.Routes }

// Settings are those of the app, with the defaults filled in.
func (h *Handler) Settings() Settings { return h.settings }

// Explain tells which route answers a request and why the others do not.
func (h *Handler) Explain(host, method, path string) router.Explanation {
	return h.table.Explain(host, method, path)
}
