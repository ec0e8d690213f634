package session_test

import (
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"rws/server/secret"
	"rws/server/session"
	"rws/spec_test/peers"
)

func TestSessionsOfAUserAreListedAndRevoked(t *testing.T) {
	for name, open := range managers(session.Options{}) {
		if name == "cookie" {
			continue
		}
		t.Run(name, func(t *testing.T) {
			m := open(t)
			var ann []*browser
			for range 3 {
				b := &browser{m: m}
				b.set(t, "uid", "ann")
				ann = append(ann, b)
			}
			bob := &browser{m: m}
			bob.set(t, "uid", 7)
			list, err := m.List(t.Context(), "ann", 10)
			require.NoError(t, err)
			require.Len(t, list, 3)
			assert.Equal(t, []string{"uid"}, list[0].Keys)
			assert.Equal(t, len(`{"uid":"ann"}`), list[0].Size)
			assert.WithinDuration(t, time.Now().Add(session.DefaultIdle), list[0].Expires, time.Minute)
			for _, b := range ann {
				for _, info := range list {
					assert.NotContains(t, b.pair, info.ID, "the list lets nobody log in")
				}
			}
			var mine string
			ann[0].request(t, func(s *session.Session) {
				mine, err = s.ID(t.Context())
				require.NoError(t, err)
			})
			n, err := m.RevokeUser(t.Context(), "ann", mine)
			require.NoError(t, err)
			assert.Equal(t, 2, n)
			assert.Equal(t, "ann", ann[0].get(t, "uid"))
			assert.Nil(t, ann[1].get(t, "uid"))
			ok, err := m.Revoke(t.Context(), mine)
			require.NoError(t, err)
			assert.True(t, ok)
			assert.Nil(t, ann[0].get(t, "uid"))
			assert.Equal(t, int64(7), bob.get(t, "uid"))
			_, err = m.RevokeUser(t.Context(), "")
			require.ErrorContains(t, err, "needs the user")
		})
	}
	m := manager(t, session.Options{Keys: secret.Random()})
	_, err := m.List(t.Context(), "", 1)
	require.ErrorIs(t, err, session.ErrNoStore)
	_, err = m.Revoke(t.Context(), "x")
	require.ErrorIs(t, err, session.ErrNoStore)
	_, err = m.RevokeUser(t.Context(), "x")
	require.ErrorIs(t, err, session.ErrNoStore)
}

func TestUsersAreToldApart(t *testing.T) {
	for name, open := range stores() {
		t.Run(name, func(t *testing.T) {
			m := manager(t, session.Options{Store: open(t)})
			users := []string{"ann", "ann ", "Ann", "änn"}
			browsers := make(map[string]*browser)
			for _, user := range users {
				browsers[user] = &browser{m: m}
				browsers[user].set(t, "uid", user)
			}
			for _, user := range users {
				list, err := m.List(t.Context(), user, 10)
				require.NoError(t, err)
				assert.Len(t, list, 1, "%q", user)
			}
			n, err := m.RevokeUser(t.Context(), "ann")
			require.NoError(t, err)
			assert.Equal(t, 1, n)
			assert.Equal(t, "ann ", browsers["ann "].get(t, "uid"), "another user stays logged in")
		})
	}
}

// A stolen session must be found to be revoked, however often its user logged in and out since.
func TestSessionsBehindManyThatEndedAreFound(t *testing.T) {
	for name, open := range stores() {
		t.Run(name, func(t *testing.T) {
			m := manager(t, session.Options{Store: open(t)})
			first := &browser{m: m}
			first.set(t, "uid", "ann")
			for range 600 {
				b := &browser{m: m}
				b.set(t, "uid", "ann")
				b.request(t, func(s *session.Session) { require.NoError(t, s.Destroy(t.Context())) })
			}
			for limit := range 2 {
				list, err := m.List(t.Context(), "ann", limit)
				require.NoError(t, err)
				assert.Len(t, list, limit)
			}
			n, err := m.RevokeUser(t.Context(), "ann")
			require.NoError(t, err)
			assert.Equal(t, 1, n)
			assert.Nil(t, first.get(t, "uid"))
		})
	}
}

func TestAllOfManySessionsAreRevoked(t *testing.T) {
	m := manager(t, session.Options{Store: session.NewRedis(client(t, peers.Redis(t)), "")})
	for range 1100 {
		(&browser{m: m}).set(t, "uid", "ann")
	}
	n, err := m.RevokeUser(t.Context(), "ann")
	require.NoError(t, err)
	assert.Equal(t, 1100, n)
}
