package server

import (
	"context"
	"errors"
	"net/http"

	"rws/server/router"
)

// Handler answers requests with an [App]. Made by [Compile].
type Handler struct {
	app   *App
	table *router.Table[*Route]
}

// Compile makes the handler of an app; the error names every route that cannot be.
func Compile(app *App) (*Handler, error) {
	b := router.New[*Route]()
	var faults []error
	for i := range app.Routes {
		r := &app.Routes[i]
		faults = append(faults, b.Add(router.Route{Host: r.Host, Method: r.Method, Pattern: r.Pattern, Source: r.Source}, r))
	}
	if err := errors.Join(faults...); err != nil {
		return nil, err
	}
	return &Handler{app: app, table: b.Build()}, nil
}

// ServeHTTP answers one request. After Close it answers 503.
func (h *Handler) ServeHTTP(w http.ResponseWriter, r *http.Request) {}

// Close takes no more requests, waits for those in flight until ctx is done, then ends their
// contexts, and closes the app.
func (h *Handler) Close(ctx context.Context) error { return h.app.Close(ctx) }

// Routes are the routes of the app.
func (h *Handler) Routes() []Route { return h.app.Routes }
