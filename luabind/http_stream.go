package luabind

import (
	"context"
	"io"

	lua "github.com/yuin/gopher-lua"

	"rws/luabind/bind"
	"rws/luabind/fault"
	"rws/luabind/vm"
)

// Sizes of reads from a stream, in bytes.
const (
	chunkSize = 64 << 10
	maxRead   = vm.MaxString
)

// httpRead returns up to n bytes of a stream, fewer at its end, then nil.
func httpRead(L *lua.LState, r *HTTPResponse) int {
	n := bind.Arg[bind.Opt[int]](L, "response:read", 2).Or(chunkSize)
	if n < 1 || n > maxRead {
		bind.ArgError(L, "response:read", 1, "a number of bytes from 1 to %d expected, got %d", maxRead, n)
	}
	return r.pushRead(L, "response:read", func(p io.Reader) ([]byte, error) {
		b, err := io.ReadAll(io.LimitReader(p, int64(n)))
		return b, err
	})
}

// httpChunks returns an iterator over the stream, in pieces as they arrive.
func httpChunks(L *lua.LState, r *HTTPResponse) int {
	r.streaming(L, "response:chunks")
	buffer := make([]byte, chunkSize)
	L.Push(L.NewFunction(func(L *lua.LState) int {
		return r.pushRead(L, "response:chunks", func(p io.Reader) ([]byte, error) {
			n, err := p.Read(buffer)
			for n == 0 && err == nil {
				n, err = p.Read(buffer)
			}
			if err == io.EOF {
				err = nil
			}
			return buffer[:n], err
		})
	}))
	return 1
}

func (r *HTTPResponse) streaming(L *lua.LState, name string) {
	if r.res.Stream == nil {
		fault.Raisef(L, "stream", "%s: the body of this response has been read: use response.body, or call with stream = true", name)
	}
}

// pushRead pushes what read gets from the stream, nil at its end.
func (r *HTTPResponse) pushRead(L *lua.LState, name string, read func(io.Reader) ([]byte, error)) int {
	r.streaming(L, name)
	var text lua.LString
	err := vm.Wait(L, func(context.Context) error {
		r.mu.Lock()
		defer r.mu.Unlock()
		if r.closed {
			return nil
		}
		b, err := read(r.res.Stream)
		text = lua.LString(b)
		if len(b) == 0 || err != nil {
			r.closed = true
			_ = r.res.Stream.Close()
		}
		return err
	})
	if err != nil {
		bind.Raise(L, name, httpError(err))
	}
	if text == "" {
		L.Push(lua.LNil)
	} else {
		L.Push(text)
	}
	return 1
}

// httpClose ends a stream; closing twice, or what is no stream, does nothing.
func httpClose(L *lua.LState, r *HTTPResponse) int {
	if r.res.Stream == nil {
		return 0
	}
	_ = vm.Wait(L, func(context.Context) error {
		r.mu.Lock()
		defer r.mu.Unlock()
		if !r.closed {
			r.closed = true
			_ = r.res.Stream.Close()
		}
		return nil
	})
	return 0
}
