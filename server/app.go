// Package server runs an [App]: it routes requests to handlers over TCP, unix sockets, TLS and
// HTTP/2, replaces the app without losing a request, and stops gracefully.
//
// An App is a plain value that a front end fills: routes and settings. [Compile] makes an
// [http.Handler] of it that needs no socket; a [Server] opens the sockets and keeps them while
// apps come and go.
//
//	s := server.New(server.Options{})
//	err := s.Start(ctx, &server.App{Routes: []server.Route{
//		{Method: "GET", Pattern: "/hello/:name", Handler: hello},
//	}})
//	…
//	err = s.Shutdown(ctx)
package server

import (
	"context"
	"net/http"
	"time"

	"rws/server/metrics"
)

// App is what is served. It must not change after it was given to [Compile] or a [Server], and is
// given to one of them once.
type App struct {
	Routes   []Route
	Settings Settings

	// Before stands before the routing, the first outermost: it also sees requests that no route
	// answers, and may change where a request goes. The engine has refused what no app should see.
	Before []func(http.Handler) http.Handler

	// Sides are addresses beside those of the app, with handlers of their own.
	Sides []Side

	// Streams are addresses that carry TCP or UDP.
	Streams []Stream

	// Protect are names of request fields, with "*" at an end for many, that the Connection field of a
	// visitor cannot have removed, beside those that package proxy protects everywhere. They hold for all
	// routes: a name is taken away before it is known which route the request goes to.
	Protect []string

	// Metrics counts the requests, by the patterns of their routes; nil counts none. It may be that
	// of the app before.
	Metrics *metrics.Registry

	// Miss answers what no route does. nil, or a Miss that writes nothing, answers with
	// [problem.Write], and so does the engine for what it refuses by itself: too many header
	// fields (431), CONNECT (501), and any request while memory is short (503).
	Miss func(w http.ResponseWriter, r *http.Request, m Miss)

	// Fail answers for a handler that panicked, or that set Fault on its exchange, before
	// anything was written. nil, or a Fail that writes nothing, answers with [problem.Write] and
	// [Status], without the text of the error, which is in the log.
	Fail func(w http.ResponseWriter, r *http.Request, err error)

	// Start is called by [Server.Start] when nothing else can fail any more: the certificates are
	// loaded and the addresses open, and clients wait to be accepted. Its error closes them and is
	// that of the start. [Server.Swap] does not call it. May be nil.
	Start func(ctx context.Context) error

	// Replaced is called when [Server.Swap] has put another app in place of this one, which has no more
	// requests than those that are under way. May be nil.
	Replaced func()

	// Close frees what the handlers use. It is called once, when no request is left: the app
	// has been replaced, or the server stops. It is also called for an app that [Server.Start]
	// or [Server.Swap] refused. May be nil.
	Close func(ctx context.Context) error
}

// Route is one way in.
type Route struct {
	Method  string // "" for any
	Host    string // "" for any, "api.example.com" or "*.example.com"
	Pattern string // as package router describes
	Handler http.Handler

	Timeout time.Duration // ends the context of the request; 0 means never
	MaxBody int64         // bytes of request body; 0 means the setting, negative no limit

	// LeastBody is the smallest limit of middleware in Handler, if that is below MaxBody: a refusal for MaxBody, which
	// comes before the middleware, tells the client of it. 0 is for none.
	LeastBody int64

	// Preflight answers the preflights of CORS (Fetch §3.2.2) that ask for this route, unless there
	// is a route for OPTIONS in the same place. nil leaves OPTIONS to the routing.
	Preflight http.Handler

	// Guard stands before the answer to OPTIONS that the engine itself gives for the path (204 with
	// Allow), where no route takes that method. Of several routes the first that has one counts, by
	// the names of their methods. nil is for none.
	Guard func(http.Handler) http.Handler

	// What listings show.
	Name       string   // for building URLs, unique or ""
	Source     string   // the place of the declaration, as "app.lua:12"; also in error texts
	Middleware []string // names, outermost first
	Kind       string   // what answers: "lua", "static", "proxy", …
	To         string   // where a proxy passes requests on to, and how
	Summary    string   // one line
}

// Miss says why no route answers.
type Miss struct {
	Status int      // 404, 405, or 400 for a path that is refused
	Allow  []string // of a 405; the header is set already. Valid until Miss returns
	Reason error    // of a 400: what is wrong with the path
}
