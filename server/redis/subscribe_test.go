package redis_test

import (
	"context"
	"fmt"
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"rws/server/redis"
	"rws/spec_test/peers"
)

func next(t *testing.T, s *redis.Subscription) redis.Message {
	t.Helper()
	ctx, cancel := context.WithTimeout(t.Context(), 20*time.Second)
	defer cancel()
	m, err := s.Next(ctx)
	require.NoError(t, err)
	return m
}

func TestMessagesArriveByNameAndPattern(t *testing.T) {
	c := open(t, peers.RedisServer(t).URL())
	s, err := c.Subscribe(t.Context(), []string{"a"}, []string{"news.*"})
	require.NoError(t, err)
	defer s.Close()
	for _, channel := range []string{"a", "b", "news.local"} {
		soon(t, "subscribed", func() bool {
			n, err := c.Publish(t.Context(), channel, "to "+channel)
			return err == nil && (n == 1 || channel == "b")
		})
	}
	assert.Equal(t, redis.Message{Channel: "a", Payload: "to a"}, next(t, s))
	assert.Equal(t, redis.Message{Channel: "news.local", Pattern: "news.*", Payload: "to news.local"}, next(t, s))
	ctx, cancel := context.WithTimeout(t.Context(), 20*time.Millisecond)
	defer cancel()
	_, err = s.Next(ctx)
	require.ErrorIs(t, err, context.DeadlineExceeded)
	assert.Zero(t, s.Resumed())

	done := make(chan error)
	go func() { _, err := s.Next(context.Background()); done <- err }()
	require.NoError(t, s.Close())
	require.ErrorIs(t, <-done, redis.ErrUnsubscribed)
}

func TestSubscribingNeedsAServerAndAName(t *testing.T) {
	_, err := open(t, "redis://127.0.0.1:1").Subscribe(t.Context(), []string{"a"}, nil)
	require.ErrorContains(t, err, "connection refused")
	_, err = open(t, "redis://127.0.0.1:1").Subscribe(t.Context(), nil, nil)
	require.ErrorContains(t, err, "no channel and no pattern")
}

func TestASubscriptionSurvivesTheServer(t *testing.T) {
	server := peers.RedisServer(t)
	c := open(t, server.URL())
	s, err := c.Subscribe(t.Context(), []string{"a"}, []string{"b*"})
	require.NoError(t, err)
	defer s.Close()
	got := make(chan string, 1000)
	go func() {
		for {
			m, err := s.Next(context.Background())
			if err != nil {
				close(got)
				return
			}
			got <- m.Payload
		}
	}()
	server.Stop(t)
	server.Start(t)
	n := 0
	soon(t, "a message after the restart", func() bool {
		n++
		_, _ = c.Publish(t.Context(), "a", fmt.Sprint(n))
		return len(got) > 0
	})
	soon(t, "the break is told", func() bool { return s.Resumed() == 1 })
	require.NoError(t, s.Close())
	for range got {
	}
}
