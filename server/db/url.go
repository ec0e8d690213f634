package db

import (
	"fmt"
	"net/url"
	"slices"
	"strconv"
	"strings"
	"time"

	"rws/server/suggest"
)

// Engine is a kind of database.
type Engine string

const (
	SQLite   Engine = "sqlite"
	Postgres Engine = "postgres"
	MySQL    Engine = "mysql" // and MariaDB
)

// schemes are what a URL may begin with.
var schemes = map[string]Engine{
	"sqlite": SQLite, "sqlite3": SQLite, "postgres": Postgres, "postgresql": Postgres, "mysql": MySQL, "mariadb": MySQL,
}

// poolOptions may stand in the URL of every engine, besides its own.
var poolOptions = []string{"max_open", "max_idle", "max_lifetime", "max_idle_time", "wait"}

// An address is a URL taken apart.
type address struct {
	engine Engine
	rest   string   // of a SQLite URL: the path
	url    *url.URL // of the others
	query  url.Values
}

// parseURL reads sqlite:path, postgres://… and mysql://…. Its errors never show the URL, which
// may hold a password.
func parseURL(text string) (*address, error) {
	scheme, rest, ok := strings.Cut(text, ":")
	engine, known := schemes[strings.ToLower(scheme)]
	if !ok || !known {
		return nil, unknownScheme(scheme, ok)
	}
	if engine == SQLite {
		return parseSQLiteURL(rest)
	}
	u, err := url.Parse(text)
	if err != nil || u.Opaque != "" || !strings.HasPrefix(rest, "//") || misread(rest) {
		return nil, fmt.Errorf("the URL cannot be read; it looks like %s://user:password@host:port/database, with %%40, %%2F, %%3F and %%23 for @, /, ? and # in the password", engine)
	}
	query, err := parseQuery(u.RawQuery)
	if err != nil {
		return nil, fmt.Errorf("what follows the ? in the URL cannot be read: write name=value&name=value")
	}
	return &address{engine: engine, url: u, query: query}, nil
}

// parseQuery reads the options. A + is a +, as for libpq (TimeZone=Etc/GMT+5): only in forms is it a
// space, which is %20 here.
func parseQuery(raw string) (url.Values, error) {
	return url.ParseQuery(strings.ReplaceAll(raw, "+", "%2B"))
}

// encodeQuery is what parseQuery, and the driver of Postgres, read.
func encodeQuery(query url.Values) string {
	return strings.ReplaceAll(query.Encode(), "+", "%20")
}

// misread says that a password with / ? or # in it, as it is, would be taken for host, path or
// option, and shown: what follows the host has no @, and no # at all.
func misread(rest string) bool {
	rest = strings.TrimPrefix(rest, "//")
	end := strings.IndexAny(rest, "/?#")
	return end >= 0 && strings.ContainsAny(rest[end:], "@#")
}

func unknownScheme(scheme string, colon bool) error {
	known := []string{"sqlite", "postgres", "postgresql", "mysql", "mariadb"}
	if !colon || strings.ContainsAny(scheme, "@/ ") {
		return fmt.Errorf("the URL does not begin with a kind of database: write sqlite:app.db, postgres://user@host/database or mysql://user@host/database")
	}
	return fmt.Errorf("there is no kind of database %q%s; there are %s", scheme, suggest.DidYouMean(scheme, known), strings.Join(known, ", "))
}

func parseSQLiteURL(rest string) (*address, error) {
	path, raw, _ := strings.Cut(rest, "?")
	query, err := parseQuery(raw)
	if err != nil {
		return nil, fmt.Errorf("what follows the ? in the URL cannot be read: write name=value&name=value")
	}
	if after, ok := strings.CutPrefix(path, "//"); ok { // sqlite:///var/lib/app.db
		path = after
	}
	if path == "" {
		return nil, fmt.Errorf("the URL names no file, as sqlite:app.db and sqlite::memory: do")
	}
	return &address{engine: SQLite, rest: path, query: query}, nil
}

// redacted is the URL for people: without password and options.
func (a *address) redacted() string {
	if a.engine == SQLite {
		return "sqlite:" + a.rest
	}
	u := url.URL{Scheme: a.url.Scheme, Host: a.url.Host, Path: a.url.Path}
	if name := a.url.User.Username(); name != "" {
		u.User = url.User(name)
	}
	return u.String()
}

// Redact returns a database URL without password and options, for logs and messages.
func Redact(text string) string {
	a, err := parseURL(text)
	if err != nil {
		return "(a URL that cannot be read)"
	}
	return a.redacted()
}

// check refuses options that nobody knows.
func (a *address) check(own []string) error {
	known := append(slices.Clone(poolOptions), own...)
	for name, values := range a.query {
		if !slices.Contains(known, name) {
			slices.Sort(known)
			return fmt.Errorf("there is no option %q%s; %s has %s", name, suggest.DidYouMean(name, known), a.engine, strings.Join(known, ", "))
		}
		if len(values) > 1 {
			return fmt.Errorf("option %q is given %d times", name, len(values))
		}
	}
	return nil
}

// pool reads the options that every engine has into o, where o has none.
func (a *address) pool(o *Options) error {
	for name, to := range map[string]*int{"max_open": &o.MaxOpen, "max_idle": &o.MaxIdle} {
		if err := a.number(name, to); err != nil {
			return err
		}
	}
	for name, to := range map[string]*time.Duration{"max_lifetime": &o.MaxLifetime, "max_idle_time": &o.MaxIdleTime, "wait": &o.Wait, "busy_timeout": &o.BusyTimeout} {
		if err := a.duration(name, to); err != nil {
			return err
		}
	}
	return nil
}

func (a *address) number(name string, to *int) error {
	text := a.query.Get(name)
	if text == "" || *to != 0 {
		return nil
	}
	n, err := strconv.Atoi(text)
	if err != nil || n < 1 {
		return fmt.Errorf("option %s=%q is not a whole number from 1", name, text)
	}
	*to = n
	return nil
}

func (a *address) duration(name string, to *time.Duration) error {
	text := a.query.Get(name)
	if text == "" || *to != 0 {
		return nil
	}
	d, err := time.ParseDuration(text)
	if err != nil || d <= 0 {
		return fmt.Errorf("option %s=%q is not a duration: write 5s, 10m or 1h", name, text)
	}
	*to = d
	return nil
}

// choice returns the option if it is one of the words, and the first word without it.
func (a *address) choice(name string, words ...string) (string, error) {
	text := strings.ToLower(a.query.Get(name))
	if text == "" {
		return words[0], nil
	}
	if !slices.Contains(words, text) {
		return "", fmt.Errorf("option %s=%q: it is one of %s%s", name, text, strings.Join(words, ", "), suggest.DidYouMean(text, words))
	}
	return text, nil
}
