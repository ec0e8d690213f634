package exchange_test

import (
	"context"
	"errors"
	"net/http/httptest"
	"net/netip"
	"regexp"
	"strings"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"rws/server/exchange"
)

func TestFromFindsTheExchangeUnderOtherContexts(t *testing.T) {
	r := httptest.NewRequest("GET", "/", nil)
	assert.Nil(t, exchange.From(r.Context()))
	e := exchange.New(r)
	assert.Same(t, e, exchange.From(e))
	type key struct{}
	assert.Same(t, e, exchange.From(context.WithValue(e, key{}, 1)))
	assert.Same(t, e, exchange.From(r.WithContext(e).Context()))
}

func TestOfMakesOneWhereThereIsNone(t *testing.T) {
	plain := httptest.NewRequest("GET", "/", nil)
	e, r := exchange.Of(plain)
	require.NotNil(t, e)
	assert.Same(t, e, exchange.From(r.Context()))
	again, same := exchange.Of(r)
	assert.Same(t, e, again)
	assert.Same(t, r, same)
}

func TestID(t *testing.T) {
	made := regexp.MustCompile(`^[a-z2-7]{14}$`)
	for sent, kept := range map[string]bool{
		"a": true, "7f3a91": true, "A-b_c.9": true, strings.Repeat("x", 64): true,
		"": false, strings.Repeat("x", 65): false, "a b": false, "a\nb": false, "ä": false, "a;b": false,
	} {
		r := httptest.NewRequest("GET", "/", nil)
		r.Header.Set("X-Request-Id", sent)
		e := exchange.New(r)
		if kept {
			assert.Equal(t, sent, e.ID())
			continue
		}
		assert.Regexp(t, made, e.ID(), "in place of %q", sent)
		assert.Equal(t, e.ID(), e.ID(), "an id stays")
	}
}

// The timer of a time limit names the request while a handler may still give it its id.
func TestTheIDMayBeAskedForWhileItIsSet(t *testing.T) {
	e := exchange.New(httptest.NewRequest("GET", "/", nil))
	var asking sync.WaitGroup
	asking.Go(func() { _ = e.ID() })
	e.SetID("abc")
	asking.Wait()
	assert.Equal(t, "abc", e.ID())
}

func TestTwoIDsAreNone(t *testing.T) {
	r := httptest.NewRequest("GET", "/", nil)
	r.Header["X-Request-Id"] = []string{"one", "two"}
	assert.NotContains(t, []string{"one", "two"}, exchange.New(r).ID())
}

func TestIDsDoNotRepeatAndDoNotCount(t *testing.T) {
	seen := map[string]bool{}
	r := httptest.NewRequest("GET", "/", nil)
	for range 10_000 {
		seen[exchange.New(r).ID()] = true
	}
	assert.Len(t, seen, 10_000)
}

func TestClientIP(t *testing.T) {
	for remote, want := range map[string]netip.Addr{
		"192.0.2.1:1234":          netip.MustParseAddr("192.0.2.1"),
		"[2001:db8::1]:80":        netip.MustParseAddr("2001:db8::1"),
		"[::ffff:192.0.2.1]:1234": netip.MustParseAddr("192.0.2.1"),
		"@":                       {},
		"":                        {},
	} {
		r := httptest.NewRequest("GET", "/", nil)
		r.RemoteAddr = remote
		e := exchange.New(r)
		assert.Equal(t, want, e.ClientIP(), remote)
		e.Client = netip.MustParseAddr("198.51.100.7")
		assert.Equal(t, e.Client, e.ClientIP(), "what middleware knows wins")
	}
}

// under makes an Exchange whose request context is ctx.
func under(ctx context.Context, life *exchange.Life) *exchange.Exchange {
	e := &exchange.Exchange{}
	e.Begin(httptest.NewRequest("GET", "/", nil).WithContext(ctx), life)
	return e
}

func TestItEndsWithTheRequest(t *testing.T) {
	cause := errors.New("gone")
	parent, cancel := context.WithCancelCause(t.Context())
	e := under(parent, nil)
	require.NoError(t, e.Err())
	done := e.Done()
	cancel(cause)
	<-done
	assert.Equal(t, context.Canceled, e.Err())
	assert.Equal(t, cause, context.Cause(e))
}

