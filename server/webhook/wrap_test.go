package webhook_test

import (
	"context"
	"errors"
	"io"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"
	"testing/iotest"
	"testing/synctest"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"rws/server/exchange"
	"rws/server/webhook"
)

// deliver sends a body to a handler behind a hook, signed by it.
func deliver(t *testing.T, h *webhook.Hook, next http.HandlerFunc, body string) int {
	t.Helper()
	r := httptest.NewRequest("POST", "/", strings.NewReader(body))
	assert.NoError(t, h.Sign(r.Header, "", []byte(body)))
	return serve(h, next, r)
}

func serve(h *webhook.Hook, next http.HandlerFunc, r *http.Request) int {
	w := httptest.NewRecorder()
	h.Wrap(next).ServeHTTP(w, r)
	return w.Code
}

func fine(http.ResponseWriter, *http.Request) {}

func TestTheHandlerFindsTheBody(t *testing.T) {
	h := hook(t, webhook.Options{Provider: "github", Secrets: []string{"some secret"}, MaxBody: 5})
	var got []string
	next := func(_ http.ResponseWriter, r *http.Request) {
		body, err := io.ReadAll(r.Body)
		assert.NoError(t, err)
		assert.EqualValues(t, len(body), r.ContentLength)
		got = append(got, string(body))
	}
	for _, body := range []string{"", "hello"} {
		assert.Equal(t, 200, deliver(t, h, next, body))
	}
	assert.Equal(t, 413, deliver(t, h, next, "hello!"))
	chunked := httptest.NewRequest("POST", "/", io.MultiReader(strings.NewReader("hello!"))) // of unknown length
	require.NoError(t, h.Sign(chunked.Header, "", []byte("hello!")))
	assert.Equal(t, 413, serve(h, next, chunked))
	broken := httptest.NewRequest("POST", "/", iotest.ErrReader(errors.New("reset")))
	require.NoError(t, h.Sign(broken.Header, "", []byte("hello")))
	assert.Equal(t, 400, serve(h, next, broken))
	unsigned := httptest.NewRequest("POST", "/", strings.NewReader("hello"))
	assert.Equal(t, 403, serve(h, next, unsigned))
	wrong := httptest.NewRequest("POST", "/", strings.NewReader("hello"))
	require.NoError(t, h.Sign(wrong.Header, "", []byte("hellO")))
	e, wrong := exchange.Of(wrong)
	assert.Equal(t, 403, serve(h, next, wrong))
	require.ErrorIs(t, e.Fault, webhook.ErrSignature, "for the log")
	assert.Equal(t, []string{"", "hello"}, got, "and nobody else enters")
}

// A body that is waited for is not asked for, as by 100 Continue, when the header is refused anyway.
func TestTheBodyOfWhatIsNotSignedIsNotRead(t *testing.T) {
	h := hook(t, webhook.Options{Provider: "stripe", Secrets: []string{"some secret"}})
	late := http.Header{}
	synctest.Test(t, func(t *testing.T) { require.NoError(t, h.Sign(late, "", nil)) }) // in the year 2000
	for name, header := range map[string]http.Header{"none": {}, "malformed": {"Stripe-Signature": {"x"}}, "too old": late} {
		r := httptest.NewRequest("POST", "/", unread{t})
		r.Header = header
		assert.Equal(t, 403, serve(h, fine, r), name)
	}
}

// unread is a body that nobody may read.
type unread struct{ t *testing.T }

func (u unread) Read([]byte) (int, error) {
	u.t.Error("the body is read")
	return 0, io.EOF
}

func TestReplaysAreRefused(t *testing.T) {
	for _, provider := range []string{"stripe", "github", "standard"} {
		synctest.Test(t, func(t *testing.T) {
			o := documented[provider].o
			memory := webhook.NewMemory(0)
			o.Replays = memory
			h := hook(t, o)
			body := []byte("body")
			sent := http.Header{}
			require.NoError(t, h.Sign(sent, "msg_1", body))
			require.NoError(t, h.Verify(t.Context(), sent, body))
			for range 3 {
				require.ErrorIs(t, h.Verify(t.Context(), sent, body), webhook.ErrReplay)
			}
			forged := sent.Clone()
			require.ErrorIs(t, h.Verify(t.Context(), forged, []byte("x")), webhook.ErrSignature)
			assert.Equal(t, 1, memory.Len(), "only what holds is remembered")
			time.Sleep(webhook.DefaultTolerance)
			require.ErrorIs(t, h.Verify(t.Context(), sent, body), webhook.ErrReplay)
			time.Sleep(webhook.DefaultReplayTTL)
			if provider != "github" {
				require.ErrorIs(t, h.Verify(t.Context(), sent, body), webhook.ErrTime)
			}
			again := http.Header{}
			require.NoError(t, h.Sign(again, "msg_1", body))
			require.NoError(t, h.Verify(t.Context(), again, body), "sent again, later")
			assert.Equal(t, 1, memory.Len(), "what has ended is dropped")
		})
	}
}

