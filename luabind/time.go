package luabind

import (
	"math"
	"slices"
	"strings"
	"time"
	_ "time/tzdata" // the binary runs where there is no zone database

	lua "github.com/yuin/gopher-lua"

	"rws/luabind/bind"
	"rws/luabind/fault"
)

const timeType = "rws.Time"

// A Time is a moment as scripts see it. Two are equal when they are the same moment; the zone
// says how its fields and format are read.
type Time struct {
	at   time.Time // with the monotonic clock, which a change of zone would take away
	zone *time.Location
}

// textLayout is how a Time is written: always in UTC and with three digits of a second, so
// that the order of texts is the order of times.
const textLayout = "2006-01-02T15:04:05.000Z"

// String writes the time in UTC (RFC 3339).
func (t *Time) String() string { return t.at.UTC().Format(textLayout) }

// MarshalText is how a time is written into JSON and databases.
func (t *Time) MarshalText() ([]byte, error) { return []byte(t.String()), nil }

// local returns the time as its zone shows it.
func (t *Time) local() time.Time { return t.at.In(t.zone) }

func pushTime(L *lua.LState, at time.Time, zone *time.Location) int {
	L.Push(newTime(L, at, zone))
	return 1
}

func newTime(L *lua.LState, at time.Time, zone *time.Location) *lua.LUserData {
	return bind.New(L, timeType, &Time{at, zone})
}

// timePusher is a result of a function that does not see the stack.
func timePusher(at time.Time, zone *time.Location) bind.Pusher {
	return func(L *lua.LState) int { return pushTime(L, at, zone) }
}

// timeFuncs is rws.now.
func timeFuncs() []bind.Func {
	return []bind.Func{bind.Raw("now()", func(L *lua.LState) int { return pushTime(L, clockNow(L), time.UTC) })}
}

func clockNow(L *lua.LState) time.Time { return stateOf(L).program.options.Clock.Now() }

// timeModule is rws.time.
func timeModule() bind.Module {
	return bind.Module{Name: "rws.time", Types: []bind.Type{timeOfType()}, Funcs: []bind.Func{
		bind.Call3("parse(text, layout?, zone?)", timeParse),
		bind.Call1("at(seconds)", timeAt),
		bind.Call1("duration(text)", func(text string) (float64, error) {
			d, err := bind.ParseDuration(text)
			return d.Seconds(), err
		}),
	}}
}

// lastSecond is 9999-12-31T23:59:59Z, the last that RFC 3339 can write.
const lastSecond = 253402300799

// firstSecond is 0000-01-01T00:00:00Z.
const firstSecond = -62167219200

// inRange refuses times whose year has no four digits.
func inRange(at time.Time) error {
	if s := at.Unix(); s < firstSecond || s > lastSecond {
		return bind.Errorf("time", "the year %d is not between 0 and 9999", at.UTC().Year())
	}
	return nil
}

// timeAt takes seconds since 1970-01-01T00:00:00Z.
func timeAt(seconds float64) (bind.Pusher, error) {
	if math.IsNaN(seconds) || seconds < firstSecond || seconds >= lastSecond+1 {
		if seconds > lastSecond && seconds <= lastSecond*1000 {
			return nil, bind.Errorf("time", "%.0f looks like milliseconds: write rws.time.at(ms / 1000)", seconds)
		}
		return nil, bind.Errorf("time", "%g is not a number of seconds between the years 0 and 9999", seconds)
	}
	whole, fraction := math.Modf(seconds)
	return timePusher(time.Unix(int64(whole), int64(math.Round(fraction*1e6))*1000), time.UTC), nil
}

