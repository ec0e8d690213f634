package server

import (
	"log/slog"
	"sync"
	"time"

	"rws/server/http1"
)

// refusedLimit is how many requests that could not be read are told in a second: whoever sends such
// fills no log.
const refusedLimit = 10

// refusals tells of requests that were refused before there was one, so that no handler and no access
// log has seen them.
type refusals struct {
	log *slog.Logger

	mu    sync.Mutex
	until time.Time // the end of the second that is counted
	told  int
	left  int // not told
}

// tell logs one, and for those beyond the limit how many they were, when the second is over.
func (r *refusals) tell(client string, fault *http1.RequestError) {
	if !r.admit() {
		return
	}
	r.log.Warn("request refused: it can't be read", "client", client, "status", fault.Status, "reason", fault.Reason)
}

func (r *refusals) admit() bool {
	r.mu.Lock()
	defer r.mu.Unlock()
	now := time.Now()
	if !now.Before(r.until) {
		r.until, r.told = now.Add(time.Second), 0
	}
	if r.told < refusedLimit {
		r.told++
		return true
	}
	if r.left++; r.left == 1 {
		time.AfterFunc(r.until.Sub(now), r.sum)
	}
	return false
}

func (r *refusals) sum() {
	r.mu.Lock()
	left := r.left
	r.left = 0
	r.mu.Unlock()
	r.log.Warn("more requests refused that can't be read", "requests", left)
}
