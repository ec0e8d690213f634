package jwt_test

import (
	"crypto/elliptic"
	"encoding/base64"
	"encoding/json"
	"os"
	"slices"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	lib "github.com/golang-jwt/jwt/v5"
	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"rws/server/auth/jwt"
)

// The examples of RFC 7515 appendix A, RFC 7520 §4 and RFC 8037 appendix A.
func TestTheExamplesOfTheRFCsVerify(t *testing.T) {
	var vectors []struct {
		Name, Token, Payload string
		Key                  json.RawMessage
	}
	require.NoError(t, json.Unmarshal(must(os.ReadFile("testdata/rfc.json")), &vectors))
	require.Len(t, vectors, 9)
	for _, c := range vectors {
		v := verifier(t, jwt.Options{Keys: parsed(t, string(c.Key))})
		payload, err := jwt.Payload(v, c.Token)
		require.NoError(t, err, c.Name)
		assert.Equal(t, c.Payload, string(payload), c.Name)
		for _, other := range vectors {
			if string(other.Key) != string(c.Key) {
				_, err := jwt.Payload(v, other.Token)
				assert.Error(t, err, "%s with the key of %s", other.Name, c.Name)
			}
		}
		head, rest, _ := strings.Cut(c.Token, ".")
		flipped := "A" + rest[1:]
		if rest[0] == 'A' {
			flipped = "B" + rest[1:]
		}
		_, err = jwt.Payload(v, head+"."+flipped)
		require.ErrorIs(t, err, jwt.ErrSignature, c.Name)
	}
}

func TestEveryAlgorithmSignsAndVerifies(t *testing.T) {
	kinds := map[string]struct {
		keys       jwt.Keys
		algorithms []string
	}{
		"secret": {jwt.Keys{secretKey(t, longSecret)}, []string{"HS256", "HS384", "HS512"}},
		"rsa":    {parsed(t, pkcs8(rsaKey())), []string{"RS256", "RS384", "RS512", "PS256", "PS384", "PS512"}},
		"p256":   {parsed(t, pkcs8(ecKey(elliptic.P256()))), []string{"ES256"}},
		"p384":   {parsed(t, pkcs8(ecKey(elliptic.P384()))), []string{"ES384"}},
		"p521":   {parsed(t, pkcs8(ecKey(elliptic.P521()))), []string{"ES512"}},
		"ed":     {parsed(t, pkcs8(edKey())), []string{"EdDSA"}},
	}
	tokens := map[string]string{}
	for name, kind := range kinds {
		assert.Equal(t, kind.algorithms, kind.keys[0].Algorithms(), name)
		for _, algorithm := range kind.algorithms {
			tokens[algorithm] = sign(t, kind.keys[0], map[string]any{"sub": "ann"}, jwt.SignOptions{Algorithm: algorithm})
		}
	}
	for _, kind := range kinds {
		for algorithm, token := range tokens {
			claims, err := verifier(t, jwt.Options{Keys: kind.keys}).Verify(t.Context(), token)
			if slices.Contains(kind.algorithms, algorithm) {
				require.NoError(t, err, algorithm)
				assert.Equal(t, "ann", claims["sub"])
				continue
			}
			require.ErrorIs(t, err, jwt.ErrNoKey, algorithm)
		}
	}
}

