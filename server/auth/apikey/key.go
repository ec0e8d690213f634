// Package apikey makes keys for programs and guards handlers with them.
//
// A key looks like "rws_4h2m6ytn_h3…": a prefix that tells people and scanners for leaked secrets
// whose it is, an id under which its [Record] is found, 160 random bits, and a checksum that
// finds mistakes of copying. What is kept of it is a SHA-256 of the whole: with so many random
// bits a slow hash would add nothing.
package apikey

import (
	"crypto/rand"
	"crypto/sha256"
	"crypto/subtle"
	"encoding/base32"
	"encoding/hex"
	"errors"
	"fmt"
	"hash/crc32"
	"strings"
	"time"
)

// DefaultPrefix is what keys begin with.
const DefaultPrefix = "rws"

const (
	idLetters       = 8  // 40 bits
	secretLetters   = 32 // 160 bits
	checksumLetters = 6  // 30 bits
	maxPrefix       = 16
	// MaxLength is the length of the longest key in bytes.
	MaxLength = maxPrefix + 1 + idLetters + 1 + secretLetters + checksumLetters
)

// letters are those of RFC 4648 §6 in lower case.
var letters = base32.NewEncoding("abcdefghijklmnopqrstuvwxyz234567").WithPadding(base32.NoPadding)

// ErrMalformed means that a text cannot be a key: it was mistyped, cut off, or is something else.
var ErrMalformed = errors.New("it is no API key")

// Record is what is kept of a key. It can be stored anywhere: nobody can make the key of it.
type Record struct {
	// ID is found in the key; it is no secret.
	ID string
	// Hash is the SHA-256 of the key in hex.
	Hash string
	// Name tells people what the key is for.
	Name string
	// Scopes are what it may be used for.
	Scopes []string
	// Expires is when it ends; zero for never.
	Expires time.Time
}

// Generate makes a key and the record to keep of it, which has its ID and Hash. The key can be
// shown once, now; prefix is 1 to 16 letters and digits, "" means DefaultPrefix.
func Generate(prefix string) (key string, r Record, err error) {
	if prefix == "" {
		prefix = DefaultPrefix
	}
	if !plain(prefix) || len(prefix) > maxPrefix {
		return "", Record{}, fmt.Errorf("api key: the prefix %q: use 1 to %d letters and digits", prefix, maxPrefix)
	}
	id := random(idLetters)
	key = prefix + "_" + id + "_" + random(secretLetters)
	key += checksum(key)
	return key, Record{ID: id, Hash: Hash(key)}, nil
}

// random returns that many random letters.
func random(n int) string {
	b := make([]byte, (n*5+7)/8)
	rand.Read(b) // never fails
	return letters.EncodeToString(b)[:n]
}

// checksum of a key without one.
func checksum(text string) string {
	sum := crc32.ChecksumIEEE([]byte(text))
	var b [checksumLetters]byte
	for i := range b {
		b[i] = "abcdefghijklmnopqrstuvwxyz234567"[sum>>(5*i)&31]
	}
	return string(b[:])
}

// Hash is what [Record.Hash] of a key must be.
func Hash(key string) string {
	sum := sha256.Sum256([]byte(key))
	return hex.EncodeToString(sum[:])
}

// ParseID returns the id in a key, or [ErrMalformed]. It costs nothing, so that what is no key is
// not looked up.
func ParseID(key string) (string, error) {
	head, tail, ok := cutLast(key)
	prefix, id, ok2 := cutLast(head)
	switch {
	case !ok || !ok2 || len(key) > MaxLength || prefix == "" || len(id) != idLetters || len(tail) != secretLetters+checksumLetters:
		return "", ErrMalformed
	case !plain(prefix) || !plain(id) || !plain(tail):
		return "", ErrMalformed
	case checksum(key[:len(key)-checksumLetters]) != key[len(key)-checksumLetters:]:
		return "", fmt.Errorf("%w: its checksum is wrong; was it copied entirely?", ErrMalformed)
	}
	return id, nil
}

func cutLast(s string) (before, after string, ok bool) {
	i := strings.LastIndexByte(s, '_')
	if i < 0 {
		return "", "", false
	}
	return s[:i], s[i+1:], true
}

func plain(s string) bool {
	return s != "" && !strings.ContainsFunc(s, func(c rune) bool {
		return (c < 'a' || c > 'z') && (c < 'A' || c > 'Z') && (c < '0' || c > '9')
	})
}

// Matches reports whether r is the record of key, in a time that does not depend on where they
// differ. Whether it has ended is for [Record.Expired].
func (r Record) Matches(key string) bool {
	return subtle.ConstantTimeCompare([]byte(Hash(key)), []byte(r.Hash)) == 1
}

// Expired reports whether the key has ended.
func (r Record) Expired() bool { return !r.Expires.IsZero() && !time.Now().Before(r.Expires) }

// check says what is wrong with a record.
func (r Record) check() error {
	raw, err := hex.DecodeString(r.Hash)
	switch {
	case len(r.ID) != idLetters || !plain(r.ID):
		return fmt.Errorf("the key %q: the id must be %d letters and digits, as Generate makes them", r.Name, idLetters)
	case err != nil || len(raw) != sha256.Size || r.Hash != strings.ToLower(r.Hash):
		return fmt.Errorf("the key %q (%s): the hash must be the SHA-256 in 64 hex digits; a key itself does not belong here", r.Name, r.ID)
	}
	return nil
}
