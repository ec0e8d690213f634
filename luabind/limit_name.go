package luabind

import (
	"crypto/sha256"
	"encoding/hex"
	"strconv"
	"strings"

	lua "github.com/yuin/gopher-lua"

	"rws/luabind/fault"
)

// A limit that was given no name is called after where it was put first and what it allows, so that it
// counts under the same name in all instances and over reloads, whatever other limits come and go.

// nameLimits names those of the links that have no name yet.
func (s *state) nameLimits(links []link, place string) {
	for _, l := range links {
		if l.native != nil && l.native.limit != nil {
			l.native.limit.nameAt(s, place)
		}
	}
}

// nameAt names a limit that has no name yet.
func (l *limit) nameAt(s *state, place string) {
	if l.options.Name != "" {
		return
	}
	by := l.options.By
	if l.callback >= 0 {
		by = "function"
	}
	l.options.Name = s.freeLimitName(place + " " + l.options.Rate.String() + " " + by)
	s.takeLimitName(l.options.Name, place)
}

func (s *state) takeLimitName(name, at string) {
	if s.limits == nil {
		s.limits = make(map[string]string)
	}
	s.limits[name] = at
}

// limitPlace is where the middleware of a stands, for the names of limits.
func (a *App) limitPlace(L *lua.LState) string {
	switch place := a.host + a.prefix; {
	case place != "":
		return place
	case a.top().detached: // the file is what tells those apps apart
		file, _, _ := strings.Cut(fault.Where(L), ":")
		return file
	}
	return "app"
}

// limitPlace is the route, for the names of limits.
func (r *route) limitPlace() string { return r.method + " " + r.host + r.pattern }

// maxLimitName leaves room for a number.
const maxLimitName = 56

// freeLimitName makes a name of a text: the next one is numbered if it is taken, which needs two limits
// of the same rate in the same place.
func (s *state) freeLimitName(text string) string {
	base := strings.Map(func(c rune) rune {
		switch {
		case 'a' <= c && c <= 'z', 'A' <= c && c <= 'Z', '0' <= c && c <= '9', strings.ContainsRune("-_./", c):
			return c
		case c == ' ':
			return '.'
		}
		return '_'
	}, text)
	if len(base) > maxLimitName || strings.Count(base, "_") != strings.Count(text, "_") {
		sum := sha256.Sum256([]byte(text))
		base = base[:min(len(base), maxLimitName-9)] + "." + hex.EncodeToString(sum[:4])
	}
	for n := 1; ; n++ {
		name := base
		if n > 1 {
			name += "." + strconv.Itoa(n)
		}
		if _, taken := s.limits[name]; !taken {
			return name
		}
	}
}
