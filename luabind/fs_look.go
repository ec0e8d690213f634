package luabind

import (
	"errors"
	"io/fs"
	"os"
	"path"
	"path/filepath"
	"slices"
	"strings"
	"time"

	lua "github.com/yuin/gopher-lua"

	"rws/luabind/bind"
)

func fsExists(L *lua.LState) int {
	const name = "rws.fs.exists"
	info := statOf(L, name, bind.Arg[string](L, name, 1))
	L.Push(lua.LBool(info != nil))
	return 1
}

func fsStat(L *lua.LState) int {
	const name = "rws.fs.stat"
	info := statOf(L, name, bind.Arg[string](L, name, 1))
	if info == nil {
		L.Push(lua.LNil)
		return 1
	}
	L.Push(infoTable(L, info))
	return 1
}

// statOf returns nil for a file that is not there.
func statOf(L *lua.LState, name, file string) (info fs.FileInfo) {
	fsWait(L, name, func(p *Program) error {
		return p.inRoot("stat", file, func(root *os.Root, below string) (err error) {
			info, err = root.Stat(below)
			if errors.Is(err, fs.ErrNotExist) {
				return nil
			}
			return err
		})
	})
	return info
}

func infoTable(L *lua.LState, info fs.FileInfo) *lua.LTable {
	kind := "other"
	switch {
	case info.Mode().IsRegular():
		kind = "file"
	case info.IsDir():
		kind = "folder"
	case info.Mode()&fs.ModeSymlink != 0:
		kind = "link"
	}
	t := fresh(L, L.CreateTable(0, 4))
	t.RawSetString("name", lua.LString(info.Name()))
	t.RawSetString("type", lua.LString(kind))
	t.RawSetString("size", lua.LNumber(info.Size()))
	t.RawSetString("modified", newTime(L, info.ModTime(), time.UTC))
	return t
}

// fsList returns what is in a folder, by name.
func fsList(L *lua.LState) int {
	const name = "rws.fs.list"
	folder := bind.Arg[string](L, name, 1)
	var infos []fs.FileInfo
	fsWait(L, name, func(p *Program) error {
		return p.inRoot("list", folder, func(root *os.Root, below string) error {
			entries, err := fs.ReadDir(root.FS(), below)
			for _, e := range entries {
				if info, err := e.Info(); err == nil { // else it has just been removed
					infos = append(infos, info)
				}
			}
			return err
		})
	})
	t := L.CreateTable(len(infos), 0)
	for _, info := range infos {
		t.Append(infoTable(L, info))
	}
	L.Push(bind.MarkArray(L, t))
	return 1
}

// fsGlob returns the paths that match a pattern, in order; they begin as the pattern does.
func fsGlob(L *lua.LState) int {
	const name = "rws.fs.glob"
	pattern := bind.Arg[string](L, name, 1)
	var found []string
	fsWait(L, name, func(p *Program) (err error) {
		found, err = p.glob(pattern)
		return err
	})
	L.Push(bind.Strings(L, found))
	return 1
}

func (p *Program) glob(pattern string) (found []string, err error) {
	whole := path.Clean(filepath.ToSlash(pattern))
	folder := path.Dir(whole)
	for strings.ContainsAny(folder, `*?[\`) {
		folder = path.Dir(folder)
	}
	rest := strings.TrimPrefix(strings.TrimPrefix(whole, folder), "/")
	err = p.inRoot("glob", folder, func(root *os.Root, below string) error {
		sub, err := fs.Sub(root.FS(), below)
		if err != nil {
			return err
		}
		matches, err := fs.Glob(sub, rest)
		for _, m := range matches {
			if !hiddenMatch(rest, m) {
				found = append(found, path.Join(folder, m))
			}
		}
		slices.Sort(found)
		return err
	})
	return found, err
}

// hiddenMatch reports whether a wildcard matched the dot of a hidden name, as it should not.
func hiddenMatch(pattern, name string) bool {
	patterns := strings.Split(pattern, "/")
	for i, part := range strings.Split(name, "/") {
		if strings.HasPrefix(part, ".") && i < len(patterns) && !strings.HasPrefix(patterns[i], ".") {
			return true
		}
	}
	return false
}
