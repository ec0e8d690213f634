//go:build !unix

package http1

// An idler there is only on Unix; elsewhere a connection keeps its buffer.
type idler struct{}

func newIdler(*conn) *idler { return nil }

func (*idler) fill() error { return nil }
