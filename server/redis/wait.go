package redis

import (
	"context"
	"net"
	"strings"
	"sync"

	goredis "github.com/redis/go-redis/v9"
)

// waiting commands hold their connection until there is data. The number is the index of the
// first key among the arguments, the name being 0.
var waiting = map[string]int{
	"BLPOP": 1, "BRPOP": 1, "BLMOVE": 1, "BRPOPLPUSH": 1, "BZPOPMIN": 1, "BZPOPMAX": 1,
	"BLMPOP": 3, "BZMPOP": 3, "WAIT": 0, "WAITAOF": 0,
}

// waits reports whether a command may hold its connection. XREAD and XREADGROUP do with BLOCK.
func waits(name string, args []any) bool {
	if name == "XREAD" || name == "XREADGROUP" {
		return wordAt(args, "BLOCK") > 0
	}
	_, ok := waiting[name]
	return ok
}

func wordAt(args []any, word string) int {
	for i, arg := range args {
		s, ok := arg.(string)
		if b, isBytes := arg.([]byte); isBytes {
			s, ok = string(b), true
		}
		if ok && strings.EqualFold(s, word) {
			return i
		}
	}
	return -1
}

// wait sends a waiting command on a connection of its own, which is closed when ctx ends: the
// server then forgets the command, and the pool is not held up meanwhile.
func (c *Client) wait(ctx context.Context, name string, args []any) (any, error) {
	node, err := c.node(ctx, name, args)
	if err != nil {
		return nil, c.fail(name, err)
	}
	var line lifeline
	one := goredis.NewClient(line.options(node))
	defer one.Close()
	defer context.AfterFunc(ctx, line.cut)()
	reply, err := one.Do(ctx, args...).Result()
	if ctx.Err() != nil && err != nil {
		err = ctx.Err()
	}
	return c.result(name, reply, err)
}

// node returns the options of the server that has the key.
func (c *Client) node(ctx context.Context, name string, args []any) (*goredis.Options, error) {
	switch rdb := c.rdb.(type) {
	case *goredis.Client:
		return rdb.Options(), nil
	case *goredis.ClusterClient:
		at := waiting[name]
		if i := wordAt(args, "STREAMS"); i > 0 {
			at = i + 1
		}
		if at == 0 || at >= len(args) {
			return nil, &Error{Code: "argument", Command: name, Message: "in a cluster, a command that waits needs a key"}
		}
		key, _ := args[at].(string)
		master, err := rdb.MasterForKey(ctx, key)
		if err != nil {
			return nil, err
		}
		return master.Options(), nil
	}
	return nil, &Error{Code: "argument", Command: name, Message: "this client cannot wait"}
}

// A lifeline is the connection under one command.
type lifeline struct {
	mu    sync.Mutex
	conns []net.Conn
	ended bool
}

// options are those of base, with no limit for reading.
func (l *lifeline) options(base *goredis.Options) *goredis.Options {
	o := *base
	dial := base.Dialer
	o.Dialer = func(ctx context.Context, network, addr string) (net.Conn, error) {
		conn, err := dial(ctx, network, addr)
		if err == nil {
			l.keep(conn)
		}
		return conn, err
	}
	o.PoolSize, o.MinIdleConns, o.MaxRetries, o.ReadTimeout, o.WriteTimeout = 1, 0, -1, -1, DefaultTimeout
	o.ContextTimeoutEnabled = false // cut ends it, when ctx has ended and not a moment before
	return &o
}

func (l *lifeline) keep(conn net.Conn) {
	l.mu.Lock()
	defer l.mu.Unlock()
	l.conns = append(l.conns, conn)
	if l.ended {
		conn.Close()
	}
}

func (l *lifeline) cut() {
	l.mu.Lock()
	defer l.mu.Unlock()
	l.ended = true
	for _, conn := range l.conns {
		conn.Close()
	}
}
