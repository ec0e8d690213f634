package luabind

import (
	"net/url"
	"time"

	"rws/luabind/bind"
	"rws/server/metrics"
)

// FormatTime is formatTime.
func FormatTime(t time.Time, layout string) (string, error) { return formatTime(t, layout) }

// ParseTime is parseTime.
func ParseTime(text, layout string) (time.Time, error) { return parseTime(text, layout, time.UTC) }

// BuildURL is buildParts for the parts that text can be.
func BuildURL(scheme, host, path, fragment string, port int) (string, error) {
	return buildParts(urlParts{Scheme: scheme, Host: host, Path: path, Fragment: fragment, Port: &port})
}

// ReadURL is readURL.
func ReadURL(text string) (*url.URL, error) { return readURL(text) }

// EscapeComponent and UnescapeComponent are rws.url.encode and decode.
func EscapeComponent(text string) string            { return escapeComponent(text) }
func UnescapeComponent(text string) (string, error) { return urlDecode(text) }

// CheckTemplate compiles pattern and checks a replacement for it.
func CheckTemplate(pattern, by string) (groups int, err error) {
	re, err := regexes.compile(pattern)
	if err != nil {
		return 0, err
	}
	return re.NumSubexp(), checkTemplate(by, re.Regexp)
}

// Types is types.
func Types() []bind.Type { return types() }

// CompiledRegexes returns how many are kept.
func CompiledRegexes() int {
	regexes.mu.Lock()
	defer regexes.mu.Unlock()
	return len(regexes.kept)
}

// ReadVariables is for tests.
var ReadVariables = readVariables

// QuickStatement reports whether a statement of the first database is quick.
func QuickStatement(p *Program, statement string) bool {
	p.databases.mu.Lock()
	defer p.databases.mu.Unlock()
	return p.databases.list[0].pool.Quick(statement)
}

// LoadTimes sets how long a script may load, and after what time it says that it waits.
func LoadTimes(limit, notice time.Duration) func(*Options) {
	return func(o *Options) { o.loadLimit, o.loadNotice = limit, notice }
}

// CertPoll sets how often the files of app:tcp are looked at.
func CertPoll(every time.Duration) func(*Options) {
	return func(o *Options) { o.certPoll = every }
}

// EdgeReading is the metrics of the edge.
func EdgeReading(s *Shared) metrics.Reading { return s.kept.edge() }
