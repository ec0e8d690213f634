package luabind

import (
	"crypto/sha256"
	"encoding/json"
	"errors"
	"fmt"
	"os"
	"slices"
	"sync"
	"time"

	"rws/server/auth/jwt"
)

// keyOptions say where keys of tokens are.
type keyOptions struct {
	secret, key []string
	file, jwks  string
	jwksOptions jwksOptions
}

// jwksOptions say how keys that somebody publishes are fetched.
type jwksOptions struct {
	Timeout  time.Duration `json:"timeout"`
	Refresh  time.Duration `json:"refresh"`
	Cooldown time.Duration `json:"cooldown"`
	Stale    time.Duration `json:"stale"`
	Plain    bool          `json:"plain"`
}

// tokens is what a program keeps about tokens, so that a key is read once.
type tokens struct {
	mu        sync.Mutex
	remotes   map[string]*jwt.Remote
	keys      map[[sha256.Size]byte]jwt.Keys
	verifiers map[[sha256.Size]byte]*jwt.Verifier
}

// maxTokenKeys bounds each of the maps of tokens: a script names a few.
const maxTokenKeys = 64

var errNoKey = errors.New(`no key: give secret, key, key_file or jwks; if you did, its value is nil, as that of a variable of env which is not set`)

// source returns the keys.
func (p *Program) jwtSource(o keyOptions) (jwt.Source, error) {
	if o.jwks != "" {
		if len(o.secret)+len(o.key) > 0 || o.file != "" {
			return nil, badOption("jwks", "give keys or an address of keys, not both")
		}
		return p.jwtRemote(o)
	}
	if o.jwksOptions != (jwksOptions{}) {
		return nil, badOption("jwks_options", "there is no jwks that they are for")
	}
	return p.jwtKeys(o)
}

// jwtKeys reads keys that are given.
func (p *Program) jwtKeys(o keyOptions) (jwt.Keys, error) {
	var all jwt.Keys
	for _, text := range o.secret {
		k, err := jwt.Secret(text)
		if err != nil {
			return nil, atOption("secret", err)
		}
		all = append(all, k)
	}
	for _, text := range o.key {
		keys, err := p.tokens.parse(text)
		if err != nil {
			return nil, atOption("key", err)
		}
		all = append(all, keys...)
	}
	if o.file != "" {
		keys, err := p.keyFile(o.file)
		if err != nil {
			return nil, atOption("key_file", err)
		}
		all = append(all, keys...)
	}
	if len(all) == 0 {
		return nil, errNoKey
	}
	return all, nil
}

// keyFile reads the keys in a file. A change of it reloads the app.
func (p *Program) keyFile(name string) (jwt.Keys, error) {
	text, err := os.ReadFile(p.path(name))
	if err != nil {
		return nil, err
	}
	p.depend(name)
	return p.tokens.parse(string(text))
}

// parse is jwt.ParseKeys for a text that may have been read before.
func (t *tokens) parse(text string) (jwt.Keys, error) {
	t.mu.Lock()
	defer t.mu.Unlock()
	at := sha256.Sum256([]byte(text))
	if keys, ok := t.keys[at]; ok {
		return keys, nil
	}
	keys, err := jwt.ParseKeys(text)
	if err != nil {
		return nil, err
	}
	if t.keys == nil || len(t.keys) >= maxTokenKeys {
		t.keys = make(map[[sha256.Size]byte]jwt.Keys)
	}
	t.keys[at] = keys
	return keys, nil
}

// jwtRemote returns the keys that somebody publishes. All users of an address share them.
func (p *Program) jwtRemote(o keyOptions) (*jwt.Remote, error) {
	t := &p.tokens
	t.mu.Lock()
	defer t.mu.Unlock()
	id := fmt.Sprint(o.jwks, o.jwksOptions)
	if r := t.remotes[id]; r != nil {
		return r, nil
	}
	if len(t.remotes) >= maxTokenKeys {
		return nil, badOption("jwks", "this is one of more than %d addresses of keys; an address must not come from a request", maxTokenKeys)
	}
	x := o.jwksOptions
	r, err := jwt.NewRemote(jwt.RemoteOptions{URL: o.jwks, Plain: x.Plain, Client: p.outgoing(), Timeout: x.Timeout,
		Refresh: x.Refresh, Cooldown: x.Cooldown, Stale: x.Stale, Log: p.log()})
	if err != nil {
		return nil, atOption("jwks", err)
	}
	if t.remotes == nil {
		t.remotes = make(map[string]*jwt.Remote)
	}
	t.remotes[id] = r
	return r, p.stores.atClose(func() error { r.Close(); return nil })
}

// verifier returns a verifier for the same options as before, if there was one: it remembers
// tokens that it has verified.
func (p *Program) verifier(o verifyOptions) (*jwt.Verifier, error) {
	text, err := json.Marshal(o)
	if err != nil {
		return nil, err
	}
	at := sha256.Sum256(text)
	t := &p.tokens
	t.mu.Lock()
	v := t.verifiers[at]
	t.mu.Unlock()
	if v != nil {
		return v, nil
	}
	if v, err = p.newVerifier(o); err != nil {
		return nil, err
	}
	t.mu.Lock()
	defer t.mu.Unlock()
	if t.verifiers == nil || len(t.verifiers) >= maxTokenKeys {
		t.verifiers = make(map[[sha256.Size]byte]*jwt.Verifier)
	}
	t.verifiers[at] = v
	return v, nil
}

// anyAudience is how a script says that the audience does not matter.
var anyAudience = []string{"*"}

// checkParties has who uses published keys say whom tokens are for: their owner signs tokens for
// others with them as well (RFC 8725 §3.9).
func (o verifyOptions) checkParties() error {
	const nilled = " (if you did, the value is nil, as that of a variable of env which is not set)"
	switch anybody := slices.Equal(o.Audience, anyAudience); {
	case slices.Contains(o.Audience, "*") && !anybody:
		return badOption("audience", `"*" accepts any: leave out the others`)
	case o.JWKS != "" && len(o.Audience) == 0:
		return badOption("jwks", `say audience too, or audience = "*" and issuer: who publishes keys signs tokens for others with them as well%s`, nilled)
	case o.JWKS != "" && anybody && len(o.Issuer) == 0:
		return badOption("jwks", `any audience is accepted: say issuer%s`, nilled)
	}
	return nil
}

// newVerifier checks the options of a verifier.
func (p *Program) newVerifier(o verifyOptions) (*jwt.Verifier, error) {
	if err := noEmpty(map[string][]string{"secret": o.Secret, "key": o.Key, "issuer": o.Issuer, "audience": o.Audience, "algorithms": o.Algorithms}); err != nil {
		return nil, err
	}
	if err := o.checkParties(); err != nil {
		return nil, err
	}
	if slices.Equal(o.Audience, anyAudience) {
		o.Audience = nil
	}
	keys, err := p.jwtSource(keyOptions{o.Secret, o.Key, o.KeyFile, o.JWKS, o.JWKSOptions})
	if err != nil {
		return nil, err
	}
	return jwt.NewVerifier(jwt.Options{Keys: keys, Algorithms: o.Algorithms, Issuers: o.Issuer, Audiences: o.Audience, Leeway: o.Leeway,
		RequireExpiry: o.RequireExpiry, Type: o.Type})
}
