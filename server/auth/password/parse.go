package password

import (
	"encoding/base64"
	"fmt"
	"strconv"
	"strings"
)

// Bounds of what is parsed. They are wide; what a hash may cost is up to the hasher.
const (
	maxHash  = 512 // bytes of the text
	maxBytes = 128 // of a salt or a sum
	minSum   = 16  // a shorter one is met by chance
)

// parse reads a hash in one of the forms
//
//	$argon2id$v=19$m=65536,t=3,p=4$salt$sum    also argon2i
//	$scrypt$ln=16,r=8,p=1$salt$sum             PHC and passlib
//	$2b$12$...                                 bcrypt, also 2a and 2y
func parse(hash string) (scheme, error) {
	if len(hash) > maxHash {
		return nil, fmt.Errorf("%w: it has %d bytes", ErrUnknown, len(hash))
	}
	fields := strings.Split(hash, "$")
	if len(fields) < 4 || fields[0] != "" {
		return nil, fmt.Errorf("%w (%s)", ErrUnknown, kind(hash))
	}
	switch fields[1] {
	case "argon2id", "argon2i":
		return parseArgon2(hash, fields[1:])
	case "scrypt":
		return parseScrypt(hash, fields[1:])
	case "2a", "2b", "2y":
		return parseBcrypt(hash, fields[1:])
	}
	return nil, fmt.Errorf("%w (%s); known are argon2id, argon2i, scrypt and bcrypt", ErrUnknown, kind(hash))
}

// broken says what is wrong with a hash without showing it.
func broken(hash, what string) error {
	return fmt.Errorf("%w: %s with %s", ErrUnknown, kind(hash), what)
}

func parseArgon2(hash string, f []string) (scheme, error) {
	if len(f) != 5 || f[1] != "v=19" {
		return nil, broken(hash, "another version than 19, or parts missing")
	}
	n, ok := numbers(f[2], "m", "t", "p")
	if !ok || n[0] < 8*n[2] || n[0] > 1<<32-1 || n[1] < 1 || n[1] > 1<<20 || n[2] < 1 || n[2] > 255 {
		return nil, broken(hash, "parameters out of range")
	}
	a := &argon2{id: f[0] == "argon2id", memory: uint32(n[0]), passes: uint32(n[1]), threads: uint8(n[2])}
	a.salt, a.sum, ok = saltAndSum(f[3], f[4])
	if !ok {
		return nil, broken(hash, "a malformed salt or sum")
	}
	return a, nil
}

func parseScrypt(hash string, f []string) (scheme, error) {
	if len(f) != 4 {
		return nil, broken(hash, "parts missing")
	}
	n, ok := numbers(f[1], "ln", "r", "p")
	if !ok || n[0] < 1 || n[0] > 24 || n[1] < 1 || n[1] > 64 || n[2] < 1 || n[2] > 64 {
		return nil, broken(hash, "parameters out of range")
	}
	s := &scrypt{logN: int(n[0]), r: int(n[1]), p: int(n[2])}
	s.salt, s.sum, ok = saltAndSum(f[2], f[3])
	if !ok {
		return nil, broken(hash, "a malformed salt or sum")
	}
	return s, nil
}

func parseBcrypt(hash string, f []string) (scheme, error) {
	log, err := strconv.Atoi(f[1])
	if err != nil || len(f) != 3 || len(f[1]) != 2 || len(f[2]) != 53 || log < 4 || log > 31 {
		return nil, broken(hash, "a malformed cost or sum")
	}
	return &bcryptHash{text: hash, log: log}, nil
}

// numbers reads "a=1,b=2" with exactly these names in this order.
func numbers(text string, names ...string) ([3]uint64, bool) {
	var out [3]uint64
	parts := strings.Split(text, ",")
	if len(parts) != len(names) {
		return out, false
	}
	for i, part := range parts {
		digits, ok := strings.CutPrefix(part, names[i]+"=")
		n, err := strconv.ParseUint(digits, 10, 32)
		if !ok || err != nil {
			return out, false
		}
		out[i] = n
	}
	return out, true
}

// saltAndSum decodes standard base64 without padding, and the form of passlib with "." for "+".
func saltAndSum(salt, sum string) ([]byte, []byte, bool) {
	a, err1 := base64.RawStdEncoding.DecodeString(strings.ReplaceAll(salt, ".", "+"))
	b, err2 := base64.RawStdEncoding.DecodeString(strings.ReplaceAll(sum, ".", "+"))
	fits := err1 == nil && err2 == nil && len(a) <= maxBytes && len(b) >= minSum && len(b) <= maxBytes
	return a, b, fits
}
