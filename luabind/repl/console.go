package repl

import (
	"context"
	"io"
)

// A Console runs lines: a *Session in this process, a *Client in another.
type Console interface {
	// Eval runs one line; see Session.Eval.
	Eval(ctx context.Context, text string, out io.Writer, style Style) (Result, error)
	// Complete returns how the line may go on; see Session.Complete.
	Complete(ctx context.Context, line string, pos int) (from int, list []Candidate)
}

var (
	_ Console = (*Session)(nil)
	_ Console = (*Client)(nil)
)
