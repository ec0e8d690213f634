package luabind

import (
	"cmp"
	"errors"
	"fmt"
	"slices"
	"strings"
	"time"

	"rws/luabind/fault"
	"rws/server/cache"
	"rws/server/cookie"
	"rws/server/db"
	"rws/server/ratelimit"
	"rws/server/redis"
	"rws/server/secret"
	"rws/server/session"
	"rws/server/suggest"
)

// SessionConfig is the part of Config that is about sessions.
type SessionConfig struct {
	Store   string   // "memory", "cookie", or the URL of a database or Redis
	Secret  []string // in place of Config.Secret
	TTL     time.Duration
	Idle    time.Duration
	User    string // the key that names the user
	MaxSize int64
	Prefix  string // of keys in Redis
	Cookie  CookieConfig
}

// CookieConfig is the cookie of sessions.
type CookieConfig struct {
	Name, Path, Domain, SameSite string
	Secure                       string // "auto", "true", "false"
}

// CacheConfig is the part of Config that is about app.cache.
type CacheConfig struct {
	URL    string // "memory" or that of Redis
	Size   int64  // of the memory
	Prefix string // of keys in Redis
}

// LimitsConfig is the part of Config that is about limits of requests.
type LimitsConfig struct {
	Store  string // "memory", "redis", or the URL of a database or Redis
	Prefix string // of keys in Redis
}

// Stores that need no server.
const (
	inMemory = "memory"
	inCookie = "cookie"
)

// stateSettings are the settings of what is kept between requests.
func stateSettings() []Setting {
	return []Setting{
		listSetting("secret", "", "signs and encrypts cookies, the current one first; in development one is made in .rws/secret", func(c *Config) *[]string { return &c.Secret }),
		{"session.store", inMemory, `"memory", "cookie" (encrypted), or a URL: sqlite:app.db, postgres://…, mysql://…, redis://…`, readSessionStore, func(c *Config) string { return shownURL(c.Session.Store) }},
		listSetting("session.secret", "", "encrypts sessions that are kept in cookies; default is secret", func(c *Config) *[]string { return &c.Session.Secret }),
		durationSetting("session.ttl", "30d", "how long a session lasts from its login", func(c *Config) *time.Duration { return &c.Session.TTL }),
		durationSetting("session.idle", "24h", "how long a session lasts without a request; session.ttl at most", func(c *Config) *time.Duration { return &c.Session.Idle }),
		textSetting("session.user", session.DefaultUserKey, "key of the session that names the user: when it changes, so does the id", func(c *Config) *string { return &c.Session.User }),
		sizeSetting("session.max_size", "64kb", "largest session, as JSON", func(c *Config) *int64 { return &c.Session.MaxSize }),
		textSetting("session.prefix", session.DefaultPrefix, "in front of the keys of sessions in Redis", func(c *Config) *string { return &c.Session.Prefix }),
		textSetting("session.cookie.name", session.DefaultName, `name of the cookie; under TLS "__Host-" is put in front where that is possible`, func(c *Config) *string { return &c.Session.Cookie.Name }),
		textSetting("session.cookie.path", "/", "path of the cookie", func(c *Config) *string { return &c.Session.Cookie.Path }),
		textSetting("session.cookie.domain", "", "domain that has the cookie with all hosts below it; empty is this host alone", func(c *Config) *string { return &c.Session.Cookie.Domain }),
		choiceSetting("session.cookie.same_site", "lax", "whether other sites may send the cookie along", []string{"lax", "strict", "none"}, func(c *Config) *string { return &c.Session.Cookie.SameSite }),
		choiceSetting("session.cookie.secure", "auto", `whether the cookie is sent over TLS only; "auto" as the request came`, []string{"auto", "true", "false"}, func(c *Config) *string { return &c.Session.Cookie.Secure }),
		{"cache.url", inMemory, `where app.cache keeps its values: "memory" or redis://…`, readCacheURL, func(c *Config) string { return shownURL(c.Cache.URL) }},
		sizeSetting("cache.size", "64mb", "largest cache in memory", func(c *Config) *int64 { return &c.Cache.Size }),
		textSetting("cache.prefix", cache.DefaultPrefix, "in front of the keys of the cache in Redis", func(c *Config) *string { return &c.Cache.Prefix }),
		{"limits.store", inMemory, `where limits of requests count: "memory", "redis" (that of cache or sessions), or a URL: redis://…, sqlite:app.db, postgres://…, mysql://…`, readLimitStore, func(c *Config) string { return shownURL(c.Limits.Store) }},
		textSetting("limits.prefix", ratelimit.DefaultPrefix, "in front of the keys of limits in Redis", func(c *Config) *string { return &c.Limits.Prefix }),
	}
}

// schemes of URLs by what they lead to.
var (
	redisSchemes = []string{"redis", "rediss", "redis+cluster", "rediss+cluster", "redis+sentinel", "rediss+sentinel", "unix"}
	sqlSchemes   = []string{"sqlite", "postgres", "postgresql", "mysql", "mariadb"}
)

func isRedis(url string) bool { return slices.Contains(redisSchemes, schemeOf(url)) }

