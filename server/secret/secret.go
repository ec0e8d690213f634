// Package secret holds the keys of an app: it signs what must come back unchanged and seals
// what nobody else may read.
//
// The keys are a list, so that they can be changed without logging everybody out: put the new
// secret in front, keep the old one behind it until what it signed has expired, then drop it.
// The first signs and seals, all of them verify and open.
//
// No key is used as it is. Each purpose ("cookie.signed", "session") has subkeys of its own,
// derived with HKDF-SHA256 (RFC 5869), so that what was signed for one purpose means nothing
// for another. Within a purpose a name is bound in as well, such as the name of a cookie.
package secret

import (
	"fmt"
	"io"
	"log/slog"
	"strings"
)

const (
	// MinLength is the least number of bytes in a secret: 32 hex digits or 24 random bytes in
	// base64 are 128 bits and more.
	MinLength = 32
	// MaxKeys bounds the list; each key that does not fit costs one more try.
	MaxKeys = 16

	// minDistinct is the least number of different bytes in a secret; all that is random has more.
	minDistinct = 8
)

// redacted is all that is ever printed of keys.
const redacted = "secret.Keys(redacted)"

// Keys are the secrets of an app. They cannot be changed, and are safe for concurrent use.
// Made by [New], [Load] and [Random]. Printing, logging and marshalling show nothing of them.
type Keys struct{ secrets []string }

// New returns the keys made of configured secrets, the current one first. It refuses an empty
// list, secrets shorter than [MinLength] bytes or of few different ones, and the same secret
// twice; no error shows any part of a secret. Space around a secret is not part of it.
func New(secrets ...string) (*Keys, error) {
	if len(secrets) == 0 {
		return nil, fmt.Errorf("secrets: the list is empty; make one with: openssl rand -base64 32")
	}
	if len(secrets) > MaxKeys {
		return nil, fmt.Errorf("secrets: %d are given, at most %d are tried; drop the oldest, which are the last", len(secrets), MaxKeys)
	}
	k := &Keys{}
	for i, s := range secrets {
		s = strings.TrimSpace(s)
		if why := weakness(s, k.secrets); why != "" {
			return nil, fmt.Errorf("secrets: number %d of %d %s", i+1, len(secrets), why)
		}
		k.secrets = append(k.secrets, s)
	}
	return k, nil
}

// Random returns keys that nobody knows and that end with the process, for tests and for
// programs that keep nothing.
func Random() *Keys { return &Keys{secrets: []string{generate()}} }

// weakness says what is wrong with a secret, or "".
func weakness(s string, before []string) string {
	switch {
	case s == "":
		return "is empty: is its environment variable set?"
	case len(s) < MinLength:
		return fmt.Sprintf("has %d bytes, at least %d are needed; make one with: openssl rand -base64 32", len(s), MinLength)
	case distinct(s) < minDistinct:
		return fmt.Sprintf("has only %d different characters, so it can be guessed; make one with: openssl rand -base64 32", distinct(s))
	}
	for j, b := range before {
		if b == s {
			return fmt.Sprintf("is the same as number %d; to change keys, put a new one in front", j+1)
		}
	}
	return ""
}

func distinct(s string) int {
	var seen [256]bool
	n := 0
	for i := range len(s) {
		if !seen[s[i]] {
			seen[s[i]] = true
			n++
		}
	}
	return n
}

// Len returns the number of keys.
func (k *Keys) Len() int { return len(k.secrets) }

// String shows that these are keys and nothing else.
func (k *Keys) String() string { return redacted }

// Format keeps every verb of fmt, with %#v and %x, from showing a secret.
func (k *Keys) Format(s fmt.State, _ rune) { io.WriteString(s, redacted) }

// LogValue keeps secrets out of logs.
func (k *Keys) LogValue() slog.Value { return slog.StringValue(redacted) }

// MarshalText keeps secrets out of JSON.
func (k *Keys) MarshalText() ([]byte, error) { return []byte(redacted), nil }
