package jwt

import (
	"context"
	"crypto/ecdsa"
	"crypto/ed25519"
	"crypto/rsa"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"slices"
	"strings"

	lib "github.com/golang-jwt/jwt/v5"
)

// MinRSA is the least length of an RSA key in bits (RFC 7518 §3.3).
const MinRSA = 2048

// maxKeys bounds how many signatures one token may have us compute.
const maxKeys = 64

// algorithms are all there are.
var algorithms = []string{
	"HS256", "HS384", "HS512", "RS256", "RS384", "RS512", "PS256", "PS384", "PS512", "ES256", "ES384", "ES512", "EdDSA",
}

// method of an algorithm; nil for what is none, such as "none".
func method(name string) lib.SigningMethod {
	if !slices.Contains(algorithms, name) {
		return nil
	}
	return lib.GetSigningMethod(name)
}

// Key verifies, and if it is a secret or private, signs. Nothing prints it. Made by [Secret] and
// [ParseKeys].
type Key struct {
	id         string
	algorithms []string // that it is for
	public     any      // for lib.SigningMethod.Verify
	private    any      // for lib.SigningMethod.Sign; nil when it verifies only
	signsOnly  bool     // its owner has said so
}

// ID is the kid of the key, "" for none.
func (k *Key) ID() string { return k.id }

// Algorithms are those that the key is for, the first is the one it signs with.
func (k *Key) Algorithms() []string { return slices.Clone(k.algorithms) }

// Signs reports whether the key can sign.
func (k *Key) Signs() bool { return k.private != nil }

// Format keeps every verb of fmt from showing a key.
func (k *Key) Format(s fmt.State, _ rune) { io.WriteString(s, "jwt.Key(redacted)") }

// LogValue keeps keys out of logs.
func (k *Key) LogValue() slog.Value { return slog.StringValue("jwt.Key(redacted)") }

func (k *Key) verifies(t *token) bool {
	return method(t.header.Algorithm).Verify(t.signed, t.signature, k.public) == nil
}

// pin leaves the key the one algorithm that its owner has named, "" for no choice.
func (k *Key) pin(algorithm string) error {
	if algorithm == "" {
		return nil
	}
	if !slices.Contains(k.algorithms, algorithm) {
		return fmt.Errorf("the algorithm %.20q is not for this key, which is for %v", algorithm, k.algorithms)
	}
	k.algorithms = []string{algorithm}
	return nil
}

// minDistinct is the least number of different bytes in a secret; all that is random has more.
const minDistinct = 8

// Secret returns the key for HS256 if text has 32 bytes, also HS384 with 48, and HS512 with 64
// (RFC 7518 §3.2: as long as the hash). Shorter ones are refused, and so are PEM texts: who
// takes a public key for a secret lets everybody sign.
func Secret(text string) (*Key, error) {
	seen := map[byte]bool{}
	for i := range len(text) {
		seen[text[i]] = true
	}
	switch {
	case text == "":
		return nil, errors.New("jwt: the secret is empty: is its environment variable set?")
	case strings.Contains(text, "-----BEGIN "):
		return nil, errors.New("jwt: the secret is a PEM text, which may be public; give it as the key")
	case len(text) < 32:
		return nil, fmt.Errorf("jwt: the secret has %d bytes, at least 32 are needed; make one with: openssl rand -base64 48", len(text))
	case len(seen) < minDistinct:
		return nil, fmt.Errorf("jwt: the secret has only %d different bytes, so it can be guessed; make one with: openssl rand -base64 48", len(seen))
	}
	return newKey("", []byte(text))
}

// newKey finds out what a key is for by its type, and its public half. Weak keys are refused.
func newKey(id string, material any) (*Key, error) {
	k := &Key{id: id}
	switch m := material.(type) {
	case []byte:
		return k, k.symmetric(m)
	case *rsa.PrivateKey:
		k.private, material = m, &m.PublicKey
	case *ecdsa.PrivateKey:
		k.private, material = m, &m.PublicKey
	case ed25519.PrivateKey:
		k.private, material = m, m.Public()
	}
	k.public = material
	switch m := material.(type) {
	case *rsa.PublicKey:
		if m.N.BitLen() < MinRSA {
			return nil, fmt.Errorf("the RSA key has %d bits, at least %d are needed", m.N.BitLen(), MinRSA)
		}
		k.algorithms = []string{"RS256", "RS384", "RS512", "PS256", "PS384", "PS512"}
	case *ecdsa.PublicKey:
		name, ok := map[int]string{256: "ES256", 384: "ES384", 521: "ES512"}[m.Curve.Params().BitSize]
		if !ok {
			return nil, fmt.Errorf("the elliptic curve %s is for no algorithm; use P-256, P-384 or P-521", m.Curve.Params().Name)
		}
		k.algorithms = []string{name}
	case ed25519.PublicKey:
		k.algorithms = []string{"EdDSA"}
	default:
		return nil, fmt.Errorf("a key of the type %T signs no tokens; use RSA, ECDSA or Ed25519", material)
	}
	return k, nil
}

func (k *Key) symmetric(secret []byte) error {
	k.public, k.private = secret, secret
	for size, name := range map[int]string{32: "HS256", 48: "HS384", 64: "HS512"} {
		if len(secret) >= size {
			k.algorithms = append(k.algorithms, name)
		}
	}
	slices.Sort(k.algorithms)
	if len(k.algorithms) == 0 {
		return fmt.Errorf("the secret has %d bytes, at least 32 are needed", len(secret))
	}
	return nil
}

// Keys is a fixed list, the newest first: the first that signs is the one to sign with.
type Keys []*Key

var _ Source = Keys{}

// Find implements [Source]. A key id narrows the choice to the keys that have it, or else to
// those without an id.
func (l Keys) Find(_ context.Context, id, algorithm string) ([]*Key, error) {
	found := l.which(func(k *Key) bool { return k.id == id && slices.Contains(k.algorithms, algorithm) })
	if found == nil {
		found = l.which(func(k *Key) bool { return (id == "" || k.id == "") && slices.Contains(k.algorithms, algorithm) })
	}
	return found, nil
}

// which returns the keys that are wanted. A single one, as is usual, costs no allocation.
func (l Keys) which(wanted func(*Key) bool) (found []*Key) {
	for i, k := range l {
		switch {
		case k.signsOnly || !wanted(k):
		case found == nil:
			found = l[i : i+1 : i+1]
		default:
			found = append(found, k)
		}
	}
	return found
}

// serve reports whether a key of the list is for the algorithm.
func (l Keys) serve(algorithm string) bool { return slices.Contains(l.algorithms(), algorithm) }

func (l Keys) algorithms() []string {
	var names []string
	for _, k := range l {
		if !k.signsOnly {
			names = append(names, k.algorithms...)
		}
	}
	slices.Sort(names)
	return slices.Compact(names)
}