// TestATokenCannotChooseHowItIsChecked has the attacks of RFC 8725 §2 and their kin.
func TestATokenCannotChooseHowItIsChecked(t *testing.T) {
	public := spki(rsaKey())
	v := verifier(t, jwt.Options{Keys: parsed(t, public)})
	hs := verifier(t, jwt.Options{Keys: jwt.Keys{secretKey(t, longSecret)}})
	good := `{"sub":"ann"}`
	secret := []byte(longSecret)
	none := func(header string) string { return encode(header) + "." + encode(good) + "." }
	for name, c := range map[string]struct {
		v     *jwt.Verifier
		token string
		want  error
	}{
		"RFC 7515 A.5":         {hs, "eyJhbGciOiJub25lIn0.eyJpc3MiOiJqb2UiLA0KICJleHAiOjEzMDA4MTkzODAsDQogImh0dHA6Ly9leGFtcGxlLmNvbS9pc19yb290Ijp0cnVlfQ.", jwt.ErrAlgorithm},
		"none":                 {v, none(`{"alg":"none"}`), jwt.ErrAlgorithm},
		"None":                 {hs, none(`{"alg":"None"}`), jwt.ErrAlgorithm},
		"no alg":               {hs, none(`{"typ":"JWT"}`), jwt.ErrAlgorithm},
		"empty alg":            {hs, none(`{"alg":""}`), jwt.ErrAlgorithm},
		"alg that is no text":  {hs, none(`{"alg":["HS256"]}`), jwt.ErrMalformed},
		"alg in lower case":    {hs, forge(t, lib.SigningMethodHS256, secret, `{"alg":"hs256"}`, good), jwt.ErrAlgorithm},
		"ALG":                  {hs, forge(t, lib.SigningMethodHS256, secret, `{"ALG":"HS256"}`, good), jwt.ErrAlgorithm},
		"two algs":             {hs, forge(t, lib.SigningMethodHS256, secret, `{"alg":"HS256","alg":"HS256"}`, good), jwt.ErrMalformed},
		"public key as secret": {v, forge(t, lib.SigningMethodHS256, []byte(public), `{"alg":"HS256"}`, good), jwt.ErrNoKey},
		"no signature":         {hs, none(`{"alg":"HS256"}`), jwt.ErrSignature},
		"another secret":       {hs, forge(t, lib.SigningMethodHS256, []byte("x"+longSecret), `{"alg":"HS256"}`, good), jwt.ErrSignature},
		"crit":                 {hs, forge(t, lib.SigningMethodHS256, secret, `{"alg":"HS256","crit":["b64"],"b64":false}`, good), jwt.ErrMalformed},
		"crit null":            {hs, forge(t, lib.SigningMethodHS256, secret, `{"alg":"HS256","crit":null}`, good), jwt.ErrMalformed},
		"its own key":          {v, forge(t, lib.SigningMethodEdDSA, edKey(), `{"alg":"EdDSA","jwk":{"kty":"OKP"}}`, good), jwt.ErrNoKey},
		"another kid":          {verifier(t, jwt.Options{Keys: parsed(t, jwks(jwk(t, rsaKey(), map[string]any{"kid": "a"})))}), forge(t, lib.SigningMethodRS256, rsaKey(), `{"alg":"RS256","kid":"b"}`, good), jwt.ErrNoKey},
		"alg the JWK excludes": {verifier(t, jwt.Options{Keys: parsed(t, jwks(jwk(t, rsaKey(), map[string]any{"alg": "RS256"})))}), forge(t, lib.SigningMethodPS256, rsaKey(), `{"alg":"PS256"}`, good), jwt.ErrNoKey},
		"alg not listed":       {verifier(t, jwt.Options{Keys: jwt.Keys{secretKey(t, longSecret)}, Algorithms: []string{"HS512"}}), forge(t, lib.SigningMethodHS256, secret, `{"alg":"HS256"}`, good), jwt.ErrAlgorithm},
	} {
		_, err := c.v.Verify(t.Context(), c.token)
		require.ErrorIs(t, err, c.want, name)
	}
}

func TestOneSpellingOfATokenOnly(t *testing.T) {
	v := verifier(t, jwt.Options{Keys: jwt.Keys{secretKey(t, longSecret)}})
	token := sign(t, secretKey(t, longSecret), map[string]any{"sub": "ann"}, jwt.SignOptions{})
	_, err := v.Verify(t.Context(), token)
	require.NoError(t, err)
	// The last letter of a signature of 32 bytes has 2 bits that mean nothing.
	last := strings.IndexByte("ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-_", token[len(token)-1])
	loose := token[:len(token)-1] + string("ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-_"[last^1])
	parts := strings.Split(token, ".")
	for name, text := range map[string]string{
		"":                   "",
		"loose bits":         loose,
		"line break":         token[:10] + "\n" + token[10:],
		"carriage return":    token + "\r",
		"padding":            token + "=",
		"space":              " " + token,
		"Bearer":             "Bearer " + token,
		"two parts":          parts[0] + "." + parts[1],
		"four parts":         token + ".x",
		"encrypted":          token + ".x.y",
		"standard base64":    parts[0] + "." + parts[1] + ".+/" + parts[2][2:],
		"header is an array": encode("[]") + "." + parts[1] + "." + parts[2],
		"header and more":    encode(`{"alg":"HS256"} {}`) + "." + parts[1] + "." + parts[2],
		"too long":           parts[0] + "." + strings.Repeat("A", jwt.MaxToken) + "." + parts[2],
		"many dots":          strings.Repeat(".", 8000),
	} {
		_, err := v.Verify(t.Context(), text)
		require.ErrorIs(t, err, jwt.ErrMalformed, name)
	}
	_, err = v.Verify(t.Context(), token+".x.y")
	require.ErrorContains(t, err, "encrypted token (JWE)")
	_, err = v.Verify(t.Context(), "Bearer "+token)
	require.ErrorContains(t, err, `leave out "Bearer"`)
}

