package peers

import (
	"fmt"
	"net/http"
)

// Events sends an event at once and for each tick, and ends with the channel, or with the client.
func Events(ticks <-chan struct{}) http.HandlerFunc {
	return func(w http.ResponseWriter, r *http.Request) {
		w.Header().Set("Content-Type", "text/event-stream")
		for {
			fmt.Fprint(w, "data: 1\n\n")
			w.(http.Flusher).Flush()
			select {
			case _, more := <-ticks:
				if !more {
					return
				}
			case <-r.Context().Done():
				return
			}
		}
	}
}
