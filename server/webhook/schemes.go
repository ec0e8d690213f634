package webhook

import (
	"crypto/rand"
	"crypto/sha256"
	"encoding/base64"
	"encoding/hex"
	"errors"
	"fmt"
	"hash"
	"net/http"
	"strconv"
	"strings"
	"time"
)

// one is the value of a header that must be there once.
func one(h http.Header, name string) (string, error) {
	values := h[name]
	switch {
	case len(values) == 0 || len(values) == 1 && values[0] == "":
		return "", fmt.Errorf("%w: there is no header %s", ErrMissing, name)
	case len(values) > 1:
		return "", fmt.Errorf("%w: there are %d headers %s", ErrMalformed, len(values), name)
	case len(values[0]) > maxHeader:
		return "", fmt.Errorf("%w: the header %s has %d bytes", ErrMalformed, name, len(values[0]))
	}
	return values[0], nil
}

// checkTime compares the time that a webhook claims with ours.
func (h *Hook) checkTime(c claim) error {
	if !h.scheme.timed() {
		return nil
	}
	if c.time == "" || len(c.time) > 12 || strings.Trim(c.time, "0123456789") != "" {
		return fmt.Errorf("%w: its time is %.20q, not seconds since 1970", ErrMalformed, c.time)
	}
	seconds, err := strconv.ParseInt(c.time, 10, 64)
	if err != nil { // it cannot be
		return fmt.Errorf("%w: %w", ErrMalformed, err)
	}
	if off := time.Since(time.Unix(seconds, 0)); off.Abs() > h.o.Tolerance {
		return fmt.Errorf("%w: it was sent %s ago, and %s are allowed both ways", ErrTime, off.Round(time.Second), h.o.Tolerance)
	}
	return nil
}

// newClaim is that of a message that is sent now.
func (h *Hook) newClaim(id string) (c claim, err error) {
	if h.scheme.timed() {
		c.time = strconv.FormatInt(time.Now().Unix(), 10)
	}
	if _, named := h.scheme.(standard); !named {
		return c, nil
	}
	if c.id = id; id == "" {
		c.id = "msg_" + rand.Text()
	}
	return c, checkID(c.id)
}

// checkID refuses ids that could be parted from the time in two ways, or break a header.
func checkID(id string) error {
	if id == "" || len(id) > 255 || strings.ContainsFunc(id, func(c rune) bool { return c <= ' ' || c > '~' || c == '.' }) {
		return fmt.Errorf("%w: the id %.40q must be 1 to 255 letters, digits and signs but the dot", ErrMalformed, id)
	}
	return nil
}

// The least length of a secret in bytes: who has seen one webhook can guess a shorter one at leisure.
const (
	minSecret  = 8  // as a provider shows it, or people have typed it there
	minGeneric = 16 // which is ours to make
)

// plainKey is a secret that is a key as it is.
func plainKey(secret string, least int) ([]byte, error) {
	if len(secret) < least {
		return nil, fmt.Errorf("it has %d bytes, at least %d are needed, or it is guessed; make one with: openssl rand -hex 32", len(secret), least)
	}
	return []byte(secret), nil
}

// sha is what most schemes have in common.
type sha struct{}

func (sha) key(secret string) ([]byte, error) { return plainKey(secret, minSecret) }
func (sha) timed() bool                       { return true }

func (sha) hash() hash.Hash { return sha256.New() }

// stripe has "t=1492774577,v1=5257…,v1=6ffb…"; other names, as v0, are left out.
// https://docs.stripe.com/webhooks/signature
type stripe struct{ sha }

func (stripe) read(h http.Header) (c claim, err error) {
	value, err := one(h, "Stripe-Signature")
	if err != nil {
		return c, err
	}
	for part := range strings.SplitSeq(value, ",") {
		name, text, _ := strings.Cut(strings.TrimSpace(part), "=")
		switch {
		case name == "t" && c.time != "":
			return c, fmt.Errorf("%w: it has two times", ErrMalformed)
		case name == "t":
			c.time = text
		case name == "v1":
			c.sums = appendHex(c.sums, text)
		}
	}
	return c, c.complete()
}

