package luabind

import (
	"fmt"
	"net/http"

	lua "github.com/yuin/gopher-lua"

	"rws/luabind/bind"
	"rws/server/middleware"
)

// bodyFuncs make middleware that works on bodies.
func bodyFuncs() []bind.Func {
	return []bind.Func{
		bind.Raw("compress(options?)", compress),
		bind.Raw("decompress(options?)", decompress),
		bind.Raw("max_body(size)", maxBody),
	}
}

// compressOptions are the options of rws.compress.
type compressOptions struct {
	Encodings []string   `json:"encodings"`
	MinSize   *bind.Size `json:"min_size"`
	Types     []string   `json:"types"`
}

func compress(L *lua.LState) int {
	o := bind.Options[compressOptions](L, "rws.compress", 1)
	co := middleware.CompressOptions{Encodings: o.Encodings, Types: o.Types}
	if o.MinSize != nil {
		co.MinSize = int(max(*o.MinSize, 1)) // an empty answer is never worth it
	}
	return native(L, "compress", func(*Program) (func(http.Handler) http.Handler, error) {
		return middleware.Compress(co)
	})
}

// decompressOptions are the options of rws.decompress.
type decompressOptions struct {
	Encodings []string   `json:"encodings"`
	MaxSize   *bind.Size `json:"max_size"`
	MaxRatio  *int64     `json:"max_ratio"`
}

func decompress(L *lua.LState) int {
	o := bind.Options[decompressOptions](L, "rws.decompress", 1)
	do := middleware.DecompressOptions{Encodings: o.Encodings}
	if o.MaxSize != nil {
		if do.MaxBytes = int64(*o.MaxSize); do.MaxBytes < 1 {
			raiseOption(L, "rws.decompress", fmt.Errorf("option \"max_size\": more than nothing expected"))
		}
	}
	if o.MaxRatio != nil {
		if do.MaxRatio = *o.MaxRatio; do.MaxRatio < 1 {
			raiseOption(L, "rws.decompress", fmt.Errorf("option \"max_ratio\": %d: 1 or more expected", do.MaxRatio))
		}
	}
	return native(L, "decompress", func(*Program) (func(http.Handler) http.Handler, error) {
		return middleware.Decompress(do)
	})
}

// leastBody is the smallest limit of rws.max_body in a chain, 0 without one.
func leastBody(chain []link) (least int64) {
	for _, l := range chain {
		if l.native != nil && l.native.body > 0 && (least == 0 || l.native.body < least) {
			least = l.native.body
		}
	}
	return least
}

func maxBody(L *lua.LState) int {
	limit := bind.Arg[bind.Size](L, "rws.max_body", 1)
	if limit < 1 {
		bind.ArgError(L, "rws.max_body", 1, "more than nothing expected, got %s", limit)
	}
	return push(L, &Middleware{Name: "max_body", Limit: limit.String(), body: int64(limit)}, func(*Program) (func(http.Handler) http.Handler, error) {
		return middleware.MaxBody(int64(limit))
	})
}
