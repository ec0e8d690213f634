package luabind

import (
	"context"
	"crypto/rand"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"path"
	"path/filepath"
	"strings"

	lua "github.com/yuin/gopher-lua"

	"rws/luabind/bind"
	"rws/luabind/vm"
)

// fsModule is rws.fs: files of the app's folder, and of those in the setting fs.allow.
func fsModule() bind.Module {
	return bind.Module{Name: "rws.fs", Types: []bind.Type{fileHandleOfType()}, Funcs: append(bind.Writing(
		fsAction("write(path, text)", 2, (*Program).writeFile),
		fsAction("append(path, text)", 2, (*Program).appendFile),
		fsAction("mkdir(path)", 1, func(p *Program, name, _ string) error { return p.makeFolder(name) }),
		bind.RawWait("remove(path, options?)", fsRemove),
		fsAction("rename(from, to)", 2, (*Program).renameFile),
		fsAction("copy(from, to)", 2, (*Program).copyFile),
		bind.RawWait("temp(suffix?)", fsTemp),
	),
		bind.RawWait("read(path)", fsRead),
		bind.RawWait("lines(path)", fsLines),
		bind.RawWait("open(path, mode?)", fsOpen),
		bind.RawWait("exists(path)", fsExists),
		bind.RawWait("stat(path)", fsStat),
		bind.RawWait("list(path)", fsList),
		bind.RawWait("glob(pattern)", fsGlob),
	)}
}

// fsAction binds a function of one or two texts and no result.
func fsAction(sig string, args int, f func(p *Program, a, b string) error) bind.Func {
	name := "rws.fs." + sig[:strings.IndexByte(sig, '(')]
	return bind.RawWait(sig, func(L *lua.LState) int {
		a, b := bind.Arg[string](L, name, 1), ""
		if args > 1 {
			b = bind.Arg[string](L, name, 2)
		}
		fsWait(L, name, func(p *Program) error { return f(p, a, b) })
		return 0
	})
}

// fsWait calls f with the lock released and raises its error with a code.
func fsWait(L *lua.LState, name string, f func(p *Program) error) {
	p := stateOf(L).program
	if err := vm.Wait(L, func(context.Context) error { return f(p) }); err != nil {
		bind.Raise(L, name, fsError(err))
	}
}

// fsError gives the errors of files their codes.
func fsError(err error) error {
	code := "io"
	switch {
	case errors.Is(err, vm.ErrDeadline), errors.Is(err, vm.ErrStopped), errors.Is(err, context.Canceled):
		return err
	case errors.Is(err, errNotEmpty):
		code = "not_empty"
	case errors.Is(err, path.ErrBadPattern):
		code = "pattern"
	case errors.Is(err, fs.ErrNotExist):
		code = "not_found"
	case errors.Is(err, fs.ErrExist):
		code = "exists"
	case errors.Is(err, fs.ErrPermission):
		code = "permission"
	case errors.Is(err, errTooLarge):
		code = "too_large"
	case strings.Contains(err.Error(), "path escapes from parent"): // of os.Root, which has no name for it
		return bind.Errorf("permission", "%w: a link or \"..\" leads out of the folder", err)
	}
	return bind.Errorf(code, "%w", err)
}

var (
	errTooLarge = errors.New("too large")
	errNotEmpty = errors.New("the folder is not empty; { recursive = true } removes what is in it too")
)

// errOutside says how to reach other folders.
var errOutside = fmt.Errorf("%w: it is outside of the app's folder; name other folders in app:config { fs = { allow = { … } } } and write the path from the root", fs.ErrPermission)

// within is rooted with a better error for paths that lead out of the app's folder.
func (p *Program) within(op, name string) (root *os.Root, below string, done func(), err error) {
	if !filepath.IsAbs(name) && !filepath.IsLocal(name) {
		if name == "" {
			return nil, "", nil, &fs.PathError{Op: op, Path: name, Err: errors.New("the path is empty")}
		}
		return nil, "", nil, &fs.PathError{Op: op, Path: name, Err: errOutside}
	}
	return p.rooted(name)
}

