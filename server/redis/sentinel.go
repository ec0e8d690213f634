package redis

import (
	"context"
	"errors"
	"fmt"
	"net"

	goredis "github.com/redis/go-redis/v9"
)

// masterless is a hook for clients of sentinels. When these know no master of the name, go-redis
// fails to connect with [goredis.Nil], the error that also says that a key has no value: every
// command would seem to find nothing, and every write to be done.
type masterless struct{ master string }

var _ goredis.Hook = masterless{}

// DialHook makes that failure one of the connection.
func (m masterless) DialHook(next goredis.DialHook) goredis.DialHook {
	return func(ctx context.Context, network, addr string) (net.Conn, error) {
		conn, err := next(ctx, network, addr)
		if errors.Is(err, goredis.Nil) {
			return nil, &Error{Code: "unavailable", Message: fmt.Sprintf("the sentinels know no master called %q", m.master)}
		}
		return conn, err
	}
}

// ProcessHook changes nothing.
func (masterless) ProcessHook(next goredis.ProcessHook) goredis.ProcessHook { return next }

// ProcessPipelineHook changes nothing.
func (masterless) ProcessPipelineHook(next goredis.ProcessPipelineHook) goredis.ProcessPipelineHook {
	return next
}
