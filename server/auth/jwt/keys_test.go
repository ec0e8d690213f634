package jwt_test

import (
	"crypto/elliptic"
	"crypto/rand"
	"crypto/rsa"
	"crypto/x509"
	"encoding/json"
	"encoding/pem"
	"fmt"
	"log/slog"
	"math/big"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"rws/server/auth/jwt"
)

// certificate is one that a key has signed for itself, which has expired.
func certificate(t *testing.T) string {
	t.Helper()
	key := rsaKey()
	c := &x509.Certificate{SerialNumber: big.NewInt(1), NotAfter: time.Unix(1e9, 0)}
	return block("CERTIFICATE", must(x509.CreateCertificate(rand.Reader, c, c, key.Public(), key)))
}

func TestKeysAreReadInEveryForm(t *testing.T) {
	key, curve := rsaKey(), ecKey(elliptic.P256())
	private := parsed(t, pkcs8(key))[0]
	token := sign(t, private, nil, jwt.SignOptions{})
	for name, text := range map[string]string{
		"SPKI":                spki(key),
		"PKCS1 public":        block("RSA PUBLIC KEY", x509.MarshalPKCS1PublicKey(&key.PublicKey)),
		"PKCS8":               pkcs8(key),
		"PKCS1":               block("RSA PRIVATE KEY", x509.MarshalPKCS1PrivateKey(key)),
		"certificate":         certificate(t),
		"two keys":            spki(curve) + spki(key),
		"text around":         "# the key\n" + spki(key) + "\n\n",
		"JWK":                 string(must(json.Marshal(jwk(t, key, nil)))),
		"JWK for signing":     string(must(json.Marshal(jwk(t, key, map[string]any{"use": "sig", "key_ops": []string{"verify"}, "alg": "RS256", "x": "ignored"})))),
		"JWKS":                jwks(jwk(t, curve, nil), jwk(t, key, map[string]any{"kid": "a"})),
		"JWKS with strangers": "\n" + jwks(map[string]any{"kty": "NEW"}, map[string]any{"kty": "EC", "crv": "secp256k1", "x": "AA", "y": "AA"}, jwk(t, key, nil)),
		"EC PRIVATE KEY":      block("EC PARAMETERS", []byte{6}) + block("EC PRIVATE KEY", must(x509.MarshalECPrivateKey(curve))) + spki(key),
	} {
		_, err := verifier(t, jwt.Options{Keys: parsed(t, text)}).Verify(t.Context(), token)
		require.NoError(t, err, name)
	}
	// What follows the first certificate is of those who signed it: their keys sign no tokens.
	chain := block("CERTIFICATE", must(x509.CreateCertificate(rand.Reader, &x509.Certificate{SerialNumber: big.NewInt(1)}, &x509.Certificate{}, curve.Public(), key))) + certificate(t)
	_, err := verifier(t, jwt.Options{Keys: parsed(t, chain)}).Verify(t.Context(), token)
	require.ErrorIs(t, err, jwt.ErrNoKey)
}