// inRoot calls f with the folder that name is in.
func (p *Program) inRoot(op, name string, f func(root *os.Root, below string) error) error {
	root, below, done, err := p.within(op, name)
	if err != nil {
		return err
	}
	defer done()
	return f(root, below)
}

// openFile opens a file; one that is made gets the folders above it.
func (p *Program) openFile(name string, flag int) (f *os.File, err error) {
	err = p.inRoot("open", name, func(root *os.Root, below string) error {
		if flag&os.O_CREATE != 0 {
			if err := makeParents(root, below); err != nil {
				return err
			}
		}
		if f, err = root.OpenFile(below, flag|openFlags, 0o644); err != nil {
			return nearby(root, below, err)
		}
		if err = onlyRegular(f, name); err != nil {
			f.Close()
		}
		return err
	})
	return f, err
}

// onlyRegular refuses folders, and pipes and devices, which may never end.
func onlyRegular(f *os.File, name string) error {
	info, err := f.Stat()
	switch {
	case err != nil:
		return err
	case info.IsDir():
		return &fs.PathError{Op: "open", Path: name, Err: errors.New("this is a folder; rws.fs.list(path) tells what is in it")}
	case !info.Mode().IsRegular():
		return &fs.PathError{Op: "open", Path: name, Err: errors.New("this is a pipe or device, not a file")}
	}
	return nil
}

func makeParents(root *os.Root, below string) error {
	if dir := path.Dir(below); dir != "." {
		return root.MkdirAll(dir, 0o755)
	}
	return nil
}

// nearby adds the name of a file that was probably meant.
func nearby(root *os.Root, below string, err error) error {
	if !errors.Is(err, fs.ErrNotExist) {
		return err
	}
	entries, listing := fs.ReadDir(root.FS(), path.Dir(below))
	if listing != nil {
		return err
	}
	var names []string
	for _, e := range entries {
		names = append(names, e.Name())
	}
	if hint := didYouMean(path.Base(below), names); hint != "" {
		return fmt.Errorf("%w%s", err, hint)
	}
	return err
}

// maxFile bounds what is read at once.
const maxFile = vm.MaxString

// readAll reads r, which must not have more than maxFile bytes.
func readAll(r io.Reader, name string) ([]byte, error) {
	b, err := io.ReadAll(io.LimitReader(r, maxFile+1))
	if err == nil && len(b) > maxFile {
		err = fmt.Errorf("%s: %w: it has more than %d MB; read it in pieces with rws.fs.open or rws.fs.lines", name, errTooLarge, maxFile>>20)
	}
	return b, err
}

func fsRead(L *lua.LState) int {
	const name = "rws.fs.read"
	file := bind.Arg[string](L, name, 1)
	var content []byte
	fsWait(L, name, func(p *Program) error {
		f, err := p.openFile(file, os.O_RDONLY)
		if err != nil {
			return err
		}
		defer f.Close()
		content, err = readAll(f, file)
		return err
	})
	L.Push(lua.LString(content))
	return 1
}

// writeFile replaces a file in one step: who reads it meanwhile sees the old or the new
// content, also when the machine fails.
func (p *Program) writeFile(name, text string) error {
	return p.replaceFile(name, strings.NewReader(text))
}

func (p *Program) replaceFile(name string, content io.Reader) error {
	return p.inRoot("write", name, func(root *os.Root, below string) error {
		if err := makeParents(root, below); err != nil {
			return err
		}
		mode := fs.FileMode(0o644)
		if info, err := root.Stat(below); err == nil {
			mode = info.Mode().Perm()
			if info.IsDir() {
				return &fs.PathError{Op: "write", Path: name, Err: errors.New("this is a folder")}
			}
		}
		beside := path.Join(path.Dir(below), "."+path.Base(below)+"."+rand.Text()[:8])
		f, err := root.OpenFile(beside, os.O_WRONLY|os.O_CREATE|os.O_EXCL, mode)
		if err != nil {
			return err
		}
		if err = fill(f, content); err == nil {
			err = root.Rename(beside, below)
		}
		if err != nil {
			_ = root.Remove(beside)
		}
		return err
	})
}

