package logs

import (
	"slices"
	"strings"
)

// masked replaces the secrets that a text shows, wherever they stand in it:
//
//   - the passwords of URLs: postgres://me:xxxxx@host/db
//   - what follows "=" at once behind a name that Redacts names, as in a query or a line of
//     settings: password=[redacted]
//   - a text in quotes behind such a name, or one that is or ends in "key", and "=", ":" or a
//     comparison, as in Lua and JSON: password = "[redacted]"
//   - credentials and cookies as a header has them: Authorization: Bearer [redacted]
//   - the texts in quotes that functions get which take passwords and keys: rws.password.*,
//     rws.jwt.*, rws.crypto.hmac, encrypt and decrypt
//
// Code and prose stay: password = f(x), "token: expired".
func (r redactor) masked(s string) string {
	s = withoutPasswords(s)
	if !strings.ContainsAny(s, "=:(") {
		return s
	}
	m := masker{redactor: r, text: s}
	for i := 0; i < len(s); i++ {
		switch s[i] {
		case '=', ':':
			i = m.assigned(i)
		case '(':
			if takesSecrets(s[:i]) {
				i = m.arguments(i + 1)
			}
		}
	}
	if m.out == nil {
		return s
	}
	return string(append(m.out, s[m.done:]...))
}

// A masker copies a text without its secrets.
type masker struct {
	redactor
	text string
	out  []byte
	done int // how much of text is in out
}

// hide replaces a part of the text.
func (m *masker) hide(from, to int) {
	if from < m.done || from >= to {
		return
	}
	m.out = append(append(m.out, m.text[m.done:from]...), redacted...)
	m.done = to
}

// assigned hides what follows a "=" or ":" at i, if that is a secret, and returns where to go on
// behind.
func (m *masker) assigned(i int) int {
	s, from := m.text, i
	to := i + 1
	for to < len(s) && (s[to] == '=' || s[to] == ':') {
		to++
	}
	compares := to-from > 1 || from > 0 && strings.IndexByte("~!<>", s[from-1]) >= 0
	if compares && from > 0 && strings.IndexByte("~!<>", s[from-1]) >= 0 {
		from--
	}
	name := nameBefore(s, from)
	if name == "" {
		return to - 1
	}
	value := skipSpaces(s, to)
	quotedTo := closing(s, value)
	switch {
	case quotedTo > 0:
		inside, end := value+quoteWidth(s, value), quotedTo-quoteWidth(s, value)
		switch {
		case m.secret(name) || isKey(name):
			m.hide(inside, end)
		case strings.Contains(s[inside:min(end, len(s))], "://"):
			return inside - 1 // on with the query of the URL
		}
		return quotedTo - 1
	case compares:
	case s[i] == ':' && isCredentials(name):
		m.hide(credentials(s, value, name))
	case s[i] == '=' && value == to && s[from-1] != ' ':
		end := wordEnd(s, value)
		number := isDigits(s[value:end])
		if nested(name, func(name string) bool { return m.hides(name, number) }) {
			m.hide(value, end)
		}
	}
	return to - 1
}

// nameBefore is the name that ends before at, as in name =, ["name"] = and "name": in JSON.
func nameBefore(s string, at int) string {
	end := at
	for end > 0 && s[end-1] == ' ' {
		end--
	}
	for end > 0 && strings.IndexByte(`]"'\`, s[end-1]) >= 0 {
		end--
	}
	start := end
	for start > 0 && isNameByte(s[start-1]) {
		start--
	}
	return s[start:end]
}

func isNameByte(c byte) bool {
	return c == '_' || c == '-' || c == '.' || c == '%' || c == '[' || '0' <= c && c <= '9' || 'a' <= c|0x20 && c|0x20 <= 'z'
}

func skipSpaces(s string, at int) int {
	for at < len(s) && (s[at] == ' ' || s[at] == '\t') {
		at++
	}
	return at
}

// quoteWidth is how long the quote at a place is: " ' \" or [[, 0 for none.
func quoteWidth(s string, at int) int {
	switch {
	case at >= len(s):
	case s[at] == '"', s[at] == '\'':
		return 1
	case strings.HasPrefix(s[at:], `\"`), strings.HasPrefix(s[at:], "[["):
		return 2
	}
	return 0
}

// closing is where the text in quotes at a place ends, behind its closing quote, 0 when there is none.
// One that nobody closes goes to the end: the masked part includes what stands there.
func closing(s string, at int) int {
	width := quoteWidth(s, at)
	if width == 0 {
		return 0
	}
	quote := s[at : at+width]
	if quote == "[[" {
		quote = "]]"
	}
	for i := at + width; i < len(s); i++ {
		switch {
		case strings.HasPrefix(s[i:], quote):
			return i + width
		case s[i] == '\\' && width == 1:
			i++
		}
	}
	return len(s) + width
}

// isKey reports whether a name is that of a key, but for the keys of databases.
func isKey(name string) bool {
	return endsInWord(name, "key") && !endsInWord(name, "primary_key") && !endsInWord(name, "foreign_key")
}

// isCredentials reports whether a header of this name is a secret.
func isCredentials(name string) bool {
	return endsInOne(name, []string{"authorization", "cookie", "x_api_key"})
}

// credentials are where the secret of a header stands: all of a cookie, and the word behind the
// scheme of Authorization (RFC 9110 §11.4).
func credentials(s string, at int, name string) (from, to int) {
	line := len(s)
	if i := strings.IndexAny(s[at:], "\n\r\""); i >= 0 {
		line = at + i
	}
	if endsInWord(name, "cookie") {
		return at, line
	}
	end := wordEnd(s, at)
	next := skipSpaces(s, end)
	if next > end && next < line && endsInWord(name, "authorization") {
		return next, wordEnd(s, next)
	}
	return at, end
}

// wordEnd is where the value without quotes at a place ends.
func wordEnd(s string, at int) int {
	if i := strings.IndexFunc(s[at:], endsValue); i >= 0 {
		return at + i
	}
	return len(s)
}

// endsValue reports what ends a value without quotes.
func endsValue(c rune) bool { return c <= ' ' || strings.ContainsRune("&;,)}]\"'`<>", c) }

func isDigits(s string) bool { return s != "" && strings.Trim(s, "0123456789.") == "" }

// secretFunctions take secrets as texts.
var secretFunctions = []string{"crypto.hmac", "crypto.encrypt", "crypto.decrypt"}

// takesSecrets reports whether a function that takes secrets is called behind before.
func takesSecrets(before string) bool {
	start := len(before)
	for start > 0 && isNameByte(before[start-1]) {
		start--
	}
	path := strings.Split(before[start:], ".")
	if len(path) < 2 {
		return false
	}
	last := strings.Join(path[len(path)-2:], ".")
	return strings.HasPrefix(last, "password.") || strings.HasPrefix(last, "jwt.") || slices.Contains(secretFunctions, last)
}

// arguments hides the texts among the arguments that begin at i, but not those in tables, and returns
// where they end.
func (m *masker) arguments(i int) int {
	s, depth := m.text, 1
	for ; i < len(s) && depth > 0; i++ {
		if end := closing(s, i); end > 0 {
			if depth == 1 {
				m.hide(i+quoteWidth(s, i), end-quoteWidth(s, i))
			}
			i = end - 1
			continue
		}
		switch s[i] {
		case '(', '{':
			depth++
		case ')', '}':
			depth--
		case '=':
			i = m.assigned(i)
		}
	}
	return i - 1
}
