package exchange

import (
	"crypto/rand"
	"encoding/binary"
	"net/http"
	"sync/atomic"
)

const (
	alphabet = "abcdefghijklmnopqrstuvwxyz234567" // base32 of RFC 4648 §6 in lower case
	idPrefix = 6                                  // letters that tell processes apart: 30 bits
	idNumber = 8                                  // letters for the request: 40 bits
	idMask   = 1<<(5*idNumber) - 1
	maxID    = 64
)

var (
	serial  atomic.Uint64
	process = randomBits()
	// scramble is odd, so that multiplying by it modulo 2^40 meets every value once: ids do
	// not repeat within 10^12 requests of a process, and do not tell how many there were.
	scramble = randomBits() | 1
)

func randomBits() uint64 {
	var b [8]byte
	_, _ = rand.Read(b[:]) // never fails: it ends the program instead
	return binary.LittleEndian.Uint64(b[:])
}

// ID names the request in logs and error answers. It is the X-Request-Id the client sent if that
// is sane (1 to 64 of A-Z a-z 0-9 . _ -), else 14 letters and digits, made from a random prefix
// of the process and a counter. It is the same on every call; one we made costs an allocation
// each time.
func (e *Exchange) ID() string {
	if id := e.keptID(); id != "" {
		return id
	}
	var b [idPrefix + idNumber]byte
	spell(b[:idPrefix], process)
	spell(b[idPrefix:], e.serial*scramble&idMask)
	return string(b[:])
}

// spell writes 5 bits of v for each byte of b.
func spell(b []byte, v uint64) {
	for i := range b {
		b[i] = alphabet[v&31]
		v >>= 5
	}
}

// sentID is the id in the header.
func sentID(h http.Header) string {
	values := h["X-Request-Id"]
	if len(values) != 1 {
		return ""
	}
	return values[0]
}

// sane reports whether an id is one that we keep: what goes into logs and headers must not be able
// to break them.
func sane(id string) bool {
	if id == "" || len(id) > maxID {
		return false
	}
	for _, c := range []byte(id) {
		if !plain(c) {
			return false
		}
	}
	return true
}

// SetID makes id the one of the request, if it is sane as [Exchange.ID] says; any other, "" among
// them, gives the request one of our own. It reports whether id is kept.
func (e *Exchange) SetID(id string) bool {
	kept := sane(id)
	if !kept {
		id = ""
	}
	e.mu.Lock()
	defer e.mu.Unlock()
	e.id = id
	return kept
}

func (e *Exchange) keptID() string {
	e.mu.Lock()
	defer e.mu.Unlock()
	return e.id
}

func plain(c byte) bool {
	return 'a' <= c && c <= 'z' || 'A' <= c && c <= 'Z' || '0' <= c && c <= '9' || c == '.' || c == '_' || c == '-'
}
