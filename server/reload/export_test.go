package reload

import "github.com/fsnotify/fsnotify"

// WithNotifier returns the options with another way to ask for notifications.
func WithNotifier(o Options, open func() (*fsnotify.Watcher, error)) Options {
	o.notifier = open
	return o
}

// Polling reports whether the watch does without notifications. Only after Done.
func (w *Watcher) Polling() bool { return w.notes == nil }
