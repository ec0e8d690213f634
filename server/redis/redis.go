// Package redis talks to Redis, and to what speaks its protocol (Valkey, KeyDB, Dragonfly):
// single servers, clusters, and masters that sentinels watch over.
//
// It is go-redis with the replies as plain Go values, with commands that wait for data
// (BLPOP and the like) ended by their context, and with errors that say what failed where and
// show neither passwords nor arguments.
package redis

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"strings"
	"sync"

	goredis "github.com/redis/go-redis/v9"
)

// Client is a pool of connections. Safe for concurrent use; made by [Open].
type Client struct {
	rdb   goredis.UniversalClient
	shown string
}

// Open returns a client for a URL in one of the forms
//
//	redis://user:password@host:6379/0         rediss:// for TLS
//	unix:///run/redis/redis.sock?db=0         with user:password@ before the path if need be
//	redis+cluster://a:7000,b:7000,c:7000      some of the nodes; rediss+cluster for TLS
//	redis+sentinel://a:26379,b:26379/mymaster/0   user and password are those of the master
//
// Options follow "?" as in "?pool_size=20&read_timeout=1s": db, protocol (2 or 3), client_name,
// pool_size (default 10 for each CPU), min_idle, dial_timeout (5 s), read_timeout and
// write_timeout (3 s), pool_timeout (read_timeout plus 1 s), idle_timeout (30 min),
// max_lifetime, max_retries (0, see below), master, sentinel_user, sentinel_password, and
// for TLS the files ca, cert and key. An option that is not known is an error.
//
// Nothing is sent again after a connection broke, because the server may have done it
// already; max_retries changes that for a single server. Open does not connect; [Client.Ping] does.
func Open(url string) (*Client, error) {
	quieten()
	t, err := parseURL(url)
	if err != nil {
		return nil, err
	}
	c := &Client{rdb: goredis.NewUniversalClient(&t.UniversalOptions), shown: t.shown}
	if t.MasterName != "" {
		c.rdb.AddHook(masterless{t.MasterName})
	}
	return c, nil
}

// quieten sends what go-redis prints of its own accord, such as each reconnection, to the log
// for debugging: callers get the errors.
var quieten = sync.OnceFunc(func() { goredis.SetLogger(debug{}) })

type debug struct{}

func (debug) Printf(ctx context.Context, format string, v ...any) {
	slog.DebugContext(ctx, fmt.Sprintf(format, v...))
}

// String is the URL without user, password and options.
func (c *Client) String() string { return c.shown }

// Universal is the client of go-redis below, for libraries that want one. It belongs to c.
func (c *Client) Universal() goredis.UniversalClient { return c.rdb }

// Close closes all connections. Calls under way fail.
func (c *Client) Close() error { return c.rdb.Close() }

// Ping returns an error unless the server answers.
func (c *Client) Ping(ctx context.Context) error { return c.fail("PING", c.rdb.Ping(ctx).Err()) }

// Stats are counts of the pool, of all nodes together.
type Stats struct {
	Open, Idle   uint32 // connections
	Hits, Misses uint32 // uses of a connection that was open, and of a new one
	Timeouts     uint32 // waits for a connection in vain
}

// Stats returns the present counts.
func (c *Client) Stats() Stats {
	s := c.rdb.PoolStats()
	return Stats{Open: s.TotalConns, Idle: s.IdleConns, Hits: s.Hits, Misses: s.Misses, Timeouts: s.Timeouts}
}

// Do sends one command, its name first, and returns the reply:
//
//	nil                  no such key or value
//	string               text or bytes
//	int64, float64, bool
//	[]any                lists and sets
//	map[string]any       maps (RESP3), such as that of HGETALL
//	*Error               an error inside a list, as EXEC has them
//
// An error reply is an [*Error]. Arguments are strings, []byte, integers, floats and booleans (1
// and 0). A command that waits for data ends with ctx. SUBSCRIBE and MULTI need a connection
// of their own and are refused: see [Client.Subscribe] and [Client.Tx].
func (c *Client) Do(ctx context.Context, args ...any) (any, error) {
	name, err := checkArgs(args)
	if err != nil {
		return nil, err
	}
	if waits(name, args) {
		return c.wait(ctx, name, args)
	}
	reply, err := c.rdb.Do(ctx, args...).Result()
	return c.result(name, reply, err)
}

// result converts what go-redis returns.
func (c *Client) result(name string, reply any, err error) (any, error) {
	if errors.Is(err, goredis.Nil) {
		return nil, nil
	}
	if err != nil {
		return nil, c.fail(name, err)
	}
	return convert(reply), nil
}

// stateful commands change the connection they are sent on, which is another's a moment later.
var stateful = map[string]string{
	"SUBSCRIBE": "Subscribe", "PSUBSCRIBE": "Subscribe", "SSUBSCRIBE": "Subscribe", "UNSUBSCRIBE": "Subscribe", "PUNSUBSCRIBE": "Subscribe",
	"MULTI": "Tx", "EXEC": "Tx", "DISCARD": "Tx", "WATCH": "Watch", "UNWATCH": "Watch",
	"SELECT": "the URL", "AUTH": "the URL", "HELLO": "the URL", "QUIT": "Close", "RESET": "Close",
	"MONITOR": "redis-cli", "SYNC": "redis-cli", "PSYNC": "redis-cli",
}

// statefulParts are commands of which some do.
var statefulParts = map[string]map[string]string{
	"CLIENT": {
		"REPLY": "would leave the next caller of the connection without replies", "TRACKING": "would have the server send the next caller of the connection what is none of its replies",
		"SETNAME": "would name a connection that is another's a moment later; the URL names all (?client_name=…)", "SETINFO": "would hold for whoever uses the connection next",
		"CACHING": "belongs to CLIENT TRACKING, which is not sent", "NO-EVICT": "would hold for whoever uses the connection next", "NO-TOUCH": "would hold for whoever uses the connection next",
	},
	"SCRIPT": {"DEBUG": "would have the scripts of whoever uses the connection next debugged, and undone; use redis-cli --ldb"},
}

// checkPart refuses those.
func checkPart(name string, args []any) error {
	if len(args) < 2 {
		return nil
	}
	part, _ := args[1].(string)
	if b, ok := args[1].([]byte); ok {
		part = string(b)
	}
	part = strings.ToUpper(part)
	if why := statefulParts[name][part]; why != "" {
		return &Error{Code: "argument", Command: name, Message: name + " " + part + " " + why}
	}
	return nil
}

// checkArgs returns the name of a command in capitals.
func checkArgs(args []any) (string, error) {
	if len(args) == 0 {
		return "", &Error{Code: "argument", Message: "the command is empty"}
	}
	name, ok := args[0].(string)
	if !ok || name == "" {
		return "", &Error{Code: "argument", Message: fmt.Sprintf("the name of a command is a string, not %T", args[0])}
	}
	name = strings.ToUpper(name)
	if better := stateful[name]; better != "" {
		return "", &Error{Code: "argument", Command: name, Message: "connections are shared, so this command is not sent; use " + better}
	}
	if err := checkPart(name, args); err != nil {
		return "", err
	}
	for i, arg := range args[1:] {
		switch arg.(type) {
		case string, []byte, bool, int, int64, int32, uint64, uint32, uint8, float64, float32:
		default:
			return "", &Error{Code: "argument", Command: name, Message: fmt.Sprintf("argument %d is of type %T; strings, numbers and booleans can be sent", i+1, arg)}
		}
	}
	return name, nil
}
