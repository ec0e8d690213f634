package storage

import (
	"context"
	"crypto/rand"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"path"
	"strconv"
	"strings"
	"sync"
	"sync/atomic"
	"syscall"
	"time"
)

// Dir keeps files in a folder, each under its key as its path. Nothing outside of the folder can be reached:
// all paths go through an [os.Root], so that neither ".." nor a symbolic link leads out.
//
// A file is written to the folder ".rws-storage/tmp", brought to the disk, and renamed: after a crash it is
// there whole, or not at all. What such a crash leaves in that folder is removed by a later Put, an hour
// after it was last written to. A content type that the extension of the key does not tell, and metadata, are
// in a small file of ".rws-storage/meta", which belongs to one content of the key only.
//
// In contrast to a bucket, a folder has no room for a key "a" beside "a/b", and on systems that take "A" for
// "a" these are one key.
type Dir struct {
	folder string
	shown  string
	swept  atomic.Int64 // Unix seconds, of the last look at what crashes have left
	// folders is held while folders that are empty are removed, and for reading while a file is put into one.
	folders sync.RWMutex
}

// Folders of a Dir that are its own.
const (
	tempFolder = reserved + "/tmp"
	metaFolder = reserved + "/meta"
)

// staleAfter is how long nothing is written to a temporary file before it is taken for what a crash left.
const staleAfter = time.Hour

// NewDir returns the store in a folder, which Put makes if it is missing. shown is what errors call it.
func NewDir(folder, shown string) *Dir { return &Dir{folder: folder, shown: shown} }

// String implements [Store].
func (d *Dir) String() string { return d.shown }

// Close implements [Store].
func (d *Dir) Close() error { return nil }

// Path is where the file of a key is.
func (d *Dir) Path(key string) string { return d.folder + string(os.PathSeparator) + key }

// open opens the folder.
func (d *Dir) open() (*os.Root, error) {
	root, err := os.OpenRoot(d.folder)
	if err != nil {
		return nil, d.folderError(err)
	}
	return root, nil
}

// create opens the folder, and makes it if it is missing.
func (d *Dir) create() (*os.Root, error) {
	if err := os.MkdirAll(d.folder, 0o755); err != nil {
		return nil, d.folderError(err)
	}
	root, err := d.open()
	if err != nil {
		return nil, err
	}
	if err := root.MkdirAll(tempFolder, 0o755); err != nil {
		root.Close()
		return nil, fileError(err)
	}
	return root, nil
}

// folderError is fileError of the folder itself.
func (d *Dir) folderError(err error) error {
	stat, missing := os.Stat(d.folder)
	if errors.Is(err, syscall.ENOTDIR) || missing == nil && !stat.IsDir() {
		return &Error{Code: CodeUnavailable, Message: "there is a file where the folder is to be: name another folder in the URL, or move the file away", cause: err}
	}
	return fileError(err)
}

// fileError gives errors of the file system their codes.
func fileError(err error) error {
	e := &Error{Code: CodeUnavailable, Message: plain(err), cause: err}
	switch {
	case errors.Is(err, fs.ErrNotExist), errors.Is(err, syscall.ENOTDIR), errors.Is(err, errNoFile):
		return notFound(err)
	case errors.Is(err, fs.ErrPermission):
		e.Code, e.Message = CodeDenied, "the permissions of the folder do not allow it: "+e.Message
	case strings.Contains(err.Error(), "path escapes from parent"): // of os.Root, which has no name for it
		e.Code, e.Message = CodeDenied, "a link leads out of the folder"
	case errors.Is(err, syscall.EFBIG):
		e.Code = CodeTooLarge
	case errors.Is(err, syscall.ENAMETOOLONG):
		e.Code = CodeInvalidKey
	}
	return e
}

// plain leaves out the path, which the key tells.
func plain(err error) string {
	if at, ok := errors.AsType[*fs.PathError](err); ok {
		return at.Err.Error()
	}
	if at, ok := errors.AsType[*os.LinkError](err); ok {
		return at.Err.Error()
	}
	return err.Error()
}

// errNoFile is about folders and devices, which are no files of a store.
var errNoFile = errors.New("not a regular file")

