package secret

import (
	"crypto/aes"
	"crypto/cipher"
	"crypto/hkdf"
	"crypto/hmac"
	"crypto/sha256"
	"encoding/binary"
	"fmt"
	"hash"
	"io"
	"sync"
)

const (
	// MACSize is the length of what [Purpose.Sign] returns, in bytes.
	MACSize = sha256.Size
	// SealOverhead is how many bytes [Purpose.Seal] adds: a nonce and a tag.
	SealOverhead = 12 + 16
)

// A Purpose signs and seals for one use of the keys. Safe for concurrent use; made by
// [Keys.For]. Making one derives subkeys, which takes microseconds: keep it.
type Purpose struct {
	name    string
	signers []*signer
	sealers []cipher.AEAD
}

// For returns the subkeys of a purpose, a name from the program's text such as
// "cookie.signed". The same keys and purpose give the same subkeys in every process.
func (k *Keys) For(purpose string) *Purpose {
	p := &Purpose{name: purpose}
	for _, s := range k.secrets {
		p.signers = append(p.signers, newSigner(subkey(s, "sign", purpose)))
		p.sealers = append(p.sealers, newSealer(subkey(s, "seal", purpose)))
	}
	return p
}

// subkey derives 32 bytes. HKDF fails only for lengths that no constant of ours has, and AES
// only for keys of another length.
func subkey(secret, use, purpose string) []byte {
	key, err := hkdf.Key(sha256.New, []byte(secret), nil, "rws v1 "+use+" "+purpose, 32)
	if err != nil {
		panic(err)
	}
	return key
}

func newSealer(key []byte) cipher.AEAD {
	block, err := aes.NewCipher(key)
	if err != nil {
		panic(err)
	}
	aead, err := cipher.NewGCMWithRandomNonce(block)
	if err != nil {
		panic(err)
	}
	return aead
}

// Sign returns the HMAC-SHA256 of name and message under the first key.
func (p *Purpose) Sign(name string, message []byte) []byte { return p.signers[0].sum(name, message) }

// Verify reports whether mac was made by Sign for the same purpose, name and message under any
// of the keys. The time it takes does not depend on where a wrong mac differs.
func (p *Purpose) Verify(name string, message, mac []byte) bool {
	if len(mac) != MACSize {
		return false
	}
	for _, s := range p.signers {
		if hmac.Equal(s.sum(name, message), mac) {
			return true
		}
	}
	return false
}

// Seal encrypts plaintext under the first key with AES-256-GCM and a random nonce, which is in
// front of the result; name is authenticated with it. One key may seal 2^32 messages
// (NIST SP 800-38D §8.3): change keys before.
func (p *Purpose) Seal(name string, plaintext []byte) []byte {
	out := make([]byte, 0, len(plaintext)+SealOverhead)
	return p.sealers[0].Seal(out, nil, plaintext, []byte(name))
}

// Open returns what Seal was given for the same purpose and name under any of the keys, and
// false for everything else.
func (p *Purpose) Open(name string, sealed []byte) ([]byte, bool) {
	if len(sealed) < SealOverhead {
		return nil, false
	}
	for _, aead := range p.sealers {
		if plain, err := aead.Open(nil, nil, sealed, []byte(name)); err == nil {
			return plain, true
		}
	}
	return nil, false
}

// Format keeps every verb of fmt from showing a subkey.
func (p *Purpose) Format(s fmt.State, _ rune) { io.WriteString(s, "secret.Purpose("+p.name+")") }

// signer makes MACs with one key. Hashes are kept for reuse: setting up a key costs as much as
// hashing a short message.
type signer struct{ pool sync.Pool }

func newSigner(key []byte) *signer {
	return &signer{pool: sync.Pool{New: func() any { return hmac.New(sha256.New, key) }}}
}

// sum hashes name with its length in front, so that no other split of the same bytes between
// name and message has the same MAC.
func (s *signer) sum(name string, message []byte) []byte {
	h := s.pool.Get().(hash.Hash)
	defer s.pool.Put(h)
	h.Reset()
	head := binary.BigEndian.AppendUint64(make([]byte, 0, 64), uint64(len(name)))
	h.Write(append(head, name...))
	h.Write(message)
	return h.Sum(make([]byte, 0, MACSize))
}
