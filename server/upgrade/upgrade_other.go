//go:build !linux

package upgrade

import (
	"context"
	"time"

	"rws/server/listen"
)

// Parent is the process that started this one to be replaced: none here.
func Parent() (*Old, error) { return nil, nil }

// New is a process that replaces this one.
type New struct {
	PID              int
	Program, Version string
}

// Release does nothing.
func (n *New) Release() {}

// Start returns [ErrUnsupported].
func Start(context.Context, []listen.Socket, time.Duration) (*New, error) { return nil, ErrUnsupported }
