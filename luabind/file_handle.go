package luabind

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"os"
	"slices"
	"strings"
	"sync"

	lua "github.com/yuin/gopher-lua"

	"rws/luabind/bind"
	"rws/luabind/fault"
	"rws/luabind/vm"
)

const fileHandleType = "rws.FileHandle"

// A FileHandle is an open file. Two functions may use it at a time, so it has a lock, which
// is only waited for while the isolate's is released.
type FileHandle struct {
	name string

	mu    sync.Mutex
	file  *os.File // nil once closed
	ahead []byte   // read from the file and not yet given out
}

// fileHandleOfType describes a FileHandle.
func fileHandleOfType() bind.Type {
	return bind.Type{Name: fileHandleType, As: "handle", Methods: []bind.Func{
		bind.RawWaitMethod("read(n?)", handleRead),
		bind.RawWaitMethod("lines()", handleLines),
		bind.RawWaitMethod("write(...)", handleWrite),
		bind.RawWaitMethod("seek(offset, from?)", handleSeek),
		bind.RawWaitMethod("close()", handleClose),
	}, String: func(self any) string { return self.(*FileHandle).name }}
}

// openModes are those of Lua's io.open.
var openModes = map[string]int{
	"r": os.O_RDONLY, "w": os.O_WRONLY | os.O_CREATE | os.O_TRUNC, "a": os.O_WRONLY | os.O_CREATE | os.O_APPEND,
	"r+": os.O_RDWR, "w+": os.O_RDWR | os.O_CREATE | os.O_TRUNC, "a+": os.O_RDWR | os.O_CREATE | os.O_APPEND,
}

func fsOpen(L *lua.LState) int {
	const name = "rws.fs.open"
	file := bind.Arg[string](L, name, 1)
	mode := strings.Replace(bind.Arg[bind.Opt[string]](L, name, 2).Or("r"), "b", "", 1)
	flag, ok := openModes[mode]
	if !ok {
		bind.ArgError(L, name, 2, "%q is no mode; there are \"r\" to read, \"w\" to write a new file, \"a\" to append, and \"r+\", \"w+\", \"a+\" for both", mode)
	}
	if flag != os.O_RDONLY {
		vm.Writes(L)
	}
	h := &FileHandle{name: file}
	fsWait(L, name, func(p *Program) (err error) {
		h.file, err = p.openFile(file, flag)
		return err
	})
	L.Push(bind.New(L, fileHandleType, h))
	return 1
}

var errClosed = errors.New("the file is closed")

// wait calls f with the file locked and the isolate's lock released.
func (h *FileHandle) wait(L *lua.LState, name string, f func() error) {
	err := vm.Wait(L, func(context.Context) error {
		h.mu.Lock()
		defer h.mu.Unlock()
		if h.file == nil {
			return fmt.Errorf("%s: %w", h.name, errClosed)
		}
		return f()
	})
	if errors.Is(err, errClosed) {
		fault.Raise(L, &fault.Error{Code: "closed", Message: name + ": " + err.Error(), Cause: err})
	}
	if err != nil {
		bind.Raise(L, name, fsError(err))
	}
}

// Read gives out what was read ahead, then the file.
func (h *FileHandle) Read(p []byte) (int, error) {
	if len(h.ahead) > 0 {
		n := copy(p, h.ahead)
		h.ahead = h.ahead[n:]
		return n, nil
	}
	return h.file.Read(p)
}

// settle puts the file's position where the script believes it is.
func (h *FileHandle) settle() error {
	if len(h.ahead) == 0 {
		return nil
	}
	_, err := h.file.Seek(-int64(len(h.ahead)), io.SeekCurrent)
	h.ahead = nil
	return err
}

// handleRead returns up to n bytes, all that is left without n, and nil at the end.
func handleRead(L *lua.LState, h *FileHandle) int {
	const name = "handle:read"
	n := bind.Arg[bind.Opt[int]](L, name, 2)
	if n.Set && (n.Value < 1 || n.Value > maxFile) {
		bind.ArgError(L, name, 1, "a number of bytes from 1 to %d expected, got %d", maxFile, n.Value)
	}
	var text []byte
	h.wait(L, name, func() (err error) {
		if n.Set {
			text, err = io.ReadAll(io.LimitReader(h, int64(n.Value)))
		} else {
			text, err = readAll(h, h.name)
		}
		return err
	})
	if len(text) == 0 {
		L.Push(lua.LNil)
	} else {
		L.Push(lua.LString(text))
	}
	return 1
}