func TestItEndsByForce(t *testing.T) {
	cause := errors.New("replaced")
	force, end := context.WithCancelCause(t.Context())
	asked, unasked := under(t.Context(), &exchange.Life{Force: force}), under(t.Context(), &exchange.Life{Force: force})
	defer asked.End()
	defer unasked.End()
	done := asked.Done()
	child, cancel := context.WithCancel(asked)
	defer cancel()
	require.NoError(t, asked.Err())
	end(cause)
	<-done
	<-child.Done()
	assert.Equal(t, cause, context.Cause(asked))
	assert.Equal(t, cause, context.Cause(child))
	assert.Equal(t, context.Canceled, unasked.Err(), "also when nobody waited")
	assert.Equal(t, cause, context.Cause(unasked))
	<-unasked.Done()
}

func TestItEndsWithEnd(t *testing.T) {
	asked, unasked := under(context.Background(), nil), under(context.Background(), nil)
	done := asked.Done()
	asked.End()
	unasked.End()
	<-done
	<-unasked.Done()
	assert.Equal(t, context.Canceled, asked.Err())
	assert.Equal(t, context.Canceled, unasked.Err())
}

func TestLimit(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		start := time.Now()
		e := under(context.Background(), nil)
		defer e.End()
		_, ok := e.Deadline()
		assert.False(t, ok)
		e.Limit(time.Minute)
		e.Limit(time.Hour) // never later
		at, ok := e.Deadline()
		assert.True(t, ok)
		assert.Equal(t, start.Add(time.Minute), at)

		child, cancel := context.WithCancel(e)
		defer cancel()
		time.Sleep(time.Minute - 1)
		require.NoError(t, e.Err())
		<-child.Done()
		assert.Equal(t, start.Add(time.Minute), time.Now())
		assert.Equal(t, context.DeadlineExceeded, e.Err())
		assert.Equal(t, context.DeadlineExceeded, child.Err())

		unasked := under(context.Background(), nil)
		unasked.Limit(time.Second)
		time.Sleep(time.Second)
		assert.Equal(t, context.DeadlineExceeded, unasked.Err(), "also when nobody waited")
	})
}

func TestTheSoonerDeadlineCounts(t *testing.T) {
	parent, cancel := context.WithTimeout(t.Context(), time.Minute)
	defer cancel()
	e := under(parent, nil)
	e.Limit(time.Hour)
	got, _ := e.Deadline()
	want, _ := parent.Deadline()
	assert.Equal(t, want, got)
}

func BenchmarkUse(b *testing.B) {
	r := httptest.NewRequest("GET", "/", nil)
	life := &exchange.Life{Force: b.Context()}
	b.Run("plain", func(b *testing.B) {
		b.ReportAllocs()
		for b.Loop() {
			e := &exchange.Exchange{}
			e.Begin(r, life)
			e.End()
		}
	})
	b.Run("waited for", func(b *testing.B) {
		b.ReportAllocs()
		for b.Loop() {
			e := &exchange.Exchange{}
			e.Begin(r, life)
			e.Done()
			e.End()
		}
	})
	b.Run("outlives", func(b *testing.B) {
		b.ReportAllocs()
		for b.Loop() {
			e := &exchange.Exchange{}
			e.Begin(r, life)
			e.Outlive()
			e.End()
		}
	})
	b.Run("id", func(b *testing.B) {
		b.ReportAllocs()
		e := exchange.New(r)
		for b.Loop() {
			e.ID()
		}
	})
}

func FuzzID(f *testing.F) {
	for _, seed := range []string{"", "abc", "a b", "\x00", "ä", "../x"} {
		f.Add(seed)
	}
	sane := regexp.MustCompile(`^[A-Za-z0-9._-]{1,64}$`)
	f.Fuzz(func(t *testing.T, sent string) {
		r := httptest.NewRequest("GET", "/", nil)
		r.Header.Set("X-Request-Id", sent)
		id := exchange.New(r).ID()
		if !sane.MatchString(id) || sane.MatchString(sent) && id != sent {
			t.Errorf("%q gave %q", sent, id)
		}
	})
}
