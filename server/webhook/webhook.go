// Package webhook verifies and makes the signatures of webhooks: those of Stripe, GitHub, Shopify,
// Slack, Standard Webhooks (and Svix, whose it was), and of any other that is an HMAC of the body
// in a header.
//
// A signature is over the bytes that were sent: verify before anything decompresses or parses
// them. [Hook.Wrap] reads them, verifies, and gives them back to the handler.
package webhook

import (
	"context"
	"crypto/hmac"
	"crypto/sha256"
	"encoding/hex"
	"errors"
	"fmt"
	"hash"
	"io"
	"maps"
	"net/http"
	"slices"
	"strings"
	"time"

	"rws/server/exchange"
	"rws/server/suggest"
)

const (
	// DefaultTolerance is how far the time of a webhook may be from ours, both ways.
	DefaultTolerance = 300 * time.Second
	// MaxTolerance is more than any clock is wrong.
	MaxTolerance = 24 * time.Hour
	// DefaultMaxBody is how many bytes of body [Hook.Wrap] reads.
	DefaultMaxBody = 1 << 20
	// DefaultReplayTTL is how long webhooks that have no time are remembered.
	DefaultReplayTTL = 24 * time.Hour

	maxSecrets    = 16
	maxHeader     = 4 << 10 // bytes of a header that is read
	maxSignatures = 16      // in one header
)

// Why a webhook does not hold.
var (
	ErrMissing   = errors.New("it is not signed")
	ErrMalformed = errors.New("its signature cannot be read")
	ErrSignature = errors.New("its signature is wrong")
	ErrTime      = errors.New("its time is too far from now")
	ErrReplay    = errors.New("it has been here before")
	// ErrStore is not about the webhook: whether it has been here cannot be said.
	ErrStore = errors.New("the store of replays failed")
)

// Options of a hook. Provider and Secrets must be set.
type Options struct {
	// Provider is "stripe", "github", "shopify", "slack", "standard", "svix" or "generic".
	Provider string
	// Secrets, as the provider shows them: of 24 bytes or more for standard and svix, 16 for
	// generic, and 8 for the others. Any of them verifies, so that they can be changed;
	// the first signs, and for providers that have several signatures all do.
	Secrets []string
	// Generic describes the signature of the provider "generic".
	Generic Generic
	// Tolerance for providers that sign a time: stripe, slack, standard and svix; an error for others.
	Tolerance time.Duration
	// Replays remembers what was here; nil accepts a webhook again while its time holds, and
	// one of github, shopify and generic, which have no time, forever. What is remembered is the
	// provider, the route of the exchange and the message: the id of standard and svix, and for the
	// others all that is signed.
	Replays Replays
	// ReplayTTL is how long; default twice the tolerance, or DefaultReplayTTL without a time.
	ReplayTTL time.Duration
	// MaxBody is how many bytes of body Wrap reads; a longer one is answered with 413.
	MaxBody int64
}

// Hook verifies and signs. Safe for concurrent use; made by [New].
type Hook struct {
	o      Options
	scheme scheme
	keys   [][]byte
}

// A scheme is how one provider signs.
type scheme interface {
	// key makes the key of a secret.
	key(secret string) ([]byte, error)
	// read takes the parts of a signature out of a header.
	read(h http.Header) (claim, error)
	// head is what is signed before the body.
	head(c claim) string
	// write puts signatures into a header, the first is of the first key.
	write(h http.Header, c claim, sums [][]byte)
	// hash is that of the HMAC.
	hash() hash.Hash
	// timed reports whether a time is signed.
	timed() bool
}

// claim is what a webhook says of itself, to be verified.
type claim struct {
	id, time string   // "" where the scheme has none
	sums     [][]byte // of which one must be right
}

// providers are all there are but "generic", which is made of options.
var providers = map[string]scheme{
	"stripe":   stripe{},
	"github":   Generic{Header: "X-Hub-Signature-256", Encoding: "hex", Hash: "sha256", Prefix: "sha256="},
	"shopify":  Generic{Header: "X-Shopify-Hmac-Sha256", Encoding: "base64", Hash: "sha256"},
	"slack":    slack{},
	"standard": standard{"Webhook-"},
	"svix":     standard{"Svix-"},
}

// New checks the options. No error shows a secret.
func New(o Options) (*Hook, error) {
	h := &Hook{o: o}
	if err := h.complete(); err != nil {
		return nil, fmt.Errorf("webhook: %w", err)
	}
	return h, nil
}

func (h *Hook) complete() error {
	if err := h.setScheme(); err != nil {
		return err
	}
	if err := h.setKeys(); err != nil {
		return err
	}
	o := &h.o
	if o.Tolerance != 0 && !h.scheme.timed() {
		return fmt.Errorf("a tolerance of %s is for a time that is signed, and %s signs none: leave it out, and give a store of replays", o.Tolerance, o.Provider)
	}
	if o.Tolerance == 0 {
		o.Tolerance = DefaultTolerance
	}
	if o.MaxBody == 0 {
		o.MaxBody = DefaultMaxBody
	}
	if o.ReplayTTL == 0 {
		o.ReplayTTL = DefaultReplayTTL
		if h.scheme.timed() {
			o.ReplayTTL = 2 * o.Tolerance
		}
	}
	switch {
	case o.Tolerance < 0 || o.Tolerance > MaxTolerance:
		return fmt.Errorf("the tolerance %s: must be between 0 and %s", o.Tolerance, MaxTolerance)
	case o.MaxBody < 0:
		return fmt.Errorf("at most %d bytes of body: must be positive", o.MaxBody)
	case o.ReplayTTL < 0 || h.scheme.timed() && o.ReplayTTL < 2*o.Tolerance:
		return fmt.Errorf("replays are remembered for %s: must not be shorter than twice the tolerance of %s", o.ReplayTTL, o.Tolerance)
	}
	return nil
}

