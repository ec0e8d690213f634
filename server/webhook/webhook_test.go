package webhook_test

import (
	"encoding/base64"
	"fmt"
	"net/http"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
	"go.uber.org/goleak"

	"rws/server/webhook"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

func hook(t testing.TB, o webhook.Options) *webhook.Hook {
	t.Helper()
	h, err := webhook.New(o)
	require.NoError(t, err)
	return h
}

// at runs a test at a time.
func at(t *testing.T, unix int64, test func(t *testing.T)) {
	t.Helper()
	synctest.Test(t, func(t *testing.T) {
		time.Sleep(time.Until(time.Unix(unix, 0)))
		test(t)
	})
}

func header(pairs ...string) http.Header {
	h := http.Header{}
	for i := 0; i < len(pairs); i += 2 {
		h.Add(pairs[i], pairs[i+1])
	}
	return h
}

const slackBody = "token=xyzz0WbapA4vBCDEFasx0q6G&team_id=T1DC2JH3J&team_domain=testteamnow&channel_id=G8PSS9T3V&channel_name=foobar&user_id=U2CERLKJA&user_name=roadrunner&command=%2Fwebhook-collect&text=&response_url=https%3A%2F%2Fhooks.slack.com%2Fcommands%2FT1DC2JH3J%2F397700885554%2F96rGlfmibIGlgcZRskXaIFfN&trigger_id=398738663015.47445629121.803a0bc887a14d10d2c447fce8b6703c"

// documented are examples from the manuals of GitHub, Slack and Standard Webhooks; Stripe and
// Shopify publish none, so those were made with OpenSSL:
//
//	printf '1492774577.{"id":"evt_1"}' | openssl dgst -sha256 -hmac whsec_test_secret
//	printf '{"id":1}' | openssl dgst -sha256 -hmac shpss_secret -binary | base64
var documented = map[string]struct {
	o      webhook.Options
	time   int64
	header http.Header
	body   string
}{
	"github": {webhook.Options{Provider: "github", Secrets: []string{"It's a Secret to Everybody"}}, 1e9,
		header("X-Hub-Signature-256", "sha256=757107ea0eb2509fc211221cce984b8a37570b6d7586c22c46f4379c8b043e17"), "Hello, World!"},
	"slack": {webhook.Options{Provider: "slack", Secrets: []string{"8f742231b10e8888abcd99yyyzzz85a5"}}, 1531420618,
		header("X-Slack-Request-Timestamp", "1531420618", "X-Slack-Signature", "v0=a2114d57b48eac39b9ad189dd8316235a7b4a8d21a10bd27519666489c69b503"), slackBody},
	"standard": {webhook.Options{Provider: "standard", Secrets: []string{"whsec_MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw"}}, 1614265330,
		header("webhook-id", "msg_p5jXN8AQM9LWM0D4loKWxJek", "webhook-timestamp", "1614265330", "webhook-signature", "v1,g0hM9SsE+OTPJTGt/tmIKtSyZlE3uFJELVlNIOLJ1OE="), `{"test": 2432232314}`},
	"svix": {webhook.Options{Provider: "svix", Secrets: []string{"MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw"}}, 1614265330,
		header("svix-id", "msg_p5jXN8AQM9LWM0D4loKWxJek", "svix-timestamp", "1614265330", "svix-signature", "v1,g0hM9SsE+OTPJTGt/tmIKtSyZlE3uFJELVlNIOLJ1OE="), `{"test": 2432232314}`},
	"stripe": {webhook.Options{Provider: "stripe", Secrets: []string{"whsec_test_secret"}}, 1492774577,
		header("Stripe-Signature", "t=1492774577,v1=799c4ba7bb339f3c8601adfd112f0e477c930a268be1243d341abb8286501c2f,v0=6ffbb59b2300aae63f272406069a9788598b792a944a07aba816edb039989a39"), `{"id":"evt_1"}`},
	"shopify": {webhook.Options{Provider: "shopify", Secrets: []string{"shpss_secret"}}, 1e9,
		header("X-Shopify-Hmac-Sha256", "xocA3LkeJ/RvNrkxep1EUtFHuj7rIoIqZYaLU26LyPQ="), `{"id":1}`},
}

func TestDocumentedExamplesVerify(t *testing.T) {
	for name, c := range documented {
		at(t, c.time, func(t *testing.T) {
			h := hook(t, c.o)
			require.NoError(t, h.Verify(t.Context(), c.header, []byte(c.body)), name)
			require.ErrorIs(t, h.Verify(t.Context(), c.header, []byte(c.body+" ")), webhook.ErrSignature, name)
			for other, d := range documented {
				if other != name {
					assert.ErrorIs(t, h.Verify(t.Context(), d.header, []byte(d.body)), webhook.ErrMissing, "%s as %s", other, name)
				}
			}
			o := c.o
			o.Secrets = []string{"whsec_" + base64.StdEncoding.EncodeToString([]byte(strings.Repeat("another secret", 2)))}
			assert.ErrorIs(t, hook(t, o).Verify(t.Context(), c.header, []byte(c.body)), webhook.ErrSignature, name)
			o.Secrets = append(o.Secrets, c.o.Secrets...)
			assert.NoError(t, hook(t, o).Verify(t.Context(), c.header, []byte(c.body)), "any of the secrets")
		})
	}
}

// generics are other shapes of an HMAC in a header.
var generics = map[string]webhook.Generic{
	"hex":           {Header: "x-signature"},
	"base64":        {Header: "X-Sig", Encoding: "base64"},
	"sha512":        {Header: "X-Sig", Hash: "sha512", Prefix: "sha512="},
	"base64 prefix": {Header: "X-Sig", Encoding: "base64", Prefix: "HMAC "},
}

func TestWhatWeSignVerifies(t *testing.T) {
	options := map[string]webhook.Options{}
	for name, c := range documented {
		options[name] = c.o
	}
	for name, g := range generics {
		options[name] = webhook.Options{Provider: "generic", Generic: g, Secrets: []string{"some secret of 22 bytes"}}
	}
	for name, o := range options {
		h := hook(t, o)
		sent := http.Header{}
		require.NoError(t, h.Sign(sent, "", []byte("body")), name)
		require.NoError(t, h.Verify(t.Context(), sent, []byte("body")), name)
		require.ErrorIs(t, h.Verify(t.Context(), sent, []byte("bodY")), webhook.ErrSignature, name)
		require.ErrorIs(t, h.Verify(t.Context(), sent, nil), webhook.ErrSignature, name)
		for field, values := range sent {
			twice := sent.Clone()
			twice[field] = append(values, values...)
			assert.ErrorIs(t, h.Verify(t.Context(), twice, []byte("body")), webhook.ErrMalformed, "%s with two %s", name, field)
			without := sent.Clone()
			delete(without, field)
			assert.ErrorIs(t, h.Verify(t.Context(), without, []byte("body")), webhook.ErrMissing, "%s without %s", name, field)
			without[strings.ReplaceAll(field, "-", "_")] = values
			assert.ErrorIs(t, h.Verify(t.Context(), without, []byte("body")), webhook.ErrMissing, "%s with %s and underscores", name, field)
			long := sent.Clone()
			long[field] = []string{strings.Repeat("1", 5000)}
			assert.ErrorIs(t, h.Verify(t.Context(), long, []byte("body")), webhook.ErrMalformed, "%s with a long %s", name, field)
		}
	}
	// What is documented can be made again.
	for name, c := range documented {
		at(t, c.time, func(t *testing.T) {
			sent := http.Header{}
			id := c.header.Get("webhook-id") + c.header.Get("svix-id")
			require.NoError(t, hook(t, c.o).Sign(sent, id, []byte(c.body)))
			want := c.header.Clone()
			if name == "stripe" {
				want.Set("Stripe-Signature", strings.Split(want.Get("Stripe-Signature"), ",v0")[0])
			}
			assert.Equal(t, want, sent, name)
		})
	}
}

func TestSecretsCanBeChanged(t *testing.T) {
	for provider, parts := range map[string]int{"stripe": 2, "github": 1} {
		both := hook(t, webhook.Options{Provider: provider, Secrets: []string{"new secret", "old secret"}})
		sent := http.Header{}
		require.NoError(t, both.Sign(sent, "", nil))
		require.NoError(t, hook(t, webhook.Options{Provider: provider, Secrets: []string{"new secret"}}).Verify(t.Context(), sent, nil))
		err := hook(t, webhook.Options{Provider: provider, Secrets: []string{"old secret"}}).Verify(t.Context(), sent, nil)
		assert.Equal(t, parts == 2, err == nil, provider)
	}
}

func TestTimeIsKeptBothWays(t *testing.T) {
	for _, provider := range []string{"stripe", "slack", "standard"} {
		at(t, 1614265330, func(t *testing.T) {
			o := documented[provider].o
			h := hook(t, o)
			sent := http.Header{}
			require.NoError(t, h.Sign(sent, "", nil))
			time.Sleep(webhook.DefaultTolerance)
			require.NoError(t, h.Verify(t.Context(), sent, nil), provider)
			time.Sleep(time.Second)
			require.ErrorIs(t, h.Verify(t.Context(), sent, nil), webhook.ErrTime, provider)
			o.Tolerance = time.Hour
			require.NoError(t, hook(t, o).Verify(t.Context(), sent, nil), provider)
		})
		var early http.Header
		at(t, 1614265330+301, func(t *testing.T) {
			early = http.Header{}
			require.NoError(t, hook(t, documented[provider].o).Sign(early, "", nil))
		})
		at(t, 1614265330, func(t *testing.T) {
			require.ErrorIs(t, hook(t, documented[provider].o).Verify(t.Context(), early, nil), webhook.ErrTime, provider)
			time.Sleep(time.Second)
			require.NoError(t, hook(t, documented[provider].o).Verify(t.Context(), early, nil), provider)
		})
	}
}

func TestSignaturesThatCannotBeRead(t *testing.T) {
	at(t, 1614265330, func(t *testing.T) {
		good := strings.Repeat("ab", 32)
		long := strings.Repeat(",v1="+good, 17)
		b64 := base64.StdEncoding.EncodeToString([]byte(strings.Repeat("x", 32)))
		for provider, values := range map[string]map[string]error{
			"stripe": {
				"": webhook.ErrMissing, ",": webhook.ErrMalformed, "t=1614265330": webhook.ErrMalformed, "v1=" + good: webhook.ErrMalformed,
				"t=1614265330,v1=": webhook.ErrMalformed, "t=1614265330,v1=" + good[2:]: webhook.ErrMalformed, "t=1614265330,v0=" + good: webhook.ErrMalformed,
				"t=1614265330,t=1614265330,v1=" + good: webhook.ErrMalformed, "t=,v1=" + good: webhook.ErrMalformed, "t=+1614265330,v1=" + good: webhook.ErrMalformed,
				"t=-1,v1=" + good: webhook.ErrMalformed, "t=1e9,v1=" + good: webhook.ErrMalformed, "t=99999999999999999999,v1=" + good: webhook.ErrMalformed,
				"t=1614265330" + long: webhook.ErrMalformed, "T=1614265330,v1=" + good: webhook.ErrMalformed, "t=1614265330,V1=" + good: webhook.ErrMalformed,
				"t=1614265330, v1=" + good: webhook.ErrSignature, "t=1,v1=" + good: webhook.ErrTime,
			},
			"github": {
				good: webhook.ErrMalformed, "sha1=" + good[:40]: webhook.ErrMalformed, "SHA256=" + good: webhook.ErrMalformed, "sha256=": webhook.ErrMalformed,
				"sha256=" + good + "ab": webhook.ErrMalformed, "sha256= " + good: webhook.ErrMalformed, "sha256=" + good[:63]: webhook.ErrMalformed,
				"sha256=" + good + ",sha256=" + good: webhook.ErrMalformed, "sha256=" + good: webhook.ErrSignature, "sha256=" + strings.ToUpper(good): webhook.ErrSignature,
			},
			"shopify": {
				good: webhook.ErrMalformed, b64[:20]: webhook.ErrMalformed, b64[:43] + "==": webhook.ErrSignature, strings.TrimRight(b64, "="): webhook.ErrSignature, "sha256=" + b64: webhook.ErrMalformed,
			},
			"slack": {good: webhook.ErrMalformed, "v1=" + good: webhook.ErrMalformed, "v0=": webhook.ErrMalformed, "v0=" + good: webhook.ErrSignature},
			"standard": {
				b64: webhook.ErrMalformed, "v1," + good: webhook.ErrMalformed, "v2," + b64: webhook.ErrMalformed, "v1a," + b64: webhook.ErrMalformed, "V1," + b64: webhook.ErrMalformed,
				"v1," + b64 + ",x": webhook.ErrMalformed, "v1a,x v1," + b64: webhook.ErrSignature, strings.Repeat("v1,"+b64+" ", 17): webhook.ErrMalformed,
			},
		} {
			o := documented[provider].o
			sent := http.Header{}
			require.NoError(t, hook(t, o).Sign(sent, "", nil))
			for value, want := range values {
				for field := range sent {
					if strings.HasSuffix(field, "Signature") || strings.Contains(field, "256") {
						sent.Set(field, value)
					}
				}
				assert.ErrorIs(t, hook(t, o).Verify(t.Context(), sent, nil), want, "%s: %s", provider, value)
			}
		}
		for _, id := range []string{"a.1", "a b", "ä", strings.Repeat("x", 256), "a\x00"} {
			sent := documented["standard"].header.Clone()
			sent.Set("webhook-id", id)
			h := hook(t, documented["standard"].o)
			require.ErrorIs(t, h.Verify(t.Context(), sent, nil), webhook.ErrMalformed, id)
			require.Error(t, h.Sign(http.Header{}, id, nil), id)
		}
	})
}

func TestBadOptionsAreRefused(t *testing.T) {
	secrets := []string{"some secret"}
	generic := webhook.Generic{Header: "X-Sig"}
	for want, o := range map[string]webhook.Options{
		`there is no provider ""`:         {Secrets: secrets},
		`"Stripe" (did you mean "stripe"`: {Provider: "Stripe", Secrets: secrets},
		"0 secrets are given":             {Provider: "github"},
		"secret 2 of 2 is empty":          {Provider: "github", Secrets: []string{"some secret", ""}},
		"secret 1 of 1 is empty or has":   {Provider: "github", Secrets: []string{"hunter2\n"}},
		"want whsec_ and base64":          {Provider: "standard", Secrets: []string{"hunter2!"}},
		"it has 9 bytes, at least 24":     {Provider: "standard", Secrets: []string{"whsec_aHVudGVyMjEy"}},
		"it has 7 bytes, at least 8":      {Provider: "github", Secrets: []string{"hunter2"}},
		"it has 15 bytes, at least 16":    {Provider: "generic", Secrets: []string{"hunter2hunter2x"}, Generic: webhook.Generic{Header: "A"}},
		"the tolerance -1s":               {Provider: "stripe", Secrets: secrets, Tolerance: -time.Second},
		"the tolerance 48h0m0s":           {Provider: "stripe", Secrets: secrets, Tolerance: 48 * time.Hour},
		"at most -1 bytes":                {Provider: "stripe", Secrets: secrets, MaxBody: -1},
		"replays are remembered for 1m0s": {Provider: "stripe", Secrets: secrets, ReplayTTL: time.Minute},
		`but the provider is "github"`:    {Provider: "github", Secrets: secrets, Generic: generic},
		"which header has the signature?": {Provider: "generic", Secrets: secrets},
		`"a b" is no name of a header`:    {Provider: "generic", Secrets: secrets, Generic: webhook.Generic{Header: "a b"}},
		`the encoding "hexx"`:             {Provider: "generic", Secrets: secrets, Generic: webhook.Generic{Header: "A", Encoding: "hexx"}},
		`the hash "sha1"`:                 {Provider: "generic", Secrets: secrets, Generic: webhook.Generic{Header: "A", Hash: "sha1"}},
		`the prefix "x\n"`:                {Provider: "generic", Secrets: secrets, Generic: webhook.Generic{Header: "A", Prefix: "x\n"}},
	} {
		_, err := webhook.New(o)
		require.ErrorContains(t, err, want)
		assert.NotContains(t, err.Error(), "hunter2")
	}
}

func FuzzVerify(f *testing.F) {
	f.Add("t=1614265330,v1="+strings.Repeat("ab", 32), "1614265330", "msg_1")
	f.Add("v1,g0hM9SsE+OTPJTGt/tmIKtSyZlE3uFJELVlNIOLJ1OE= v1,", "", "a.b")
	f.Add("sha256=757107ea0eb2509fc211221cce984b8a37570b6d7586c22c46f4379c8b043e17", "-1", "")
	f.Add("v0=a2114d57b48eac39b9ad189dd8316235a7b4a8d21a10bd27519666489c69b503", "99999999999999999999", "\x00")
	var hooks []*webhook.Hook
	for _, c := range documented {
		hooks = append(hooks, hook(f, c.o))
	}
	f.Fuzz(func(t *testing.T, signature, stamp, id string) {
		sent := header("Stripe-Signature", signature, "X-Hub-Signature-256", signature, "X-Shopify-Hmac-Sha256", signature,
			"X-Slack-Signature", signature, "X-Slack-Request-Timestamp", stamp,
			"Webhook-Signature", signature, "Webhook-Timestamp", stamp, "Webhook-Id", id, "Svix-Signature", signature, "Svix-Timestamp", stamp, "Svix-Id", id)
		for _, h := range hooks {
			if h.Verify(t.Context(), sent, []byte("a body that nobody has signed")) == nil {
				t.Errorf("%q %q %q entered", signature, stamp, id)
			}
		}
	})
}

func BenchmarkVerify(b *testing.B) {
	for _, size := range []int{1 << 10, 100 << 10} {
		body := []byte(strings.Repeat("x", size))
		for _, provider := range []string{"stripe", "github", "standard"} {
			h := hook(b, documented[provider].o)
			sent := http.Header{}
			require.NoError(b, h.Sign(sent, "", body))
			b.Run(fmt.Sprintf("%s/%dKiB", provider, size>>10), func(b *testing.B) {
				b.ReportAllocs()
				for b.Loop() {
					if err := h.Verify(b.Context(), sent, body); err != nil {
						b.Fatal(err)
					}
				}
			})
		}
	}
}
