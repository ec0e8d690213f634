// Package reload tells a development server that files it was built from have changed.
//
// [Watch] reports a change of content, not of a time stamp: a save without a change, a touch
// and the rename by which editors save do not count. A burst of saves is one report. It asks
// the system for notifications and also looks for itself now and then, since network folders
// and containers send none.
package reload

import (
	"context"
	"log/slog"
	"slices"
	"time"

	"github.com/fsnotify/fsnotify"
)

// Options of a watch. The zero value is a good default.
type Options struct {
	// Debounce is how long the files must be quiet before a change is reported; default
	// 100 ms. Files that never are quiet are reported after ten times as long.
	Debounce time.Duration
	// Interval is how often the files are looked at without a notification. Default 500 ms
	// when there are no notifications, 2 s beside them.
	Interval time.Duration
	// Poll does without notifications, where they are known not to arrive.
	Poll bool
	// Logger hears of the fall back to polling; nil means [slog.Default].
	Logger *slog.Logger

	notifier func() (*fsnotify.Watcher, error) // fsnotify.NewWatcher but in tests
}

func (o Options) withDefaults() Options {
	if o.Debounce <= 0 {
		o.Debounce = 100 * time.Millisecond
	}
	if o.Logger == nil {
		o.Logger = slog.Default()
	}
	if o.notifier == nil {
		o.notifier = fsnotify.NewWatcher
	}
	return o
}

// pollInterval and watchInterval are the defaults of Options.Interval.
const (
	pollInterval  = 500 * time.Millisecond
	watchInterval = 2 * time.Second
)

// Watcher is a watch under way.
type Watcher struct {
	files    func() []string
	onChange func([]string)
	o        Options

	set   []entry
	known map[string]snapshot // by the name of the entry
	notes *notes              // nil when polling
	done  chan struct{}
}

// Watch calls onChange with the files that were written, created or removed, sorted, each time
// some were. Changes count from the moment Watch returns. It ends when ctx does.
//
// files names what to watch: files, and folders as "templates/..." for all files below them
// (hidden ones, node_modules and the temporary files of editors left out). It is asked again
// all the time, so that the set may change; a file that joins is reported from its next
// change on. A file that does not exist is reported when it appears.
//
// onChange runs on the goroutine of the watch, never twice at once; what changes meanwhile
// is reported afterwards. Neither function is called after ctx has ended and Done is closed.
func Watch(ctx context.Context, files func() []string, onChange func(changed []string), o Options) *Watcher {
	o = o.withDefaults()
	w := &Watcher{files: files, onChange: onChange, o: o, done: make(chan struct{})}
	if !o.Poll {
		w.startNotes()
	}
	w.refresh()
	go w.run(ctx)
	return w
}

// Done is closed when the watch has ended and let go of everything.
func (w *Watcher) Done() <-chan struct{} { return w.done }

func (w *Watcher) startNotes() {
	notes, err := openNotes(w.o.notifier)
	if err != nil {
		w.fallBack(err)
		return
	}
	w.notes = notes
}

// fallBack gives notifications up.
func (w *Watcher) fallBack(err error) {
	w.o.Logger.Warn("watching files: the system sends no notifications, looking every "+w.interval(pollInterval).String()+" instead", "err", err)
	w.notes.close()
	w.notes = nil
}

func (w *Watcher) interval(preset time.Duration) time.Duration {
	if w.o.Interval > 0 {
		return w.o.Interval
	}
	return preset
}

func (w *Watcher) tick() time.Duration {
	if w.notes == nil {
		return w.interval(pollInterval)
	}
	return w.interval(watchInterval)
}

func (w *Watcher) run(ctx context.Context) {
	defer close(w.done)
	defer func() { w.notes.close() }()
	tick := time.NewTimer(w.tick())
	defer tick.Stop()
	quiet := newDebounce(w.o.Debounce)
	defer quiet.stop()
	for {
		select {
		case <-ctx.Done():
			return
		case event := <-w.notes.events():
			if w.concerns(event) {
				quiet.touch()
			}
		case err := <-w.notes.errors():
			w.o.Logger.Debug("watching files", "err", err)
			quiet.touch() // notifications may be lost: look
		case <-tick.C:
			w.refresh()
			if changed, _ := w.look(); len(changed) > 0 && !quiet.pending() {
				quiet.touch()
			}
			tick.Reset(w.tick())
		case <-quiet.timer.C:
			quiet.reset()
			w.report(ctx)
		}
	}
}

// report compares the files with what is known of them and tells of the difference.
func (w *Watcher) report(ctx context.Context) {
	w.follow() // new folders first: what is written to them after the look is then notified
	changed, now := w.look()
	w.known = now
	if len(changed) > 0 && ctx.Err() == nil {
		w.onChange(changed)
	}
	w.refresh()
}

// refresh asks for the set of files again. The files of an entry that is new in it are known
// as they are now.
func (w *Watcher) refresh() {
	w.set = entries(w.files())
	w.follow()
	known := make(map[string]snapshot, len(w.set))
	for _, e := range w.set {
		if before, ok := w.known[e.name]; ok {
			known[e.name] = before
			continue
		}
		known[e.name] = e.look(nil)
	}
	w.known = known
}

// follow has the system notify of the folders of the set.
func (w *Watcher) follow() {
	if w.notes == nil {
		return
	}
	if err := w.notes.follow(w.set); err != nil {
		w.fallBack(err)
	}
}

// look returns the state of all files, and which differ from what is known of them.
func (w *Watcher) look() (changed []string, now map[string]snapshot) {
	now = make(map[string]snapshot, len(w.set))
	for _, e := range w.set {
		before := w.known[e.name]
		now[e.name] = e.look(before)
		changed = append(changed, before.diff(now[e.name])...)
	}
	slices.Sort(changed)
	return slices.Compact(changed), now
}

// concerns reports whether a notification is about a file of the set. Changes of mode and time
// stamp are not.
func (w *Watcher) concerns(event fsnotify.Event) bool {
	if event.Op == fsnotify.Chmod {
		return false
	}
	return slices.ContainsFunc(w.set, func(e entry) bool { return e.has(event.Name) })
}