// fill writes content to the disk and closes f.
func fill(f *os.File, content io.Reader) error {
	_, err := io.Copy(f, content)
	if err == nil {
		err = f.Sync()
	}
	if closed := f.Close(); err == nil {
		err = closed
	}
	return err
}

func (p *Program) appendFile(name, text string) error {
	f, err := p.openFile(name, os.O_WRONLY|os.O_CREATE|os.O_APPEND)
	if err != nil {
		return err
	}
	_, err = io.WriteString(f, text)
	if closed := f.Close(); err == nil {
		err = closed
	}
	return err
}

func (p *Program) makeFolder(name string) error {
	return p.inRoot("mkdir", name, func(root *os.Root, below string) error { return root.MkdirAll(below, 0o755) })
}

// removeOptions are the options of rws.fs.remove.
type removeOptions struct {
	Recursive bool `json:"recursive"`
}

func fsRemove(L *lua.LState) int {
	const name = "rws.fs.remove"
	file := bind.Arg[string](L, name, 1)
	o := bind.Options[removeOptions](L, name, 2)
	fsWait(L, name, func(p *Program) error {
		return p.inRoot("remove", file, func(root *os.Root, below string) error {
			if below == "." {
				return &fs.PathError{Op: "remove", Path: file, Err: fmt.Errorf("%w: this is the whole folder of the app, or one of fs.allow", fs.ErrPermission)}
			}
			if !o.Recursive {
				err := root.Remove(below)
				if errors.Is(err, fs.ErrExist) { // how Remove says it
					err = &fs.PathError{Op: "remove", Path: file, Err: errNotEmpty}
				}
				return err
			}
			if _, err := root.Lstat(below); err != nil {
				return err
			}
			return root.RemoveAll(below)
		})
	})
	return 0
}

// renameFile moves a file or folder within one root; a file at its new place is replaced.
func (p *Program) renameFile(from, to string) error {
	return p.inRoot("rename", from, func(source *os.Root, old string) error {
		return p.inRoot("rename", to, func(target *os.Root, below string) error {
			if source.Name() != target.Name() {
				return &fs.PathError{Op: "rename", Path: to, Err: errors.New("it is in another folder of fs.allow: copy the file and remove it")}
			}
			if err := makeParents(target, below); err != nil {
				return err
			}
			return source.Rename(old, below)
		})
	})
}

// copyFile copies a file; the new one appears when it is complete.
func (p *Program) copyFile(from, to string) error {
	f, err := p.openFile(from, os.O_RDONLY)
	if err != nil {
		return err
	}
	defer f.Close()
	return p.replaceFile(to, f)
}

// tempFolder is where rws.fs.temp makes files, in the app's folder.
const tempFolder = ".rws/tmp"

// fsTemp makes an empty file with a name that nobody can guess. In a request it is removed
// when the request is over.
func fsTemp(L *lua.LState) int {
	const name = "rws.fs.temp"
	suffix := bind.Arg[bind.Opt[string]](L, name, 1).Value
	if strings.ContainsAny(suffix, "/\\\x00") {
		bind.ArgError(L, name, 1, "a suffix such as \".png\" expected, got %q", suffix)
	}
	file := path.Join(tempFolder, rand.Text()+suffix)
	root := stateOf(L).program.root
	fsWait(L, name, func(*Program) error {
		if err := root.MkdirAll(tempFolder, 0o700); err != nil {
			return err
		}
		f, err := root.OpenFile(file, os.O_RDWR|os.O_CREATE|os.O_EXCL, 0o600)
		if err != nil {
			return err
		}
		return f.Close()
	})
	if c, ok := vm.Current(L).Owner.(*Ctx); ok {
		c.atEnd(func() { _ = root.Remove(file) })
	}
	L.Push(lua.LString(file))
	return 1
}