// Put implements [Store].
func (d *Dir) Put(ctx context.Context, key string, r io.Reader, o PutOptions) error {
	return named(d.put(ctx, key, r, o), "put", key, d.shown)
}

func (d *Dir) put(ctx context.Context, key string, r io.Reader, o PutOptions) error {
	if err := o.check(key); err != nil {
		return err
	}
	root, err := d.create()
	if err != nil {
		return err
	}
	defer root.Close()
	d.sweep(root)
	temp := tempFolder + "/" + rand.Text()
	info, err := write(ctx, root, temp, r)
	if err == nil {
		err = d.commit(root, temp, key, o, info)
	}
	if err != nil {
		_ = root.Remove(temp)
	}
	return err
}

// write makes a file of what r gives and brings it to the disk.
func write(ctx context.Context, root *os.Root, name string, r io.Reader) (Info, error) {
	f, err := root.OpenFile(name, os.O_WRONLY|os.O_CREATE|os.O_EXCL, 0o644)
	if err != nil {
		return Info{}, fileError(err)
	}
	from := &source{ctx: ctx, r: r}
	size, err := io.Copy(f, from)
	if err == nil {
		err = f.Sync()
	}
	if closed := f.Close(); err == nil {
		err = closed
	}
	if from.err != nil {
		return Info{}, from.failure()
	}
	if err == nil { // the clock of file systems is coarse, and the time tells one content from the next
		now := time.Now()
		err = root.Chtimes(name, now, now)
	}
	if err != nil {
		return Info{}, fileError(err)
	}
	stat, err := root.Stat(name)
	if err != nil {
		return Info{}, fileError(err)
	}
	return Info{Size: size, ETag: etag(stat)}, nil
}

func etag(stat fs.FileInfo) string {
	return `"` + strconv.FormatInt(stat.ModTime().UnixNano(), 36) + "-" + strconv.FormatInt(stat.Size(), 36) + `"`
}

// commit puts a complete file in its place.
func (d *Dir) commit(root *os.Root, temp, key string, o PutOptions, info Info) error {
	old, _ := root.Lstat(key)
	note := noteOf(key, o)
	if err := note.save(root, info.ETag); err != nil {
		return err
	}
	d.folders.RLock()
	err := move(root, temp, key)
	d.folders.RUnlock()
	if err != nil {
		removeNote(root, key, info.ETag)
		return err
	}
	syncFolder(root, path.Dir(key))
	if old != nil && etag(old) != info.ETag {
		removeNote(root, key, etag(old))
	}
	return nil
}

// move renames a file. Another process may remove a folder that became empty at any moment, so it tries again.
func move(root *os.Root, temp, key string) error {
	var err error
	for range 10 {
		if folder := path.Dir(key); folder != "." {
			err = root.MkdirAll(folder, 0o755)
		}
		if err == nil {
			if err = root.Rename(temp, key); err == nil {
				return nil
			}
		}
		if other := inTheWay(root, key); other != "" {
			return &Error{Code: CodeInvalidKey, cause: err, rule: parentRule,
				Message: fmt.Sprintf("%s is in its way: in a folder one key cannot be the beginning of the path of another; begin keys of different kinds differently", other)}
		}
		if !errors.Is(err, fs.ErrNotExist) {
			break
		}
	}
	if errors.Is(err, fs.ErrNotExist) {
		return &Error{Code: CodeUnavailable, Message: "the folder is being removed at the same time", cause: err}
	}
	return fileError(err)
}

// inTheWay names a file where a folder is needed, or a folder where the file is to be.
func inTheWay(root *os.Root, key string) string {
	if stat, err := root.Lstat(key); err == nil && stat.IsDir() {
		return fmt.Sprintf("the folder %q", key)
	}
	for i := range len(key) {
		if key[i] != '/' {
			continue
		}
		if stat, err := root.Stat(key[:i]); err == nil && !stat.IsDir() {
			return fmt.Sprintf("the file %q", key[:i])
		}
	}
	return ""
}

// syncFolder brings a rename to the disk, where systems can.
func syncFolder(root *os.Root, folder string) {
	if f, err := root.Open(folder); err == nil {
		_ = f.Sync() // Windows cannot, and need not
		_ = f.Close()
	}
}

