package luabind

import (
	"fmt"
	"net/http"
	"strconv"
	"strings"
	"time"

	"rws/luabind/bind"
)

// A conversion is one %x of a layout: how it is written and, when it can be read, how.
// Go's own layouts ("2006-01-02") are not offered: everybody knows strftime's.
type conversion struct {
	format func(t time.Time) string
	parse  func(p *timeParser) bool
}

// names of layouts that need no conversions.
var layoutNames = []string{"rfc3339", "http", "date", "time"}

func conversionOf(c byte) (conversion, bool) {
	switch c {
	case 'Y':
		return conversion{goLayout("2006"), field(4, 4, 0, 9999, func(p *timeParser) *int { return &p.year })}, true
	case 'y':
		return conversion{goLayout("06"), (*timeParser).shortYear}, true
	case 'm':
		return conversion{goLayout("01"), field(1, 2, 1, 12, func(p *timeParser) *int { return &p.month })}, true
	case 'd':
		return conversion{goLayout("02"), field(1, 2, 1, 31, func(p *timeParser) *int { return &p.day })}, true
	case 'e':
		return conversion{goLayout("_2"), (*timeParser).paddedDay}, true
	case 'H':
		return conversion{goLayout("15"), field(1, 2, 0, 23, func(p *timeParser) *int { return &p.hour })}, true
	case 'I':
		return conversion{goLayout("03"), field(1, 2, 1, 12, func(p *timeParser) *int { return &p.hour12 })}, true
	case 'M':
		return conversion{goLayout("04"), field(1, 2, 0, 59, func(p *timeParser) *int { return &p.minute })}, true
	case 'S':
		return conversion{goLayout("05"), field(1, 2, 0, 59, func(p *timeParser) *int { return &p.second })}, true
	case 'L':
		return conversion{func(t time.Time) string { return fmt.Sprintf("%03d", t.Nanosecond()/1e6) }, field(3, 3, 0, 999, func(p *timeParser) *int { return &p.milli })}, true
	case 'j':
		return conversion{goLayout("002"), field(3, 3, 1, 366, func(p *timeParser) *int { return &p.yearday })}, true
	case 'p':
		return conversion{goLayout("PM"), (*timeParser).half}, true
	case 'b', 'h':
		return conversion{goLayout("Jan"), (*timeParser).monthName}, true
	case 'B':
		return conversion{goLayout("January"), (*timeParser).monthName}, true
	case 'a':
		return conversion{goLayout("Mon"), (*timeParser).dayName}, true
	case 'A':
		return conversion{goLayout("Monday"), (*timeParser).dayName}, true
	case 'z':
		return conversion{goLayout("-0700"), (*timeParser).offset}, true
	case 'Z':
		return conversion{goLayout("MST"), nil}, true
	case 's':
		return conversion{func(t time.Time) string { return strconv.FormatInt(t.Unix(), 10) }, (*timeParser).unix}, true
	case 'u':
		return conversion{func(t time.Time) string { return strconv.Itoa(isoWeekday(t)) }, nil}, true
	case 'V':
		return conversion{func(t time.Time) string { _, week := t.ISOWeek(); return fmt.Sprintf("%02d", week) }, nil}, true
	case 'G':
		return conversion{func(t time.Time) string { year, _ := t.ISOWeek(); return fmt.Sprintf("%04d", year) }, nil}, true
	case '%':
		return conversion{func(time.Time) string { return "%" }, literal("%")}, true
	case 'n':
		return conversion{func(time.Time) string { return "\n" }, literal("\n")}, true
	case 't':
		return conversion{func(time.Time) string { return "\t" }, literal("\t")}, true
	}
	return conversion{}, false
}

// allConversions are listed when one is not known.
const allConversions = "%Y %y %m %b %B %d %e %j %a %A %u %V %G %H %I %p %M %S %L %z %Z %s %F %T %R %%"

// short forms of several conversions.
var compound = strings.NewReplacer("%%", "%%", "%F", "%Y-%m-%d", "%T", "%H:%M:%S", "%R", "%H:%M")

func goLayout(layout string) func(time.Time) string {
	return func(t time.Time) string { return t.Format(layout) }
}

// maxLayout bounds a layout and a text to parse.
const maxLayout = 1024

