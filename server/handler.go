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
	"time"

	"rws/server/cancel"
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

	toldDropped atomic.Bool // see dropped
	retired     atomic.Bool // takes no more requests
	idle        chan struct{}
	onIdle      func() // closes idle, once

	life    exchange.Life
	leave   func()                      // closes life.Leaving, once
	force   func(cause error)           // ends life.Force
	onClose func(context.Context) error // closes the app, once
}

// around is what a handler gets from the server it is in.
type around struct {
	log    *slog.Logger
	access *logs.AccessLogger // nil for none
	shed   *shed              // nil for never
	// misdirected reports whether a request came over a connection for another host; nil for never.
	misdirected func(*http.Request) bool
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
	leaving := make(chan struct{})
	h.life.Leaving = leaving
	force := new(cancel.Context)
	h.life.Force, h.force = force, func(cause error) { force.End(context.Canceled, cause) }
	h.leave = sync.OnceFunc(func() { close(leaving) })
	h.onIdle = sync.OnceFunc(func() { close(h.idle) })
	h.onClose = onceClose(app)
	return h, nil
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

// enter counts a request in; it reports false when the handler takes no more. Either the one
// who retires the handler sees the count, or we see that it is retired.
func (h *Handler) enter() bool {
	h.inflight.Add(1)
	if !h.retired.Load() {
		return true
	}
	h.exit()
	return false
}

func (h *Handler) exit() {
	if h.inflight.Add(-1) == 0 && h.retired.Load() {
		h.onIdle()
	}
}

// retire takes no more requests, and tells those that are here.
func (h *Handler) retire() {
	h.leave()
	h.inflight.Add(1) // so that exit below notices when nobody is here
	h.retired.Store(true)
	h.exit()
}

// Why the context of a request ended before the request did, as [context.Cause] tells.
var (
	ErrReplaced = errors.New("the app was replaced, and the request took longer than the grace")
	ErrStopped  = errors.New("the server stops, and the request took longer than the grace")
)

// lastWords is how long requests may take to return when their contexts have ended.
const lastWords = 2 * time.Second

// drain retires the handler, waits for the requests until ctx is done, then ends their contexts
// for the given cause. It returns how many it had to end.
func (h *Handler) drain(ctx context.Context, cause error) (ended int64) {
	h.retire()
	select {
	case <-h.idle:
		return 0
	case <-ctx.Done():
	}
	ended = h.inflight.Load()
	h.force(cause)
	timer := time.NewTimer(lastWords)
	defer timer.Stop()
	select {
	case <-h.idle:
	case <-timer.C:
		h.around.log.Error("requests go on although their contexts have ended; the app is closed under them", "requests", h.inflight.Load())
	}
	return ended
}

// closing is how long App.Close may take.
const closing = 10 * time.Second

func (h *Handler) closeApp() error {
	h.force(ErrStopped) // frees the context; nobody is left to hear it
	ctx, cancel := context.WithTimeout(context.Background(), closing)
	defer cancel()
	return h.onClose(ctx)
}

// Close takes no more requests, waits for those in flight until ctx is done, then ends their
// contexts, and closes the app. A [Server] does this by itself.
func (h *Handler) Close(ctx context.Context) error {
	ended := h.drain(ctx, ErrStopped)
	return errors.Join(brokenOff(ended), h.closeApp())
}

// brokenOff is the error that tells how many requests did not end in time.
func brokenOff(n int64) error {
	if n == 0 {
		return nil
	}
	return fmt.Errorf("broke off %d request(s) that took longer than the grace", n)
}
