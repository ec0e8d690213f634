package db

import (
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
)

// LookAtSQLite says why a file can't be opened as a database, nil when it looks as if it can: it makes
// no file, and reads no more than how one begins. One that is not there must have a folder to come into
// being in.
func LookAtSQLite(path string) error {
	info, err := os.Stat(path)
	switch {
	case errors.Is(err, fs.ErrNotExist):
		return lookAtFolder(filepath.Dir(path))
	case err != nil:
		return err
	case !info.Mode().IsRegular():
		return fmt.Errorf("%s is no file", path)
	}
	f, err := os.Open(path)
	if err != nil {
		return err
	}
	_ = f.Close() // it was only read
	if info.Size() > 0 && !isSQLite(path) {
		return fmt.Errorf("%s is no SQLite database", path)
	}
	return nil
}

func lookAtFolder(dir string) error {
	info, err := os.Stat(dir)
	switch {
	case errors.Is(err, fs.ErrNotExist):
		return fmt.Errorf("there is no folder %s; make it", dir)
	case err == nil && !info.IsDir():
		return fmt.Errorf("%s is no folder", dir)
	}
	return err
}
