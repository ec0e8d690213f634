package db

import (
	"context"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"path/filepath"
	"runtime"
	"time"
)

// Backup writes a copy of a SQLite database to a file. Writers are not held up, and the copy shows
// one state of the data. It is made beside the file, checked, and brought to the disk; then it takes
// the file's place at once, with the permissions of the database. What is replaced must be a SQLite
// database that nobody has open, such as an older backup.
func (d *DB) Backup(ctx context.Context, path string) error {
	if err := d.onlySQLite("backup"); err != nil {
		return err
	}
	if err := d.replaceable(path); err != nil {
		return err
	}
	temporary, err := workFolder(filepath.Dir(path))
	if err != nil {
		return d.backupError(path, err)
	}
	defer os.RemoveAll(temporary)
	copied := filepath.Join(temporary, "copy")
	if err := d.copyTo(ctx, copied); err != nil {
		return err
	}
	if err := checkCopy(ctx, copied); err != nil {
		return d.backupError(path, err)
	}
	if source, err := os.Stat(d.path); err == nil {
		_ = os.Chmod(copied, source.Mode().Perm())
	}
	if err := syncFile(copied); err != nil {
		return d.backupError(path, err)
	}
	if err := os.Rename(copied, path); err != nil {
		return d.backupError(path, err)
	}
	_ = syncFile(filepath.Dir(path)) // Windows cannot, and need not
	return nil
}

const (
	workPrefix = ".rws-backup-"
	// abandoned is when the work folder of a backup is that of a process that was killed.
	abandoned = 24 * time.Hour
)

// workFolder makes a folder for one backup in dir, and removes those of backups that were killed.
func workFolder(dir string) (string, error) {
	left, _ := filepath.Glob(filepath.Join(dir, workPrefix+"*"))
	for _, path := range left {
		if info, err := os.Lstat(filepath.Join(path, "copy")); err == nil && time.Since(info.ModTime()) > abandoned {
			_ = os.RemoveAll(path) // of another user as it may be
		}
	}
	return os.MkdirTemp(dir, workPrefix)
}

// replaceable refuses to replace what is no backup.
func (d *DB) replaceable(path string) error {
	refused := func(why string) error {
		return &Error{Code: CodeRefused, Err: fmt.Errorf("the backup of %s would replace %s: give it another name", d.name, why)}
	}
	info, err := os.Stat(path)
	switch {
	case errors.Is(err, fs.ErrNotExist):
		return nil
	case err != nil:
		return d.backupError(path, err)
	case d.isFile(path):
		return refused("the database itself")
	case !info.Mode().IsRegular():
		return refused(path + ", which is no file")
	}
	for _, suffix := range []string{"-wal", "-journal"} {
		if _, err := os.Stat(path + suffix); err == nil {
			return refused(fmt.Sprintf("%s, a database that is open or was not closed (there is %s)", path, filepath.Base(path)+suffix))
		}
	}
	if info.Size() > 0 && !isSQLite(path) {
		return refused(path + ", which is no SQLite database")
	}
	return nil
}

// isSQLite looks at how a file begins. https://sqlite.org/fileformat.html#magic_header_string
func isSQLite(path string) bool {
	f, err := os.Open(path)
	if err != nil {
		return false
	}
	defer f.Close()
	begin := make([]byte, 16)
	_, err = io.ReadFull(f, begin)
	return err == nil && string(begin) == "SQLite format 3\x00"
}

// checkCopy reads all of a copy.
func checkCopy(ctx context.Context, path string) error {
	p := newSQLitePool(sqliteFile(path, "ro", true), nil, "deferred", Options{MaxOpen: 1})
	defer p.close()
	var result string
	if err := p.db.QueryRowContext(ctx, "pragma integrity_check(1)").Scan(&result); err != nil {
		return fmt.Errorf("checking the copy: %w", err)
	}
	if result != "ok" {
		return &Error{Code: CodeCorrupt, Err: fmt.Errorf("the copy is damaged, as the database may be: %s", result)}
	}
	return nil
}

