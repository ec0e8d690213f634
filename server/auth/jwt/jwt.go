// Package jwt verifies, signs and decodes JSON Web Tokens (RFC 7519, RFC 8725).
//
// Signatures are those of golang-jwt: HS256 to HS512, RS and PS 256 to 512, ES256 to ES512 and
// EdDSA. What a token says about its algorithm is never believed: a key knows which algorithms
// it is for, and a token is checked with those keys alone whose list has the token's. So a
// public key cannot become a secret, and there is no "none".
//
// Keys come from secrets, from PEM, JWK and JWKS texts ([ParseKeys]) or from the address where
// an identity provider publishes them ([NewRemote]).
package jwt

import (
	"context"
	"crypto/sha256"
	"errors"
	"fmt"
	"slices"
	"time"

	lib "github.com/golang-jwt/jwt/v5"

	"rws/server/suggest"
)

const (
	// MaxToken is the length of a token in bytes beyond which it is not looked at.
	MaxToken = 8 << 10
	// MaxLeeway is the most that clocks may differ: more makes expiry meaningless.
	MaxLeeway = 5 * time.Minute
)

// Why a token does not hold. All errors of Verify are one of these, or that of the context.
var (
	ErrMalformed = errors.New("it is no signed token")
	ErrAlgorithm = errors.New("its algorithm is not accepted")
	ErrNoKey     = errors.New("no key is known for it")
	ErrSignature = errors.New("its signature is wrong")
	ErrExpired   = errors.New("it has expired")
	ErrNotYet    = errors.New("it is not valid yet")
	ErrClaims    = errors.New("its claims are not acceptable")
	// ErrKeys is not about the token: the keys could not be fetched, so it cannot be judged.
	ErrKeys = errors.New("the keys are not available")
)

// Options of a verifier. Keys must be set.
type Options struct {
	// Keys to verify with: a [Keys] list or a [Remote].
	Keys Source
	// Algorithms that are accepted; empty means all that the keys are for.
	Algorithms []string
	// Issuers, of which iss must be one; empty accepts any and none.
	Issuers []string
	// Audiences, of which aud must have one; empty accepts any and none.
	Audiences []string
	// Leeway for the clocks of others in exp, nbf and iat; default none, at most [MaxLeeway].
	Leeway time.Duration
	// RequireExpiry refuses tokens without exp, which are valid forever.
	RequireExpiry bool
	// Type that typ in the header must be, such as "at+jwt" (RFC 9068), so that a token for
	// one use is not taken for another; empty accepts any and none.
	Type string
}

// Source finds keys. Implementations are safe for concurrent use.
type Source interface {
	// Find returns the keys that may have signed a token with this key id, which may be "",
	// and algorithm; none is no error. The error is [ErrKeys] or that of ctx.
	Find(ctx context.Context, id, algorithm string) ([]*Key, error)
}

// Verifier verifies tokens. Safe for concurrent use; made by [NewVerifier].
type Verifier struct {
	o      Options
	claims *lib.Validator
	proven proofs
}

// NewVerifier checks the options.
func NewVerifier(o Options) (*Verifier, error) {
	if err := o.check(); err != nil {
		return nil, fmt.Errorf("jwt: %w", err)
	}
	rules := []lib.ParserOption{lib.WithLeeway(o.Leeway), lib.WithIssuedAt()}
	if len(o.Audiences) > 0 {
		rules = append(rules, lib.WithAudience(o.Audiences...))
	}
	if o.RequireExpiry {
		rules = append(rules, lib.WithExpirationRequired())
	}
	return &Verifier{o: o, claims: lib.NewValidator(rules...)}, nil
}

func (o Options) check() error {
	switch {
	case o.Keys == nil:
		return errors.New("no keys are given: a secret, a PEM or JWK text, or the address of a key set")
	case o.Leeway < 0 || o.Leeway > MaxLeeway:
		return fmt.Errorf("the leeway %s: must be between 0 and %s", o.Leeway, MaxLeeway)
	case slices.Contains(o.Issuers, "") || slices.Contains(o.Audiences, ""):
		return errors.New("an issuer or audience is empty: is its environment variable set?")
	}
	list, static := o.Keys.(Keys)
	if static && len(list) == 0 {
		return errors.New("the list of keys is empty")
	}
	if static && len(list.algorithms()) == 0 {
		return errors.New("no key may verify: their key_ops are for signing alone")
	}
	for _, name := range o.Algorithms {
		if err := known(name); err != nil {
			return err
		}
		if static && !list.serve(name) {
			return fmt.Errorf("the algorithm %s is for none of the keys, which are for %v", name, list.algorithms())
		}
	}
	return nil
}

