package luabind

import (
	"context"
	"errors"
	"net/http"
	"strconv"
	"time"

	lua "github.com/yuin/gopher-lua"

	"rws/luabind/bind"
	"rws/luabind/codec"
	"rws/luabind/fault"
	"rws/luabind/vm"
	"rws/server/cache"
	"rws/server/redis"
)

const cacheType = "rws.Cache"

// Cache is app.cache. All isolates share it, so values cross as bytes: texts as they are,
// whole numbers as what Incr counts, all else as JSON.
type Cache struct{ program *Program }

// Flags of cache.Item, beside cache.Integer.
const (
	cachedText byte = 2
	cachedJSON byte = 3
)

// cacheOptions are the options of app.cache:set.
type cacheOptions struct {
	TTL  time.Duration `json:"ttl"`
	Tags []string      `json:"tags"`
}

// cacheFetchOptions are those of app.cache:fetch.
type cacheFetchOptions struct {
	TTL     time.Duration `json:"ttl"`
	Missing time.Duration `json:"missing"`
	Stale   time.Duration `json:"stale"`
	Tags    []string      `json:"tags"`
}

// cacheOfType describes app.cache.
func cacheOfType() bind.Type {
	return bind.Type{Name: cacheType, As: "app.cache", Methods: append(bind.Writing(
		bind.RawWaitMethod("set(key, value, options?)", cacheSet),
		bind.RawWaitMethod("del(...)", cacheDel),
		bind.RawWaitMethod("incr(key, by?, options?)", cacheIncr),
		bind.RawWaitMethod("fetch(key, options, fn)", cacheFetch),
		bind.RawWaitMethod("invalidate(...)", cacheInvalidate),
		bind.RawWaitMethod("clear()", cacheClear),
	),
		bind.RawWaitMethod("get(key)", cacheGet),
		bind.RawMethod("stats()", cacheStats),
	)}
}

// wait calls f: with the lock held for a cache in memory, which never waits.
func (c *Cache) wait(L *lua.LState, name string, f func(context.Context, *cache.Cache) error) {
	opened := c.open(L, name)
	var err error
	if c.program.cacheWaits() {
		err = vm.Wait(L, func(ctx context.Context) error { return f(ctx, opened) })
	} else {
		err = f(context.Background(), opened)
	}
	if err != nil {
		bind.Raise(L, name, cacheError(err))
	}
}

func (c *Cache) open(L *lua.LState, name string) *cache.Cache {
	opened, err := c.program.cacheOf()
	if err != nil {
		bind.Raise(L, name, err)
	}
	return opened
}

// cacheError gives an error its code.
func cacheError(err error) error {
	switch {
	case errors.Is(err, vm.ErrDeadline), errors.Is(err, vm.ErrStopped), errors.Is(err, context.Canceled):
		return err
	case errors.Is(err, cache.ErrTooLarge):
		return bind.Errorf("too_large", "%w", err)
	case errors.Is(err, cache.ErrRange):
		return bind.Errorf("range", "%w", err)
	case redis.Unavailable(err):
		return &fault.Error{Code: "unavailable", Message: err.Error(), Status: http.StatusServiceUnavailable, Cause: err}
	}
	if _, ok := errors.AsType[*redis.Error](err); ok {
		return redisError(err)
	}
	return bind.Errorf("cache", "%w", err)
}

// timeToLive reads argument n: a duration, or a table of options. Without a duration a value is kept as
// long as there is room, so one of zero would mean the contrary of what it says.
func timeToLive[T any](L *lua.LState, name string, n int, ttl func(*T) *time.Duration) (o T) {
	given := true
	switch v := L.Get(n).(type) {
	case lua.LString, lua.LNumber:
		*ttl(&o) = bind.Arg[time.Duration](L, name, n)
	case *lua.LTable:
		o = bind.Options[T](L, name, n)
		given = v.RawGetString("ttl") != lua.LNil
	default:
		return bind.Options[T](L, name, n)
	}
	if given && *ttl(&o) == 0 {
		bind.ArgError(L, name, n-1, "a ttl longer than 0 expected; without one a value is kept as long as there is room, and app.cache:del removes it")
	}
	return o
}