// sweep removes what crashes have left, once an hour.
func (d *Dir) sweep(root *os.Root) {
	last, now := d.swept.Load(), time.Now()
	if now.Unix()-last < int64(staleAfter/time.Second) || !d.swept.CompareAndSwap(last, now.Unix()) {
		return
	}
	entries, err := fs.ReadDir(root.FS(), tempFolder)
	if err != nil {
		return
	}
	for _, e := range entries {
		if stat, err := e.Info(); err == nil && now.Sub(stat.ModTime()) > staleAfter {
			_ = root.Remove(tempFolder + "/" + e.Name())
		}
	}
}

// Get implements [Store].
func (d *Dir) Get(ctx context.Context, key string, o GetOptions) (*Object, error) {
	object, err := d.get(ctx, key, o)
	return object, named(err, "get", key, d.shown)
}

func (d *Dir) get(ctx context.Context, key string, o GetOptions) (*Object, error) {
	root, f, info, err := d.find(key)
	if err != nil {
		return nil, err
	}
	defer root.Close()
	if err = o.check(info); err == nil && o.From > 0 {
		_, err = f.Seek(o.From, io.SeekStart)
	}
	if err != nil {
		f.Close()
		return nil, err
	}
	return &Object{info, &bounded{ctx, f}}, nil
}

// find opens a file. The caller closes both.
func (d *Dir) find(key string) (root *os.Root, f *os.File, info Info, err error) {
	if err := CheckKey(key); err != nil {
		return nil, nil, Info{}, err
	}
	if root, err = d.open(); err != nil {
		return nil, nil, Info{}, err
	}
	f, err = root.OpenFile(key, os.O_RDONLY|openFlags, 0)
	if err == nil {
		if info, err = infoOf(root, key, f); err != nil {
			f.Close()
		}
	}
	if err != nil {
		root.Close()
		return nil, nil, Info{}, fileError(err)
	}
	return root, f, info, nil
}

func infoOf(root *os.Root, key string, f *os.File) (Info, error) {
	stat, err := f.Stat()
	if err != nil {
		return Info{}, err
	}
	if !stat.Mode().IsRegular() {
		return Info{}, errNoFile
	}
	info := Info{Key: key, Size: stat.Size(), ETag: etag(stat), Modified: stat.ModTime(), ContentType: typeOf(key)}
	loadNote(root, &info)
	return info, nil
}

// Stat implements [Store].
func (d *Dir) Stat(_ context.Context, key string) (Info, error) {
	root, f, info, err := d.find(key)
	if err != nil {
		return Info{}, named(err, "stat", key, d.shown)
	}
	f.Close()
	root.Close()
	return info, nil
}

// Delete implements [Store]. Folders that become empty go too.
func (d *Dir) Delete(_ context.Context, key string) error {
	err := d.remove(key)
	if IsNotFound(err) {
		return nil
	}
	return named(err, "delete", key, d.shown)
}

func (d *Dir) remove(key string) error {
	if err := CheckKey(key); err != nil {
		return err
	}
	root, err := d.open()
	if err != nil {
		return err
	}
	defer root.Close()
	stat, err := root.Lstat(key)
	if err == nil && stat.IsDir() {
		err = errNoFile // it would be removed if it were empty
	}
	if err == nil {
		err = root.Remove(key)
	}
	if err != nil {
		return fileError(err)
	}
	removeNote(root, key, etag(stat))
	d.folders.Lock()
	defer d.folders.Unlock()
	for folder := path.Dir(key); folder != "."; folder = path.Dir(folder) {
		if root.Remove(folder) != nil {
			break // not empty
		}
	}
	return nil
}

// Copy implements [Store].
func (d *Dir) Copy(ctx context.Context, from, to string) error {
	if err := CheckKey(to); err != nil {
		return named(err, "copy to", to, d.shown)
	}
	o, err := d.get(ctx, from, GetOptions{})
	if err != nil {
		return named(err, "copy", from, d.shown)
	}
	defer o.Close()
	return named(d.put(ctx, to, o, PutOptions{ContentType: o.ContentType, Size: o.Size, Metadata: o.Metadata}), "copy to", to, d.shown)
}

// URL implements [Store].
func (d *Dir) URL(_ context.Context, key string, _ time.Duration) (string, error) {
	return "", noURL(key, d.shown)
}
