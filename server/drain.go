package server

import (
	"context"
	"errors"
	"fmt"
	"sync"
	"time"

	"rws/server/cancel"
)

// lastWords is how long requests may take to return when their contexts have ended, and streams that
// have no end of their own to end before that.
const (
	lastWords   = 2 * time.Second
	streamWords = 5 * time.Second
)

// beginLife makes what the requests learn from that their time is up.
func (h *Handler) beginLife() {
	leaving, force, last := make(chan struct{}), new(cancel.Context), new(cancel.Context)
	h.leave = sync.OnceFunc(func() { close(leaving) })
	h.force = func(cause error) { force.End(context.Canceled, cause) }
	h.last = func(cause error) { last.End(context.Canceled, cause) }
	h.life.Leaving, h.life.Force, h.life.Last = leaving, force, last
	h.life.LastWords = streamWords
	if grace := h.settings.StopGrace; grace > 0 {
		h.life.LastWords = min(streamWords, grace/2)
	}
	h.life.Stopping, h.halt = h.around.stopping, func() {}
	if h.life.Stopping == nil {
		stopping := make(chan struct{})
		h.life.Stopping, h.halt = stopping, sync.OnceFunc(func() { close(stopping) })
	}
}

// enter counts a request in; it reports false when the handler takes no more. Either the one
// who retires the handler sees the count, or we see that it is retired.
func (h *Handler) enter() bool {
	h.inflight.Add(1)
	if !h.retired.Load() {
		return true
	}
	h.exit()
	return false
}

func (h *Handler) exit() {
	if h.inflight.Add(-1) == 0 && h.retired.Load() {
		h.onIdle()
	}
}

// retire takes no more requests, and tells those that are here.
func (h *Handler) retire() {
	h.leave()
	h.inflight.Add(1) // so that exit below notices when nobody is here
	h.retired.Store(true)
	h.exit()
}

// closing is how long App.Close may take.
const closing = 10 * time.Second

func (h *Handler) closeApp() error {
	h.force(ErrStopped) // frees the contexts; nobody is left to hear it
	h.last(ErrStopped)
	ctx, cancel := context.WithTimeout(context.Background(), closing)
	defer cancel()
	return h.onClose(ctx)
}

// Why the context of a request ended before the request did, as [context.Cause] tells.
var (
	ErrReplaced = errors.New("the app was replaced, and the request took longer than the grace")
	ErrStopped  = errors.New("the server stops, and the request took longer than the grace")
)

// rests waits until the last request has returned, and reports false if ctx is done before.
func (h *Handler) rests(ctx context.Context) bool {
	select {
	case <-h.idle:
		return true
	case <-ctx.Done():
		return false
	}
}

// drain retires the handler and waits for the requests until ctx is done, then ends their contexts. It
// returns how many it had to end.
func (h *Handler) drain(ctx context.Context) (ended int64) {
	h.retire()
	if h.rests(ctx) {
		return 0
	}
	ended = h.inflight.Load()
	h.force(ErrStopped)
	h.last(ErrStopped)
	h.hearLastWords()
	return ended
}

// giveWay is drain for an app that was replaced: when grace is done it ends the contexts of those requests
// that do not outlive the app, and the others when stop is. late gets the number of either.
func (h *Handler) giveWay(grace, stop context.Context, late func(ended int64)) {
	h.retire()
	if h.rests(grace) {
		return
	}
	late(h.inflight.Load() - h.life.Outliving())
	h.force(ErrReplaced)
	if h.life.Outliving() > 0 {
		if h.rests(stop) {
			return
		}
		late(h.life.Outliving())
		h.last(ErrStopped)
	}
	h.hearLastWords()
}

// hearLastWords gives requests whose contexts have ended a moment to return.
func (h *Handler) hearLastWords() {
	ctx, cancel := context.WithTimeout(context.Background(), lastWords)
	defer cancel()
	if !h.rests(ctx) {
		h.around.log.Error("requests go on although their contexts have ended; the app is closed under them", "requests", h.inflight.Load())
	}
}

// Close takes no more requests, waits for those in flight until ctx is done, then ends their
// contexts, and closes the app. A [Server] does this by itself.
func (h *Handler) Close(ctx context.Context) error {
	h.halt()
	return errors.Join(brokenOff(h.drain(ctx)), h.closeApp())
}

// brokenOff is the error that tells how many requests did not end in time.
func brokenOff(n int64) error {
	if n <= 0 {
		return nil
	}
	return fmt.Errorf("broke off %d request(s) that took longer than the grace", n)
}