// encodeItem returns a value as the cache keeps it.
func encodeItem(L *lua.LState, v lua.LValue) (cache.Item, error) {
	switch v := v.(type) {
	case lua.LString:
		return cache.Item{Value: []byte(v), Flag: cachedText}, nil
	case lua.LNumber:
		if n, ok := bind.Number(v).(int64); ok {
			return cache.Item{Value: strconv.AppendInt(nil, n, 10), Flag: cache.Integer}, nil
		}
	}
	b, err := codec.Append(nil, L, v, codec.Options{Numbers: true})
	return cache.Item{Value: b, Flag: cachedJSON}, err
}

// decodeItem returns a copy of what the cache keeps.
func decodeItem(L *lua.LState, item cache.Item) (lua.LValue, error) {
	switch item.Flag {
	case cachedText:
		return lua.LString(item.Value), nil
	case cache.Integer:
		n, err := strconv.ParseInt(string(item.Value), 10, 64)
		return bind.Integer(n), err
	}
	return codec.Decode(L, item.Value, codec.Limits{})
}

func pushItem(L *lua.LState, name string, item cache.Item, found bool) int {
	if !found {
		L.Push(lua.LNil)
		return 1
	}
	v, err := decodeItem(L, item)
	if err != nil {
		bind.Raise(L, name, err)
	}
	L.Push(v)
	return 1
}

func cacheGet(L *lua.LState, c *Cache) int {
	key := bind.Arg[string](L, "app.cache:get", 2)
	var item cache.Item
	found := false
	c.wait(L, "app.cache:get", func(ctx context.Context, opened *cache.Cache) (err error) {
		item, found, err = opened.Get(ctx, key)
		return err
	})
	return pushItem(L, "app.cache:get", item, found)
}

func cacheSet(L *lua.LState, c *Cache) int {
	const name = "app.cache:set"
	key := bind.Arg[string](L, name, 2)
	o := timeToLive(L, name, 4, func(o *cacheOptions) *time.Duration { return &o.TTL })
	if L.Get(3) == lua.LNil {
		bind.ArgError(L, name, 2, "a value expected, got nil; app.cache:del removes one")
	}
	item, err := encodeItem(L, L.Get(3))
	if err != nil {
		fault.Raise(L, &fault.Error{Code: "argument", Message: name + ": argument 2: " + err.Error(), Cause: err})
	}
	c.wait(L, name, func(ctx context.Context, opened *cache.Cache) error {
		return opened.Set(ctx, key, item, o.TTL, o.Tags...)
	})
	return 0
}

// argumentTexts returns the arguments from n on.
func argumentTexts(L *lua.LState, name string, n int) []string {
	list := make([]string, 0, max(0, L.GetTop()-n+1))
	for ; n <= L.GetTop(); n++ {
		list = append(list, bind.Arg[string](L, name, n))
	}
	return list
}

func cacheDel(L *lua.LState, c *Cache) int {
	keys := argumentTexts(L, "app.cache:del", 2)
	n := 0
	c.wait(L, "app.cache:del", func(ctx context.Context, opened *cache.Cache) (err error) {
		n, err = opened.Del(ctx, keys...)
		return err
	})
	L.Push(lua.LNumber(n))
	return 1
}

// cacheCountOptions are the options of app.cache:incr.
type cacheCountOptions struct {
	TTL time.Duration `json:"ttl"`
}

func cacheIncr(L *lua.LState, c *Cache) int {
	const name = "app.cache:incr"
	key, by := bind.Arg[string](L, name, 2), bind.Arg[bind.Opt[int64]](L, name, 3).Or(1)
	o := timeToLive(L, name, 4, func(o *cacheCountOptions) *time.Duration { return &o.TTL })
	var sum int64
	c.wait(L, name, func(ctx context.Context, opened *cache.Cache) (err error) {
		sum, err = opened.Incr(ctx, key, by, o.TTL)
		return err
	})
	L.Push(bind.Integer(sum))
	return 1
}

func cacheInvalidate(L *lua.LState, c *Cache) int {
	tags := argumentTexts(L, "app.cache:invalidate", 2)
	if len(tags) == 0 {
		bind.ArgError(L, "app.cache:invalidate", 1, "a tag expected; app.cache:clear() removes everything")
	}
	c.wait(L, "app.cache:invalidate", func(ctx context.Context, opened *cache.Cache) error { return opened.InvalidateTags(ctx, tags...) })
	return 0
}