// isFile says whether a path leads to the database.
func (d *DB) isFile(path string) bool {
	mine, err1 := os.Stat(d.path)
	there, err2 := os.Stat(path)
	return err1 == nil && err2 == nil && os.SameFile(mine, there)
}

// BackupTo writes a copy of a SQLite database to w, by way of a temporary file.
func (d *DB) BackupTo(ctx context.Context, w io.Writer) error {
	return d.BackupBy(ctx, func(f *os.File) error {
		if _, err := io.Copy(w, f); err != nil {
			return d.backupError("where it was to go", err)
		}
		return nil
	})
}

// BackupBy hands a copy of a SQLite database to store, as a temporary file that is open at its beginning
// and was read through for damage. It is removed afterwards. The error of store is returned as it is.
func (d *DB) BackupBy(ctx context.Context, store func(f *os.File) error) error {
	if err := d.onlySQLite("backup"); err != nil {
		return err
	}
	temporary, err := workFolder(os.TempDir())
	if err != nil {
		return d.backupError("a temporary file", err)
	}
	defer os.RemoveAll(temporary)
	copied := filepath.Join(temporary, "copy")
	if err := d.copyTo(ctx, copied); err != nil {
		return err
	}
	if err := checkCopy(ctx, copied); err != nil {
		return d.backupError("a temporary file", err)
	}
	f, err := os.Open(copied)
	if err != nil {
		return d.backupError("a temporary file", err)
	}
	defer f.Close()
	return store(f)
}

// copyTo uses "vacuum into", which reads as one reader does and can be interrupted. The
// readers here may not write at all, so it has a connection of its own.
func (d *DB) copyTo(ctx context.Context, path string) error {
	copier := newPool(d.copier(), Options{MaxOpen: 1})
	defer copier.close()
	if d.buffered { // whose "files" are in memory unless they say otherwise
		path = sqliteFile(path, "rwc", false) + "&vfs=" + diskVFS()
	}
	if _, err := copier.db.ExecContext(ctx, "vacuum into ?", path); err != nil {
		return d.explain(ctx, "vacuum into ?", err)
	}
	return nil
}

// diskVFS is what SQLite calls the files of the operating system.
func diskVFS() string {
	if runtime.GOOS == "windows" {
		return "win32"
	}
	return "unix"
}

func (d *DB) onlySQLite(what string) error {
	if d.engine == SQLite {
		return nil
	}
	return &Error{Code: CodeRefused, Err: fmt.Errorf("%s is for SQLite; for %s use the tools of its server", what, d.engine)}
}

func (d *DB) backupError(where string, err error) error {
	code := CodeOf(d.explain(context.Background(), "", err))
	return &Error{Code: code, Err: fmt.Errorf("writing the backup of %s to %s: %w", d.name, where, err)}
}

func syncFile(path string) error {
	f, err := os.Open(path)
	if err != nil {
		return err
	}
	return errors.Join(f.Sync(), f.Close())
}

// maxFaults is how many faults Check reports.
const maxFaults = 20

// Check reads the whole SQLite database and returns an error with code corrupt that lists what
// is wrong: damage to the file, and rows that refer to missing ones.
func (d *DB) Check(ctx context.Context) error {
	if err := d.onlySQLite("check"); err != nil {
		return err
	}
	set, err := All(ctx, d, fmt.Sprintf("select * from pragma_integrity_check limit %d", maxFaults))
	if err != nil {
		return err
	}
	var faults []error
	for _, row := range set.Rows {
		if s := text(row[0]); s != "ok" {
			faults = append(faults, errors.New(s))
		}
	}
	orphans, err := All(ctx, d, fmt.Sprintf(`select "table", rowid, parent from pragma_foreign_key_check limit %d`, maxFaults))
	if err != nil {
		return err
	}
	for _, r := range orphans.Rows {
		faults = append(faults, fmt.Errorf("row %s of %s refers to a row of %s that is missing", text(r[1]), text(r[0]), text(r[2])))
	}
	if len(faults) == 0 {
		return nil
	}
	return &Error{Code: CodeCorrupt, Err: fmt.Errorf("checking %s: %w", d.name, errors.Join(faults...))}
}
