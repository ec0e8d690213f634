package reload

import (
	"crypto/sha256"
	"fmt"
	"io"
	"os"
	"time"
)

// snapshot is the state of the files of one entry.
type snapshot map[string]state

// state is what is remembered of a file.
type state struct {
	exists  bool
	size    int64
	mtime   time.Time
	settled bool // when it was read, mtime was old enough to tell a later write from it
	sum     [sha256.Size]byte
}

func (s state) same(other state) bool { return s.exists == other.exists && s.sum == other.sum }

// diff returns the paths that are not the same in both snapshots.
func (s snapshot) diff(now snapshot) []string {
	var changed []string
	for path, state := range now {
		if !s[path].same(state) {
			changed = append(changed, path)
		}
	}
	for path := range s {
		if _, ok := now[path]; !ok {
			changed = append(changed, path)
		}
	}
	return changed
}

// granularity bounds how coarse the time stamps of file systems are (2 s on FAT).
const granularity = 2 * time.Second

// maxRead is up to which size a file is read to see whether it changed: 1 MiB. Larger ones, such
// as the films of a site, have changed when their size or time stamp has.
const maxRead = 1 << 20

// look reads the state of a file, its content only if size or time stamp differ from what is
// known. A file that is there but cannot be read counts as it was.
func look(path string, known state) state {
	info, err := os.Stat(path)
	if err != nil {
		return unreadable(err, known)
	}
	now := state{exists: true, size: info.Size(), mtime: info.ModTime()}
	now.settled = time.Since(now.mtime) > granularity
	if known.exists && known.settled && known.size == now.size && known.mtime.Equal(now.mtime) {
		return known
	}
	if !info.Mode().IsRegular() { // opening a named pipe would wait for its writer
		return now
	}
	if now.size > maxRead {
		now.sum = sha256.Sum256(fmt.Append(nil, now.size, now.mtime.UnixNano()))
		return now
	}
	if now.sum, err = sum(path); err != nil {
		return unreadable(err, known)
	}
	return now
}

func unreadable(err error, known state) state {
	if os.IsNotExist(err) {
		return state{}
	}
	return known
}

func sum(path string) (sum [sha256.Size]byte, err error) {
	f, err := os.Open(path)
	if err != nil {
		return sum, err
	}
	defer f.Close()
	h := sha256.New()
	if _, err := io.Copy(h, f); err != nil {
		return sum, err
	}
	h.Sum(sum[:0])
	return sum, nil
}