func TestClaimsOfTimeAreKept(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		k := secretKey(t, longSecret)
		now := time.Now().Unix()
		strict := verifier(t, jwt.Options{Keys: jwt.Keys{k}})
		lenient := verifier(t, jwt.Options{Keys: jwt.Keys{k}, Leeway: 30 * time.Second})
		for name, c := range map[string]struct {
			claims          string
			strict, lenient error
		}{
			"nothing":               {`{}`, nil, nil},
			"ends now":              {ints(`{"exp":%}`, now), jwt.ErrExpired, nil},
			"ends in a second":      {ints(`{"exp":%}`, now+1), nil, nil},
			"ends in half a second": {ints(`{"exp":%.5}`, now), nil, nil},
			"ended":                 {ints(`{"exp":%}`, now-30), jwt.ErrExpired, jwt.ErrExpired},
			"ended at once":         {`{"exp":0}`, jwt.ErrExpired, jwt.ErrExpired},
			"begins now":            {ints(`{"nbf":%}`, now), nil, nil},
			"begins in a second":    {ints(`{"nbf":%}`, now+1), jwt.ErrNotYet, nil},
			"begins later":          {ints(`{"nbf":%}`, now+31), jwt.ErrNotYet, jwt.ErrNotYet},
			"made in a second":      {ints(`{"iat":%}`, now+1), jwt.ErrNotYet, nil},
			"exp as text":           {ints(`{"exp":"%"}`, now+60), jwt.ErrClaims, jwt.ErrClaims},
			"exp null":              {`{"exp":null}`, jwt.ErrClaims, jwt.ErrClaims},
			"exp in milliseconds":   {ints(`{"exp":%000}`, now), jwt.ErrClaims, jwt.ErrClaims},
			"exp out of range":      {`{"exp":1e999}`, jwt.ErrMalformed, jwt.ErrMalformed},
			"exp beyond 2^63":       {`{"exp":99999999999999999999}`, jwt.ErrClaims, jwt.ErrClaims},
			"nbf beyond 2^63":       {`{"nbf":1e300}`, jwt.ErrClaims, jwt.ErrClaims},
			"negative exp":          {`{"exp":-1}`, jwt.ErrClaims, jwt.ErrClaims},
			"no object":             {`[]`, jwt.ErrMalformed, jwt.ErrMalformed},
			"null":                  {`null`, jwt.ErrMalformed, jwt.ErrMalformed},
			"exp twice":             {ints(`{"exp":%,"exp":9}`, now+60), jwt.ErrMalformed, jwt.ErrMalformed},
			"no JSON":               {`Payload`, jwt.ErrMalformed, jwt.ErrMalformed},
		} {
			token := forge(t, lib.SigningMethodHS256, []byte(longSecret), `{"alg":"HS256"}`, c.claims)
			_, err := strict.Verify(t.Context(), token)
			assert.ErrorIs(t, err, c.strict, name)
			_, err = lenient.Verify(t.Context(), token)
			assert.ErrorIs(t, err, c.lenient, name)
		}
		always := verifier(t, jwt.Options{Keys: jwt.Keys{k}, RequireExpiry: true})
		_, err := always.Verify(t.Context(), sign(t, k, nil, jwt.SignOptions{}))
		require.ErrorIs(t, err, jwt.ErrClaims)
		token := sign(t, k, nil, jwt.SignOptions{Expires: time.Minute})
		_, err = always.Verify(t.Context(), token)
		require.NoError(t, err)
		time.Sleep(time.Minute)
		_, err = always.Verify(t.Context(), token)
		require.ErrorIs(t, err, jwt.ErrExpired)
		assert.EqualError(t, err, "verifying a token: it has expired, at 2000-01-01T00:01:00Z")
	})
}

