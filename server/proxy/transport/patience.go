package transport

import (
	"context"
	"time"
)

type patienceKey struct{}

// WithResponse returns a context for a request that waits for the head of its answer as long as d, in place of
// [Options.Response]: longer or shorter, and for a negative d without a limit.
func WithResponse(ctx context.Context, d time.Duration) context.Context {
	return context.WithValue(ctx, patienceKey{}, d)
}

// ResponseFor is how long a request with this context waits for the head of its answer: what [WithResponse]
// says, or else usual. Not positive is without a limit.
func ResponseFor(ctx context.Context, usual time.Duration) time.Duration {
	if d, ok := ctx.Value(patienceKey{}).(time.Duration); ok {
		return d
	}
	return usual
}
