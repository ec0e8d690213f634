package luabind

import (
	"context"
	"os"
	"path/filepath"
	"slices"

	lua "github.com/yuin/gopher-lua"

	"rws/luabind/bind"
	"rws/luabind/fault"
	"rws/server/db"
	"rws/server/storage"
)

// backupInto puts a copy of a SQLite database into a storage.
func (d *Database) backupInto(L *lua.LState, s *Storage, key string) int {
	if err := storage.CheckKey(key); err != nil {
		bind.Raise(L, "db:backup", storageError(err))
	}
	d.notLive(L, s, key)
	d.wait(L, "backup", func(ctx context.Context) error {
		return d.source.pool.BackupBy(ctx, func(f *os.File) error {
			o := storage.PutOptions{ContentType: "application/vnd.sqlite3"}
			if info, err := f.Stat(); err == nil {
				o.Size = info.Size()
			}
			if err := s.store.Put(ctx, key, f, o); err != nil {
				return storageError(err)
			}
			return nil
		})
	})
	return 0
}

// notLive refuses to replace a database of the script that lies in the folder of a storage.
func (d *Database) notLive(L *lua.LState, s *Storage, key string) {
	folder, ok := s.store.(*storage.Dir)
	if !ok {
		return
	}
	to := filepath.Clean(folder.Path(key))
	if slices.ContainsFunc(stateOf(L).program.reachable(), func(s *source) bool { return s.place.path == to }) {
		fault.Raisef(L, string(db.CodeRefused), "db:backup: %s is a database of this script: give the copy another key", to)
	}
}
