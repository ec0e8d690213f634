package luabind

import (
	"context"
	"errors"
	"fmt"
	"maps"
	"math"
	"net/http"
	"slices"
	"strings"
	"sync"

	lua "github.com/yuin/gopher-lua"

	"rws/luabind/bind"
	"rws/luabind/fault"
	"rws/luabind/vm"
	"rws/server/cancel"
	"rws/server/redis"
)

const (
	redisType       = "rws.Redis"
	redisBatchType  = "rws.RedisBatch"
	redisScriptType = "rws.RedisScript"
)

// Redis is what app:redis returns.
type Redis struct{ client *redis.Client }

// RedisBatch collects the commands of a pipeline or a transaction.
type RedisBatch struct {
	name     string
	commands [][]any
	over     bool
}

// RedisScript is a program for the server.
type RedisScript struct {
	client *redis.Client
	script *redis.Script
}

// appRedis returns the pool for a URL. It does not connect.
func appRedis(L *lua.LState, a *App) int {
	url := bind.Arg[string](L, "app:redis", 2)
	client, err := a.state.program.redisClient(url)
	if err != nil {
		fault.Raise(L, &fault.Error{Code: "url", Message: "app:redis: " + err.Error(), Cause: err})
	}
	L.Push(bind.New(L, redisType, &Redis{client}))
	return 1
}

// redisTypes describes what app:redis returns and what comes of it.
func redisTypes() []bind.Type {
	return []bind.Type{
		{
			Name: redisType, As: "redis", String: func(self any) string { return self.(*Redis).client.String() },
			Methods: append(bind.Writing(
				bind.RawWaitMethod("call(command, ...)", redisCall),
				bind.RawWaitMethod("pipeline(commands)", func(L *lua.LState, r *Redis) int { return r.batch(L, "redis:pipeline", r.client.Pipeline) }),
				bind.RawWaitMethod("multi(commands)", func(L *lua.LState, r *Redis) int { return r.batch(L, "redis:multi", r.client.Tx) }),
				bind.RawWaitMethod("publish(channel, message)", redisPublish),
			),
				bind.RawMethod("script(source)", redisScript),
				bind.RawWaitMethod("subscribe(...)", redisSubscribe),
				bind.RawMethod("stats()", redisStats),
			),
		},
		{Name: redisBatchType, As: "batch", Methods: []bind.Func{bind.RawMethod("call(command, ...)", batchCall)}},
		{Name: redisScriptType, As: "script", Methods: bind.Writing(bind.RawWaitMethod("call(keys, ...)", scriptCall))},
	}
}

// redisError gives the error of Redis its code, that of the server in its capitals. A server that
// can't answer now is status 503.
func redisError(err error) error {
	if errors.Is(err, vm.ErrDeadline) || errors.Is(err, vm.ErrStopped) {
		return err
	}
	e, ok := errors.AsType[*redis.Error](err)
	if !ok {
		return err
	}
	out := &fault.Error{Code: e.Code, Message: inLuaWords(e.Error()), Cause: e}
	if redis.Unavailable(e) {
		out.Status = http.StatusServiceUnavailable
	}
	return out
}

// luaNames are what a message about a command that is not sent tells to use.
var luaNames = map[string]string{
	"Subscribe": "redis:subscribe", "Tx": "redis:multi", "Watch": "redis:script, which nothing comes between",
	"Close": "nothing in its place: connections are closed with the app", "the URL": "the URL of app:redis",
}

// inLuaWords names the methods of scripts.
func inLuaWords(message string) string {
	before, name, ok := strings.Cut(message, "this command is not sent; use ")
	if better := luaNames[name]; ok && better != "" {
		return before + "this command is not sent; use " + better
	}
	return message
}

// command reads arguments from n on: the name of a command and what it takes.
func command(L *lua.LState, name string, n int) []any {
	args := make([]any, 0, L.GetTop()-n+1)
	for i := n; i <= L.GetTop(); i++ {
		v, err := redisArgument(L.Get(i))
		if err != nil {
			bind.ArgError(L, name, i-1, "%s", err)
		}
		args = append(args, v)
	}
	return checkCommand(L, name, args)
}

// checkCommand wants a name in front.
func checkCommand(L *lua.LState, name string, args []any) []any {
	if len(args) > 0 {
		if text, ok := args[0].(string); ok && text != "" {
			return args
		}
	}
	fault.Raisef(L, "argument", "%s: the name of a command expected first, as in \"GET\"", name)
	return nil
}

