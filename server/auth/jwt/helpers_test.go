package jwt_test

import (
	"crypto"
	"crypto/ecdsa"
	"crypto/ed25519"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/rsa"
	"crypto/x509"
	"encoding/base64"
	"encoding/json"
	"encoding/pem"
	"sync"
	"testing"

	lib "github.com/golang-jwt/jwt/v5"
	"github.com/stretchr/testify/require"
	"go.uber.org/goleak"

	"rws/server/auth/jwt"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

const longSecret = "q7Vb1xN0c2Lk9sQe4Rz8Wm3Jp6Yt5UhA0dFgHjKlZxCvBnM1234567890poiuytre"

// rsaKey is made once: that takes a while.
var rsaKey = sync.OnceValue(func() *rsa.PrivateKey { return must(rsa.GenerateKey(rand.Reader, 2048)) })

func must[T any](v T, err error) T {
	if err != nil {
		panic(err)
	}
	return v
}

func ecKey(c elliptic.Curve) *ecdsa.PrivateKey { return must(ecdsa.GenerateKey(c, rand.Reader)) }

func edKey() ed25519.PrivateKey {
	_, key, err := ed25519.GenerateKey(rand.Reader)
	return must(key, err)
}

// pkcs8 is a private key as PEM.
func pkcs8(key any) string {
	return block("PRIVATE KEY", must(x509.MarshalPKCS8PrivateKey(key)))
}

// spki is the public half of a private key as PEM.
func spki(key crypto.Signer) string {
	return block("PUBLIC KEY", must(x509.MarshalPKIXPublicKey(key.Public())))
}

func block(kind string, der []byte) string {
	return string(pem.EncodeToMemory(&pem.Block{Type: kind, Bytes: der}))
}

func parsed(t testing.TB, text string) jwt.Keys {
	t.Helper()
	keys, err := jwt.ParseKeys(text)
	require.NoError(t, err)
	return keys
}

func secretKey(t testing.TB, text string) *jwt.Key {
	t.Helper()
	k, err := jwt.Secret(text)
	require.NoError(t, err)
	return k
}

func verifier(t testing.TB, o jwt.Options) *jwt.Verifier {
	t.Helper()
	v, err := jwt.NewVerifier(o)
	require.NoError(t, err)
	return v
}

func sign(t testing.TB, k *jwt.Key, claims map[string]any, o jwt.SignOptions) string {
	t.Helper()
	token, err := jwt.Sign(k, claims, o)
	require.NoError(t, err)
	return token
}

// forge signs any header and payload, as an attacker who has a key can.
func forge(t testing.TB, method lib.SigningMethod, key any, header, payload string) string {
	t.Helper()
	text := encode(header) + "." + encode(payload)
	signature, err := method.Sign(text, key)
	require.NoError(t, err)
	return text + "." + base64.RawURLEncoding.EncodeToString(signature)
}

func encode(text string) string { return base64.RawURLEncoding.EncodeToString([]byte(text)) }

// jwk is the public half of a key as JWK, with more members.
func jwk(t testing.TB, key crypto.Signer, more map[string]any) map[string]any {
	t.Helper()
	b64 := base64.RawURLEncoding.EncodeToString
	m := map[string]any{}
	switch k := key.Public().(type) {
	case *rsa.PublicKey:
		m["kty"], m["n"], m["e"] = "RSA", b64(k.N.Bytes()), "AQAB"
	case *ecdsa.PublicKey:
		point := must(k.Bytes())
		half := (len(point) - 1) / 2
		m["kty"], m["crv"], m["x"], m["y"] = "EC", k.Curve.Params().Name, b64(point[1:1+half]), b64(point[1+half:])
	case ed25519.PublicKey:
		m["kty"], m["crv"], m["x"] = "OKP", "Ed25519", b64(k)
	}
	for name, value := range more {
		m[name] = value
	}
	return m
}

func jwks(keys ...map[string]any) string {
	return string(must(json.Marshal(map[string]any{"keys": keys})))
}
