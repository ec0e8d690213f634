package luabind

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"sync"

	lua "github.com/yuin/gopher-lua"

	"rws/luabind/bind"
	"rws/luabind/fault"
	"rws/luabind/vm"
	"rws/server/cancel"
	"rws/server/storage"
)

// storageGetOptions are the options of files:get.
type storageGetOptions struct {
	Max *bind.Size `json:"max"`
}

// storageGet returns the content and what is known of the file, nil when it is missing.
func storageGet(L *lua.LState, s *Storage) int {
	const name = "files:get"
	key, most := bind.Arg[string](L, name, 2), bind.Size(maxFile)
	if o := bind.Options[storageGetOptions](L, name, 3); o.Max != nil {
		if most = *o.Max; most < 1 || most > maxFile {
			fault.Raisef(L, "option", "%s: option \"max\": a size up to %s expected; files:open reads what is larger in pieces, and files:send sends it", name, bind.Size(maxFile))
		}
	}
	var content []byte
	var info *storage.Info
	s.wait(L, name, func(ctx context.Context) error {
		o, err := s.store.Get(ctx, key, storage.GetOptions{})
		if err != nil {
			return unlessMissing(err)
		}
		defer o.Close()
		info = &o.Info
		content, err = whole(o, most)
		return err
	})
	if info == nil {
		L.Push(lua.LNil)
		return 1
	}
	L.Push(lua.LString(content))
	L.Push(storedInfo(L, info))
	return 2
}

// whole reads a file of at most so many bytes.
func whole(o *storage.Object, most bind.Size) ([]byte, error) {
	if o.Size > int64(most) {
		return nil, bind.Errorf("too_large", "%q has %d bytes, and %s are the most: files:open reads it in pieces, and files:send sends it", o.Key, o.Size, most)
	}
	content := make([]byte, o.Size)
	n, err := io.ReadFull(o, content)
	if err == io.EOF || err == io.ErrUnexpectedEOF {
		err = fmt.Errorf("%q ended after %d of %d bytes: %w", o.Key, n, o.Size, io.ErrUnexpectedEOF)
	}
	return content, err
}

// storageOpen returns a reader, nil when the file is missing. It ends with the run. It is the only result, or
// files:put(key, other:open(key)) would take a second one for options.
func storageOpen(L *lua.LState, s *Storage) int {
	const name = "files:open"
	key := bind.Arg[string](L, name, 2)
	var r *Reader
	s.wait(L, name, func(ctx context.Context) error {
		o, err := s.store.Get(ctx, key, storage.GetOptions{})
		if err != nil {
			return unlessMissing(err)
		}
		r = &Reader{name: key, r: o, size: o.Size, mime: o.ContentType, explain: storageError}
		cancel.After(ctx, func() { _ = o.Close() })
		return nil
	})
	if r == nil {
		L.Push(lua.LNil)
		return 1
	}
	L.Push(bind.New(L, readerType, r))
	return 1
}

// A listing is the state of one files:list. Its fields are guarded by the lock of the isolate.
type listing struct {
	s    *Storage
	page []storage.Info
	over bool

	mu     sync.Mutex // two functions may share the iterator
	lister storage.Lister
}

// next returns a file, nil at the end.
func (l *listing) next(L *lua.LState) int {
	for len(l.page) == 0 && !l.over {
		l.more(L)
	}
	if len(l.page) == 0 {
		L.Push(lua.LNil)
		return 1
	}
	info := l.page[0]
	l.page = l.page[1:]
	L.Push(listedInfo(L, info))
	return 1
}

// more asks for the next files.
func (l *listing) more(L *lua.LState) {
	var page []storage.Info
	var over bool
	l.s.wait(L, "files:list", func(ctx context.Context) (err error) {
		l.mu.Lock()
		defer l.mu.Unlock()
		page, err = l.lister.Next(ctx)
		if over = errors.Is(err, io.EOF); over {
			err = nil
		}
		return err
	})
	l.page, l.over = append(l.page, page...), over
}

const readerType = "rws.Reader"