// redisArgument converts a value that Redis takes: all of them are bytes in the end.
func redisArgument(v lua.LValue) (any, error) {
	switch v := v.(type) {
	case lua.LString:
		return string(v), nil
	case lua.LNumber:
		if f := float64(v); f == math.Trunc(f) && f >= -1<<63 && f < 1<<63 {
			return int64(f), nil // exact, where floating point would be rounded in its text
		}
		return float64(v), nil
	case lua.LBool:
		return bool(v), nil
	case *lua.LUserData:
		if t, ok := v.Value.(*Time); ok {
			return t.String(), nil
		}
	}
	return nil, fmt.Errorf("a string, a number or a boolean expected, got %s; rws.json.encode makes a text of a table", v.Type())
}

// redisReply converts a reply. What is not there is nil, and inside of lists and maps rws.null, which
// leaves the others in their places.
func redisReply(L *lua.LState, reply any) lua.LValue {
	switch v := reply.(type) {
	case nil:
		return lua.LNil
	case []any:
		t := L.CreateTable(len(v), 0)
		for _, x := range v {
			t.Append(inside(L, x))
		}
		return bind.MarkArray(L, t)
	case map[string]any:
		t := fresh(L, L.CreateTable(0, len(v)))
		for _, key := range slices.Sorted(maps.Keys(v)) { // a script sees one order, whatever Go's is
			t.RawSetString(key, inside(L, v[key]))
		}
		return t
	case *redis.Error:
		return fault.Value(L, &fault.Error{Code: v.Code, Message: v.Error(), Cause: v})
	}
	return bind.FromGo(L, reply)
}

func inside(L *lua.LState, x any) lua.LValue {
	if x == nil {
		return bind.Null(L)
	}
	return redisReply(L, x)
}

func redisCall(L *lua.LState, r *Redis) int {
	args := command(L, "redis:call", 2)
	var reply any
	err := vm.Wait(L, func(ctx context.Context) (err error) {
		reply, err = r.client.Do(ctx, args...)
		return err
	})
	if err != nil {
		bind.Raise(L, "redis:call", redisError(err))
	}
	L.Push(redisReply(L, reply))
	return 1
}

// batch sends the commands of a list, or those that a function collects.
func (r *Redis) batch(L *lua.LState, name string, send func(context.Context, [][]any) ([]any, error)) int {
	commands := batchOf(L, name)
	if len(commands) == 0 {
		L.Push(bind.MarkArray(L, L.NewTable()))
		return 1
	}
	var replies []any
	err := vm.Wait(L, func(ctx context.Context) (err error) {
		replies, err = send(ctx, commands)
		return err
	})
	if err != nil {
		bind.Raise(L, name, redisError(err))
	}
	for i, reply := range replies {
		if e, ok := reply.(*redis.Error); ok {
			bind.Raise(L, fmt.Sprintf("%s: command %d of %d, the others were carried out", name, i+1, len(replies)), redisError(e))
		}
	}
	L.Push(redisReply(L, replies))
	return 1
}

func batchOf(L *lua.LState, name string) [][]any {
	switch v := L.Get(2).(type) {
	case *lua.LFunction:
		b := &RedisBatch{name: name}
		L.Push(v)
		L.Push(bind.New(L, redisBatchType, b))
		vm.CallBack(L, 1, 0)
		b.over = true
		return b.commands
	case *lua.LTable:
		var list [][]any
		for i := 1; i <= v.Len(); i++ {
			list = append(list, listedCommand(L, name, i, v.RawGetInt(i)))
		}
		return list
	}
	bind.ArgError(L, name, 1, "a list of commands { { \"SET\", \"a\", 1 }, … } or a function(batch) expected, got %s", L.Get(2).Type())
	return nil
}

func listedCommand(L *lua.LState, name string, i int, v lua.LValue) []any {
	t, ok := v.(*lua.LTable)
	if !ok {
		bind.ArgError(L, name, 1, "command %d: a list { \"SET\", \"a\", 1 } expected, got %s", i, v.Type())
	}
	args := make([]any, 0, t.Len())
	for n := 1; n <= t.Len(); n++ {
		arg, err := redisArgument(t.RawGetInt(n))
		if err != nil {
			bind.ArgError(L, name, 1, "command %d, element %d: %s", i, n, err)
		}
		args = append(args, arg)
	}
	return checkCommand(L, name, args)
}

