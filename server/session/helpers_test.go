package session_test

import (
	"net/http"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/require"
	"go.uber.org/goleak"

	"rws/server/db"
	"rws/server/redis"
	"rws/server/secret"
	"rws/server/session"
	"rws/spec_test/peers"
)

// TestMain lets the test binary stand for a second process, see TestSavedSessionsSurviveAKill.
func TestMain(m *testing.M) {
	if url := os.Getenv("RWS_SESSION_DB"); url != "" {
		saveForever(url)
	}
	goleak.VerifyTestMain(m)
}

// stores makes an empty store of each kind.
func stores() map[string]func(t testing.TB) session.Store {
	return map[string]func(t testing.TB) session.Store{
		"memory": func(testing.TB) session.Store { return session.NewMemory(0) },
		"sqlite": func(t testing.TB) session.Store {
			return sqlStore(t, "sqlite:"+filepath.Join(t.TempDir(), "test.db"))
		},
		"postgres": func(t testing.TB) session.Store { return sqlStore(t, peers.Postgres(t)) },
		"mariadb":  func(t testing.TB) session.Store { return sqlStore(t, peers.MariaDB(t)) },
		"redis":    func(t testing.TB) session.Store { return session.NewRedis(client(t, peers.Redis(t)), "") },
		"redis, RESP2": func(t testing.TB) session.Store {
			return session.NewRedis(client(t, peers.Redis(t)+"?protocol=2"), "other*:")
		},
	}
}

// cluster starts a cluster, which takes too long to be one of the stores.
func cluster(t testing.TB) session.Store {
	return session.NewRedis(client(t, peers.RedisCluster(t)), "")
}

func sqlStore(t testing.TB, url string) *session.SQL {
	t.Helper()
	d, err := db.Open(url, db.Options{})
	require.NoError(t, err)
	t.Cleanup(func() { require.NoError(t, d.Close()) })
	s, err := session.NewSQL(t.Context(), d)
	require.NoError(t, err)
	return s
}

func client(t testing.TB, url string) *redis.Client {
	t.Helper()
	c, err := redis.Open(url)
	require.NoError(t, err)
	t.Cleanup(func() { require.NoError(t, c.Close()) })
	return c
}

// managers makes a manager of each kind of store, and one without.
func managers(o session.Options) map[string]func(t testing.TB) *session.Manager {
	all := map[string]func(t testing.TB) *session.Manager{
		"cookie": func(t testing.TB) *session.Manager {
			o := o
			o.Keys = secret.Random()
			return manager(t, o)
		},
	}
	for name, open := range stores() {
		all[name] = func(t testing.TB) *session.Manager {
			o := o
			o.Store = open(t)
			return manager(t, o)
		}
	}
	return all
}

func manager(t testing.TB, o session.Options) *session.Manager {
	t.Helper()
	m, err := session.New(o)
	require.NoError(t, err)
	t.Cleanup(m.Close)
	return m
}

// each runs a test with every kind of manager.
func each(t *testing.T, o session.Options, f func(t *testing.T, m *session.Manager)) {
	t.Helper()
	for name, open := range managers(o) {
		t.Run(name, func(t *testing.T) { f(t, open(t)) })
	}
}

// A browser keeps one cookie.
type browser struct {
	m    *session.Manager
	pair string // "name=value", "" for none
	sent string // the last Set-Cookie
	tls  bool
}

func (b *browser) start() *session.Session {
	h := http.Header{}
	if b.pair != "" {
		h.Set("Cookie", b.pair)
	}
	return b.m.Start(h, b.tls)
}

// finish saves a session and takes the cookie.
func (b *browser) finish(t testing.TB, s *session.Session) {
	t.Helper()
	h := http.Header{}
	require.NoError(t, s.Save(t.Context(), h))
	b.take(h)
}

func (b *browser) take(h http.Header) {
	b.sent = h.Get("Set-Cookie")
	if b.sent == "" {
		return
	}
	b.pair, _, _ = strings.Cut(b.sent, ";")
	if strings.Contains(b.sent, "Max-Age=0") {
		b.pair = ""
	}
}

// request runs f with the session of one request.
func (b *browser) request(t testing.TB, f func(s *session.Session)) {
	t.Helper()
	s := b.start()
	f(s)
	b.finish(t, s)
}

// get makes a request that reads a key.
func (b *browser) get(t testing.TB, key string) (value any) {
	t.Helper()
	b.request(t, func(s *session.Session) { value = get(t, s, key) })
	return value
}

// set makes a request that sets a key.
func (b *browser) set(t testing.TB, key string, value any) {
	t.Helper()
	b.request(t, func(s *session.Session) { set(t, s, key, value) })
}

func get(t testing.TB, s *session.Session, key string) any {
	t.Helper()
	v, err := s.Get(t.Context(), key)
	require.NoError(t, err)
	return v
}

func set(t testing.TB, s *session.Session, key string, value any) {
	t.Helper()
	require.NoError(t, s.Set(t.Context(), key, value))
}

// soon is longer than any wait of these tests.
const soon = 20 * time.Second
