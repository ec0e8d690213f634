package password

import (
	"crypto/subtle"
	"encoding/base64"
	"fmt"
	"strings"

	argon "golang.org/x/crypto/argon2"
	"golang.org/x/crypto/bcrypt"
	sc "golang.org/x/crypto/scrypt"
)

// A scheme is a parsed hash. What parse returns is safe to compute, but not yet cheap.
type scheme interface {
	cost() cost
	verify(password string) bool
}

// argon2 is argon2id or argon2i, version 1.3.
type argon2 struct {
	id             bool
	memory, passes uint32 // memory in KiB
	threads        uint8
	salt, sum      []byte
}

func (a *argon2) cost() cost {
	bytes := int64(a.memory) << 10
	return cost{memory: bytes, work: bytes * int64(a.passes)}
}

func (a *argon2) compute(password string) []byte {
	key := argon.Key
	if a.id {
		key = argon.IDKey
	}
	return key([]byte(password), a.salt, a.passes, a.memory, a.threads, uint32(len(a.sum)))
}

func (a *argon2) verify(password string) bool { return equal(a.compute(password), a.sum) }

// String is the PHC form.
func (a *argon2) String() string {
	kind := "argon2i"
	if a.id {
		kind = "argon2id"
	}
	b64 := base64.RawStdEncoding
	return fmt.Sprintf("$%s$v=%d$m=%d,t=%d,p=%d$%s$%s", kind, argon.Version, a.memory, a.passes, a.threads,
		b64.EncodeToString(a.salt), b64.EncodeToString(a.sum))
}

// scrypt is RFC 7914.
type scrypt struct {
	logN, r, p int
	salt, sum  []byte
}

func (s *scrypt) cost() cost {
	bytes := int64(128) * int64(s.r) << s.logN
	return cost{memory: bytes, work: bytes * int64(s.p) * 2}
}

func (s *scrypt) verify(password string) bool {
	sum, err := sc.Key([]byte(password), s.salt, 1<<s.logN, s.r, s.p, len(s.sum))
	return err == nil && equal(sum, s.sum)
}

// bcryptHash is a whole hash, whose first 72 bytes of password count.
type bcryptHash struct {
	text string
	log  int
}

// cost takes the 4 KiB of bcrypt for 1 MiB, so that the budget bounds how many run at once, and
// one round for 128 KiB: cost 12 takes about as long as the default argon2id, 15 is the limit.
func (b *bcryptHash) cost() cost { return cost{memory: 1 << 20, work: 128 << 10 << b.log} }

func (b *bcryptHash) verify(password string) bool {
	if len(password) > 72 {
		password = password[:72] // as those who made the hash did
	}
	return bcrypt.CompareHashAndPassword([]byte(b.text), []byte(password)) == nil
}

func equal(a, b []byte) bool { return subtle.ConstantTimeCompare(a, b) == 1 }

// kind is the part of a hash that may be shown: what stands between its first two "$".
func kind(hash string) string {
	name, _, ok := strings.Cut(strings.TrimPrefix(hash, "$"), "$")
	if !ok || len(name) > 16 || !strings.HasPrefix(hash, "$") {
		return "no $kind$"
	}
	return "$" + name + "$"
}
