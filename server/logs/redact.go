package logs

import (
	"encoding/json"
	"slices"
	"strings"
	"unicode"
)

// redacted stands in for a value that must not be logged.
const redacted = "[redacted]"

// secretWords are the names that mark an attribute as secret; lower case, with underscores.
var secretWords = []string{
	"password", "passwd", "pass", "pwd", "passphrase", "passcode", "secret", "token", "jwt", "bearer", "auth",
	"authorization", "cookie", "session", "session_id", "credential", "credentials",
	"api_key", "private_key", "secret_key", "access_key", "encryption_key",
	"sessionid", "apikey", "privatekey", "secretkey", "accesskey", "encryptionkey", // as in secretKey
}

// secretPlurals are such names of several; a number by that name counts them, and is shown.
var secretPlurals = []string{"passwords", "secrets", "tokens", "cookies", "api_keys", "apikeys", "private_keys", "privatekeys"}

// queryWords mark values of a query as secret beside secretWords: what logins and signed URLs carry.
// Attributes of a log by these names mostly are something else.
var queryWords = []string{"otp", "pin", "sig", "signature", "assertion", "credit_card", "creditcard", "card_number", "cvc", "cvv"}

// queryNames are such names on their own: "sort_key" and "country_code" are no secrets.
var queryNames = []string{"code", "key"}

// inQuery is secret for a name in a query.
func (r redactor) inQuery(name string) bool {
	return r.secret(name) || endsInOne(name, queryWords) || slices.ContainsFunc(queryNames, func(word string) bool { return strings.EqualFold(name, word) })
}

// Redacts reports whether an attribute of this name is written as "[redacted]" by every logger:
//
//   - password, passwd, pass, pwd, passphrase, passcode
//   - secret, token, jwt, bearer, auth, authorization, cookie, session, session_id
//   - credential, credentials, api_key, private_key, secret_key, access_key, encryption_key
//   - passwords, secrets, tokens, cookies, api_keys, private_keys, unless the value is a number
//
// and each name that ends in one of them as a word (set-cookie, access_token, X-Api-Key,
// dbPassword, secretKey), but not one in which it only occurs (author, compass, pass_count, token_type). Case
// does not matter, "-" and "." count as "_".
func Redacts(name string) bool { return redactor(nil).secret(name) }

// redactor holds the words that a logger redacts in addition to secretWords.
type redactor []string

func (r redactor) secret(name string) bool {
	return endsInOne(name, secretWords) || endsInOne(name, secretPlurals) || endsInOne(name, r)
}

// hides is secret for a value of which it is known whether it is a number.
func (r redactor) hides(name string, number bool) bool {
	if number {
		return endsInOne(name, secretWords) || endsInOne(name, r)
	}
	return r.secret(name)
}

func endsInOne(name string, words []string) bool {
	for _, word := range words {
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
	return at == 0 || fold(name[at-1]) == '_' || isUpper(name[at]) && (!isUpper(name[at-1]) || len(word) > 1 && !isUpper(name[at+1]))
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

// scrub replaces the secret members of decoded JSON, in place, and returns what stands for v.
func (r redactor) scrub(v any) any {
	switch v := v.(type) {
	case map[string]any:
		for key, member := range v {
			if _, number := member.(json.Number); r.hides(key, number) {
				v[key] = redacted
				continue
			}
			v[key] = r.scrub(member)
		}
	case []any:
		for i, member := range v {
			v[i] = r.scrub(member)
		}
	case string:
		return r.masked(v)
	}
	return v
}

// withoutPasswords replaces the passwords of URLs in a text: postgres://me:xxxxx@host/db.
func withoutPasswords(s string) string {
	rest, out := s, ""
	for {
		i := strings.Index(rest, "://")
		if i < 0 {
			break
		}
		i += len("://")
		out, rest = out+rest[:i], rest[i:]
		authority := rest
		if end := strings.IndexFunc(rest, endsAuthority); end >= 0 {
			authority = rest[:end]
		}
		at := strings.LastIndexByte(authority, '@')
		if at < 0 || strings.HasSuffix(out, "s3://") {
			at = max(at, beyondAuthority(rest, authority))
		}
		if at < 0 {
			continue
		}
		if user, password, ok := strings.Cut(rest[:at], ":"); ok && password != "" {
			out += user + ":xxxxx"
			rest = rest[at:]
		}
	}
	if out == "" {
		return s
	}
	return out + rest
}

// longestSecret is how far the "@" behind a password is looked for that has "/" in it.
const longestSecret = 512

// beyondAuthority is where the last "@" of a URL is whose password has a "/", "?" or "#" as it is, as secrets
// of S3 often do; -1 where what is behind the ":" is a port, as in http://localhost:5173/@vite.
func beyondAuthority(rest, authority string) int {
	_, password, ok := strings.Cut(authority, ":")
	if !ok || password != "" && len(password) <= len("65535") && strings.Trim(password, "0123456789") == "" {
		return -1
	}
	word := rest[:min(len(rest), longestSecret)]
	if end := strings.IndexFunc(word, endsURL); end >= 0 {
		word = word[:end]
	}
	return strings.LastIndexByte(word, '@')
}

func endsURL(r rune) bool { return endsAuthority(r) && !strings.ContainsRune("/?#", r) }

// endsAuthority reports what ends the part of a URL that has the password (RFC 3986 §3.2), or the URL.
func endsAuthority(r rune) bool {
	return strings.ContainsRune("/?#\"'`<>\\", r) || unicode.IsSpace(r) || unicode.IsControl(r)
}
