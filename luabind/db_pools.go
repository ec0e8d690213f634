package luabind

import (
	"errors"
	"fmt"
	"net/url"
	"os"
	"path/filepath"
	"strings"
	"sync"

	"rws/server/db"
)

// Databases says what app:db opens.
type Databases int

const (
	// DatabasesLive opens what the script names and runs its migrations as the setting migrate
	// says.
	DatabasesLive Databases = iota
	// DatabasesTest gives each program new databases: SQLite files are empty ones in a temporary
	// folder, servers those of the option test. All migrations run.
	DatabasesTest
	// DatabasesCheck is for looking at a script: SQLite as in a test, and servers are neither
	// asked nor changed. A migration that fails is an error. Of migrations only SQL runs, never
	// functions.
	DatabasesCheck
	// DatabasesPlan is DatabasesCheck for the command that runs the migrations itself: those
	// that fail on an empty database are no error.
	DatabasesPlan
)

// Pools are open databases. They outlive a reload of the programs that use them: one that
// asks for the same URL with the same options finds the same.
type Pools struct {
	mu   sync.Mutex
	open map[poolKey]*pooled
}

// NewPools returns an empty store.
func NewPools() *Pools { return &Pools{open: make(map[poolKey]*pooled)} }

// A poolKey is what makes two databases the same.
type poolKey struct {
	url, name string
	options   db.Options
}

// A pooled database closes when the last program lets go of it.
type pooled struct {
	*db.DB
	pools *Pools
	key   poolKey
	users int // guarded by pools.mu
}

// acquire opens a database, or returns the one that is open.
func (p *Pools) acquire(key poolKey) (*pooled, error) {
	p.mu.Lock()
	defer p.mu.Unlock()
	if d := p.open[key]; d != nil {
		d.users++
		return d, nil
	}
	opened, err := db.Open(key.url, key.options)
	if err != nil {
		return nil, err
	}
	d := &pooled{DB: opened, pools: p, key: key, users: 1}
	p.open[key] = d
	return d, nil
}

// release lets go of a database.
func (d *pooled) release() error {
	d.pools.mu.Lock()
	d.users--
	last := d.users == 0
	if last && d.pools.open[d.key] == d {
		delete(d.pools.open, d.key)
	}
	d.pools.mu.Unlock()
	if !last {
		return nil
	}
	return d.Close()
}

// end closes a database for all that use it; the next acquire opens it anew.
func (d *pooled) end() error {
	d.pools.mu.Lock()
	if d.pools.open[d.key] == d {
		delete(d.pools.open, d.key)
	}
	d.pools.mu.Unlock()
	return d.Close()
}

// A place is a database URL taken apart as far as it matters here.
type place struct {
	scheme string
	path   string // of SQLite, whole; "" in memory and for servers
	query  string // with its "?"
	url    string // the whole
}

// memory is the path of a SQLite database that is in none.
const memory = ":memory:"

// placeOf finds a SQLite file in the app's folder.
func (p *Program) placeOf(text string) place {
	scheme, rest, _ := strings.Cut(text, ":")
	pl := place{scheme: strings.ToLower(scheme), url: text}
	if pl.scheme != "sqlite" && pl.scheme != "sqlite3" {
		return pl
	}
	path, query, found := strings.Cut(rest, "?")
	path = strings.TrimPrefix(path, "//")
	if found {
		pl.query = "?" + query
	}
	if path != "" && path != memory {
		pl.path = p.path(path)
		path = pl.path
	}
	pl.url = "sqlite:" + path + pl.query
	return pl
}

func (pl place) isSQLite() bool { return pl.scheme == "sqlite" || pl.scheme == "sqlite3" }

// label is how people know the database: "sqlite notes.db".
func (pl place) label(dir string) string {
	switch {
	case !pl.isSQLite():
		return db.Redact(pl.url)
	case pl.path == "":
		return "sqlite in memory"
	}
	if below, err := filepath.Rel(dir, pl.path); err == nil && filepath.IsLocal(below) {
		return "sqlite " + filepath.ToSlash(below)
	}
	return "sqlite " + pl.path
}

// name is what commands call the database by, unless the script says it.
func (pl place) name() string {
	if pl.isSQLite() {
		if pl.path == "" {
			return "memory"
		}
		base := filepath.Base(pl.path)
		return strings.TrimSuffix(base, filepath.Ext(base))
	}
	if u, err := url.Parse(pl.url); err == nil && len(u.Path) > 1 {
		return u.Path[1:]
	}
	return pl.scheme
}

// scratch keeps the temporary databases of a program.
type scratch struct {
	dir   string
	files map[string]string // by the path that the script names
}

// file returns the temporary database that stands for a SQLite file.
func (s *scratch) file(pl place) (string, error) {
	if pl.path == "" {
		return pl.url, nil
	}
	if s.dir == "" {
		dir, err := os.MkdirTemp("", "rws-db-")
		if err != nil {
			return "", fmt.Errorf("making a folder for temporary databases: %w", err)
		}
		s.dir, s.files = dir, make(map[string]string)
	}
	if s.files[pl.path] == "" {
		s.files[pl.path] = filepath.Join(s.dir, fmt.Sprintf("%d.db", len(s.files)+1))
	}
	query, err := url.ParseQuery(strings.TrimPrefix(pl.query, "?"))
	if err != nil {
		return "sqlite:" + s.files[pl.path] + pl.query, nil // the error is better said by who opens it
	}
	query.Set("synchronous", "off")
	query.Del("mode") // there is no file yet
	return "sqlite:" + s.files[pl.path] + "?" + query.Encode(), nil
}

func (s *scratch) remove() error {
	if s.dir == "" {
		return nil
	}
	return os.RemoveAll(s.dir)
}

// closeDatabases lets go of what the script opened.
func (p *Program) closeDatabases() error {
	p.databases.mu.Lock()
	defer p.databases.mu.Unlock()
	var errs []error
	for _, s := range p.databases.list {
		if s.pool != nil {
			errs = append(errs, s.pool.release())
		}
		if s.drop != nil {
			errs = append(errs, s.drop())
		}
	}
	p.databases.list = nil
	return errors.Join(append(errs, p.databases.scratch.remove())...)
}