func TestBadKeysAreRefused(t *testing.T) {
	weak := must(rsa.GenerateKey(rand.Reader, 1024))
	locked := string(pem.EncodeToMemory(&pem.Block{Type: "RSA PRIVATE KEY", Headers: map[string]string{"Proc-Type": "4,ENCRYPTED", "DEK-Info": "AES-256-CBC,00"}, Bytes: []byte("x")}))
	offCurve := jwk(t, ecKey(elliptic.P256()), map[string]any{"x": "AQ"})
	for name, c := range map[string]struct{ text, want string }{
		"empty":           {" \n", "is its environment variable set?"},
		"a secret":        {longSecret, "give it as the secret"},
		"1024 bits":       {spki(weak), "has 1024 bits, at least 2048"},
		"P-224":           {spki(ecKey(elliptic.P224())), "P-224 is for no algorithm"},
		"locked PKCS8":    {block("ENCRYPTED PRIVATE KEY", []byte("x")), "openssl pkey -in"},
		"locked PKCS1":    {locked, "openssl pkey -in"},
		"another block":   {block("CERTIFICATE REQUEST", []byte("x")), "it is no key"},
		"broken block":    {block("PUBLIC KEY", []byte("x")), `the PEM block "PUBLIC KEY"`},
		"one line":        {strings.ReplaceAll(spki(rsaKey()), "\n", " "), "did its line breaks get lost?"},
		"X25519":          {`{"kty":"OKP","crv":"X25519","x":"` + strings.Repeat("A", 43) + `"}`, "signs no tokens"},
		"broken JSON":     {`{"kty":`, "the JSON is broken"},
		"no keys":         {`{"keys":[]}`, "has no key that verifies tokens"},
		"no JWK":          {`{}`, "has no key that verifies tokens"},
		"none that fits":  {jwks(jwk(t, rsaKey(), map[string]any{"use": "enc"}), jwk(t, rsaKey(), map[string]any{"key_ops": []string{"encrypt"}}), jwk(t, rsaKey(), map[string]any{"alg": "RSA-OAEP"})), `its use is "enc", not "sig"`},
		"alg of another":  {string(must(json.Marshal(jwk(t, ecKey(elliptic.P256()), map[string]any{"alg": "HS256"})))), `"HS256" is not for this key`},
		"off the curve":   {string(must(json.Marshal(offCurve))), "not on the specified curve"},
		"weak RSA in JWK": {string(must(json.Marshal(jwk(t, weak, nil)))), "has 1024 bits"},
		"short oct":       {`{"kty":"oct","k":"c2hvcnQ"}`, "has 5 bytes, at least 32"},
		"too many":        {jwks(repeat(jwk(t, edKey(), nil), 65)...), "at most 64 are tried"},
		"too long":        {strings.Repeat(" ", jwt.MaxKeySet) + "{}", "at most 1048576 are read"},
	} {
		_, err := jwt.ParseKeys(c.text)
		require.ErrorContains(t, err, c.want, name)
	}
}

func repeat(key map[string]any, n int) []map[string]any {
	list := make([]map[string]any, n)
	for i := range list {
		list[i] = key
	}
	return list
}

func TestBadSecretsAreRefused(t *testing.T) {
	for text, want := range map[string]string{
		"":                       "is empty: is its environment variable set?",
		"hunter2":                "has 7 bytes, at least 32",
		strings.Repeat("ab", 50): "only 2 different bytes",
		spki(rsaKey()):           "is a PEM text, which may be public",
	} {
		_, err := jwt.Secret(text)
		require.ErrorContains(t, err, want)
		assert.NotContains(t, err.Error(), "hunter2")
	}
	for length, want := range map[int][]string{32: {"HS256"}, 47: {"HS256"}, 48: {"HS256", "HS384"}, 64: {"HS256", "HS384", "HS512"}} {
		assert.Equal(t, want, secretKey(t, longSecret[:length]).Algorithms(), length)
	}
}

func TestBadOptionsAreRefused(t *testing.T) {
	keys := jwt.Keys{secretKey(t, longSecret[:32])}
	for want, o := range map[string]jwt.Options{
		"no keys are given":                                    {},
		"the list of keys is empty":                            {Keys: jwt.Keys{}},
		`no algorithm "none"`:                                  {Keys: keys, Algorithms: []string{"none"}},
		`"hs256" (did you mean "HS256"?)`:                      {Keys: keys, Algorithms: []string{"hs256"}},
		"RS256 is for none of the keys, which are for [HS256]": {Keys: keys, Algorithms: []string{"HS256", "RS256"}},
		"the leeway 1h0m0s":                                    {Keys: keys, Leeway: time.Hour},
		"the leeway -1s":                                       {Keys: keys, Leeway: -time.Second},
		"an issuer or audience is empty":                       {Keys: keys, Audiences: []string{""}},
	} {
		_, err := jwt.NewVerifier(o)
		require.ErrorContains(t, err, want)
	}
}

func TestSigningRefusesWhatNobodyWouldAccept(t *testing.T) {
	short, public := secretKey(t, longSecret[:32]), parsed(t, spki(rsaKey()))[0]
	assert.False(t, public.Signs())
	for want, c := range map[string]struct {
		key    *jwt.Key
		claims map[string]any
		o      jwt.SignOptions
	}{
		"sign with the private key":             {public, nil, jwt.SignOptions{}},
		`there is no algorithm "none"`:          {short, nil, jwt.SignOptions{Algorithm: "none"}},
		"RS256 is not for this key":             {short, nil, jwt.SignOptions{Algorithm: "RS256"}},
		"48 bytes for HS384":                    {short, nil, jwt.SignOptions{Algorithm: "HS512"}},
		"leave out either that or expires":      {short, map[string]any{"exp": 1}, jwt.SignOptions{Expires: time.Hour}},
		"must be a second at least":             {short, nil, jwt.SignOptions{Expires: time.Millisecond}},
		"more than 8192 are accepted by nobody": {short, map[string]any{"x": strings.Repeat("x", 8192)}, jwt.SignOptions{}},
		"its claims":                            {short, map[string]any{"x": func() {}}, jwt.SignOptions{}},
	} {
		_, err := jwt.Sign(c.key, c.claims, c.o)
		require.ErrorContains(t, err, want)
	}
}