// ints puts a number for "%".
func ints(text string, n int64) string {
	return strings.ReplaceAll(text, "%", string(must(json.Marshal(n))))
}

func TestTokensThatAreRememberedEnd(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		k := secretKey(t, longSecret)
		v := verifier(t, jwt.Options{Keys: jwt.Keys{k}, Leeway: time.Second})
		now := time.Now().Unix()
		token := sign(t, k, map[string]any{"nbf": now + 2, "iat": now + 1, "exp": now + 60}, jwt.SignOptions{})
		_, err := v.Verify(t.Context(), token)
		require.ErrorIs(t, err, jwt.ErrNotYet)
		assert.Zero(t, jwt.Proven(v), "what does not hold is not remembered")
		time.Sleep(time.Second)
		for range 60 {
			_, err = v.Verify(t.Context(), token)
			require.NoError(t, err)
			time.Sleep(time.Second)
		}
		assert.Equal(t, 1, jwt.Proven(v))
		_, err = v.Verify(t.Context(), token)
		require.ErrorIs(t, err, jwt.ErrExpired)
		for i := range 5000 {
			_, err = v.Verify(t.Context(), sign(t, k, map[string]any{"n": i}, jwt.SignOptions{}))
			require.NoError(t, err)
		}
		assert.Equal(t, 4096, jwt.Proven(v))
	})
}

func TestIssuerAudienceAndTypeAreKept(t *testing.T) {
	k := secretKey(t, longSecret)
	v := verifier(t, jwt.Options{Keys: jwt.Keys{k}, Issuers: []string{"https://a.example", "https://b.example"}, Audiences: []string{"api", "admin"}, Type: "at+jwt"})
	for payload, ok := range map[string]bool{
		`{"iss":"https://a.example","aud":"api"}`:         true,
		`{"iss":"https://b.example","aud":["x","admin"]}`: true,
		`{"iss":"https://a.example/","aud":"api"}`:        false,
		`{"iss":"https://A.example","aud":"api"}`:         false,
		`{"iss":["https://a.example"],"aud":"api"}`:       false,
		`{"aud":"api"}`:                                       false,
		`{"iss":"https://a.example"}`:                         false,
		`{"iss":"https://a.example","aud":[]}`:                false,
		`{"iss":"https://a.example","aud":["x"]}`:             false,
		`{"iss":"https://a.example","aud":"api "}`:            false,
		`{"iss":"https://a.example","aud":["api",1]}`:         false,
		`{"iss":"https://a.example","aud":{"api":"api"}}`:     false,
		`{"iss":"https://c.example","aud":"api"}`:             false,
		`{"iss":"https://a.example","aud":"api admin"}`:       false,
		`{"ISS":"https://a.example","iss":"x","aud":["api"]}`: false,
	} {
		token := forge(t, lib.SigningMethodHS256, []byte(longSecret), `{"alg":"HS256","typ":"application/AT+JWT"}`, payload)
		_, err := v.Verify(t.Context(), token)
		if ok {
			assert.NoError(t, err, payload)
			continue
		}
		assert.ErrorIs(t, err, jwt.ErrClaims, payload)
	}
	_, err := v.Verify(t.Context(), sign(t, k, map[string]any{"iss": "https://a.example", "aud": "api"}, jwt.SignOptions{}))
	require.ErrorContains(t, err, `its type is "JWT", not "at+jwt"`)
}

func TestNumbersAreExact(t *testing.T) {
	k := secretKey(t, longSecret)
	claims := map[string]any{"id": int64(9007199254740993), "min": int64(-1 << 63), "half": 0.5, "list": []any{int64(1), "x", nil, true}}
	got, err := verifier(t, jwt.Options{Keys: jwt.Keys{k}}).Verify(t.Context(), sign(t, k, claims, jwt.SignOptions{}))
	require.NoError(t, err)
	delete(got, "iat")
	assert.Equal(t, jwt.Claims(claims), got)
	header, got, err := jwt.DecodeUnverified(encode(`{"alg":"none","n":9007199254740993}`) + "." + encode(`{"big":123456789012345678901234567890,"e":1e3}`) + ".")
	require.NoError(t, err)
	assert.Equal(t, map[string]any{"alg": "none", "n": int64(9007199254740993)}, header)
	assert.Equal(t, jwt.Claims{"big": "123456789012345678901234567890", "e": 1000.0}, got)
}

