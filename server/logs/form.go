package logs

import (
	"fmt"
	"io"
	"math/rand/v2"
	"regexp"
	"slices"
	"strconv"
	"strings"
	"time"

	"rws/server/suggest"
)

// AccessOptions shape an [AccessLogger] beyond [Options].
type AccessOptions struct {
	Options
	// Form is "common" or "combined" (the log formats of NCSA and Apache httpd), or a text with
	// variables as nginx names them: $remote_addr, $remote_user, $time_local, $time_iso8601, $msec,
	// $request, $request_method, $request_uri, $uri, $args, $status, $body_bytes_sent,
	// $request_time (seconds), $request_id, $route, $host, $scheme, $server_protocol,
	// $http_NAME (a header of the request, as $http_user_agent), and $$, which is "$". "" leaves it
	// to Format.
	//
	// What is empty prints as "-". Quotes, backslashes and what could end a line or command a
	// terminal are escaped in every value. Values of a query ($request, $request_uri, $args,
	// $http_referer) whose name is one of [Redacts] or Redact, code, key, or ends in otp, pin, sig,
	// signature, assertion, credit_card, card_number, cvc or cvv are "[redacted]". So are headers by the
	// names of [Redacts] and Redact, and a fragment of $http_referer is left out.
	Form string
	// Sample is the share of lines that are written, over 0 up to 1; 0 means all. Server errors are
	// always written.
	Sample float64
}

// CommonForm and CombinedForm are the forms of these names.
const (
	CommonForm   = `$remote_addr - $remote_user [$time_local] "$request" $status $body_bytes_sent`
	CombinedForm = CommonForm + ` "$http_referer" "$http_user_agent"`
)

// OpenAccess is [NewAccess] with more to choose. Close the logger to write the last lines.
func OpenAccess(w io.Writer, o AccessOptions) (*AccessLogger, error) {
	l := NewAccess(w, o.Options)
	if !(o.Sample >= 0 && o.Sample <= 1) {
		return nil, fmt.Errorf("access log: sample %v: want a share over 0 up to 1", o.Sample)
	}
	l.sample = o.Sample
	switch o.Form {
	case "":
		return l, nil
	case "common":
		o.Form = CommonForm
	case "combined":
		o.Form = CombinedForm
	}
	var err error
	if l.form, err = parseForm(o.Form, redactor(o.Redact)); err != nil {
		return nil, fmt.Errorf("access log: form %q: %w", o.Form, err)
	}
	return l, nil
}

// form is a line in pieces.
type form []func(dst []byte, a *Access) []byte

var variable = regexp.MustCompile(`\$(\w+|\$)`)

func parseForm(text string, redact redactor) (form, error) {
	var f form
	literal := func(s string) error {
		if strings.ContainsAny(s, "\r\n") {
			return fmt.Errorf("a form is one line")
		}
		if strings.Contains(s, "$") {
			return fmt.Errorf(`a "$" stands before no name; write $$`)
		}
		f = append(f, func(dst []byte, _ *Access) []byte { return append(dst, s...) })
		return nil
	}
	if !variable.MatchString(text) {
		return nil, fmt.Errorf(`it has no variables, such as $status; or did you mean "common" or "combined"?`)
	}
	at := 0
	for _, m := range variable.FindAllStringIndex(text, -1) {
		if err := literal(text[at:m[0]]); err != nil {
			return nil, err
		}
		at = m[1]
		piece, err := parseVariable(text[m[0]+1:m[1]], redact)
		if err != nil {
			return nil, err
		}
		f = append(f, piece)
	}
	return f, literal(text[at:])
}

func parseVariable(name string, redact redactor) (func([]byte, *Access) []byte, error) {
	if name == "$" {
		return func(dst []byte, _ *Access) []byte { return append(dst, '$') }, nil
	}
	if header, ok := strings.CutPrefix(name, "http_"); ok {
		return headerVariable(header, redact), nil
	}
	if raw := rawVariables[name]; raw != nil {
		return raw, nil
	}
	if text := textVariables[name]; text != nil {
		return func(dst []byte, a *Access) []byte { return appendValue(dst, text(a, redact)) }, nil
	}
	return nil, fmt.Errorf("unknown variable $%s%s", name, suggest.DidYouMean(name, variableNames()))
}

func variableNames() []string {
	var names []string
	for name := range rawVariables {
		names = append(names, name)
	}
	for name := range textVariables {
		names = append(names, name)
	}
	slices.Sort(names)
	return names
}

// appendValue appends text that nobody has checked.
func appendValue(dst []byte, s string) []byte {
	if s == "" {
		return append(dst, '-')
	}
	return appendEscaped(dst, s, true)
}

// rawVariables cannot hold anything harmful.
var rawVariables = map[string]func([]byte, *Access) []byte{
	"status":          func(dst []byte, a *Access) []byte { return strconv.AppendInt(dst, int64(a.Status), 10) },
	"body_bytes_sent": func(dst []byte, a *Access) []byte { return strconv.AppendInt(dst, a.Bytes, 10) },
	"request_time":    func(dst []byte, a *Access) []byte { return strconv.AppendFloat(dst, a.Duration.Seconds(), 'f', 3, 64) },
	"time_local": func(dst []byte, a *Access) []byte {
		return a.Time.Local().AppendFormat(dst, "02/Jan/2006:15:04:05 -0700")
	},
	"time_iso8601": func(dst []byte, a *Access) []byte { return a.Time.Local().AppendFormat(dst, time.RFC3339) },
	"msec": func(dst []byte, a *Access) []byte {
		return strconv.AppendFloat(dst, float64(a.Time.UnixMilli())/1e3, 'f', 3, 64)
	},
	"remote_addr": func(dst []byte, a *Access) []byte {
		if !a.IP.IsValid() {
			return append(dst, '-')
		}
		return a.IP.WithZone("").AppendTo(dst) // a zone is free text
	},
}