// One message may be for several routes, and is one for each of them.
func TestReplaysAreOfTheirRoute(t *testing.T) {
	o := documented["github"].o
	o.Replays = webhook.NewMemory(0)
	h := hook(t, o)
	verify := func(route string) error {
		e, r := exchange.Of(httptest.NewRequest("POST", "/", nil))
		e.Route = route
		require.NoError(t, h.Sign(r.Header, "", []byte("body")))
		return h.Verify(r.Context(), r.Header, []byte("body"))
	}
	require.NoError(t, verify("/a"))
	require.NoError(t, verify("/b"))
	require.ErrorIs(t, verify("/a"), webhook.ErrReplay)
}

// A message with an id is known by it, though it was sent again with another time.
func TestAMessageIsKnownByItsID(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		o := documented["standard"].o
		o.Replays = webhook.NewMemory(0)
		h := hook(t, o)
		verify := func(id string) error {
			sent := http.Header{}
			require.NoError(t, h.Sign(sent, id, []byte("body")))
			return h.Verify(t.Context(), sent, []byte("body"))
		}
		require.NoError(t, verify("msg_1"))
		time.Sleep(time.Minute)
		require.ErrorIs(t, verify("msg_1"), webhook.ErrReplay)
		require.NoError(t, verify("msg_2"))
	})
}

func TestAMessageWithTwoSignaturesIsOne(t *testing.T) {
	o := webhook.Options{Provider: "stripe", Secrets: []string{"new secret", "old secret"}, Replays: webhook.NewMemory(0)}
	h := hook(t, o)
	sent := http.Header{}
	require.NoError(t, h.Sign(sent, "", nil))
	require.NoError(t, h.Verify(t.Context(), sent, nil))
	parts := strings.Split(sent.Get("Stripe-Signature"), ",")
	for _, one := range parts[1:] {
		sent.Set("Stripe-Signature", parts[0]+","+one)
		require.ErrorIs(t, h.Verify(t.Context(), sent, nil), webhook.ErrReplay)
	}
}

func TestAWebhookThatFailedMayComeAgain(t *testing.T) {
	h := hook(t, webhook.Options{Provider: "github", Secrets: []string{"some secret"}, Replays: webhook.NewMemory(0)})
	assert.Equal(t, 500, deliver(t, h, func(w http.ResponseWriter, _ *http.Request) { w.WriteHeader(500) }, "a"))
	assert.Equal(t, 200, deliver(t, h, func(_ http.ResponseWriter, r *http.Request) {
		exchange.From(r.Context()).Fault = errors.New("x") // for which somebody else answers
	}, "a"))
	assert.PanicsWithValue(t, "x", func() { deliver(t, h, func(http.ResponseWriter, *http.Request) { panic("x") }, "a") })
	for _, status := range []int{302, 400, 404, 408, 422, 429, 503} {
		assert.Equal(t, status, deliver(t, h, func(w http.ResponseWriter, _ *http.Request) { w.WriteHeader(status) }, "a"), "senders try these again")
	}
	assert.Equal(t, 202, deliver(t, h, func(w http.ResponseWriter, _ *http.Request) { w.WriteHeader(202) }, "a"))
	assert.Equal(t, 409, deliver(t, h, fine, "a"), "it was delivered")
	assert.Equal(t, 200, deliver(t, h, func(w http.ResponseWriter, _ *http.Request) {
		assert.NoError(t, http.NewResponseController(w).Flush(), "the writer can do what it could")
	}, "b"))
}

type downReplays struct{ webhook.Replays }

func (downReplays) Seen(context.Context, string, time.Duration) (bool, error) {
	return false, errors.New("down")
}

func TestWhenReplaysCannotBeRememberedNobodyEnters(t *testing.T) {
	for _, store := range []webhook.Replays{downReplays{}, func() webhook.Replays {
		full := webhook.NewMemory(1)
		_, err := full.Seen(t.Context(), "x", time.Hour)
		require.NoError(t, err)
		return full
	}()} {
		h := hook(t, webhook.Options{Provider: "github", Secrets: []string{"some secret"}, Replays: store})
		entered := false
		assert.Equal(t, 503, deliver(t, h, func(http.ResponseWriter, *http.Request) { entered = true }, "a"))
		assert.False(t, entered)
	}
}

func TestOneOfManyAtOnceEnters(t *testing.T) {
	h := hook(t, webhook.Options{Provider: "github", Secrets: []string{"some secret"}, Replays: webhook.NewMemory(0)})
	codes := make(chan int, 50)
	for range cap(codes) {
		go func() { codes <- deliver(t, h, fine, "a") }()
	}
	count := map[int]int{}
	for range cap(codes) {
		count[<-codes]++
	}
	assert.Equal(t, map[int]int{200: 1, 409: 49}, count)
}