// A Reader is a stream of bytes that a script may read, or hand to files:put.
type Reader struct {
	name    string
	size    int64 // -1 where it is not known
	mime    string
	explain func(error) error                // what scripts see of an error
	begin   func(ctx context.Context)        // before reading
	late    func(ctx context.Context) error  // what an error at the deadline is; nil for none
	gone    func(L *lua.LState, name string) // raises where the stream is over

	mu     sync.Mutex // two functions may read at a time
	r      io.ReadCloser
	used   bool // something, or the end, has been read
	closed bool
}

// readerOfType describes a Reader.
func readerOfType() bind.Type {
	return bind.Type{
		Name: readerType, As: "reader", String: func(self any) string { return self.(*Reader).name },
		Fields: map[string]func(*lua.LState, any) lua.LValue{
			"size": func(_ *lua.LState, self any) lua.LValue {
				if r := self.(*Reader); r.size >= 0 {
					return lua.LNumber(r.size)
				}
				return lua.LNil
			},
			"type": func(_ *lua.LState, self any) lua.LValue { return lua.LString(self.(*Reader).mime) },
		},
		Methods: []bind.Func{
			bind.RawWaitMethod("read(n?)", readerRead),
			bind.RawWaitMethod("chunks()", readerChunks),
			bind.RawWaitMethod("close()", readerClose),
		},
	}
}

// use calls f with the reader locked.
func (r *Reader) use(ctx context.Context, f func(io.Reader) error) error {
	r.mu.Lock()
	defer r.mu.Unlock()
	if r.closed {
		return bind.Errorf("closed", "the stream %q has been closed", r.name)
	}
	if r.begin != nil {
		r.begin(ctx)
	}
	defer func() { r.used = true }()
	return f(&bodySource{ctx: ctx, r: r.r, explain: r.explain, late: r.late})
}

// leftOf returns what is left of a stream. One of which nothing is, as it has been read, would be stored as an
// empty file.
func leftOf(from io.Reader, used bool, name string) (io.Reader, error) {
	if !used {
		return from, nil
	}
	first := make([]byte, 1)
	n, err := io.ReadFull(from, first)
	if err == io.EOF {
		return nil, bind.Errorf("stream", "%s has been read already, and nothing is left of it: keep what was read in a variable, or use files:copy for a second file", name)
	}
	return io.MultiReader(bytes.NewReader(first[:n]), from), err
}

// readerRead returns up to n bytes, fewer at the end, then nil.
func readerRead(L *lua.LState, r *Reader) int {
	const name = "reader:read"
	n := bind.Arg[bind.Opt[int]](L, name, 2).Or(chunkSize)
	if n < 1 || n > maxRead {
		bind.ArgError(L, name, 1, "a number of bytes from 1 to %d expected, got %d", maxRead, n)
	}
	return r.push(L, name, func(from io.Reader) ([]byte, error) { return io.ReadAll(io.LimitReader(from, int64(n))) })
}

// readerChunks returns an iterator over pieces, as they arrive.
func readerChunks(L *lua.LState, r *Reader) int {
	buffer := make([]byte, chunkSize)
	L.Push(L.NewFunction(func(L *lua.LState) int {
		return r.push(L, "reader:chunks", func(from io.Reader) ([]byte, error) {
			n, err := io.ReadAtLeast(from, buffer, 1)
			if err == io.EOF {
				err = nil
			}
			return buffer[:n], err
		})
	}))
	return 1
}

func (r *Reader) push(L *lua.LState, name string, read func(io.Reader) ([]byte, error)) int {
	if r.gone != nil {
		r.gone(L, name)
	}
	var text lua.LString
	err := vm.Wait(L, func(ctx context.Context) error {
		return r.use(ctx, func(from io.Reader) error {
			b, err := read(from)
			text = lua.LString(b)
			return err
		})
	})
	if err != nil {
		bind.Raise(L, name, storageError(err))
	}
	if text == "" {
		L.Push(lua.LNil)
	} else {
		L.Push(text)
	}
	return 1
}

// readerClose ends a stream; closing it twice does nothing.
func readerClose(L *lua.LState, r *Reader) int {
	_ = vm.Wait(L, func(context.Context) error {
		r.mu.Lock()
		defer r.mu.Unlock()
		if !r.closed {
			r.closed = true
			_ = r.r.Close()
		}
		return nil
	})
	return 0
}
