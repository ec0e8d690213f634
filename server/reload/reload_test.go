package reload_test

import (
	"bytes"
	"context"
	"errors"
	"log/slog"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"sync/atomic"
	"syscall"
	"testing"
	"time"

	"github.com/fsnotify/fsnotify"
	"go.uber.org/goleak"

	"rws/server/reload"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

// modes are the two ways to notice a change; each promise holds in both. Without notifications
// the interval is short, with them so long that only they can be the cause of a report.
var modes = map[string]reload.Options{
	"notified": {Debounce: 20 * time.Millisecond, Interval: time.Hour},
	"polling":  {Debounce: 20 * time.Millisecond, Interval: 5 * time.Millisecond, Poll: true},
}

func inBothModes(t *testing.T, test func(t *testing.T, o reload.Options)) {
	for name, o := range modes {
		t.Run(name, func(t *testing.T) { test(t, o) })
	}
}

// watch runs a watch until the test ends and returns its reports, as names in folder.
func watch(t *testing.T, o reload.Options, folder string, files ...string) <-chan []string {
	t.Helper()
	for i := range files {
		files[i] = filepath.Join(folder, files[i])
	}
	return watchFunc(t, o, folder, func() []string { return files })
}

func watchFunc(t *testing.T, o reload.Options, folder string, files func() []string) <-chan []string {
	t.Helper()
	reports := make(chan []string, 100)
	ctx, cancel := context.WithCancel(t.Context())
	w := reload.Watch(ctx, files, func(changed []string) {
		names := make([]string, len(changed))
		for i, path := range changed {
			rel, _ := filepath.Rel(folder, path)
			names[i] = filepath.ToSlash(rel)
		}
		reports <- names
	}, o)
	t.Cleanup(func() {
		cancel()
		<-w.Done()
	})
	return reports
}

func write(t *testing.T, text string, path ...string) {
	t.Helper()
	file := filepath.Join(path...)
	if err := os.MkdirAll(filepath.Dir(file), 0o755); err != nil {
		t.Fatal(err)
	}
	if err := os.WriteFile(file, []byte(text), 0o600); err != nil {
		t.Fatal(err)
	}
}

// want waits for one report of exactly these names.
func want(t *testing.T, reports <-chan []string, names ...string) {
	t.Helper()
	select {
	case got := <-reports:
		if !slices.Equal(got, names) {
			t.Errorf("reported %q, want %q", got, names)
		}
	case <-time.After(20 * time.Second):
		t.Fatalf("no report, want %q", names)
	}
}

func TestChangeIsReported(t *testing.T) {
	inBothModes(t, func(t *testing.T, o reload.Options) {
		folder := t.TempDir()
		write(t, "one", folder, "app.lua")
		write(t, "one", folder, "other.lua")
		reports := watch(t, o, folder, "app.lua")
		write(t, "two", folder, "other.lua") // not of the set
		write(t, "two", folder, "app.lua")
		want(t, reports, "app.lua")
		write(t, "six", folder, "app.lua") // same size, perhaps same time stamp
		want(t, reports, "app.lua")
	})
}

func TestBurstIsOneReport(t *testing.T) {
	inBothModes(t, func(t *testing.T, o reload.Options) {
		o.Debounce = 300 * time.Millisecond
		folder := t.TempDir()
		reports := watch(t, o, folder, "a", "b", "c")
		for _, name := range []string{"c", "a", "b", "a"} {
			write(t, name, folder, name)
		}
		want(t, reports, "a", "b", "c")
		write(t, "end", folder, "b")
		want(t, reports, "b")
	})
}

func TestSaveByRename(t *testing.T) {
	inBothModes(t, func(t *testing.T, o reload.Options) {
		folder := t.TempDir()
		write(t, "one", folder, "app.lua")
		reports := watch(t, o, folder, "app.lua")
		for _, text := range []string{"two", "three"} {
			write(t, text, folder, ".app.lua.tmp")
			if err := os.Rename(filepath.Join(folder, ".app.lua.tmp"), filepath.Join(folder, "app.lua")); err != nil {
				t.Fatal(err)
			}
			want(t, reports, "app.lua")
		}
	})
}

func TestSaveWithoutChangeIsSilent(t *testing.T) {
	inBothModes(t, func(t *testing.T, o reload.Options) {
		folder := t.TempDir()
		write(t, "one", folder, "app.lua")
		write(t, "one", folder, "mark")
		reports := watch(t, o, folder, "app.lua", "mark")
		write(t, "one", folder, "app.lua")
		touched := time.Now().Add(time.Hour)
		if err := os.Chtimes(filepath.Join(folder, "app.lua"), touched, touched); err != nil {
			t.Fatal(err)
		}
		write(t, "two", folder, "mark")
		want(t, reports, "mark")
	})
}

func TestDeletedAndCreatedAgain(t *testing.T) {
	inBothModes(t, func(t *testing.T, o reload.Options) {
		folder := t.TempDir()
		write(t, "one", folder, "app.lua")
		reports := watch(t, o, folder, "app.lua", "later.lua")
		for range 2 {
			if err := os.Remove(filepath.Join(folder, "app.lua")); err != nil {
				t.Fatal(err)
			}
			want(t, reports, "app.lua")
			write(t, "one", folder, "app.lua")
			want(t, reports, "app.lua")
		}
		write(t, "new", folder, "later.lua")
		want(t, reports, "later.lua")
	})
}

func TestFolderWithAllBelow(t *testing.T) {
	inBothModes(t, func(t *testing.T, o reload.Options) {
		folder := t.TempDir()
		write(t, "one", folder, "views/home.html")
		write(t, "one", folder, "views/node_modules/x/y.html")
		reports := watch(t, o, folder, "views/...")
		write(t, "two", folder, "views/home.html")
		want(t, reports, "views/home.html")
		write(t, "one", folder, "views/user/card.html")
		want(t, reports, "views/user/card.html")
		for _, ignored := range []string{".home.html.swp", "home.html~", "4913", ".git/index", "node_modules/x/y.html"} {
			write(t, "noise", folder, "views", ignored)
		}
		write(t, "two", folder, "views/user/card.html")
		want(t, reports, "views/user/card.html")
		if err := os.RemoveAll(filepath.Join(folder, "views/user")); err != nil {
			t.Fatal(err)
		}
		want(t, reports, "views/user/card.html")
	})
}

func TestLinkedFile(t *testing.T) {
	inBothModes(t, func(t *testing.T, o reload.Options) {
		folder := t.TempDir()
		write(t, "one", folder, "real/app.lua")
		if err := os.Symlink(filepath.Join(folder, "real", "app.lua"), filepath.Join(folder, "app.lua")); err != nil {
			t.Skip(err)
		}
		reports := watch(t, o, folder, "app.lua")
		write(t, "two", folder, "real/app.lua")
		want(t, reports, "app.lua")
	})
}

func TestSetMayChange(t *testing.T) {
	inBothModes(t, func(t *testing.T, o reload.Options) {
		o.Interval = 5 * time.Millisecond
		folder := t.TempDir()
		a, b := filepath.Join(folder, "a"), filepath.Join(folder, "sub", "b")
		write(t, "one", a)
		write(t, "one", b)
		var joined atomic.Bool
		var asked atomic.Int64
		reports := watchFunc(t, o, folder, func() []string {
			if asked.Add(1); joined.Load() {
				return []string{b}
			}
			return []string{a}
		})
		joined.Store(true)
		for n := asked.Load(); asked.Load() < n+2; { // asked again after it has taken b in
			time.Sleep(time.Millisecond)
		}
		write(t, "two", a)
		write(t, "two", b)
		want(t, reports, "sub/b")
	})
}

func TestFallsBackToPolling(t *testing.T) {
	failures := map[string]func() (*fsnotify.Watcher, error){
		"no watcher": func() (*fsnotify.Watcher, error) { return nil, syscall.EMFILE },
		"no watch": func() (*fsnotify.Watcher, error) {
			w, err := fsnotify.NewWatcher()
			if err == nil {
				err = w.Close() // adding a folder fails from now on
			}
			return w, err
		},
	}
	for name, open := range failures {
		t.Run(name, func(t *testing.T) {
			var log bytes.Buffer
			folder := t.TempDir()
			reported := make(chan []string, 1)
			ctx, cancel := context.WithCancel(t.Context())
			o := reload.WithNotifier(reload.Options{
				Debounce: time.Millisecond, Interval: 5 * time.Millisecond, Logger: slog.New(slog.NewTextHandler(&log, nil)),
			}, open)
			w := reload.Watch(ctx, func() []string { return []string{filepath.Join(folder, "a")} }, func(c []string) { reported <- c }, o)
			write(t, "one", folder, "a")
			<-reported
			cancel()
			<-w.Done()
			if !w.Polling() || strings.Count(log.String(), "looking every 5ms instead") != 1 {
				t.Errorf("polling %v, log: %s", w.Polling(), log.String())
			}
		})
	}
}

func TestEndsWithItsContext(t *testing.T) {
	inBothModes(t, func(t *testing.T, o reload.Options) {
		ctx, cancel := context.WithCancelCause(t.Context())
		w := reload.Watch(ctx, func() []string { return []string{"missing/..."} }, func([]string) { t.Error("called") }, o)
		cancel(errors.New("over"))
		<-w.Done()
	})
}

func TestCountOfDistinctFiles(t *testing.T) {
	folder := t.TempDir()
	write(t, "one", folder, "app.lua")
	write(t, "one", folder, "public/index.html")
	write(t, "one", folder, "public/css/site.css")
	if err := os.Symlink(filepath.Join(folder, "app.lua"), filepath.Join(folder, "link.lua")); err != nil {
		t.Skip(err)
	}
	for want, names := range map[int][]string{
		0: {"missing", "none/..."},
		1: {"app.lua", "app.lua", "link.lua", "./app.lua"},
		2: {"public/...", "public/...", "public/css/...", "public/index.html"},
		4: {"...", "app.lua", "public/..."}, // the link is a file of its own in its folder
	} {
		for i := range names {
			names[i] = folder + "/" + names[i]
		}
		if got := reload.Count(names); got != want {
			t.Errorf("%q: %d files, want %d", names, got, want)
		}
	}
}
