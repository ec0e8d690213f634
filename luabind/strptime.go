package luabind

import (
	"strconv"
	"strings"
	"time"

	"rws/luabind/bind"
)

// A timeParser reads a time by a layout and collects what it finds.
type timeParser struct {
	text, rest                  string
	year, month, day, yearday   int // yearday is -1 when it was not there
	hour, minute, second, milli int
	hour12                      int // -1 when it was not there
	afternoon, hasZone, hasUnix bool
	seconds                     int64          // with hasUnix
	zone                        *time.Location // with hasZone
}

// mismatch says where the text is not what the layout wants.
func (p *timeParser) mismatch(want string) error {
	at := len(p.text) - len(p.rest) + 1
	return bind.Errorf("time", "%q is not %s at character %d", p.text, want, at)
}

// literal reads text that stands for itself; blanks take any number of blanks.
func (p *timeParser) literal(text string) error {
	for text != "" {
		word, _, _ := strings.Cut(text, " ")
		rest, ok := strings.CutPrefix(p.rest, word)
		if !ok {
			return p.mismatch(strconv.Quote(word))
		}
		p.rest = rest
		if text = text[len(word):]; text == "" {
			return nil
		}
		text = strings.TrimLeft(text, " ")
		if p.rest = strings.TrimLeft(rest, " "); len(p.rest) == len(rest) {
			return p.mismatch("a blank")
		}
	}
	return nil
}

func literal(text string) func(*timeParser) bool {
	return func(p *timeParser) (ok bool) {
		p.rest, ok = strings.CutPrefix(p.rest, text)
		return ok
	}
}

// number reads low to high digits.
func (p *timeParser) number(low, high int) (n int, ok bool) {
	digits := 0
	for digits < high && digits < len(p.rest) && p.rest[digits] >= '0' && p.rest[digits] <= '9' {
		n = n*10 + int(p.rest[digits]-'0')
		digits++
	}
	if digits < low {
		return 0, false
	}
	p.rest = p.rest[digits:]
	return n, true
}

// field reads a number of low to high digits and of at least least and at most most.
func field(low, high, least, most int, to func(*timeParser) *int) func(*timeParser) bool {
	return func(p *timeParser) bool {
		before := p.rest
		n, ok := p.number(low, high)
		if !ok || n < least || n > most {
			p.rest = before
			return false
		}
		*to(p) = n
		return true
	}
}

// shortYear reads two digits: 69 to 99 are of the last century, as POSIX has it.
func (p *timeParser) shortYear() bool {
	n, ok := p.number(2, 2)
	if !ok {
		return false
	}
	p.year = 2000 + n
	if n >= 69 {
		p.year = 1900 + n
	}
	return true
}

func (p *timeParser) paddedDay() bool {
	p.rest = strings.TrimPrefix(p.rest, " ")
	return field(1, 2, 1, 31, func(p *timeParser) *int { return &p.day })(p)
}

func (p *timeParser) half() bool {
	if len(p.rest) < 2 {
		return false
	}
	switch strings.ToUpper(p.rest[:2]) {
	case "AM":
		p.afternoon = false
	case "PM":
		p.afternoon = true
	default:
		return false
	}
	p.rest = p.rest[2:]
	return true
}

// name reads a name of n, whole or its first three letters, in any case.
func (p *timeParser) name(n int, of func(i int) string) (index int, ok bool) {
	for i := range n {
		for _, name := range []string{of(i), of(i)[:3]} {
			if len(p.rest) >= len(name) && strings.EqualFold(p.rest[:len(name)], name) {
				p.rest = p.rest[len(name):]
				return i, true
			}
		}
	}
	return 0, false
}

func (p *timeParser) monthName() bool {
	i, ok := p.name(12, func(i int) string { return time.Month(i + 1).String() })
	if ok {
		p.month = i + 1
	}
	return ok
}

// dayName is read and not believed: the date says which day it is.
func (p *timeParser) dayName() bool {
	_, ok := p.name(7, func(i int) string { return time.Weekday(i).String() })
	return ok
}

// offset reads "Z", "+0200" or "+02:00".
func (p *timeParser) offset() bool {
	if rest, ok := strings.CutPrefix(p.rest, "Z"); ok {
		p.rest, p.zone, p.hasZone = rest, time.UTC, true
		return true
	}
	before := p.rest
	sign := 1
	switch {
	case strings.HasPrefix(before, "-"):
		sign = -1
	case !strings.HasPrefix(before, "+"):
		return false
	}
	p.rest = before[1:]
	hours, ok := p.number(2, 2)
	p.rest = strings.TrimPrefix(p.rest, ":")
	minutes, both := p.number(2, 2)
	if !ok || !both || hours > 23 || minutes > 59 {
		p.rest = before
		return false
	}
	p.zone, p.hasZone = time.FixedZone("", sign*(hours*3600+minutes*60)), true
	return true
}

// unix reads seconds since 1970.
func (p *timeParser) unix() bool {
	rest := strings.TrimPrefix(p.rest, "-")
	digits := len(rest) - len(strings.TrimLeft(rest, "0123456789"))
	end := len(p.rest) - len(rest) + digits
	n, err := strconv.ParseInt(p.rest[:end], 10, 64)
	if err != nil {
		return false
	}
	p.seconds, p.hasUnix, p.rest = n, true, p.rest[end:]
	return true
}

// time puts together what was found.
func (p *timeParser) time(zone *time.Location) (time.Time, error) {
	if p.hasUnix {
		return time.Unix(p.seconds, int64(p.milli)*1e6), nil
	}
	if p.hasZone {
		zone = p.zone
	}
	hour := p.hour
	if p.hour12 >= 0 {
		hour = p.hour12 % 12
		if p.afternoon {
			hour += 12
		}
	}
	month, day := time.Month(p.month), p.day
	if p.yearday > 0 {
		month, day = time.January, p.yearday
	}
	t := time.Date(p.year, month, day, hour, p.minute, p.second, p.milli*1e6, zone)
	if year, m, d := time.Date(p.year, month, day, 0, 0, 0, 0, time.UTC).Date(); year != p.year || p.yearday < 0 && (m != month || d != day) {
		return time.Time{}, bind.Errorf("time", "%q: there is no such day", p.text)
	}
	return t, nil
}
