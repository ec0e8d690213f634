package luabind

import (
	"context"
	"errors"
	"fmt"
	"net/http"
	"path/filepath"
	"slices"
	"time"

	lua "github.com/yuin/gopher-lua"

	"rws/luabind/bind"
	"rws/luabind/fault"
	"rws/luabind/vm"
	"rws/server/storage"
)

const storageType = "rws.Storage"

// Storage is what app:storage returns.
type Storage struct{ store storage.Store }

// storageOptions are the options of app:storage.
type storageOptions struct {
	Test string `json:"test"`
}

// appStorage returns the store of a URL. It reaches for nothing.
func appStorage(L *lua.LState, a *App) int {
	const name = "app:storage"
	url := bind.Arg[string](L, name, 2)
	store, err := a.state.program.storage(url, bind.Options[storageOptions](L, name, 3))
	if err != nil {
		fault.Raise(L, &fault.Error{Code: "url", Message: name + ": " + err.Error(), Cause: err})
	}
	L.Push(bind.New(L, storageType, &Storage{store}))
	return 1
}

// storageOfType describes what app:storage returns.
func storageOfType() bind.Type {
	return bind.Type{
		Name: storageType, As: "files", String: func(self any) string { return self.(*Storage).store.String() },
		Methods: append(bind.Writing(
			bind.RawWaitMethod("put(key, body, options?)", storagePut),
			bind.RawWaitMethod("delete(key)", storageDelete),
			bind.RawWaitMethod("copy(from, to)", storageCopy),
		),
			bind.RawWaitMethod("get(key, options?)", storageGet),
			bind.RawWaitMethod("open(key)", storageOpen),
			bind.RawWaitMethod("send(c, key, options?)", storageSend),
			bind.RawWaitMethod("stat(key)", storageStat),
			bind.RawWaitMethod("exists(key)", storageExists),
			bind.RawWaitMethod("list(prefix?)", storageList),
			bind.RawWaitMethod("url(key, options?)", storageURL),
		),
	}
}

// storage returns the store of a URL, which all isolates share.
func (p *Program) storage(url string, o storageOptions) (storage.Store, error) {
	l, err := storage.Parse(url)
	if err != nil {
		return nil, err
	}
	if o.Test != "" {
		if _, err := storage.Parse(o.Test); err != nil {
			return nil, fmt.Errorf("option \"test\": %w", err)
		}
	}
	if p.options.testing {
		if l, err = inTest(l, o.Test); err != nil {
			return nil, err
		}
	}
	if err := p.checkFolder(l); err != nil {
		return nil, err
	}
	return p.stores.storageOf(url+"\x00"+o.Test, func() (storage.Store, error) {
		if l.Scheme == storage.SchemeMemory {
			return p.shared.kept.storageMemory(url, l.Size), nil
		}
		return storage.Open(l, storage.Options{Base: p.dir, Getenv: func(name string) string { return p.environ[name] }})
	})
}

// inTest is where files go in tests: never to a bucket that they do not name.
func inTest(l storage.Location, test string) (storage.Location, error) {
	switch {
	case test != "":
		return storage.Parse(test)
	case l.Scheme == storage.SchemeS3:
		return storage.Location{Scheme: storage.SchemeMemory}, nil
	}
	return l, nil
}

// checkFolder refuses a folder in which keys would reach the script, its variables or its databases.
func (p *Program) checkFolder(l storage.Location) error {
	if l.Scheme != storage.SchemeDir {
		return nil
	}
	folder, dir := behindLinks(p.path(filepath.FromSlash(l.Folder))), behindLinks(p.dir)
	if below, err := filepath.Rel(folder, dir); err == nil && filepath.IsLocal(below) {
		return bind.Errorf("url", "%s: the app itself is in this folder, so that a key could be app.lua or .env: give files a folder of their own, as dir:./uploads", l)
	}
	if below, err := filepath.Rel(filepath.Join(dir, ".rws"), folder); err == nil && filepath.IsLocal(below) {
		return bind.Errorf("url", "%s: the folder .rws is where rws keeps its secret and logs: choose another", l)
	}
	return nil
}

// behindLinks is where a folder really is; one that is missing is where what is there of it is.
func behindLinks(folder string) string {
	if real, err := filepath.EvalSymlinks(folder); err == nil {
		return real
	}
	parent := filepath.Dir(folder)
	if parent == folder {
		return folder
	}
	return filepath.Join(behindLinks(parent), filepath.Base(folder))
}

// Storages are the stores that the script has declared, without secrets.
func (p *Program) Storages() []string {
	p.stores.mu.Lock()
	defer p.stores.mu.Unlock()
	list := []string{}
	for _, store := range p.stores.storages {
		list = append(list, store.String())
	}
	slices.Sort(list)
	return slices.Compact(list)
}

// storageOf returns the store under a name, which is closed with the program, or makes it.
func (s *stores) storageOf(name string, make func() (storage.Store, error)) (storage.Store, error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.closed {
		return nil, errClosedStores
	}
	if store := s.storages[name]; store != nil {
		return store, nil
	}
	store, err := make()
	if err != nil {
		return nil, err
	}
	if s.storages == nil {
		s.storages = map[string]storage.Store{}
	}
	s.storages[name] = store
	s.closers = append(s.closers, store.Close)
	return store, nil
}

// storageMemory returns files in memory, which outlive a reload.
func (k *kept) storageMemory(url string, size int64) storage.Store {
	k.mu.Lock()
	defer k.mu.Unlock()
	if k.files == nil {
		k.files = make(map[string]*storage.Memory)
	}
	if k.files[url] == nil {
		k.files[url] = storage.NewMemory(size)
	}
	return k.files[url]
}