// known says what is wrong with the name of an algorithm.
func known(name string) error {
	if method(name) != nil {
		return nil
	}
	return fmt.Errorf("there is no algorithm %q%s; known are %v", name, suggest.DidYouMean(name, algorithms), algorithms)
}

// Verify returns the claims of a token if it holds, which must not be changed: other requests get
// the same. The signature is checked before anything it claims is looked at, and once for each
// of the last tokens as long as its key is in use; the times are checked each time.
func (v *Verifier) Verify(ctx context.Context, token string) (Claims, error) {
	claims, err := v.verify(ctx, token)
	if err != nil {
		return nil, fmt.Errorf("verifying a token: %w", err)
	}
	return claims, nil
}

func (v *Verifier) verify(ctx context.Context, text string) (Claims, error) {
	if len(text) > MaxToken {
		return nil, tooLong(text)
	}
	sum := sha256.Sum256([]byte(text))
	if p := v.proven.get(sum); p != nil {
		if ok, err := v.holds(ctx, p); ok || err != nil {
			return p.claims, err
		}
	}
	p, err := v.prove(ctx, text)
	if err != nil {
		return nil, err
	}
	v.proven.put(sum, p)
	return p.claims, nil
}

// prove checks everything.
func (v *Verifier) prove(ctx context.Context, text string) (*proof, error) {
	t, key, err := v.signed(ctx, text)
	if err != nil {
		return nil, err
	}
	p := &proof{header: t.header, key: key}
	if p.claims, err = decodeClaims(t.payload); err != nil {
		return nil, err
	}
	if err := v.check(p.claims); err != nil {
		return nil, err
	}
	p.window(v.o.Leeway)
	return p, nil
}

// signed finds the key that has signed a token.
func (v *Verifier) signed(ctx context.Context, text string) (*token, *Key, error) {
	t, err := parse(text)
	if err != nil {
		return nil, nil, err
	}
	if err := v.accepts(t.header); err != nil {
		return nil, nil, err
	}
	keys, err := v.o.Keys.Find(ctx, t.header.ID, t.header.Algorithm)
	if err != nil {
		return nil, nil, err
	}
	if len(keys) == 0 {
		return nil, nil, fmt.Errorf("%w (key id %.80q, algorithm %s)", ErrNoKey, t.header.ID, t.header.Algorithm)
	}
	for _, k := range keys {
		if k.verifies(t) {
			return t, k, nil
		}
	}
	return nil, nil, ErrSignature
}

// accepts judges the header without believing it.
func (v *Verifier) accepts(h header) error {
	switch {
	case method(h.Algorithm) == nil, len(v.o.Algorithms) > 0 && !slices.Contains(v.o.Algorithms, h.Algorithm):
		return fmt.Errorf("%w (%.20q)", ErrAlgorithm, h.Algorithm)
	case len(h.Critical) > 0:
		return fmt.Errorf("%w: it has critical extensions, which are not understood", ErrMalformed)
	case v.o.Type != "" && !sameType(h.Type, v.o.Type):
		return fmt.Errorf("%w: its type is %.40q, not %q", ErrClaims, h.Type, v.o.Type)
	}
	return nil
}

// check judges what a token with a good signature claims.
func (v *Verifier) check(c Claims) error {
	if issuer, _ := c["iss"].(string); len(v.o.Issuers) > 0 && !slices.Contains(v.o.Issuers, issuer) {
		return fmt.Errorf("%w: the issuer is %.80q", ErrClaims, issuer)
	}
	err := v.claims.Validate(c)
	switch {
	case err == nil:
		return nil
	case errors.Is(err, lib.ErrTokenExpired):
		at, _ := c.GetExpirationTime()
		return fmt.Errorf("%w, at %s", ErrExpired, at.UTC().Format(time.RFC3339))
	case errors.Is(err, lib.ErrTokenNotValidYet), errors.Is(err, lib.ErrTokenUsedBeforeIssued):
		return fmt.Errorf("%w: nbf is %v, iat %v, and here it is %d", ErrNotYet, c["nbf"], c["iat"], time.Now().Unix())
	}
	return fmt.Errorf("%w: %w", ErrClaims, err)
}
