package logs

// redacted stands in for a value that must not be logged.
const redacted = "[redacted]"

// secretWords are the names that mark an attribute as secret; lower case, with underscores.
var secretWords = []string{
	"password", "passwd", "secret", "token", "authorization", "cookie", "api_key", "apikey",
	"session", "session_id", "private_key",
}

// Redacts reports whether an attribute of this name is written as "[redacted]" by every logger:
// password, passwd, secret, token, authorization, cookie, api_key, apikey, session, session_id,
// private_key, and each name that ends in one of them as a word (set-cookie, access_token,
// X-Api-Key, dbPassword). Case does not matter, "-" and "." count as "_".
func Redacts(name string) bool { return redactor(nil).secret(name) }

// redactor holds the words that a logger redacts in addition to secretWords.
type redactor []string

func (r redactor) secret(name string) bool {
	for _, word := range secretWords {
		if endsInWord(name, word) {
			return true
		}
	}
	for _, word := range r {
		if endsInWord(name, word) {
			return true
		}
	}
	return false
}

// endsInWord reports whether name is word, or ends in it where a new word starts.
func endsInWord(name, word string) bool {
	at := len(name) - len(word)
	if at < 0 || word == "" {
		return false
	}
	for i := range len(word) {
		if fold(name[at+i]) != fold(word[i]) {
			return false
		}
	}
	return at == 0 || fold(name[at-1]) == '_' || isLower(name[at-1]) && isUpper(name[at])
}

func fold(c byte) byte {
	switch {
	case isUpper(c):
		return c + 'a' - 'A'
	case c == '-', c == '.', c == ' ':
		return '_'
	}
	return c
}

func isUpper(c byte) bool { return c >= 'A' && c <= 'Z' }
func isLower(c byte) bool { return c >= 'a' && c <= 'z' }

// scrub replaces the secret members of decoded JSON, in place.
func (r redactor) scrub(v any) {
	switch v := v.(type) {
	case map[string]any:
		for key, member := range v {
			if r.secret(key) {
				v[key] = redacted
				continue
			}
			r.scrub(member)
		}
	case []any:
		for _, member := range v {
			r.scrub(member)
		}
	}
}