// storageStatuses are what a request that ends with such an error is answered: a key may be a visitor's.
var storageStatuses = map[storage.Code]int{
	storage.CodeNotFound:   http.StatusNotFound, // of copy; what reads answers nil
	storage.CodeInvalidKey: http.StatusBadRequest, storage.CodeTooLarge: http.StatusRequestEntityTooLarge,
	storage.CodeTimeout: http.StatusGatewayTimeout, storage.CodeUnavailable: http.StatusServiceUnavailable,
}

// storageError gives an error its code and status.
func storageError(err error) error {
	if e, ok := errors.AsType[*bodyFault](err); ok {
		return e.explain(e.error)
	}
	if _, mine := errors.AsType[*fault.Error](err); mine || ended(err) {
		return err
	}
	code := storage.CodeOf(err)
	if code == "" {
		return err
	}
	return storageFault(err, storageStatuses[code])
}

// storageFault is an error of a store, with what visitors see of it.
func storageFault(err error, status int) *fault.Error {
	e := &fault.Error{Code: string(storage.CodeOf(err)), Status: status, Message: err.Error(), Cause: err}
	if at, ok := errors.AsType[*storage.Error](err); ok {
		e.Public = at.Public()
	}
	return e
}

// ended reports whether an error is the end of a run.
func ended(err error) bool { return errors.Is(err, vm.ErrDeadline) || errors.Is(err, vm.ErrStopped) }

// wait calls f with the lock of the isolate released.
func (s *Storage) wait(L *lua.LState, name string, f func(context.Context) error) {
	var said error
	err := vm.Wait(L, func(ctx context.Context) error {
		said = f(ctx)
		return said
	})
	if err != nil {
		bind.Raise(L, name, storageError(withPlace(err, said)))
	}
}

// withPlace is the end of a run at its deadline, with what the store says of that: its key, and what it is.
func withPlace(err, said error) error {
	code := storage.CodeOf(said)
	if code == "" || !errors.Is(err, vm.ErrDeadline) {
		return err
	}
	return &fault.Error{Code: string(code), Status: storageStatuses[code], Message: said.Error(), Cause: err}
}

func storageDelete(L *lua.LState, s *Storage) int {
	key := bind.Arg[string](L, "files:delete", 2)
	s.wait(L, "files:delete", func(ctx context.Context) error { return s.store.Delete(ctx, key) })
	return 0
}

func storageCopy(L *lua.LState, s *Storage) int {
	from, to := bind.Arg[string](L, "files:copy", 2), bind.Arg[string](L, "files:copy", 3)
	s.wait(L, "files:copy", func(ctx context.Context) error { return s.store.Copy(ctx, from, to) })
	return 0
}

func storageExists(L *lua.LState, s *Storage) int {
	key := bind.Arg[string](L, "files:exists", 2)
	var found bool
	s.wait(L, "files:exists", func(ctx context.Context) (err error) {
		found, err = storage.Exists(ctx, s.store, key)
		return err
	})
	L.Push(lua.LBool(found))
	return 1
}

func storageStat(L *lua.LState, s *Storage) int {
	key := bind.Arg[string](L, "files:stat", 2)
	var info *storage.Info
	s.wait(L, "files:stat", func(ctx context.Context) error {
		found, err := s.store.Stat(ctx, key)
		if err == nil {
			info = &found
		}
		return unlessMissing(err)
	})
	L.Push(storedInfo(L, info))
	return 1
}

// unlessMissing drops the error about a file that is not there, which is nil in Lua.
func unlessMissing(err error) error {
	if storage.IsNotFound(err) {
		return nil
	}
	return err
}

// storedInfo is nil for nil.
func storedInfo(L *lua.LState, info *storage.Info) lua.LValue {
	if info == nil {
		return lua.LNil
	}
	t := listedInfo(L, *info)
	t.RawSetString("type", lua.LString(info.ContentType))
	metadata := fresh(L, L.CreateTable(0, len(info.Metadata)))
	for name, value := range info.Metadata {
		metadata.RawSetString(name, lua.LString(value))
	}
	t.RawSetString("metadata", metadata)
	return t
}

func listedInfo(L *lua.LState, info storage.Info) *lua.LTable {
	t := fresh(L, L.CreateTable(0, 6))
	t.RawSetString("key", lua.LString(info.Key))
	t.RawSetString("size", lua.LNumber(info.Size))
	t.RawSetString("etag", lua.LString(info.ETag))
	t.RawSetString("modified", newTime(L, info.Modified, time.UTC))
	return t
}

// storageList returns an iterator, which asks for some files at a time.
func storageList(L *lua.LState, s *Storage) int {
	const name = "files:list"
	if _, number := L.Get(2).(lua.LNumber); number {
		bind.ArgError(L, name, 1, "a string expected, what the keys begin with, got the number %s", L.Get(2))
	}
	lister, err := s.store.List(bind.Arg[bind.Opt[string]](L, name, 2).Value)
	if err != nil {
		bind.Raise(L, name, storageError(err))
	}
	l := &listing{s: s, lister: lister}
	L.Push(L.NewFunction(l.next))
	return 1
}

// storageURLOptions are the options of files:url.
type storageURLOptions struct {
	Expires *time.Duration `json:"expires"`
}

// urlExpires is how long a URL is good for.
const urlExpires = time.Hour

func storageURL(L *lua.LState, s *Storage) int {
	const name = "files:url"
	key, expires := bind.Arg[string](L, name, 2), urlExpires
	if o := bind.Options[storageURLOptions](L, name, 3); o.Expires != nil {
		expires = *o.Expires
	}
	var url string
	s.wait(L, name, func(ctx context.Context) (err error) {
		url, err = s.store.URL(ctx, key, expires)
		return err
	})
	L.Push(lua.LString(url))
	return 1
}
