package jwt_test

import (
	"errors"
	"io"
	"log/slog"
	"net/http"
	"net/http/httptest"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"rws/server/auth/jwt"
	"rws/server/client"
)

// provider publishes keys.
type provider struct {
	mu      sync.Mutex
	answer  string
	status  int
	fetches atomic.Int64
}

func (p *provider) publish(answer string) { p.set(200, answer) }

func (p *provider) set(status int, answer string) {
	p.mu.Lock()
	defer p.mu.Unlock()
	p.status, p.answer = status, answer
}

func (p *provider) ServeHTTP(w http.ResponseWriter, _ *http.Request) {
	p.fetches.Add(1)
	p.mu.Lock()
	defer p.mu.Unlock()
	w.WriteHeader(p.status)
	_, _ = io.WriteString(w, p.answer)
}

// RoundTrip answers without a socket, for tests in which time is not real.
func (p *provider) RoundTrip(r *http.Request) (*http.Response, error) {
	if p.status == 0 {
		p.fetches.Add(1)
		return nil, errors.New("down")
	}
	w := httptest.NewRecorder()
	p.ServeHTTP(w, r)
	return w.Result(), nil
}

func remote(t *testing.T, o jwt.RemoteOptions) *jwt.Remote {
	t.Helper()
	o.Log = slog.New(slog.DiscardHandler)
	r, err := jwt.NewRemote(o)
	require.NoError(t, err)
	t.Cleanup(r.Close)
	return r
}

// signer is a key with an id, and its public half.
func signer(t *testing.T, id string) (*jwt.Key, map[string]any) {
	key := edKey()
	public := jwk(t, key, map[string]any{"kid": id})
	return parsed(t, jwks(jwk(t, key, map[string]any{"kid": id, "d": encode(string(key.Seed()))})))[0], public
}

func TestPublishedKeysVerify(t *testing.T) {
	p := &provider{}
	server := httptest.NewServer(p)
	defer server.Close()
	old, oldPublic := signer(t, "old")
	p.publish(jwks(oldPublic))
	v := verifier(t, jwt.Options{Keys: remote(t, jwt.RemoteOptions{URL: server.URL, Cooldown: time.Nanosecond})})
	signed := sign(t, old, nil, jwt.SignOptions{})
	var wg sync.WaitGroup
	for range 20 {
		wg.Go(func() {
			_, err := v.Verify(t.Context(), signed)
			assert.NoError(t, err)
		})
	}
	wg.Wait()
	assert.EqualValues(t, 1, p.fetches.Load(), "one fetch for all")

	fresh, freshPublic := signer(t, "fresh")
	token := sign(t, fresh, nil, jwt.SignOptions{})
	_, err := v.Verify(t.Context(), token)
	require.ErrorIs(t, err, jwt.ErrNoKey)
	p.publish(jwks(freshPublic))
	_, err = v.Verify(t.Context(), token)
	require.NoError(t, err, "an unknown key id makes it look again")
	_, err = v.Verify(t.Context(), signed)
	require.ErrorIs(t, err, jwt.ErrNoKey, "a key that was taken back is void")
}

func TestAnAnswerThatIsNoKeySetGivesNoKeys(t *testing.T) {
	p := &provider{}
	server := httptest.NewServer(p)
	defer server.Close()
	k, public := signer(t, "a")
	away := httptest.NewServer(http.RedirectHandler(server.URL, http.StatusFound))
	defer away.Close()
	for name, c := range map[string]struct {
		url, answer string
		status      int
		want        string
	}{
		"500":        {server.URL, jwks(public), 500, "answered with status 500"},
		"HTML":       {server.URL, "<html>", 200, "the JSON is broken"},
		"no list":    {server.URL, `{}`, 200, "no key that verifies"},
		"none fits":  {server.URL, `{"keys":[{"kty":"no"}]}`, 200, "no key that verifies"},
		"a secret":   {server.URL, `{"keys":[{"kty":"oct","kid":"a","k":"AyM1SysPpbyDfgZld3umj1qzKObwVMkoqQ-EstJQLr_T"}]}`, 200, "everybody can read it"},
		"a huge one": {server.URL, strings.Repeat(" ", jwt.MaxKeySet) + jwks(public), 200, "larger than 1mb"},
		"a redirect": {away.URL, jwks(public), 200, "answered with status 302"},
		"nobody":     {"http://127.0.0.1:1/", "", 200, "nothing accepts connections"},
	} {
		p.set(c.status, c.answer)
		r := remote(t, jwt.RemoteOptions{URL: c.url})
		require.ErrorContains(t, r.Fetch(t.Context()), c.want, name)
		_, err := verifier(t, jwt.Options{Keys: r}).Verify(t.Context(), sign(t, k, nil, jwt.SignOptions{}))
		require.ErrorIs(t, err, jwt.ErrKeys, name)
		require.ErrorContains(t, err, c.want, name)
	}
}