func (stripe) head(c claim) string { return c.time + "." }

func (stripe) write(h http.Header, c claim, sums [][]byte) {
	value := "t=" + c.time
	for _, sum := range sums {
		value += ",v1=" + hex.EncodeToString(sum)
	}
	h.Set("Stripe-Signature", value)
}

// appendHex adds a sum; what is none is left out, as it can match nothing.
func appendHex(sums [][]byte, text string) [][]byte {
	if sum, err := hex.DecodeString(text); err == nil && len(sum) == sha256.Size {
		return append(sums, sum)
	}
	return sums
}

// complete reports whether there is anything to verify.
func (c claim) complete() error {
	switch {
	case len(c.sums) == 0:
		return fmt.Errorf("%w: there is none of a known version", ErrMalformed)
	case len(c.sums) > maxSignatures:
		return fmt.Errorf("%w: there are %d", ErrMalformed, len(c.sums))
	}
	return nil
}

// slack has "v0=a211…" and the time in a header of its own.
// https://docs.slack.dev/authentication/verifying-requests-from-slack
type slack struct{ sha }

func (slack) read(h http.Header) (c claim, err error) {
	value, err := one(h, "X-Slack-Signature")
	if err != nil {
		return c, err
	}
	if c.time, err = one(h, "X-Slack-Request-Timestamp"); err != nil {
		return c, err
	}
	text, _ := strings.CutPrefix(value, "v0=")
	if text != value {
		c.sums = appendHex(nil, text)
	}
	return c, c.complete()
}

func (slack) head(c claim) string { return "v0:" + c.time + ":" }

func (slack) write(h http.Header, c claim, sums [][]byte) {
	h.Set("X-Slack-Request-Timestamp", c.time)
	h.Set("X-Slack-Signature", "v0="+hex.EncodeToString(sums[0]))
}

// standard has "v1,K5oZ… v1,g0hM…", and an id and the time in headers of their own, which begin
// with a prefix. https://github.com/standard-webhooks/standard-webhooks
type standard struct{ prefix string }

func (standard) timed() bool     { return true }
func (standard) hash() hash.Hash { return sha256.New() }

// minStandard is the least length of a secret that the specification allows, in bytes.
const minStandard = 24

func (standard) key(secret string) ([]byte, error) {
	key, err := base64.StdEncoding.DecodeString(strings.TrimPrefix(secret, "whsec_"))
	switch {
	case err != nil:
		return nil, errors.New("want whsec_ and base64, as the provider shows it")
	case len(key) < minStandard:
		return nil, fmt.Errorf("it has %d bytes, at least %d are needed; make one with: openssl rand -base64 32", len(key), minStandard)
	}
	return key, nil
}

func (s standard) read(h http.Header) (c claim, err error) {
	value, err := one(h, s.prefix+"Signature")
	if err != nil {
		return c, err
	}
	if c.id, err = one(h, s.prefix+"Id"); err != nil {
		return c, err
	}
	if c.time, err = one(h, s.prefix+"Timestamp"); err != nil {
		return c, err
	}
	if err := checkID(c.id); err != nil {
		return c, err
	}
	for part := range strings.SplitSeq(value, " ") {
		version, text, _ := strings.Cut(part, ",")
		if sum, err := base64.StdEncoding.Strict().DecodeString(text); version == "v1" && err == nil && len(sum) == sha256.Size {
			c.sums = append(c.sums, sum)
		}
	}
	return c, c.complete()
}

func (standard) head(c claim) string { return c.id + "." + c.time + "." }

func (s standard) write(h http.Header, c claim, sums [][]byte) {
	parts := make([]string, len(sums))
	for i, sum := range sums {
		parts[i] = "v1," + base64.StdEncoding.EncodeToString(sum)
	}
	h.Set(s.prefix+"Id", c.id)
	h.Set(s.prefix+"Timestamp", c.time)
	h.Set(s.prefix+"Signature", strings.Join(parts, " "))
}
