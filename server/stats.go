package server

import "time"

// Stats are counters at one moment.
type Stats struct {
	InFlight int64        // requests being answered, also by apps that are being replaced
	Total    int64        // requests answered since the server started
	Shed     int64        // of these, refused because memory was short
	Draining int          // apps that were replaced and still have requests
	Routes   []RouteStats // of the present app, in the order of App.Routes
}

// RouteStats are the counters of a route since its app was put in place.
type RouteStats struct {
	Route   Route
	Count   int64         // answers
	Errors  int64         // of these, with status 500 or above, or broken off
	Time    time.Duration // sum
	Slowest time.Duration
}