// timeOfType describes a Time.
func timeOfType() bind.Type {
	number := func(get func(time.Time) int) func(*lua.LState, any) lua.LValue {
		return func(_ *lua.LState, self any) lua.LValue { return lua.LNumber(get(self.(*Time).local())) }
	}
	return bind.Type{
		Name: timeType, As: "time",
		Fields: map[string]func(*lua.LState, any) lua.LValue{
			"year":    number(time.Time.Year),
			"month":   number(func(t time.Time) int { return int(t.Month()) }),
			"day":     number(time.Time.Day),
			"hour":    number(time.Time.Hour),
			"minute":  number(time.Time.Minute),
			"second":  number(time.Time.Second),
			"weekday": number(isoWeekday),
			"yearday": number(time.Time.YearDay),
			"unix":    func(_ *lua.LState, self any) lua.LValue { return lua.LNumber(self.(*Time).at.Unix()) },
			"unix_ms": func(_ *lua.LState, self any) lua.LValue { return lua.LNumber(self.(*Time).at.UnixMilli()) },
			"zone":    func(_ *lua.LState, self any) lua.LValue { return lua.LString(self.(*Time).zone.String()) },
		},
		Methods: []bind.Func{
			bind.Method1("format(layout)", func(t *Time, layout string) (string, error) { return formatTime(t.local(), layout) }),
			bind.Method1("in_zone(zone)", func(t *Time, name string) (bind.Pusher, error) {
				zone, err := loadZone(name)
				return timePusher(t.at, zone), err
			}),
			bind.RawMethod("elapsed(unit?)", timeElapsed),
			bind.Method1("start_of(unit)", timeStartOf),
			bind.RawMethod("add(parts)", timeAdd),
		},
		String: func(self any) string { return self.(*Time).String() },
		Meta: map[string]lua.LGFunction{
			"__add":    timePlus,
			"__sub":    timeMinus,
			"__eq":     compareTimes(func(order int) bool { return order == 0 }),
			"__lt":     compareTimes(func(order int) bool { return order < 0 }),
			"__le":     compareTimes(func(order int) bool { return order <= 0 }),
			"__concat": timeConcat,
		},
	}
}

// isoWeekday counts from 1, Monday, to 7, Sunday (ISO 8601).
func isoWeekday(t time.Time) int { return (int(t.Weekday())+6)%7 + 1 }

// loadZone finds a zone by its name in the database of zones. The machine's own zone is not
// one of them: a server must not depend on it.
func loadZone(name string) (*time.Location, error) {
	if strings.EqualFold(name, "utc") || name == "Z" {
		return time.UTC, nil
	}
	zone, err := time.LoadLocation(name)
	if err != nil || name == "" || name == "Local" {
		return nil, bind.Errorf("zone", "there is no zone %q; zones are called \"Europe/Tallinn\", \"America/New_York\" or \"UTC\"", name)
	}
	return zone, nil
}

// timeUnits are the units of time:elapsed.
var timeUnits = []string{"s", "ms", "us"}

// timeElapsed returns how long ago the time was; it does not jump when the clock is set.
func timeElapsed(L *lua.LState, t *Time) int {
	d := clockNow(L).Sub(t.at)
	var n float64
	switch unit := bind.Arg[bind.Opt[string]](L, "time:elapsed", 2).Or("s"); unit {
	case "s":
		n = d.Seconds()
	case "ms":
		n = float64(d) / float64(time.Millisecond)
	case "us":
		n = float64(d) / float64(time.Microsecond)
	default:
		bind.ArgError(L, "time:elapsed", 1, "%q is no unit%s; there are %s", unit, didYouMean(unit, timeUnits), strings.Join(timeUnits, ", "))
	}
	L.Push(lua.LNumber(n))
	return 1
}

// startUnits are the units of time:start_of.
var startUnits = []string{"second", "minute", "hour", "day", "week", "month", "year"}

// timeStartOf returns the first moment of the unit, in the time's zone. Weeks begin on Monday.
func timeStartOf(t *Time, unit string) (bind.Pusher, error) {
	n := slices.Index(startUnits, unit)
	if n < 0 {
		return nil, bind.Errorf("argument", "argument 1: %q is no unit%s; there are %s", unit, didYouMean(unit, startUnits), strings.Join(startUnits, ", "))
	}
	l := t.local()
	switch unit {
	case "second", "minute", "hour": // by subtraction: a clock that is set back shows an hour twice
		past := time.Duration(l.Nanosecond())
		if n > 0 {
			past += time.Duration(l.Second()) * time.Second
		}
		if n > 1 {
			past += time.Duration(l.Minute()) * time.Minute
		}
		return timePusher(l.Add(-past), t.zone), nil
	}
	year, month, day := l.Date()
	switch unit {
	case "week":
		day -= isoWeekday(l) - 1
	case "month":
		day = 1
	case "year":
		month, day = time.January, 1
	}
	return timePusher(time.Date(year, month, day, 0, 0, 0, 0, t.zone), t.zone), nil
}

