package upstream

import "time"

// A Kind is whose merit or fault an outcome was.
type Kind uint8

// The kinds.
const (
	Neutral Kind = iota // says nothing about the backend: the client left, or sent nonsense
	Success             // the backend answered as it should, be it with 404
	Failure             // the backend did not answer, or with 500, 502, 503, 504
)

// Outcome is what became of a leased request.
type Outcome struct {
	Kind   Kind
	Status int           // of the answer, 0 for none
	Err    error         // why there was none, or why it broke off
	Took   time.Duration // from Pick to the head of the answer
}
