package basic

import (
	"errors"
	"fmt"
	"hash/maphash"
	"log/slog"
	"maps"
	"slices"
	"strings"

	"github.com/tg123/go-htpasswd"

	"rws/server/auth/password"
)

const (
	maxName = 255     // bytes of a name
	maxFile = 1 << 20 // bytes of an htpasswd file
)

// hash is what a password is checked against.
type hash struct {
	text string
	old  htpasswd.EncodedPasswd // for the hashes of Apache; nil for those of package password
}

// users are hashes by name. It never changes.
type users struct {
	hashes map[string]hash
	names  []string // sorted
	weak   int      // how many hashes are of a kind that is quickly guessed
}

// source has users, which may change.
type source interface{ users() *users }

func (u *users) users() *users { return u }

// find returns the hash of a user. For a name that nobody has it is that of somebody, always the
// same, so that a login with it takes as long as one of a user whose password is wrong, whatever
// kinds of hashes there are. Without any user there is no hash.
func (u *users) find(name string, seed maphash.Seed) (hash, bool) {
	if len(u.names) == 0 {
		return hash{}, false
	}
	h, known := u.hashes[name]
	n := maphash.String(seed, name) % uint64(len(u.names))
	if !known {
		h = u.hashes[u.names[n]]
	}
	return h, known
}

// warn tells of weak hashes.
func (u *users) warn(log *slog.Logger) {
	if u.weak > 0 {
		log.Warn("passwords are hashed in a way that is quickly guessed once somebody has the hashes; make new ones with: htpasswd -B", "users", u.weak)
	}
}

// add takes a user, or says why not without showing the hash.
func (u *users) add(name, text string, h *password.Hasher) error {
	switch {
	case name == "" || len(name) > maxName || strings.ContainsFunc(name, func(c rune) bool { return c < ' ' || c == 0x7f || c == ':' }):
		return fmt.Errorf("the name %.40q: must have 1 to %d bytes, and no : or control characters", name, maxName)
	case u.hashes[name].text != "":
		return fmt.Errorf("the user %q is there twice", name)
	}
	parsed, err := parseHash(text, h)
	if err != nil {
		return fmt.Errorf("the user %q: %w", name, err)
	}
	if parsed.old != nil {
		u.weak++
	}
	u.hashes[name] = parsed
	u.names = append(u.names, name)
	slices.Sort(u.names)
	return nil
}

func newUsers(list map[string]string, h *password.Hasher) (*users, error) {
	u := &users{hashes: map[string]hash{}}
	for _, name := range slices.Sorted(maps.Keys(list)) {
		if err := u.add(name, list[name], h); err != nil {
			return nil, err
		}
	}
	return u, nil
}

// parseFile reads an htpasswd file: "name:hash" in each line, with empty ones and those that
// begin with # left out.
func parseFile(text string, h *password.Hasher) (*users, error) {
	u := &users{hashes: map[string]hash{}}
	number := 0
	for line := range strings.Lines(text) {
		number++
		line = strings.TrimRight(line, " \t\r\n")
		if line == "" || line[0] == '#' {
			continue
		}
		name, hash, ok := strings.Cut(line, ":")
		err := errNoHash
		if ok {
			err = u.add(name, hash, h)
		}
		if err != nil {
			return nil, fmt.Errorf("line %d: %w", number, err)
		}
	}
	return u, nil
}

var errNoHash = errors.New("want name:hash, as the command htpasswd -B writes")

// parseHash finds out what kind a hash is.
func parseHash(text string, h *password.Hasher) (hash, error) {
	var old htpasswd.EncodedPasswd
	var err error
	switch {
	case strings.HasPrefix(text, "{SHA}"):
		old, err = htpasswd.AcceptSha(text)
	case strings.HasPrefix(text, htpasswd.PrefixCryptApr1):
		if old, err = htpasswd.AcceptMd5(text); !isApr1(text) {
			err = errNoHash
		}
	case isCrypt(text):
		return hash{}, errors.New("its hash is of crypt, which is not supported; make another with: htpasswd -B")
	case strings.HasPrefix(text, "$"):
		return hash{text: text}, h.Check(text)
	default:
		return hash{}, errors.New("the password is there as it is, or hashed by the old crypt; make a hash with: htpasswd -B")
	}
	if err != nil { // which would show the hash
		return hash{}, errors.New("its hash is malformed")
	}
	return hash{text, old}, nil
}

// isCrypt reports whether a hash is one of crypt(3) alone.
func isCrypt(text string) bool {
	return slices.ContainsFunc([]string{"$1$", "$5$", "$6$", "$y$", "$7$", "$md5", "$sha1$"}, func(p string) bool { return strings.HasPrefix(text, p) })
}

// isApr1 reports whether a hash has the form $apr1$salt$sum.
func isApr1(text string) bool {
	salt, sum, ok := strings.Cut(strings.TrimPrefix(text, htpasswd.PrefixCryptApr1), "$")
	const letters = "./0123456789ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz"
	return ok && len(salt) <= 8 && len(sum) == 22 && strings.Trim(sum, letters) == ""
}
