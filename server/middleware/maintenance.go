package middleware

import (
	"bytes"
	"cmp"
	"errors"
	"fmt"
	"io/fs"
	"net/http"
	"os"
	"path/filepath"
	"strconv"
	"sync"
	"sync/atomic"
	"time"

	"rws/server/problem"
)

// MaintenanceOptions of [NewMaintenance].
type MaintenanceOptions struct {
	// File switches maintenance on while it exists; what is in it is the page, if there is
	// something. It is looked at once a second at most. "" leaves the switch to [Maintenance.Set].
	File string
	// Folder opens what File is looked for in, with its name there, as [os.Root.FS] does so that no link
	// leads out of a folder; a file that one leads to is there and no page. nil means the file system.
	Folder func() (files fs.FS, name string, done func(), err error)
	// Page is the HTML for those who prefer it, unless File has one. Default is a plain page.
	Page []byte
	// Allow are those who are served nevertheless, as in [IPFilterOptions].
	Allow []string
	// RetryAfter tells clients when to come again; default 5 minutes.
	RetryAfter time.Duration
}

// Maintenance answers 503 while it is on, with a page or a problem. Made by [NewMaintenance].
type Maintenance struct {
	o     MaintenanceOptions
	allow *addresses
	on    atomic.Bool

	mu      sync.Mutex
	looked  time.Time
	exists  bool
	changed time.Time // of the file, when page was read
	page    []byte    // of the file
}

// maxPage is the largest page that is read.
const maxPage = 1 << 20

// NewMaintenance is off, unless its file exists.
func NewMaintenance(o MaintenanceOptions) (*Maintenance, error) {
	allow, err := parseAddresses(o.Allow)
	if err != nil {
		return nil, fmt.Errorf("maintenance: allow: %w", err)
	}
	if o.RetryAfter < 0 || o.RetryAfter > 0 && o.RetryAfter < time.Second {
		return nil, fmt.Errorf("maintenance: retry after %s: want a second or more", o.RetryAfter)
	}
	o.RetryAfter = orInt(o.RetryAfter, 5*time.Minute)
	return &Maintenance{o: o, allow: allow}, nil
}

// Set switches maintenance on or off. It stays on while the file exists.
func (m *Maintenance) Set(on bool) { m.on.Store(on) }

// On reports whether maintenance is on.
func (m *Maintenance) On() bool {
	if m.on.Load() {
		return true
	}
	on, _ := m.file()
	return on
}

// lookEvery is how long what is known of the file is good for.
const lookEvery = time.Second

// file is whether the file exists, and the page in it. A file that cannot be looked at counts as
// there: somebody has said so before, or means to.
func (m *Maintenance) file() (exists bool, page []byte) {
	if m.o.File == "" {
		return false, nil
	}
	m.mu.Lock()
	defer m.mu.Unlock()
	if now := time.Now(); m.looked.IsZero() || now.Sub(m.looked) >= lookEvery {
		m.looked = now
		m.look()
	}
	return m.exists, m.page
}

func (m *Maintenance) look() {
	files, name, done, err := m.folder()
	var info fs.FileInfo
	if err == nil {
		defer done()
		info, err = fs.Stat(files, name)
	}
	if m.exists = !errors.Is(err, fs.ErrNotExist); !m.exists || err != nil {
		m.page, m.changed = nil, time.Time{}
		return
	}
	if info.ModTime().Equal(m.changed) {
		return
	}
	m.page, m.changed = nil, info.ModTime()
	if info.Mode().IsRegular() && info.Size() <= maxPage {
		text, err := fs.ReadFile(files, name)
		if err == nil && len(bytes.TrimSpace(text)) > 0 {
			m.page = text
		}
	}
}

// folder is where the file is looked for.
func (m *Maintenance) folder() (files fs.FS, name string, done func(), err error) {
	if m.o.Folder != nil {
		return m.o.Folder()
	}
	dir, name := filepath.Split(m.o.File)
	return os.DirFS(cmp.Or(dir, ".")), name, func() {}, nil
}

// Wrap puts a handler behind it.
func (m *Maintenance) Wrap(next http.Handler) http.Handler {
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		exists, page := m.file()
		if !exists && !m.on.Load() || m.allow.size > 0 && m.allow.has(clientIPOf(r)) {
			next.ServeHTTP(w, r)
			return
		}
		retry := strconv.FormatInt(seconds(m.o.RetryAfter), 10)
		if page == nil {
			page = m.o.Page
		}
		if page == nil || !problem.WantsHTML(r) {
			refuse(w, r, http.StatusServiceUnavailable, "The service is being maintained.", http.Header{"Retry-After": {retry}})
			return
		}
		h := w.Header()
		h.Set("Retry-After", retry)
		h.Set("Content-Type", "text/html; charset=utf-8")
		h.Set("Content-Length", strconv.Itoa(len(page)))
		h.Set("Cache-Control", "no-store")
		h.Set("X-Content-Type-Options", "nosniff")
		w.WriteHeader(http.StatusServiceUnavailable)
		if r.Method != http.MethodHead {
			_, _ = w.Write(page) // there is nobody left to tell
		}
	})
}