// fsLines opens a file and returns an iterator over its lines, which closes it at the end.
func fsLines(L *lua.LState) int {
	const name = "rws.fs.lines"
	file := bind.Arg[string](L, name, 1)
	h := &FileHandle{name: file}
	fsWait(L, name, func(p *Program) (err error) {
		h.file, err = p.openFile(file, os.O_RDONLY)
		return err
	})
	L.Push(h.iterator(L, name, true))
	return 1
}

func handleLines(L *lua.LState, h *FileHandle) int {
	L.Push(h.iterator(L, "handle:lines", false))
	return 1
}

// iterator returns a function that gives a line at each call, without its end. It waits when
// the next line is not in memory, some 64 KB at a time: a wait per line would put the script
// in line for the isolate each time.
func (h *FileHandle) iterator(L *lua.LState, name string, closeAtEnd bool) *lua.LFunction {
	return L.NewFunction(func(L *lua.LState) int {
		if h.mu.TryLock() {
			line, ok := h.bufferedLine()
			h.mu.Unlock()
			if ok {
				L.Push(lua.LString(line))
				return 1
			}
		}
		var line string
		found := false
		h.wait(L, name, func() (err error) {
			line, found, err = h.nextLine()
			if closeAtEnd && (!found || err != nil) {
				_ = h.shut()
			}
			return err
		})
		if found {
			L.Push(lua.LString(line))
		} else {
			L.Push(lua.LNil)
		}
		return 1
	})
}

// readAhead is how much is read at a time for lines, in bytes.
const readAhead = 64 << 10

// bufferedLine takes a line that is in memory.
func (h *FileHandle) bufferedLine() (string, bool) {
	i := bytes.IndexByte(h.ahead, '\n')
	if i < 0 {
		return "", false
	}
	line := string(bytes.TrimSuffix(h.ahead[:i], []byte("\r")))
	h.ahead = h.ahead[i+1:]
	return line, true
}

// nextLine reads until there is a line. The last one may lack its end.
func (h *FileHandle) nextLine() (string, bool, error) {
	for {
		if line, ok := h.bufferedLine(); ok {
			return line, true, nil
		}
		if len(h.ahead) > maxFile {
			return "", false, fmt.Errorf("%s: %w: a line has more than %d MB", h.name, errTooLarge, maxFile>>20)
		}
		grown := slices.Grow(slices.Clone(h.ahead), max(readAhead, len(h.ahead)))
		n, err := h.file.Read(grown[len(grown):cap(grown)])
		h.ahead = grown[:len(grown)+n]
		if err == io.EOF {
			rest := strings.TrimSuffix(string(h.ahead), "\r")
			found := len(h.ahead) > 0
			h.ahead = nil
			return rest, found, nil
		}
		if err != nil {
			return "", false, err
		}
	}
}

// handleWrite writes its arguments, texts and numbers, and returns the handle.
func handleWrite(L *lua.LState, h *FileHandle) int {
	const name = "handle:write"
	var b strings.Builder
	for n := 2; n <= L.GetTop(); n++ {
		b.WriteString(bind.Arg[string](L, name, n))
	}
	h.wait(L, name, func() error {
		if err := h.settle(); err != nil {
			return err
		}
		_, err := io.WriteString(h.file, b.String())
		return err
	})
	L.Push(L.Get(1))
	return 1
}

// origins of a seek.
var seekOrigins = map[string]int{"start": io.SeekStart, "current": io.SeekCurrent, "end": io.SeekEnd}

// handleSeek moves and returns the new position.
func handleSeek(L *lua.LState, h *FileHandle) int {
	const name = "handle:seek"
	offset := bind.Arg[int64](L, name, 2)
	origin := bind.Arg[bind.Opt[string]](L, name, 3).Or("start")
	from, ok := seekOrigins[origin]
	if !ok {
		bind.ArgError(L, name, 2, "%q is none of start, current, end%s", origin, didYouMean(origin, []string{"start", "current", "end"}))
	}
	var at int64
	h.wait(L, name, func() (err error) {
		if err = h.settle(); err == nil {
			at, err = h.file.Seek(offset, from)
		}
		return err
	})
	L.Push(lua.LNumber(at))
	return 1
}

// handleClose closes the file; closing twice does nothing.
func handleClose(L *lua.LState, h *FileHandle) int {
	err := vm.Wait(L, func(context.Context) error {
		h.mu.Lock()
		defer h.mu.Unlock()
		return h.shut()
	})
	if err != nil {
		bind.Raise(L, "handle:close", fsError(err))
	}
	return 0
}

func (h *FileHandle) shut() error {
	if h.file == nil {
		return nil
	}
	err := h.file.Close()
	h.file, h.ahead = nil, nil
	return err
}
