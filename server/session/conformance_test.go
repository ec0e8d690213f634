package session_test

import (
	"context"
	"fmt"
	"slices"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"rws/server/session"
)

// id makes one of the length that all have.
func id(text string) string { return text + strings.Repeat("_", 43-len(text)) }

func record(text, user string, lasts time.Duration) *session.Record {
	now := time.UnixMilli(time.Now().UnixMilli())
	return &session.Record{
		ID: id(text), User: user, Data: []byte(`{"name":"Zoë 😀","n":9007199254740993}`),
		Created: now.Add(-time.Hour), Seen: now, Expires: now.Add(lasts), Version: 1,
	}
}

// TestStores is what every store promises.
func TestStores(t *testing.T) {
	for name, open := range stores() {
		t.Run(name, func(t *testing.T) {
			for promise, f := range promises() {
				t.Run(promise, func(t *testing.T) { f(t, open(t)) })
			}
		})
	}
}

func promises() map[string]func(*testing.T, session.Store) {
	return map[string]func(*testing.T, session.Store){
		"comes back whole": comesBackWhole, "changes one version": changesOneVersion, "ends": ends,
		"is listed": isListed, "is touched": isTouched, "one of many wins": oneOfManyWins,
	}
}

func TestACluster(t *testing.T) {
	s := cluster(t)
	for promise, f := range promises() {
		records, err := s.List(t.Context(), "", 1000)
		require.NoError(t, err)
		for _, r := range records {
			_, err := s.Remove(t.Context(), r.ID, 0)
			require.NoError(t, err)
		}
		t.Run(promise, func(t *testing.T) { f(t, s) })
	}
}

func comesBackWhole(t *testing.T, s session.Store) {
	ctx := t.Context()
	got, err := s.Get(ctx, id("a"))
	require.NoError(t, err)
	assert.Nil(t, got)
	r := record("a", "Änn", time.Hour)
	require.NoError(t, s.Create(ctx, r))
	require.Error(t, s.Create(ctx, r), "the id is not new")
	got, err = s.Get(ctx, r.ID)
	require.NoError(t, err)
	assert.Equal(t, r, got)
	got, err = s.Get(ctx, strings.ToUpper(r.ID))
	require.NoError(t, err)
	assert.Nil(t, got, "ids have case")
}

func changesOneVersion(t *testing.T, s session.Store) {
	ctx := t.Context()
	r := record("a", "", time.Hour)
	swap := func(version int64) bool {
		t.Helper()
		ok, err := s.Swap(ctx, r, version)
		require.NoError(t, err)
		return ok
	}
	remove := func(version int64) bool {
		t.Helper()
		ok, err := s.Remove(ctx, r.ID, version)
		require.NoError(t, err)
		return ok
	}
	assert.False(t, swap(1), "it is not there")
	assert.False(t, remove(0))
	require.NoError(t, s.Create(ctx, r))
	r.Version, r.Data, r.User = 2, []byte(`{"x":1}`), "ann"
	assert.False(t, swap(2))
	assert.True(t, swap(1))
	assert.False(t, swap(1))
	got, err := s.Get(ctx, r.ID)
	require.NoError(t, err)
	assert.Equal(t, r, got)
	assert.False(t, remove(1), "another version")
	assert.True(t, remove(2))
	assert.False(t, remove(2))
	assert.False(t, swap(2), "what was removed does not come back")
	require.NoError(t, s.Touch(ctx, r))
	got, err = s.Get(ctx, r.ID)
	require.NoError(t, err)
	assert.Nil(t, got)
	require.NoError(t, s.Create(ctx, r))
	assert.True(t, remove(0), "any version")
}