var textVariables = map[string]func(*Access, redactor) string{
	"request_id":      func(a *Access, _ redactor) string { return a.ID },
	"request_method":  func(a *Access, _ redactor) string { return a.Method },
	"uri":             func(a *Access, _ redactor) string { return a.path() },
	"route":           func(a *Access, _ redactor) string { return a.Route },
	"server_protocol": func(a *Access, _ redactor) string { return a.Proto },
	"request_uri":     (*Access).uri,
	"args":            (*Access).args,
	"request":         func(a *Access, r redactor) string { return a.Method + " " + a.uri(r) + " " + a.Proto },
	"remote_user": func(a *Access, _ redactor) string {
		if a.User != "" || a.Request == nil {
			return a.User
		}
		user, _, _ := a.Request.BasicAuth() // as httpd and nginx: whether or not anybody has looked at it
		return user
	},
	"host": func(a *Access, _ redactor) string {
		if a.Request == nil {
			return ""
		}
		return a.Request.Host
	},
	"scheme": func(a *Access, _ redactor) string {
		if a.Request == nil || a.Request.TLS == nil {
			return "http"
		}
		return "https"
	},
}

// uri is the path as it was sent, with the query.
func (a *Access) uri(redact redactor) string {
	if a.Request == nil {
		return a.path()
	}
	path := a.Request.URL.EscapedPath()
	if args := a.args(redact); args != "" {
		path += "?" + args
	}
	return path
}

func (a *Access) args(redact redactor) string {
	if a.Request == nil {
		return ""
	}
	return redact.query(a.Request.URL.RawQuery)
}

func headerVariable(name string, redact redactor) func([]byte, *Access) []byte {
	secret := redact.secret(name)
	name = strings.ReplaceAll(name, "_", "-")
	referer := strings.EqualFold(name, "referer")
	return func(dst []byte, a *Access) []byte {
		value := ""
		if a.Request != nil {
			value = strings.Join(a.Request.Header.Values(name), ", ")
		} else if strings.EqualFold(name, "user-agent") {
			value = a.UserAgent
		}
		if secret && value != "" {
			value = redacted
		}
		if referer {
			value = redact.referer(value)
		} else {
			value = withoutPasswords(value)
		}
		return appendValue(dst, value)
	}
}

// referer is a URL with its query redacted, and without what has no business there (RFC 9110 §10.1.3):
// a user with a password, and a fragment, which may be what a login answers with (RFC 6749 §4.2.2).
func (r redactor) referer(url string) string {
	url, _, _ = strings.Cut(url, "#")
	url = withoutUser(url)
	if before, query, ok := strings.Cut(url, "?"); ok {
		return before + "?" + r.query(query)
	}
	return url
}

// withoutUser is a URL without what stands before the "@" of its host.
func withoutUser(url string) string {
	scheme, rest, ok := strings.Cut(url, "//")
	if !ok {
		return url
	}
	end := len(rest)
	if i := strings.IndexAny(rest, `/?\`); i >= 0 {
		end = i
	}
	at := strings.LastIndexByte(rest[:end], '@')
	return scheme + "//" + rest[at+1:]
}

// query replaces the values of what is named like a secret, in whatever way the name is encoded.
func (r redactor) query(raw string) string {
	if raw == "" {
		return ""
	}
	parts := strings.FieldsFunc(raw, func(c rune) bool { return c == '&' || c == ';' })
	for i, part := range parts {
		name, _, ok := strings.Cut(part, "=")
		if ok && nested(name, r.inQuery) {
			parts[i] = name + "=" + redacted
		}
	}
	return strings.Join(parts, "&")
}

// nested reports whether is holds for the name of a form, or for one that it is in: of "a[b][]" these
// are "a_b_", "a_b" and "a".
func nested(name string, is func(name string) bool) bool {
	plain := unescaped(name)
	for i := range len(plain) {
		if plain[i] == '[' && is(flat(plain[:i])) {
			return true
		}
	}
	return is(flat(plain))
}

// unescaped is a name without the escapes of a query.
func unescaped(name string) string {
	if !strings.ContainsAny(name, "%+") {
		return name
	}
	var b strings.Builder
	for i := 0; i < len(name); i++ {
		c := name[i]
		if c == '+' {
			c = ' '
		} else if c == '%' && i+2 < len(name) {
			if v, err := strconv.ParseUint(name[i+1:i+3], 16, 8); err == nil {
				c, i = byte(v), i+2
			}
		}
		b.WriteByte(c)
	}
	return b.String()
}

// flat is the name of a form in one word: "a[b]" is "a_b".
var flat = strings.NewReplacer("[", "_", "]", "", " ", "_").Replace

// sampled reports whether a line is written.
func (l *AccessLogger) sampled(status int) bool {
	return l.sample == 0 || l.sample == 1 || status >= 500 || rand.Float64() < l.sample
}

// appendLine appends the line in the form of the logger.
func (f form) appendLine(dst []byte, a *Access) []byte {
	for _, piece := range f {
		dst = piece(dst, a)
	}
	return append(dst, '\n')
}