func TestScopesAndRolesAreFound(t *testing.T) {
	k := secretKey(t, longSecret)
	claims, err := verifier(t, jwt.Options{Keys: jwt.Keys{k}}).Verify(t.Context(), sign(t, k, map[string]any{
		"scope": "read  write", "realm_access": map[string]any{"roles": []string{"admin", "user"}},
		"https://x.example/roles": "boss", "mixed": []any{"a", 1},
	}, jwt.SignOptions{}))
	require.NoError(t, err)
	assert.Equal(t, []string{"read", "write"}, claims.Scopes())
	assert.Equal(t, []string{"admin", "user"}, claims.Texts("realm_access.roles"))
	assert.Equal(t, []string{"boss"}, claims.Texts("https://x.example/roles"))
	for _, path := range []string{"", "roles", "mixed", "realm_access", "realm_access.roles.0", "scope.x"} {
		assert.Empty(t, claims.Texts(path), path)
	}
	assert.Equal(t, []string{"a", "b"}, jwt.Claims{"scp": []any{"a", "b"}}.Scopes())
	assert.Equal(t, []string{"a", "b"}, jwt.Claims{"scp": "a b"}.Scopes())
	assert.Empty(t, jwt.Claims{"scope": int64(1)}.Scopes())
	for scope, has := range map[string]bool{"read": true, "write": true, "rea": false, "read  write": false, "": false} {
		assert.Equal(t, has, claims.HasScope(scope), scope)
	}
	assert.True(t, jwt.Claims{"scp": []any{"a", "b"}}.HasScope("b"))
	assert.False(t, jwt.Claims{"scope": int64(1), "scp": "a b"}.HasScope("c"))
}

func FuzzVerify(f *testing.F) {
	k, err := jwt.Secret(longSecret)
	if err != nil {
		f.Fatal(err)
	}
	v, err := jwt.NewVerifier(jwt.Options{Keys: jwt.Keys{k}})
	if err != nil {
		f.Fatal(err)
	}
	good, err := jwt.Sign(k, map[string]any{"sub": "ann"}, jwt.SignOptions{})
	if err != nil {
		f.Fatal(err)
	}
	f.Add(good)
	f.Add(good + "=")
	f.Add("eyJhbGciOiJub25lIn0.e30.")
	f.Add("..")
	f.Fuzz(func(t *testing.T, text string) {
		_, err := v.Verify(t.Context(), text)
		if (err == nil) != (text == good) {
			t.Errorf("%q: %v", text, err)
		}
		header, _, err := jwt.DecodeUnverified(text)
		if err == nil && header == nil {
			t.Errorf("%q has no header", text)
		}
	})
}

func BenchmarkVerify(b *testing.B) {
	for name, text := range map[string]string{
		"EdDSA": pkcs8(edKey()), "ES256": pkcs8(ecKey(elliptic.P256())), "RS256": pkcs8(rsaKey()),
		"HS256": `{"kty":"oct","k":"` + base64.RawURLEncoding.EncodeToString([]byte(longSecret)) + `"}`,
	} {
		keys := parsed(b, text)
		v := verifier(b, jwt.Options{Keys: keys, Issuers: []string{"https://a.example"}, Audiences: []string{"api"}})
		token := sign(b, keys[0], map[string]any{"sub": "ann", "iss": "https://a.example", "aud": "api", "scope": "read write"}, jwt.SignOptions{Expires: time.Hour})
		b.Run(name+"/first", func(b *testing.B) {
			b.ReportAllocs()
			for b.Loop() {
				jwt.Forget(v)
				if _, err := v.Verify(b.Context(), token); err != nil {
					b.Fatal(err)
				}
			}
		})
		b.Run(name+"/again", func(b *testing.B) {
			b.ReportAllocs()
			for b.Loop() {
				if _, err := v.Verify(b.Context(), token); err != nil {
					b.Fatal(err)
				}
			}
		})
	}
}