func (h *Hook) setScheme() error {
	if h.o.Provider == "generic" {
		g, err := h.o.Generic.complete()
		h.scheme = g
		return err
	}
	if h.o.Generic != (Generic{}) {
		return fmt.Errorf("the header of a generic signature is described, but the provider is %q", h.o.Provider)
	}
	var ok bool
	if h.scheme, ok = providers[h.o.Provider]; !ok {
		known := append(slices.Sorted(maps.Keys(providers)), "generic")
		return fmt.Errorf("there is no provider %q%s; known are %s", h.o.Provider, suggest.DidYouMean(h.o.Provider, known), strings.Join(known, ", "))
	}
	return nil
}

func (h *Hook) setKeys() error {
	if len(h.o.Secrets) == 0 || len(h.o.Secrets) > maxSecrets {
		return fmt.Errorf("%d secrets are given: need 1 to %d", len(h.o.Secrets), maxSecrets)
	}
	for i, secret := range h.o.Secrets {
		if strings.TrimSpace(secret) != secret || secret == "" {
			return fmt.Errorf("secret %d of %d is empty or has space around it: is its environment variable set?", i+1, len(h.o.Secrets))
		}
		key, err := h.scheme.key(secret)
		if err != nil {
			return fmt.Errorf("secret %d of %d: %w", i+1, len(h.o.Secrets), err)
		}
		h.keys = append(h.keys, key)
	}
	return nil
}

// Verify reports whether a webhook comes from whom it should, now, and with a store of replays
// for the first time. body is all of the body as it was sent. The error says why not.
func (h *Hook) Verify(ctx context.Context, header http.Header, body []byte) error {
	_, err := h.verify(ctx, header, body)
	return err
}

// claim is what the header says, as far as that holds without the body.
func (h *Hook) claim(header http.Header) (claim, error) {
	c, err := h.scheme.read(header)
	if err == nil {
		err = h.checkTime(c)
	}
	if err != nil {
		return c, h.explain(err)
	}
	return c, nil
}

// verify returns the name by which a replay is known, "" without a store.
func (h *Hook) verify(ctx context.Context, header http.Header, body []byte) (string, error) {
	c, err := h.claim(header)
	if err != nil {
		return "", err
	}
	head := h.scheme.head(c)
	if !h.matches(c, head, body) {
		return "", h.explain(ErrSignature)
	}
	if h.o.Replays == nil {
		return "", nil
	}
	name := h.name(ctx, c, head, body)
	seen, err := h.o.Replays.Seen(ctx, name, h.o.ReplayTTL)
	switch {
	case err != nil:
		return "", h.explain(fmt.Errorf("%w: %w", ErrStore, err))
	case seen:
		return "", h.explain(ErrReplay)
	}
	return name, nil
}

// name is that of a webhook in the store of replays: of the provider, the route and the message, for
// one message may be for several routes. The message is its id where it has one, so that one which is
// sent again with a new time is known, else what was signed, and not one of the sums: with two secrets
// a message has two, and could be sent with each.
func (h *Hook) name(ctx context.Context, c claim, head string, body []byte) string {
	route := ""
	if e := exchange.From(ctx); e != nil {
		route = e.Route
	}
	if c.id != "" {
		head, body = c.id, nil
	}
	return h.o.Provider + ":" + hex.EncodeToString(write(sha256.New(), route+"\x00"+head, body))
}

func (h *Hook) explain(err error) error {
	return fmt.Errorf("verifying a webhook (%s): %w", h.o.Provider, err)
}

// matches reports whether one of the sums that are claimed is right.
func (h *Hook) matches(c claim, head string, body []byte) bool {
	for _, key := range h.keys {
		want := h.sum(key, head, body)
		for _, sum := range c.sums {
			if hmac.Equal(want, sum) {
				return true
			}
		}
	}
	return false
}

// sum is the MAC of a message.
func (h *Hook) sum(key []byte, head string, body []byte) []byte {
	return write(hmac.New(h.scheme.hash, key), head, body)
}

func write(h hash.Hash, head string, body []byte) []byte {
	_, _ = io.WriteString(h, head) // hashes never fail
	_, _ = h.Write(body)
	return h.Sum(nil)
}

// Sign sets the headers that sign a body for sending it now. id names the message for providers
// that sign one (standard, svix); "" makes one.
func (h *Hook) Sign(header http.Header, id string, body []byte) error {
	c, err := h.newClaim(id)
	if err != nil {
		return fmt.Errorf("signing a webhook (%s): %w", h.o.Provider, err)
	}
	sums := make([][]byte, len(h.keys))
	for i, key := range h.keys {
		sums[i] = h.sum(key, h.scheme.head(c), body)
	}
	h.scheme.write(header, c, sums)
	return nil
}
