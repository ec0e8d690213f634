package local_test

import (
	"crypto/tls"
	"crypto/x509"
	"net"
	"os"
	"path/filepath"
	"runtime"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"rws/server/certs"
	"rws/server/certs/local"
)

var _ certs.Source = (*local.Authority)(nil)

// ask connects as a client that trusts the root.
func ask(t *testing.T, a *local.Authority, network, listen, name string) error {
	t.Helper()
	l, err := tls.Listen(network, listen, &tls.Config{GetCertificate: a.Certificate})
	if err != nil {
		t.Skipf("listening on %s: %v", listen, err)
	}
	defer l.Close()
	go func() {
		if c, err := l.Accept(); err == nil {
			_ = c.(*tls.Conn).Handshake()
			c.Close()
		}
	}()
	roots := x509.NewCertPool()
	roots.AddCert(a.Root())
	c, err := net.Dial(network, l.Addr().String())
	require.NoError(t, err)
	defer c.Close()
	return tls.Client(c, &tls.Config{ServerName: name, RootCAs: roots}).Handshake()
}

func TestItSignsForThisMachineAndTheNamesItIsGiven(t *testing.T) {
	a, err := local.Open(filepath.Join(t.TempDir(), "ca"), "app.test", "*.shop.test", "Upper.test.")
	require.NoError(t, err)
	for name, want := range map[string]bool{
		"localhost": true, "shop.localhost": true, "a.b.localhost": true, "LOCALHOST": true,
		"app.test": true, "a.shop.test": true, "upper.test": true,
		"127.0.0.1":   true, // no name is sent: by the address
		"example.com": false, "xlocalhost": false, "b.app.test": false, "a.b.shop.test": false, "shop.test": false,
	} {
		err := ask(t, a, "tcp", "127.0.0.1:0", name)
		assert.Equal(t, want, err == nil, "%s: %v", name, err)
	}
	assert.NoError(t, ask(t, a, "tcp", "[::1]:0", "::1"))
	_, err = a.Certificate(&tls.ClientHelloInfo{ServerName: "example.com"})
	assert.ErrorIs(t, err, certs.ErrUnknownName)
}

func TestTheRootStays(t *testing.T) {
	folder := filepath.Join(t.TempDir(), "a", "ca")
	var mu sync.Mutex
	serials := map[string]bool{}
	var all sync.WaitGroup
	for range 8 { // processes that start at the same time
		all.Go(func() {
			a, err := local.Open(folder)
			if assert.NoError(t, err) {
				mu.Lock()
				serials[a.Root().SerialNumber.String()] = true
				mu.Unlock()
			}
		})
	}
	all.Wait()
	assert.Len(t, serials, 1)
	text, err := os.ReadFile(filepath.Join(folder, local.RootFile))
	require.NoError(t, err)
	assert.NotContains(t, string(text), "PRIVATE")
	entries, err := os.ReadDir(folder)
	require.NoError(t, err)
	assert.Len(t, entries, 3, "there is more than the root, its key and a .gitignore")
	if runtime.GOOS == "windows" {
		return
	}
	for name, mode := range map[string]os.FileMode{"": 0o700, "root.key": 0o600, local.RootFile: 0o644} {
		info, err := os.Stat(filepath.Join(folder, name))
		require.NoError(t, err)
		assert.Equal(t, mode, info.Mode().Perm(), "%q", name)
	}
}

func TestARootThatIsNotSafeIsRefused(t *testing.T) {
	for name, damage := range map[string]func(key string) error{
		"open to others": func(key string) error { return os.Chmod(key, 0o644) },
		"broken":         func(key string) error { return os.WriteFile(key, []byte("junk"), 0o600) },
	} {
		if runtime.GOOS == "windows" && strings.HasPrefix(name, "open") {
			continue
		}
		folder := t.TempDir()
		_, err := local.Open(folder)
		require.NoError(t, err)
		require.NoError(t, damage(filepath.Join(folder, "root.key")))
		_, err = local.Open(folder)
		assert.ErrorContains(t, err, "remove the folder", name)
	}
}

func TestCertificatesAreMadeAnewBeforeTheyEnd(t *testing.T) {
	a, err := local.Open(t.TempDir())
	require.NoError(t, err)
	now := time.Now()
	a.SetNow(func() time.Time { return now })
	first, err := a.Certificate(&tls.ClientHelloInfo{ServerName: "a.localhost"})
	require.NoError(t, err)
	now = now.Add(4 * 24 * time.Hour)
	same, err := a.Certificate(&tls.ClientHelloInfo{ServerName: "a.localhost"})
	require.NoError(t, err)
	assert.Same(t, first, same)
	now = now.Add(24 * time.Hour)
	other, err := a.Certificate(&tls.ClientHelloInfo{ServerName: "a.localhost"})
	require.NoError(t, err)
	assert.NotSame(t, first, other)
	assert.WithinDuration(t, now.Add(7*24*time.Hour), other.Leaf.NotAfter, time.Minute)

	now = a.Root().NotAfter.Add(time.Second)
	_, err = a.Certificate(&tls.ClientHelloInfo{ServerName: "a.localhost"})
	assert.ErrorContains(t, err, "ran out")
}

func TestNamesThatAreNone(t *testing.T) {
	for _, name := range []string{"", "*", "a b", "https://a", "*.*.a", "a..b", strings.Repeat("a", 64)} {
		_, err := local.Open(t.TempDir(), name)
		assert.Error(t, err, "%q", name)
	}
}

func FuzzCheck(f *testing.F) {
	for _, name := range []string{"localhost", "*.a.test", "::1", "", "a\x00b"} {
		f.Add(name)
	}
	folder := f.TempDir()
	f.Fuzz(func(t *testing.T, name string) {
		a, err := local.Open(folder, name)
		if (err == nil) != (local.Check(name) == nil) {
			t.Fatalf("%q: %v", name, err)
		}
		if err == nil && !strings.HasPrefix(name, "*.") {
			if _, err := a.Certificate(&tls.ClientHelloInfo{ServerName: name}); err != nil {
				t.Fatalf("%q was taken and gets no certificate: %v", name, err)
			}
		}
	})
}
