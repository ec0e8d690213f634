package jwt

import (
	"errors"
	"fmt"
	"maps"
	"slices"
	"time"

	"github.com/go-json-experiment/json"
)

// SignOptions say what is put around the claims.
type SignOptions struct {
	// Algorithm to sign with; default the first that the key is for: HS256, RS256, the one of
	// the curve, EdDSA.
	Algorithm string
	// Expires is how long the token is valid: exp is that much from now. 0 sets none.
	Expires time.Duration
	// Type is typ in the header; default "JWT".
	Type string
}

// Sign makes a token of claims, which are left as they are. iat is added if they have none. The
// key is a secret or private; its id becomes kid.
func Sign(k *Key, claims map[string]any, o SignOptions) (string, error) {
	token, err := sign(k, claims, o)
	if err != nil {
		return "", fmt.Errorf("signing a token: %w", err)
	}
	return token, nil
}

func sign(k *Key, claims map[string]any, o SignOptions) (string, error) {
	head, err := o.header(k)
	if err != nil {
		return "", err
	}
	full, err := o.complete(claims)
	if err != nil {
		return "", err
	}
	text, err := encodeParts(head, full)
	if err != nil {
		return "", err
	}
	signature, err := method(head.Algorithm).Sign(text, k.private)
	if err != nil {
		return "", err
	}
	text += "." + partEncoding.EncodeToString(signature)
	if len(text) > MaxToken {
		return "", fmt.Errorf("it has %d bytes, and more than %d are accepted by nobody; keep the data elsewhere and its id in the token", len(text), MaxToken)
	}
	return text, nil
}

func (o SignOptions) header(k *Key) (header, error) {
	h := header{Algorithm: o.Algorithm, ID: k.id, Type: o.Type}
	if h.Type == "" {
		h.Type = "JWT"
	}
	if h.Algorithm == "" {
		h.Algorithm = k.algorithms[0]
	}
	if err := known(h.Algorithm); err != nil {
		return h, err
	}
	switch {
	case !slices.Contains(k.algorithms, h.Algorithm):
		return h, fmt.Errorf("the algorithm %s is not for this key, which is for %v%s", h.Algorithm, k.algorithms, k.hint(h.Algorithm))
	case k.private == nil:
		return h, errors.New("the key is public, so it can only verify; sign with the private key")
	}
	return h, nil
}

// hint tells why a secret is not for an algorithm of secrets.
func (k *Key) hint(algorithm string) string {
	if _, secret := k.public.([]byte); secret && algorithm[:2] == "HS" {
		return ": it needs a longer secret, of 48 bytes for HS384 and 64 for HS512"
	}
	return ""
}

// complete adds the times.
func (o SignOptions) complete(claims map[string]any) (map[string]any, error) {
	full := maps.Clone(claims)
	if full == nil {
		full = map[string]any{}
	}
	now := time.Now()
	if _, ok := full["iat"]; !ok {
		full["iat"] = now.Unix()
	}
	if o.Expires == 0 {
		return full, nil
	}
	if o.Expires < time.Second {
		return nil, fmt.Errorf("expires is %s: must be a second at least", o.Expires)
	}
	if _, ok := full["exp"]; ok {
		return nil, errors.New("the claims have exp already: leave out either that or expires")
	}
	full["exp"] = now.Add(o.Expires).Unix()
	return full, nil
}

func encodeParts(head header, claims map[string]any) (string, error) {
	a, err := json.Marshal(head)
	if err != nil {
		return "", err
	}
	b, err := json.Marshal(claims, json.Deterministic(true))
	if err != nil {
		return "", fmt.Errorf("its claims: %w", err)
	}
	return partEncoding.EncodeToString(a) + "." + partEncoding.EncodeToString(b), nil
}