func batchCall(L *lua.LState, b *RedisBatch) int {
	if b.over {
		fault.Raisef(L, "over", "batch:call: the commands of this %s have been sent", b.name)
	}
	b.commands = append(b.commands, command(L, "batch:call", 2))
	return 0
}

func redisScript(L *lua.LState, r *Redis) int {
	source := bind.Arg[string](L, "redis:script", 2)
	L.Push(bind.New(L, redisScriptType, &RedisScript{r.client, redis.NewScript(source)}))
	return 1
}

func scriptCall(L *lua.LState, s *RedisScript) int {
	const name = "script:call"
	keys := bind.Arg[[]string](L, name, 2)
	args := make([]any, 0, max(0, L.GetTop()-2))
	for i := 3; i <= L.GetTop(); i++ {
		v, err := redisArgument(L.Get(i))
		if err != nil {
			bind.ArgError(L, name, i-1, "%s", err)
		}
		args = append(args, v)
	}
	var reply any
	err := vm.Wait(L, func(ctx context.Context) (err error) {
		reply, err = s.client.Eval(ctx, s.script, keys, args...)
		return err
	})
	if err != nil {
		bind.Raise(L, name, redisError(err))
	}
	L.Push(redisReply(L, reply))
	return 1
}

func redisPublish(L *lua.LState, r *Redis) int {
	const name = "redis:publish"
	channel, message := bind.Arg[string](L, name, 2), bind.Arg[string](L, name, 3)
	var n int64
	err := vm.Wait(L, func(ctx context.Context) (err error) {
		n, err = r.client.Publish(ctx, channel, message)
		return err
	})
	if err != nil {
		bind.Raise(L, name, redisError(err))
	}
	L.Push(lua.LNumber(n))
	return 1
}

// redisSubscribe returns an iterator over the messages of channels, and of patterns, which are the
// names with a "*", "?" or "[". The subscription ends with the run.
func redisSubscribe(L *lua.LState, r *Redis) int {
	const name = "redis:subscribe"
	var channels, patterns []string
	for _, text := range argumentTexts(L, name, 2) {
		if strings.ContainsAny(text, "*?[") {
			patterns = append(patterns, text)
		} else {
			channels = append(channels, text)
		}
	}
	var sub *redis.Subscription
	owner, _ := vm.Current(L).Owner.(*Ctx)
	err := vm.Wait(L, func(ctx context.Context) (err error) {
		if sub, err = r.client.Subscribe(ctx, channels, patterns); err == nil {
			closeWith(ctx, owner, sub)
		}
		return err
	})
	if err != nil {
		bind.Raise(L, name, redisError(err))
	}
	L.Push(L.NewFunction(func(L *lua.LState) int { return nextMessage(L, sub) }))
	return 1
}

// closeWith ends a subscription with the run that ctx is of, and when the app is being replaced
// or stopped: a loop over it ends then, and with it the request.
func closeWith(ctx context.Context, c *Ctx, sub *redis.Subscription) {
	done := sync.OnceFunc(func() { _ = sub.Close() })
	stop := func() {}
	if c != nil {
		stop = onLeaving(c.ex, 0, done)
	}
	cancel.After(ctx, func() { stop(); done() })
}

func nextMessage(L *lua.LState, sub *redis.Subscription) int {
	var m redis.Message
	err := vm.Wait(L, func(ctx context.Context) (err error) {
		m, err = sub.Next(ctx)
		return err
	})
	if errors.Is(err, redis.ErrUnsubscribed) {
		L.Push(lua.LNil)
		return 1
	}
	if err != nil {
		bind.Raise(L, "redis:subscribe", redisError(err))
	}
	t := L.CreateTable(0, 3)
	t.RawSetString("channel", lua.LString(m.Channel))
	t.RawSetString("payload", lua.LString(m.Payload))
	if m.Pattern != "" {
		t.RawSetString("pattern", lua.LString(m.Pattern))
	}
	L.Push(t)
	return 1
}

func redisStats(L *lua.LState, r *Redis) int {
	s := r.client.Stats()
	t := L.CreateTable(0, 5)
	for name, n := range map[string]uint32{"open": s.Open, "idle": s.Idle, "hits": s.Hits, "misses": s.Misses, "timeouts": s.Timeouts} {
		t.RawSetString(name, lua.LNumber(n))
	}
	L.Push(t)
	return 1
}
