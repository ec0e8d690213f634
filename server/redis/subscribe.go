package redis

import (
	"context"
	"errors"
	"sync/atomic"
	"time"

	goredis "github.com/redis/go-redis/v9"
)

// ErrUnsubscribed is what Next returns after Close.
var ErrUnsubscribed = errors.New("redis: the subscription is closed")

// Message was published to a channel.
type Message struct {
	Channel string
	Pattern string // that matched, "" for a channel subscribed by name
	Payload string
}

// Subscription receives messages on a connection of its own. When that breaks, it connects and
// subscribes again by itself, for as long as it takes; what is published meanwhile is lost, as
// always in Redis. Safe for concurrent use; close it.
type Subscription struct {
	pubsub    *goredis.PubSub
	events    <-chan any
	confirmed int64 // confirmations that were asked for at first
	seen      atomic.Int64
}

// backlog is how many messages wait for a slow reader; one more for a minute is dropped.
const backlog = 1024

// Subscribe listens to channels by name and to patterns such as "news.*". It returns when the
// server has confirmed the first of them, so that what is published afterwards arrives.
func (c *Client) Subscribe(ctx context.Context, channels, patterns []string) (*Subscription, error) {
	if len(channels)+len(patterns) == 0 {
		return nil, &Error{Code: "argument", Command: "SUBSCRIBE", Message: "no channel and no pattern is given"}
	}
	pubsub := c.rdb.Subscribe(ctx)
	err := subscribe(ctx, pubsub, channels, patterns)
	if err != nil {
		pubsub.Close()
		return nil, c.fail("SUBSCRIBE", err)
	}
	s := &Subscription{pubsub: pubsub, confirmed: int64(len(channels) + len(patterns))}
	s.events = pubsub.ChannelWithSubscriptions(goredis.WithChannelSize(backlog), goredis.WithChannelSendTimeout(time.Minute))
	return s, nil
}

// subscribe sends the names and waits for all confirmations.
func subscribe(ctx context.Context, pubsub *goredis.PubSub, channels, patterns []string) error {
	if len(channels) > 0 {
		if err := pubsub.Subscribe(ctx, channels...); err != nil {
			return err
		}
	}
	if len(patterns) > 0 {
		if err := pubsub.PSubscribe(ctx, patterns...); err != nil {
			return err
		}
	}
	_, err := pubsub.ReceiveTimeout(ctx, DefaultTimeout)
	return err
}

// Next returns the next message. It waits until ctx ends, or returns [ErrUnsubscribed].
func (s *Subscription) Next(ctx context.Context) (Message, error) {
	for {
		select {
		case <-ctx.Done():
			return Message{}, ctx.Err()
		case event, ok := <-s.events:
			if !ok {
				return Message{}, ErrUnsubscribed
			}
			if m, ok := event.(*goredis.Message); ok {
				return Message{Channel: m.Channel, Pattern: m.Pattern, Payload: m.Payload}, nil
			}
			s.seen.Add(1) // a confirmation
		}
	}
}

// Resumed reports how many times the connection broke and was made again, as far as Next has
// seen; messages may have been lost each time.
func (s *Subscription) Resumed() int {
	// The first confirmation is taken by Subscribe.
	return int(max(0, s.seen.Load()+1-s.confirmed) / s.confirmed)
}

// Close ends the subscription.
func (s *Subscription) Close() error { return s.pubsub.Close() }

// Publish sends a message and returns how many subscribers of this server got it.
func (c *Client) Publish(ctx context.Context, channel, payload string) (int64, error) {
	n, err := c.rdb.Publish(ctx, channel, payload).Result()
	return n, c.fail("PUBLISH", err)
}
