package redis

import (
	"context"
	"errors"
	"fmt"

	goredis "github.com/redis/go-redis/v9"
)

// Pipeline sends commands together, each with its name first, and returns their replies in
// order. A command that the server refused has an [*Error] in its place and does not stop the
// others; the error is for what kept them from being sent or answered.
func (c *Client) Pipeline(ctx context.Context, commands [][]any) ([]any, error) {
	return c.batch(ctx, commands, c.rdb.Pipelined)
}

// Tx sends commands as one transaction (MULTI and EXEC): nobody else's command comes between
// them. Replies as in Pipeline; nothing is undone when one of them fails. A command that the
// server does not even accept is the error, with code "EXECABORT", and nothing is done. In a
// cluster all keys must be in one slot.
func (c *Client) Tx(ctx context.Context, commands [][]any) ([]any, error) {
	return c.batch(ctx, commands, c.rdb.TxPipelined)
}

type batcher func(context.Context, func(goredis.Pipeliner) error) ([]goredis.Cmder, error)

func (c *Client) batch(ctx context.Context, commands [][]any, send batcher) ([]any, error) {
	if len(commands) == 0 {
		return nil, nil
	}
	names := make([]string, len(commands))
	for i, args := range commands {
		name, err := checkArgs(args)
		if err != nil {
			return nil, err
		}
		if waits(name, args) {
			return nil, &Error{Code: "argument", Command: name, Message: "a command that waits holds up all behind it; send it by itself"}
		}
		names[i] = name
	}
	cmds, err := send(ctx, func(p goredis.Pipeliner) error {
		for _, args := range commands {
			p.Do(ctx, args...)
		}
		return nil
	})
	return c.replies(names, cmds, err)
}

func (c *Client) replies(names []string, cmds []goredis.Cmder, err error) ([]any, error) {
	if err != nil && (len(cmds) != len(names) || stops(err)) {
		return nil, c.refusedBatch(names, cmds, err)
	}
	replies := make([]any, len(cmds))
	for i, cmd := range cmds {
		reply, err := cmd.(*goredis.Cmd).Result()
		replies[i], err = c.result(names[i], reply, err)
		if err == nil {
			continue
		}
		if e, ok := errors.AsType[goredis.Error](err); !ok || stops(e) {
			return nil, err
		}
		replies[i] = err
	}
	return replies, nil
}

// refusedBatch is the error of a whole batch: of a transaction that was not begun, what the server had against
// a command of it.
func (c *Client) refusedBatch(names []string, cmds []goredis.Cmder, err error) error {
	if !goredis.IsExecAbortError(err) || len(cmds) != len(names) {
		return c.fail("", err)
	}
	for i, cmd := range cmds {
		cause := cmd.Err()
		if cause == nil || goredis.IsExecAbortError(cause) {
			continue
		}
		why := serverError(names[i], cause).Message
		return &Error{Code: "EXECABORT", Command: names[i], Server: c.shown, cause: err,
			Message: fmt.Sprintf("command %d of the transaction was not accepted, and nothing was done: %s", i+1, why)}
	}
	return c.fail("", err)
}

// stops reports whether an error is about all commands: one that no server sent, or that of a
// transaction which was not begun, or, over several slots of a cluster, not even sent.
func stops(err error) bool {
	_, sent := errors.AsType[goredis.Error](err)
	return !sent || goredis.IsExecAbortError(err) || errors.Is(err, goredis.TxFailedErr) || errors.Is(err, goredis.ErrCrossSlot)
}

// Watched is what [Client.Watch] gives to read with before a transaction.
type Watched struct {
	c  *Client
	tx *goredis.Tx
}

// Do sends one command on the watching connection, as [Client.Do] does.
func (w *Watched) Do(ctx context.Context, args ...any) (any, error) {
	name, err := checkArgs(args)
	if err != nil {
		return nil, err
	}
	reply, err := w.tx.Do(ctx, args...).Result()
	return w.c.result(name, reply, err)
}

// Exec sends the transaction, at most one for each Watch. changed says that a watched key was
// changed by others meanwhile, and that nothing was done.
func (w *Watched) Exec(ctx context.Context, commands [][]any) (replies []any, changed bool, err error) {
	replies, err = w.c.batch(ctx, commands, w.tx.TxPipelined)
	if errors.Is(err, goredis.TxFailedErr) {
		return nil, true, nil
	}
	return replies, false, err
}

// Watch calls fn with a connection that watches keys: what fn reads there is still true when
// its Exec succeeds. Its error is that of fn. Call it again when Exec says changed.
func (c *Client) Watch(ctx context.Context, keys []string, fn func(*Watched) error) error {
	var inner error
	err := c.rdb.Watch(ctx, func(tx *goredis.Tx) error {
		inner = fn(&Watched{c: c, tx: tx})
		return inner
	}, keys...)
	if inner != nil {
		return inner
	}
	return c.fail("WATCH", err)
}

// Script is a Lua program for the server. Safe for concurrent use; made by [NewScript].
type Script struct{ s *goredis.Script }

// NewScript hashes the source once.
func NewScript(source string) *Script { return &Script{goredis.NewScript(source)} }

// Eval runs a script by its hash, and sends its source where the server does not know it. keys
// are KEYS in the script, args are ARGV.
func (c *Client) Eval(ctx context.Context, script *Script, keys []string, args ...any) (any, error) {
	if _, err := checkArgs(append([]any{"EVALSHA"}, args...)); err != nil {
		return nil, err
	}
	reply, err := script.s.Run(ctx, c.rdb, keys, args...).Result()
	return c.result("EVALSHA", reply, err)
}
