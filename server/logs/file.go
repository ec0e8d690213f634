package logs

import (
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"sync"
	"time"

	"github.com/DeRuina/timberjack"
)

// FileOptions say when a log file makes room for a new one.
type FileOptions struct {
	// MaxSize is the size in bytes at which that happens, counted in whole MiB; default 100 MiB.
	MaxSize int64
	// Every is the age at which it happens; 0 for never.
	Every time.Duration
	// Keep is how many old files stay, KeepFor how long, in whole days; 0 for all, for ever.
	Keep    int
	KeepFor time.Duration
	// Plain leaves old files as they are; without it they are compressed by gzip.
	Plain bool
	// Mode of new files; default 0640.
	Mode fs.FileMode
}

const (
	mebibyte = 1 << 20
	day      = 24 * time.Hour
)

// Check says what is wrong with the options, without opening anything.
func (o FileOptions) Check() error {
	switch {
	case o.MaxSize < 0 || o.MaxSize > 0 && o.MaxSize < mebibyte:
		return fmt.Errorf("max size %d: want 1 MiB (1048576 bytes) or more", o.MaxSize)
	case o.Every < 0 || o.Every > 0 && o.Every < time.Minute:
		return fmt.Errorf("every %s: want a minute or more", o.Every)
	case o.Keep < 0:
		return fmt.Errorf("keep %d: must not be negative", o.Keep)
	case o.KeepFor < 0 || o.KeepFor%day != 0:
		return fmt.Errorf("keep for %s: want whole days", o.KeepFor)
	}
	return nil
}

// File is a log file. Old ones lie beside it as name-TIME-reason.log, and .gz. Safe for concurrent use;
// made by [OpenFile].
type File struct {
	path string
	o    FileOptions

	mu     sync.Mutex
	inner  *timberjack.Logger
	closed bool
}

// OpenFile appends to a log file, which is made if it is missing, in a folder that must exist.
func OpenFile(path string, o FileOptions) (*File, error) {
	if err := o.Check(); err != nil {
		return nil, fmt.Errorf("log file %q: %w", path, err)
	}
	if o.MaxSize == 0 {
		o.MaxSize = 100 * mebibyte
	}
	if o.Mode == 0 {
		o.Mode = 0o640
	}
	// Now rather than at the first line: a log that cannot be written must not start.
	probe, err := os.OpenFile(path, os.O_CREATE|os.O_APPEND|os.O_WRONLY, o.Mode)
	if err != nil {
		return nil, fmt.Errorf("opening the log file: %w; create the folder %q or correct its name", err, filepath.Dir(path))
	}
	info, err := probe.Stat()
	if err := errors.Join(err, probe.Close()); err != nil {
		return nil, fmt.Errorf("opening the log file: %w", err)
	}
	if !info.Mode().IsRegular() {
		return nil, fmt.Errorf("log file %q is no regular file: it cannot be put aside", path)
	}
	f := &File{path: path, o: o}
	f.inner = f.open()
	return f, nil
}

func (f *File) open() *timberjack.Logger {
	compression := "gzip"
	if f.o.Plain {
		compression = "none"
	}
	return &timberjack.Logger{
		Filename: f.path, MaxSize: int((f.o.MaxSize + mebibyte - 1) / mebibyte), MaxAge: int(f.o.KeepFor / day),
		MaxBackups: f.o.Keep, Compression: compression, RotationInterval: f.o.Every, FileMode: f.o.Mode,
	}
}

// Write appends p, to a new file if there is no more room in this one. After Close it fails.
func (f *File) Write(p []byte) (int, error) {
	f.mu.Lock()
	defer f.mu.Unlock()
	if f.closed {
		return 0, fmt.Errorf("log file %q: %w", f.path, fs.ErrClosed)
	}
	return f.inner.Write(p)
}

// Rotate puts the file aside and begins a new one.
func (f *File) Rotate() error {
	f.mu.Lock()
	defer f.mu.Unlock()
	if f.closed {
		return fmt.Errorf("log file %q: %w", f.path, fs.ErrClosed)
	}
	return f.inner.Rotate()
}

// Reopen opens the file by its name again, after another program, such as logrotate(8), has moved it:
// for SIGHUP.
func (f *File) Reopen() error {
	f.mu.Lock()
	defer f.mu.Unlock()
	if f.closed {
		return fmt.Errorf("log file %q: %w", f.path, fs.ErrClosed)
	}
	old := f.inner
	f.inner = f.open()
	return old.Close()
}

// Close closes the file, and waits until old ones are compressed.
func (f *File) Close() error {
	f.mu.Lock()
	defer f.mu.Unlock()
	if f.closed {
		return nil
	}
	f.closed = true
	return f.inner.Close()
}
