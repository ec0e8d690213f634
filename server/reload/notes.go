package reload

import (
	"errors"
	"fmt"
	"io/fs"
	"slices"
	"syscall"

	"github.com/fsnotify/fsnotify"
)

// notes are the notifications of the system. They come from folders, not from files: editors
// save by renaming a new file over the old one, and a watched file is gone after that.
// A nil *notes never notifies.
type notes struct{ *fsnotify.Watcher }

func openNotes(open func() (*fsnotify.Watcher, error)) (*notes, error) {
	w, err := open()
	if err != nil {
		return nil, fmt.Errorf("asking for notifications: %w", err)
	}
	return &notes{w}, nil
}

func (n *notes) events() <-chan fsnotify.Event {
	if n == nil {
		return nil
	}
	return n.Events
}

func (n *notes) errors() <-chan error {
	if n == nil {
		return nil
	}
	return n.Errors
}

func (n *notes) close() {
	if n != nil {
		_ = n.Close()
	}
}

// follow watches the folders of the set and no others. A folder that is not there or may not
// be read is left out; it is tried again each time.
func (n *notes) follow(set []entry) error {
	var want []string
	for _, e := range set {
		want = append(want, e.folders()...)
	}
	have := n.WatchList()
	for _, folder := range want {
		if slices.Contains(have, folder) {
			continue
		}
		have = append(have, folder)
		if err := n.Add(folder); err != nil && !isUnreadable(err) {
			return fmt.Errorf("watching the folder %q: %w", folder, err)
		}
	}
	for _, folder := range have {
		if !slices.Contains(want, folder) {
			_ = n.Remove(folder) // it may be gone by itself
		}
	}
	return nil
}

func isUnreadable(err error) bool {
	return errors.Is(err, fs.ErrNotExist) || errors.Is(err, fs.ErrPermission) || errors.Is(err, syscall.ENOTDIR)
}