// eachPart calls text for what stands for itself and conv for each conversion of a layout.
func eachPart(layout string, text func(string) error, conv func(c byte, v conversion) error) error {
	if len(layout) > maxLayout {
		return bind.Errorf("layout", "the layout has %d bytes; at most %d are taken", len(layout), maxLayout)
	}
	if !strings.Contains(layout, "%") {
		return bind.Errorf("layout", "the layout %q has no %% in it%s; write \"%%Y-%%m-%%d %%H:%%M\", or one of %s",
			layout, didYouMean(layout, layoutNames), strings.Join(layoutNames, ", "))
	}
	for rest := compound.Replace(layout); rest != ""; {
		before, after, found := strings.Cut(rest, "%")
		if before != "" {
			if err := text(before); err != nil {
				return err
			}
		}
		if !found {
			return nil
		}
		if after == "" {
			return bind.Errorf("layout", "the layout %q ends in a single %%; write %%%% for the sign itself", layout)
		}
		v, ok := conversionOf(after[0])
		if !ok {
			return bind.Errorf("layout", "the layout %q has the unknown conversion %q; there are %s", layout, "%"+firstRune(after), allConversions)
		}
		if err := conv(after[0], v); err != nil {
			return err
		}
		rest = after[1:]
	}
	return nil
}

func firstRune(s string) string {
	for _, r := range s {
		return string(r)
	}
	return ""
}

// formatTime writes t by a layout of strftime's or one of layoutNames.
func formatTime(t time.Time, layout string) (string, error) {
	switch layout {
	case "rfc3339":
		return t.Format(time.RFC3339), nil
	case "http":
		return t.UTC().Format(http.TimeFormat), nil
	case "date":
		return t.Format(time.DateOnly), nil
	case "time":
		return t.Format(time.TimeOnly), nil
	}
	var b strings.Builder
	err := eachPart(layout,
		func(text string) error { b.WriteString(text); return nil },
		func(_ byte, v conversion) error { b.WriteString(v.format(t)); return nil })
	return b.String(), err
}

// timeParse reads a time. Without a layout it takes what programs write: RFC 3339, with a
// blank for the "T" and without seconds or offset too, or a date alone. zone is where a text
// without an offset belongs, UTC unless given.
func timeParse(text string, layout, zone bind.Opt[string]) (bind.Pusher, error) {
	in := time.UTC
	if zone.Set {
		var err error
		if in, err = loadZone(zone.Value); err != nil {
			return nil, err
		}
	}
	at, err := parseTime(text, layout.Value, in)
	if err == nil {
		err = inRange(at)
	}
	if err != nil {
		return nil, err
	}
	return timePusher(at, in), nil
}

// plainLayouts are tried, in this order, when there is no layout.
var plainLayouts = []string{
	"2006-01-02T15:04:05.999999999Z07:00", "2006-01-02 15:04:05.999999999Z07:00",
	"2006-01-02T15:04:05.999999999", "2006-01-02 15:04:05.999999999",
	"2006-01-02T15:04Z07:00", "2006-01-02T15:04", "2006-01-02 15:04", "2006-01-02",
}

func parseTime(text, layout string, zone *time.Location) (time.Time, error) {
	if len(text) > maxLayout {
		return time.Time{}, bind.Errorf("time", "a text of %d bytes is no time", len(text))
	}
	switch layout {
	case "", "rfc3339":
		for _, l := range plainLayouts {
			if t, err := time.ParseInLocation(l, text, zone); err == nil {
				return t, nil
			}
		}
		return time.Time{}, bind.Errorf("time", "%q is no time as \"2026-03-01T12:00:00Z\" or \"2026-03-01\"; give a layout such as \"%%d.%%m.%%Y\" as the second argument", text)
	case "http":
		if t, err := http.ParseTime(text); err == nil {
			return t, nil
		}
		return time.Time{}, bind.Errorf("time", "%q is no HTTP date as \"Sun, 01 Mar 2026 12:00:00 GMT\"", text)
	case "date":
		layout = "%Y-%m-%d"
	case "time":
		return time.Time{}, bind.Errorf("layout", "the layout \"time\" has no day; add one, as in \"%%Y-%%m-%%d %%H:%%M:%%S\"")
	}
	p := &timeParser{text: text, rest: text, year: 1970, month: 1, day: 1, hour12: -1, yearday: -1}
	err := eachPart(layout, p.literal, func(c byte, v conversion) error {
		if v.parse == nil {
			return bind.Errorf("layout", "%%%c can be written, but not read", c)
		}
		if !v.parse(p) {
			return p.mismatch("%" + string(c))
		}
		return nil
	})
	if err == nil && p.rest != "" {
		err = bind.Errorf("time", "%q goes on after the layout %q, with %q", text, layout, p.rest)
	}
	if err != nil {
		return time.Time{}, err
	}
	return p.time(zone)
}