// calendarParts are the parts of time:add.
type calendarParts struct {
	Years  int `json:"years"`
	Months int `json:"months"`
	Weeks  int `json:"weeks"`
	Days   int `json:"days"`
}

// timeAdd counts on the calendar of the time's zone, at the same hour. A month that has no
// such day gives its last one.
func timeAdd(L *lua.LState, t *Time) int {
	bind.Arg[*lua.LTable](L, "time:add", 2)
	o := bind.Options[calendarParts](L, "time:add", 2)
	for _, n := range []int{o.Years, o.Months, o.Weeks, o.Days} {
		if n > maxCalendar || n < -maxCalendar {
			bind.ArgError(L, "time:add", 1, "%d is more than %d", n, maxCalendar)
		}
	}
	l := t.local()
	year, month, day := l.Date()
	first := time.Date(year+o.Years, month+time.Month(o.Months), 1, 0, 0, 0, 0, time.UTC)
	last := first.AddDate(0, 1, -1).Day()
	hour, minute, second := l.Clock()
	sum := time.Date(first.Year(), first.Month(), min(day, last)+7*o.Weeks+o.Days, hour, minute, second, l.Nanosecond(), t.zone)
	if err := inRange(sum); err != nil {
		bind.Raise(L, "time:add", err)
	}
	return pushTime(L, sum, t.zone)
}

// maxCalendar bounds each part of time:add: 10,000 years of days.
const maxCalendar = 3_652_500

// timePlus adds a duration to a time, in either order.
func timePlus(L *lua.LState) int {
	t, ok := userdata[Time](L.Get(1))
	other := L.Get(2)
	if !ok {
		t, _ = userdata[Time](L.Get(2))
		other = L.Get(1)
	}
	return shifted(L, "time + duration", t, other, 1)
}

// timeMinus subtracts a duration from a time, or a time from another, which gives seconds.
func timeMinus(L *lua.LState) int {
	t, ok := userdata[Time](L.Get(1))
	if !ok {
		fault.Raisef(L, "argument", "time - duration: the time comes first, got a %s", L.Get(1).Type())
	}
	if other, ok := userdata[Time](L.Get(2)); ok {
		L.Push(lua.LNumber(t.at.Sub(other.at).Seconds()))
		return 1
	}
	return shifted(L, "time - duration", t, L.Get(2), -1)
}

func shifted(L *lua.LState, name string, t *Time, by lua.LValue, sign time.Duration) int {
	var d time.Duration
	var err error
	switch by := by.(type) {
	case lua.LString, lua.LNumber:
		d, err = bind.ParseDuration(by.String())
	default:
		err = bind.Errorf("argument", "a duration such as \"90d\" expected, got %s", by.Type())
	}
	at := t.at.Add(sign * d)
	if err == nil {
		err = inRange(at)
	}
	if err != nil {
		bind.Raise(L, name, err)
	}
	return pushTime(L, at, t.zone)
}

// compareTimes compares two times; Lua calls it for two userdata only.
func compareTimes(holds func(order int) bool) lua.LGFunction {
	return func(L *lua.LState) int {
		a, ok := userdata[Time](L.Get(1))
		b, both := userdata[Time](L.Get(2))
		if !ok || !both {
			fault.Raisef(L, "argument", "a time can be compared with a time only")
		}
		L.Push(lua.LBool(holds(a.at.Compare(b.at))))
		return 1
	}
}

func timeConcat(L *lua.LState) int {
	L.Push(lua.LString(L.ToStringMeta(L.Get(1)).String() + L.ToStringMeta(L.Get(2)).String()))
	return 1
}