func readSessionStore(c *Config, text string) error {
	if err := checkStore(text, []string{inMemory, inCookie}, slices.Concat(sqlSchemes, redisSchemes)); err != nil {
		return err
	}
	c.Session.Store = text
	return nil
}

func readCacheURL(c *Config, text string) error {
	if err := checkStore(text, []string{inMemory}, redisSchemes); err != nil {
		return err
	}
	c.Cache.URL = text
	return nil
}

func readLimitStore(c *Config, text string) error {
	if err := checkLimitStore(text); err != nil {
		return err
	}
	c.Limits.Store = text
	return nil
}

// checkStore wants one of the words, or a URL with one of the schemes.
func checkStore(text string, words, schemes []string) error {
	scheme := schemeOf(text)
	switch {
	case slices.Contains(words, text):
		return nil
	case scheme == "":
		return fmt.Errorf("%q is none of %s and no URL%s", text, strings.Join(words, ", "), suggest.DidYouMean(text, words))
	case !slices.Contains(schemes, scheme):
		return fmt.Errorf("the scheme %q is none of %s%s", scheme, strings.Join(schemes, ", "), suggest.DidYouMean(scheme, schemes))
	case isRedis(text):
		return checkRedis(text)
	case !strings.HasPrefix(scheme, "sqlite"): // whose file tryStores opens
		return checkSQL(text)
	}
	return nil
}

// checkSQL finds mistakes in the URL of a server without connecting.
func checkSQL(url string) error {
	d, err := db.Open(url, db.Options{})
	if err != nil {
		return err
	}
	return d.Close()
}

// checkRedis finds mistakes in a URL without connecting.
func checkRedis(url string) error {
	_, rest, ok := strings.Cut(url, "://")
	if host := rest[strings.LastIndexByte(rest, '@')+1:]; ok && schemeOf(url) != "unix" && (host == "" || host[0] == '/' || host[0] == '?') {
		return errors.New(`the URL has no host; it looks like "redis://127.0.0.1:6379/0"`)
	}
	client, err := redis.Open(url)
	if err != nil {
		return err
	}
	return client.Close()
}

// shownURL is a URL without its secrets.
func shownURL(url string) string {
	switch {
	case isRedis(url):
		if client, err := redis.Open(url); err == nil {
			defer client.Close()
			return client.String()
		}
	case slices.Contains(sqlSchemes, schemeOf(url)):
		return db.Redact(url)
	}
	return url
}

// checkState refuses settings that don't go together, and secrets that are none: at the start,
// and not when the first visitor comes.
func (c *Config) checkState() (faults []*fault.Error) {
	wrong := func(name string, err error) { faults = append(faults, settingError(name, c, err)) }
	for name, list := range map[string][]string{"secret": c.Secret, "session.secret": c.Session.Secret} {
		if len(list) == 0 {
			continue
		}
		if _, err := secret.New(list...); err != nil {
			wrong(name, err)
		}
	}
	if c.origin["session.idle"] == fromDefault {
		c.Session.Idle = min(c.Session.Idle, c.Session.TTL)
	}
	if c.Session.Idle > c.Session.TTL {
		wrong("session.idle", fmt.Errorf("%s is longer than session.ttl, %s", showDuration(c.Session.Idle), showDuration(c.Session.TTL)))
		return faults
	}
	if c.Session.Store == inCookie && c.Production() && !c.hasSecret() {
		wrong("session.store", errNoSecret)
	}
	o := c.sessionOptions()
	o.Keys = secret.Random()
	m, err := session.New(o) // which checks the rest
	if err != nil {
		wrong("session", err)
		return faults
	}
	m.Close()
	return faults
}

// settingError says what is wrong with a setting, where the script gave it if it was the script.
func settingError(name string, c *Config, err error) *fault.Error {
	origin := cmp.Or(c.Origin(name), fromScript)
	at := ""
	if origin == fromScript {
		at = c.at[name]
	}
	return &fault.Error{Code: "option", At: at, Message: fmt.Sprintf("the setting %s (%s): %s", name, origin, err), Cause: err}
}

func (c *Config) hasSecret() bool { return len(c.Secret)+len(c.Session.Secret) > 0 }

// Secrets tells where the key comes from that signs and encrypts: "configured", "generated"
// (in development) or "none".
func (c *Config) Secrets() string {
	switch {
	case c.hasSecret():
		return "configured"
	case c.Production():
		return "none"
	}
	return "generated"
}

// sessionOptions returns what the settings say, without a store and without keys.
func (c *Config) sessionOptions() session.Options {
	s := c.Session
	o := session.Options{
		Name: s.Cookie.Name, Idle: s.Idle, Absolute: s.TTL, MaxSize: int(s.MaxSize), UserKey: s.User,
		Cookie: cookie.Options{Path: s.Cookie.Path, Domain: s.Cookie.Domain, SameSite: s.Cookie.SameSite},
	}
	if s.Cookie.Secure != "auto" {
		secure := s.Cookie.Secure == "true"
		o.Cookie.Secure = &secure
	}
	return o
}