func cacheClear(L *lua.LState, c *Cache) int {
	c.wait(L, "app.cache:clear", func(ctx context.Context, opened *cache.Cache) error { return opened.Clear(ctx) })
	return 0
}

func cacheStats(L *lua.LState, c *Cache) int {
	s := c.open(L, "app.cache:stats").Stats()
	t := L.CreateTable(0, 8)
	for name, n := range map[string]int64{
		"hits": s.Hits, "misses": s.Misses, "stale": s.Stale, "loads": s.Loads, "load_errors": s.LoadErrors,
		"entries": s.Entries, "bytes": s.Bytes, "evictions": s.Evictions,
	} {
		t.RawSetString(name, bind.Integer(n))
	}
	L.Push(t)
	return 1
}

// cacheFetch returns what is under a key, or has fn make it: once, however many ask in this
// process.
func cacheFetch(L *lua.LState, c *Cache) int {
	const name = "app.cache:fetch"
	key := bind.Arg[string](L, name, 2)
	if L.GetTop() < 4 {
		bind.ArgError(L, name, 2, "how long the value is kept, as \"5m\", and then a function expected")
	}
	o := timeToLive(L, name, 3, func(o *cacheFetchOptions) *time.Duration { return &o.TTL })
	fn := bind.Arg[*lua.LFunction](L, name, 4)
	opened := c.open(L, name)
	if !c.program.cacheWaits() {
		if item, found, ok := opened.Hit(context.Background(), key); ok {
			return pushItem(L, name, item, found)
		}
	}
	load := loadBy(L, fn)
	var item cache.Item
	found := false
	err := vm.Wait(L, func(ctx context.Context) (err error) {
		options := cache.FetchOptions{TTL: o.TTL, MissingTTL: o.Missing, Stale: o.Stale, Tags: o.Tags}
		item, found, err = opened.Fetch(ctx, key, options, load)
		return err
	})
	if err != nil {
		raiseFetched(L, name, err)
	}
	return pushItem(L, name, item, found)
}

// A fetchError is what the function of a fetch raised, with where: its values are of that
// isolate.
type fetchError struct {
	isolate *vm.Isolate
	fault   *fault.Error
}

func (e *fetchError) Error() string { return e.fault.Error() }
func (e *fetchError) Unwrap() error { return e.fault }

// loadBy returns the load function for fn. It takes a run of its own, in the same isolate,
// which works while the caller waits, and after it has left, for a refresh.
func loadBy(L *lua.LState, fn *lua.LFunction) cache.Load {
	iso, parent := vm.Of(L), vm.Current(L)
	var like vm.Run
	like.Inherit(parent)
	return func(ctx context.Context) (item cache.Item, found bool, err error) {
		run := &vm.Run{Context: ctx}
		run.Inherit(&like)
		err = iso.Do(run, func(L *lua.LState) error {
			v, err := vm.Call(L, fn)
			if err != nil {
				return &fetchError{iso, asFault(err)}
			}
			if found = v != lua.LNil; !found {
				return nil
			}
			if item, err = encodeItem(L, v); err != nil {
				return &fetchError{iso, &fault.Error{Code: "argument", At: functionAt(fn), Message: "app.cache:fetch: what the function returned: " + err.Error(), Cause: err}}
			}
			return nil
		})
		return item, found, err
	}
}

// raiseFetched raises the error of a fetch. That of the function is raised with its own place,
// to all who waited for it; each gets a copy, and in another isolate one without the values of
// the first.
func raiseFetched(L *lua.LState, name string, err error) {
	f, ok := errors.AsType[*fetchError](err)
	if !ok || vm.Current(L).Cause() != nil {
		bind.Raise(L, name, cacheError(err))
	}
	e := *f.fault
	if f.isolate != vm.Of(L) {
		e = fault.Error{
			Code: f.fault.Code, Message: f.fault.Message, At: f.fault.At, Status: f.fault.Status, Fields: f.fault.Fields,
			Frames: f.fault.Frames, Hint: f.fault.Hint, Value: f.fault.Value, Cause: f.fault.Cause,
		}
	}
	raiseAgain(L, &e)
}