func ends(t *testing.T, s session.Store) {
	ctx := t.Context()
	short, long := record("short", "ann", 200*time.Millisecond), record("long", "ann", time.Hour)
	require.NoError(t, s.Create(ctx, short))
	require.NoError(t, s.Create(ctx, long))
	require.Eventually(t, func() bool {
		r, err := s.Get(ctx, short.ID)
		return err == nil && r == nil
	}, soon, 5*time.Millisecond)
	ok, err := s.Swap(ctx, short, 1)
	require.NoError(t, err)
	assert.False(t, ok)
	ok, err = s.Remove(ctx, short.ID, 0)
	require.NoError(t, err)
	assert.False(t, ok)
	list, err := s.List(ctx, "ann", 10)
	require.NoError(t, err)
	assert.Equal(t, []*session.Record{long}, list)
	n, err := s.Purge(ctx, time.Now())
	require.NoError(t, err)
	if _, redis := s.(*session.Redis); !redis {
		assert.Equal(t, 1, n)
	}
	n, err = s.Purge(ctx, time.Now())
	require.NoError(t, err)
	assert.Zero(t, n)
	got, err := s.Get(ctx, long.ID)
	require.NoError(t, err)
	assert.Equal(t, long, got)
}

func isListed(t *testing.T, s session.Store) {
	ctx := t.Context()
	for i := range 5 {
		require.NoError(t, s.Create(ctx, record(fmt.Sprint("ann", i), "ann", time.Hour)))
	}
	require.NoError(t, s.Create(ctx, record("Ann", "Ann", time.Hour)))
	require.NoError(t, s.Create(ctx, record("nobody", "", time.Hour)))
	moved := record("moved", "ann", time.Hour)
	require.NoError(t, s.Create(ctx, moved))
	moved.User, moved.Version = "bob", 2
	ok, err := s.Swap(ctx, moved, 1)
	require.NoError(t, err)
	require.True(t, ok)
	list := func(user string, limit int) []string {
		t.Helper()
		records, err := s.List(ctx, user, limit)
		require.NoError(t, err)
		var names []string
		for _, r := range records {
			names = append(names, strings.Trim(r.ID, "_"))
		}
		slices.Sort(names)
		return names
	}
	assert.Equal(t, []string{"ann0", "ann1", "ann2", "ann3", "ann4"}, list("ann", 100), "users have case")
	assert.Equal(t, []string{"moved"}, list("bob", 100))
	assert.Equal(t, []string{"Ann", "ann0", "ann1", "ann2", "ann3", "ann4", "moved", "nobody"}, list("", 100))
	assert.Len(t, list("", 3), 3)
	assert.Empty(t, list("carl", 100))
}

func isTouched(t *testing.T, s session.Store) {
	ctx := t.Context()
	r := record("a", "ann", time.Hour)
	require.NoError(t, s.Create(ctx, r))
	later := *r
	later.Seen, later.Expires = r.Seen.Add(time.Minute), r.Expires.Add(time.Minute)
	require.NoError(t, s.Touch(ctx, &later))
	require.NoError(t, s.Touch(ctx, r), "an earlier one changes nothing")
	got, err := s.Get(ctx, r.ID)
	require.NoError(t, err)
	assert.Equal(t, &later, got)
}

func oneOfManyWins(t *testing.T, s session.Store) {
	r := record("a", "", time.Hour)
	require.NoError(t, s.Create(t.Context(), r))
	var wins atomic.Int64
	var wg sync.WaitGroup
	for range 16 {
		wg.Go(func() {
			mine := *r
			mine.Version = 2
			ok, err := s.Swap(context.Background(), &mine, 1)
			assert.NoError(t, err)
			if ok {
				wins.Add(1)
			}
		})
	}
	wg.Wait()
	assert.Equal(t, int64(1), wins.Load())
}

func TestMemoryIsBound(t *testing.T) {
	m := session.NewMemory(100)
	for i := range 1000 {
		require.NoError(t, m.Create(t.Context(), record(fmt.Sprint(i), "", time.Hour)))
	}
	list, err := m.List(t.Context(), "", 1000)
	require.NoError(t, err)
	assert.Len(t, list, 100)
}