func TestSigningAddsTimesAndTheKeyID(t *testing.T) {
	k, _ := signer(t, "2026")
	header, _, err := jwt.DecodeUnverified(sign(t, k, nil, jwt.SignOptions{}))
	require.NoError(t, err)
	assert.Equal(t, map[string]any{"alg": "EdDSA", "typ": "JWT", "kid": "2026"}, header)
	claims := map[string]any{"sub": "ann"}
	o := secretKey(t, longSecret)
	header, got, err := jwt.DecodeUnverified(sign(t, o, claims, jwt.SignOptions{Expires: time.Hour, Type: "at+jwt"}))
	require.NoError(t, err)
	assert.Equal(t, map[string]any{"alg": "HS256", "typ": "at+jwt"}, header)
	assert.Equal(t, got["iat"].(int64)+3600, got["exp"])
	assert.Equal(t, map[string]any{"sub": "ann"}, claims, "they are the caller's")
}

func TestNothingPrintsAKey(t *testing.T) {
	k := secretKey(t, longSecret)
	var log strings.Builder
	slog.New(slog.NewTextHandler(&log, nil)).Info("x", "key", k)
	for _, text := range []string{fmt.Sprint(k), fmt.Sprintf("%+v %#v %x %s", k, k, k, jwt.Keys{k}), log.String()} {
		assert.NotContains(t, text, longSecret[:8])
		assert.NotContains(t, text, fmt.Sprintf("%x", longSecret[:8]))
		assert.Contains(t, text, "redacted")
	}
}

func FuzzParseKeys(f *testing.F) {
	f.Add(spki(rsaKey()))
	f.Add(pkcs8(edKey()))
	f.Add(`{"keys":[{"kty":"oct","k":"AAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAA"}]}`)
	f.Add(`{"kty":"OKP","crv":"Ed25519","x":"11qYAYKxCrfVS_7TyWQHOg7hcvPapiMlrwIaaPcHURo"}`)
	f.Fuzz(func(t *testing.T, text string) {
		keys, err := jwt.ParseKeys(text)
		if (err == nil) != (len(keys) > 0) {
			t.Errorf("%d keys and %v", len(keys), err)
		}
		for _, k := range keys {
			if len(k.Algorithms()) == 0 {
				t.Error("a key for nothing")
			}
		}
	})
}

// What a key is for is what its key_ops say (RFC 7517 §4.3).
func TestKeyOpsAreObeyed(t *testing.T) {
	private := func(ops ...string) map[string]any {
		key := edKey()
		return jwk(t, key, map[string]any{"d": encode(string(key.Seed())), "key_ops": ops})
	}
	signs := parsed(t, jwks(private("sign")))
	assert.True(t, signs[0].Signs())
	_, err := jwt.NewVerifier(jwt.Options{Keys: signs})
	require.ErrorContains(t, err, "key_ops are for signing alone")
	verifies := parsed(t, jwks(private("verify")))
	assert.False(t, verifies[0].Signs())
	v := verifier(t, jwt.Options{Keys: append(signs, verifies...)})
	_, err = v.Verify(t.Context(), sign(t, signs[0], nil, jwt.SignOptions{}))
	require.ErrorIs(t, err, jwt.ErrSignature, "the other key is asked alone")
	_, err = jwt.ParseKeys(jwks(jwk(t, rsaKey(), map[string]any{"key_ops": []string{"sign"}})))
	require.ErrorContains(t, err, "do not have verify", "it is public")
	both := parsed(t, jwks(private("sign", "verify")))
	_, err = verifier(t, jwt.Options{Keys: both}).Verify(t.Context(), sign(t, both[0], nil, jwt.SignOptions{}))
	require.NoError(t, err)
}