// A provider that publishes an empty list has taken all keys back.
func TestAnEmptyListTakesAllKeysBack(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		p := &provider{}
		k, public := signer(t, "a")
		p.publish(jwks(public))
		v := verifier(t, jwt.Options{Keys: remote(t, jwt.RemoteOptions{URL: "https://id.example/jwks", Client: client.New(client.Options{RoundTrip: p})})})
		token := sign(t, k, nil, jwt.SignOptions{})
		_, err := v.Verify(t.Context(), token)
		require.NoError(t, err)
		p.publish(`{"keys":[]}`)
		time.Sleep(jwt.DefaultRefresh + 1)
		_, _ = v.Verify(t.Context(), token) // has them fetched
		synctest.Wait()
		_, err = v.Verify(t.Context(), token)
		require.ErrorIs(t, err, jwt.ErrNoKey)
		p.publish(jwks(public))
		time.Sleep(jwt.DefaultCooldown + 1)
		_, err = v.Verify(t.Context(), token)
		require.NoError(t, err)
	})
}

// A key that is not known may be a new one, which cannot be said while the provider is down.
func TestANewKeyOfAProviderThatIsDownIsNotJudged(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		p := &provider{}
		known, public := signer(t, "known")
		fresh, freshPublic := signer(t, "fresh")
		p.publish(jwks(public))
		v := verifier(t, jwt.Options{Keys: remote(t, jwt.RemoteOptions{URL: "https://id.example/jwks", Client: client.New(client.Options{RoundTrip: p})})})
		verify := func(k *jwt.Key) error {
			_, err := v.Verify(t.Context(), sign(t, k, nil, jwt.SignOptions{}))
			return err
		}
		require.NoError(t, verify(known))
		p.set(0, "")
		time.Sleep(jwt.DefaultCooldown + 1)
		for range 2 { // after a fetch, and without one
			require.ErrorIs(t, verify(fresh), jwt.ErrKeys)
		}
		require.NoError(t, verify(known))
		p.publish(jwks(public, freshPublic))
		time.Sleep(jwt.DefaultCooldown + 1)
		require.NoError(t, verify(fresh))
	})
}

func TestStrangersCannotMakeItFetch(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		p := &provider{}
		known, public := signer(t, "known")
		p.publish(jwks(public))
		v := verifier(t, jwt.Options{Keys: remote(t, jwt.RemoteOptions{URL: "https://id.example/jwks", Client: client.New(client.Options{RoundTrip: p})})})
		stranger, _ := signer(t, "stranger")
		for range 1000 {
			_, err := v.Verify(t.Context(), sign(t, stranger, nil, jwt.SignOptions{}))
			require.ErrorIs(t, err, jwt.ErrNoKey)
			time.Sleep(20 * time.Millisecond)
		}
		assert.EqualValues(t, 2, p.fetches.Load(), "in 20 s")
		_, err := v.Verify(t.Context(), encode(`{"alg":"none","kid":"x"}`)+".e30.")
		require.ErrorIs(t, err, jwt.ErrAlgorithm)
		_, err = v.Verify(t.Context(), sign(t, known, nil, jwt.SignOptions{}))
		require.NoError(t, err)
	})
}

func TestKeysOutliveAProviderThatIsDown(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		p := &provider{}
		k, public := signer(t, "a")
		p.publish(jwks(public))
		r := remote(t, jwt.RemoteOptions{URL: "https://id.example/jwks", Client: client.New(client.Options{RoundTrip: p})})
		v := verifier(t, jwt.Options{Keys: r})
		token := sign(t, k, nil, jwt.SignOptions{})
		verify := func() error {
			_, err := v.Verify(t.Context(), token)
			synctest.Wait() // for a fetch in the background
			return err
		}
		require.NoError(t, verify())
		time.Sleep(jwt.DefaultRefresh + 1)
		require.NoError(t, verify())
		assert.EqualValues(t, 2, p.fetches.Load(), "they are fetched anew when old")

		p.set(0, "")
		time.Sleep(jwt.DefaultStale)
		require.NoError(t, verify(), "they are good for a day")
		time.Sleep(time.Second)
		require.ErrorIs(t, verify(), jwt.ErrKeys, "and no longer")
		before := p.fetches.Load()
		require.ErrorIs(t, verify(), jwt.ErrKeys)
		assert.Equal(t, before, p.fetches.Load(), "it is not asked all the time")

		p.publish(jwks(public))
		time.Sleep(jwt.DefaultCooldown + 1)
		require.NoError(t, verify())
		r.Close()
		time.Sleep(jwt.DefaultStale + time.Hour)
		require.ErrorIs(t, verify(), jwt.ErrKeys, "closed")
	})
}

func TestBadAddressesAreRefused(t *testing.T) {
	for url, want := range map[string]string{
		"":                          "is its environment variable set?",
		"id.example/jwks":           "want an absolute URL",
		"ftp://id.example":          "want an absolute URL",
		"file:///etc/jwks.json":     "want an absolute URL",
		"http://id.example/":        "id.example has no TLS",
		"http://localhost.example/": "has no TLS",
		"http://10.0.0.1/":          "has no TLS",
	} {
		_, err := jwt.NewRemote(jwt.RemoteOptions{URL: url})
		require.ErrorContains(t, err, want, url)
	}
	for _, o := range []jwt.RemoteOptions{
		{URL: "https://x", Timeout: -1}, {URL: "https://x", Refresh: time.Second, Cooldown: time.Minute}, {URL: "https://x", Refresh: time.Hour, Stale: time.Minute},
	} {
		_, err := jwt.NewRemote(o)
		require.Error(t, err)
	}
	remote(t, jwt.RemoteOptions{URL: "http://id.example/", Plain: true})
	remote(t, jwt.RemoteOptions{URL: "http://[::1]:8080/"})
}
