package jwt

import (
	"crypto/x509"
	"encoding/json"
	"encoding/pem"
	"errors"
	"fmt"
	"slices"
	"strings"

	"github.com/MicahParks/jwkset"
)

// MaxKeySet is the length of a text with keys in bytes beyond which it is not read.
const MaxKeySet = 1 << 20

// ParseKeys reads the keys in a text:
//
//   - PEM (RFC 7468): PUBLIC KEY, RSA PUBLIC KEY, PRIVATE KEY, RSA PRIVATE KEY, EC PRIVATE KEY
//     in any number, and CERTIFICATE, of which the first alone counts, as those after it are of
//     its issuers. Whether a certificate is expired or trusted is not looked at: it holds a key.
//   - JSON: a JWK or a JWKS (RFC 7517). In a set, keys that are not for signing or of an
//     unknown kind are left out; a set of which none is left is an error.
//
// No error shows any of the text.
func ParseKeys(text string) (Keys, error) {
	keys, err := parseKeys(text)
	if err != nil {
		return nil, fmt.Errorf("jwt: reading keys: %w", err)
	}
	return keys, nil
}

func parseKeys(text string) (Keys, error) {
	switch trimmed := strings.TrimSpace(text); {
	case trimmed == "":
		return nil, errors.New("the text is empty: is its environment variable set?")
	case len(text) > MaxKeySet:
		return nil, fmt.Errorf("the text has %d bytes, at most %d are read", len(text), MaxKeySet)
	case strings.HasPrefix(trimmed, "{"):
		keys, err := parseJSON([]byte(trimmed), true)
		if err == nil && len(keys) == 0 {
			err = errors.New("the key set has no key that verifies tokens: its list is empty")
		}
		return keys, err
	case strings.Contains(trimmed, "-----BEGIN "):
		return parsePEM([]byte(text))
	}
	return nil, errors.New(`the text is neither PEM (-----BEGIN PUBLIC KEY-----) nor a JWK ({"kty": …}); if it is a secret, give it as the secret`)
}

func parsePEM(text []byte) (Keys, error) {
	var keys Keys
	var leaf bool
	for block, rest := pem.Decode(text); block != nil; block, rest = pem.Decode(rest) {
		if block.Type == "EC PARAMETERS" || block.Type == "CERTIFICATE" && leaf {
			continue
		}
		leaf = leaf || block.Type == "CERTIFICATE"
		material, err := parseBlock(block)
		var k *Key
		if err == nil {
			k, err = newKey("", material)
		}
		if err != nil {
			return nil, fmt.Errorf("the PEM block %q: %w", block.Type, err)
		}
		keys = append(keys, k)
	}
	if len(keys) == 0 {
		return nil, errors.New("the PEM text holds no complete block; did its line breaks get lost?")
	}
	return keys, tooMany(keys)
}

func tooMany(keys Keys) error {
	if len(keys) > maxKeys {
		return fmt.Errorf("there are %d keys, at most %d are tried", len(keys), maxKeys)
	}
	return nil
}

func parseBlock(block *pem.Block) (any, error) {
	switch block.Type {
	case "PUBLIC KEY":
		return x509.ParsePKIXPublicKey(block.Bytes)
	case "RSA PUBLIC KEY":
		return x509.ParsePKCS1PublicKey(block.Bytes)
	case "CERTIFICATE":
		cert, err := x509.ParseCertificate(block.Bytes)
		if err != nil {
			return nil, err
		}
		return cert.PublicKey, nil
	case "PRIVATE KEY":
		return x509.ParsePKCS8PrivateKey(block.Bytes)
	case "RSA PRIVATE KEY", "EC PRIVATE KEY":
		if strings.Contains(block.Headers["Proc-Type"], "ENCRYPTED") {
			return nil, errLocked
		}
		if block.Type == "RSA PRIVATE KEY" {
			return x509.ParsePKCS1PrivateKey(block.Bytes)
		}
		return x509.ParseECPrivateKey(block.Bytes)
	case "ENCRYPTED PRIVATE KEY":
		return nil, errLocked
	}
	return nil, errors.New("it is no key; known are PUBLIC KEY, RSA PUBLIC KEY, CERTIFICATE, PRIVATE KEY, RSA PRIVATE KEY and EC PRIVATE KEY")
}

var errLocked = errors.New("it is locked with a passphrase; write it without one: openssl pkey -in locked.key -out open.key")

// parseJSON reads a JWK or a JWKS, of which one whose list is empty has no keys. Secrets are keys only where they are kept secret.
func parseJSON(text []byte, secrets bool) (Keys, error) {
	var set struct {
		Keys []json.RawMessage `json:"keys"`
		Kind string            `json:"kty"`
	}
	if err := json.Unmarshal(text, &set); err != nil {
		return nil, fmt.Errorf("the JSON is broken: %w", err)
	}
	if set.Kind != "" {
		k, err := parseJWK(text, secrets)
		if err != nil {
			return nil, fmt.Errorf("the JWK: %w", err)
		}
		return Keys{k}, nil
	}
	return parseSet(set.Keys, secrets)
}

func parseSet(texts []json.RawMessage, secrets bool) (Keys, error) {
	var keys Keys
	var faults []error
	for i, text := range texts {
		k, err := parseJWK(text, secrets)
		if err != nil {
			faults = append(faults, fmt.Errorf("key %d of %d: %w", i+1, len(texts), err))
			continue
		}
		keys = append(keys, k)
	}
	if texts != nil && len(texts) == 0 { // all were taken back
		return Keys{}, nil
	}
	if len(keys) == 0 {
		return nil, errors.Join(append([]error{errors.New(`the key set has no key that verifies tokens; want {"keys": [{"kty": …}]}`)}, faults...)...)
	}
	return keys, tooMany(keys)
}

func parseJWK(text []byte, secrets bool) (*Key, error) {
	var m jwkset.JWKMarshal
	if err := json.Unmarshal(text, &m); err != nil {
		return nil, err
	}
	switch {
	case m.USE != "" && m.USE != jwkset.UseSig:
		return nil, fmt.Errorf("its use is %.20q, not \"sig\"", m.USE)
	case len(m.KEYOPS) > 0 && !slices.Contains(m.KEYOPS, jwkset.KeyOpsVerify) && !slices.Contains(m.KEYOPS, jwkset.KeyOpsSign):
		return nil, errors.New("it is for neither signing nor verifying")
	case m.KTY == jwkset.KtyOct && !secrets:
		return nil, errors.New("it is a secret, in a place where everybody can read it")
	}
	jwk, err := jwkset.NewJWKFromMarshal(m, jwkset.JWKMarshalOptions{Private: true}, jwkset.JWKValidateOptions{})
	if err != nil {
		return nil, err
	}
	k, err := newKey(m.KID, jwk.Key())
	if err != nil {
		return nil, err
	}
	return k, errors.Join(k.pin(m.ALG.String()), k.restrict(m.KEYOPS, secrets))
}

// restrict leaves the key what its key_ops name (RFC 7517 §4.3). Where keys are published they are
// all for verifying.
func (k *Key) restrict(ops []jwkset.KEYOPS, secrets bool) error {
	if len(ops) == 0 {
		return nil
	}
	k.signsOnly = !slices.Contains(ops, jwkset.KeyOpsVerify)
	if !slices.Contains(ops, jwkset.KeyOpsSign) {
		k.private = nil
	}
	if k.signsOnly && (!secrets || k.private == nil) {
		return errors.New("its key_ops do not have verify")
	}
	return nil
}
