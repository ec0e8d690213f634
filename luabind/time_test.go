package luabind_test

import (
	"context"
	"regexp"
	"strings"
	"sync"
	"testing"
	"time"

	"rws/luabind"
)

// A stillClock stands still; sleeping moves it.
type stillClock struct {
	mu sync.Mutex
	at time.Time
}

func (c *stillClock) Now() time.Time {
	c.mu.Lock()
	defer c.mu.Unlock()
	return c.at
}

func (c *stillClock) Sleep(_ context.Context, d time.Duration) error {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.at = c.at.Add(d)
	return nil
}

// at is an option: rws.now() is that time.
func at(text string) func(*luabind.Options) {
	now, err := time.Parse(time.RFC3339Nano, text)
	if err != nil {
		panic(err)
	}
	return func(o *luabind.Options) { o.Clock = &stillClock{at: now} }
}

func TestTime(t *testing.T) {
	scripts(t, map[string]string{
		"now is the clock of the program": `
			eq(tostring(rws.now()), "2026-03-31T12:34:56.789Z")
			eq("at " .. rws.now() .. "!", "at 2026-03-31T12:34:56.789Z!")`,
		"fields": `
			local t = rws.now()
			eq(t.year, 2026) eq(t.month, 3) eq(t.day, 31) eq(t.hour, 12) eq(t.minute, 34) eq(t.second, 56)
			eq(t.weekday, 2) eq(t.yearday, 90) eq(t.unix, 1774960496) eq(t.unix_ms, 1774960496789) eq(t.zone, "UTC")
			eq(rws.time.parse("2026-03-01").weekday, 7)
			raises("field", 'did you mean "minute"?', function() return t.minutes end)
			raises("field", "can't be set", function() t.year = 1 end)`,
		"durations are added and subtracted": `
			local t = rws.time.parse("2026-03-01T00:00:00Z")
			eq(tostring(t + "1h30m"), "2026-03-01T01:30:00.000Z")
			eq(tostring("1d" + t), "2026-03-02T00:00:00.000Z")
			eq(tostring(t - "90d"), "2025-12-01T00:00:00.000Z")
			eq((t + "1h") - t, 3600)
			eq(t - (t + "500ms"), -0.5)
			raises("failed", "has no unit", function() return t + 5 end)
			raises("failed", "is not a duration", function() return t + "soon" end)
			raises("argument", "the time comes first", function() return "1h" - t end)
			raises("argument", "got table", function() return t + {} end)
			raises("time", "between 0 and 9999", function() local x = t for _ = 1, 200 do x = x + "5000w" end end)`,
		"times compare by moment, in any zone": `
			local a, b = rws.time.at(1), rws.time.at(2)
			eq(a < b, true) eq(a <= b, true) eq(a > b, false) eq(a == b, false)
			eq(a == rws.time.at(1):in_zone("Asia/Tokyo"), true)
			eq(a == rws.null, false)`,
		"format": `
			local t = rws.now()
			eq(t:format("%Y-%m-%d %H:%M:%S.%L"), "2026-03-31 12:34:56.789")
			eq(t:format("%a %A %b %B %e %j %u %V %G %y %I%p %z %Z %s %%"), "Tue Tuesday Mar March 31 090 2 14 2026 26 12PM +0000 UTC 1774960496 %")
			eq(t:format("%F %T %R%%F"), "2026-03-31 12:34:56 12:34%F")
			eq(t:format("rfc3339"), "2026-03-31T12:34:56Z")
			eq(t:format("http"), "Tue, 31 Mar 2026 12:34:56 GMT")
			eq(t:format("date"), "2026-03-31")
			eq(t:in_zone("Europe/Tallinn"):format("rfc3339"), "2026-03-31T15:34:56+03:00")
			raises("layout", 'unknown conversion "%Q"', function() t:format("%Q") end)
			raises("layout", 'has no % in it; write "%Y-%m-%d', function() t:format("YYYY") end)
			raises("layout", 'did you mean "http"?', function() t:format("htpp") end)
			raises("layout", "ends in a single %", function() t:format("100%") end)`,
		"zones": `
			local t = rws.now():in_zone("Europe/Tallinn")
			eq(t.hour, 15) eq(t.zone, "Europe/Tallinn") eq(tostring(t), tostring(rws.now()))
			eq(rws.now():in_zone("utc").zone, "UTC")
			raises("zone", 'there is no zone "Tallinn"', function() t:in_zone("Tallinn") end)
			raises("zone", 'there is no zone "Local"', function() t:in_zone("Local") end)
			raises("zone", 'there is no zone "../etc"', function() t:in_zone("../etc") end)`,
		"start_of": `
			local t = rws.now()
			eq(tostring(t:start_of("second")), "2026-03-31T12:34:56.000Z")
			eq(tostring(t:start_of("minute")), "2026-03-31T12:34:00.000Z")
			eq(tostring(t:start_of("hour")), "2026-03-31T12:00:00.000Z")
			eq(tostring(t:start_of("day")), "2026-03-31T00:00:00.000Z")
			eq(tostring(t:start_of("week")), "2026-03-30T00:00:00.000Z")
			eq(tostring(t:start_of("month")), "2026-03-01T00:00:00.000Z")
			eq(tostring(t:start_of("year")), "2026-01-01T00:00:00.000Z")
			eq(tostring(t:in_zone("Europe/Tallinn"):start_of("day")), "2026-03-30T21:00:00.000Z")
			eq(tostring(t:in_zone("Asia/Kolkata"):start_of("hour")), "2026-03-31T12:30:00.000Z")
			raises("argument", 'did you mean "day"?', function() t:start_of("days") end)`,
		"an hour that comes twice starts twice": `
			local second = rws.time.parse("2026-10-25T01:30:00Z"):in_zone("Europe/Tallinn") -- 03:30 again
			eq(tostring(second:start_of("hour")), "2026-10-25T01:00:00.000Z")`,
		"calendar": `
			local t = rws.time.parse("2026-01-31T10:00:00Z")
			eq(tostring(t:add { months = 1 }), "2026-02-28T10:00:00.000Z")
			eq(tostring(t:add { months = -2 }), "2025-11-30T10:00:00.000Z")
			eq(tostring(t:add { years = 2, weeks = 1, days = 1 }), "2028-02-08T10:00:00.000Z")
			local z = rws.time.parse("2026-03-28 12:00", "%Y-%m-%d %H:%M", "Europe/Tallinn") -- clocks change on the 29th
			eq(z:add({ days = 1 }):format("%H:%M"), "12:00")
			eq((z + "1d"):format("%H:%M"), "13:00")
			raises("option", 'unknown option "month" (did you mean "months"?)', function() t:add { month = 1 } end)
			raises("time", "between 0 and 9999", function() t:add { years = 9000 } end)
			raises("argument", "table expected", function() t:add() end)`,
		"parse without a layout": `
			eq(tostring(rws.time.parse("2026-03-01T12:00:00+02:00")), "2026-03-01T10:00:00.000Z")
			eq(tostring(rws.time.parse("2026-03-01 12:00:00.5")), "2026-03-01T12:00:00.500Z")
			eq(tostring(rws.time.parse("2026-03-01T12:00")), "2026-03-01T12:00:00.000Z")
			eq(tostring(rws.time.parse("2026-03-01")), "2026-03-01T00:00:00.000Z")
			eq(rws.time.parse(tostring(rws.now())) == rws.now(), true)
			raises("time", '"yesterday" is no time', rws.time.parse, "yesterday")
			raises("time", "is no time", rws.time.parse, "2026-02-30")`,
		"parse with a layout": `
			eq(tostring(rws.time.parse("1.3.2026 9:05", "%d.%m.%Y %H:%M")), "2026-03-01T09:05:00.000Z")
			eq(tostring(rws.time.parse("Sun, 01 Mar 2026 12:00:00 GMT", "http")), "2026-03-01T12:00:00.000Z")
			eq(tostring(rws.time.parse("March 1, 2026 12:30 AM", "%B %d, %Y %I:%M %p")), "2026-03-01T00:30:00.000Z")
			eq(tostring(rws.time.parse("1774960496", "%s")), "2026-03-31T12:34:56.000Z")
			eq(tostring(rws.time.parse("2026-060", "%Y-%j")), "2026-03-01T00:00:00.000Z")
			eq(tostring(rws.time.parse("26-03-01 +0530", "%y-%m-%d %z")), "2026-02-28T18:30:00.000Z")
			eq(tostring(rws.time.parse("2026-07-01 12:00", "%F %R", "Europe/Tallinn")), "2026-07-01T09:00:00.000Z")
			eq(rws.time.parse("2026-07-01", nil, "Europe/Tallinn").zone, "Europe/Tallinn")
			raises("time", "is not %m at character 6", rws.time.parse, "2026-13-01", "%Y-%m-%d")
			raises("time", 'goes on after the layout', rws.time.parse, "2026-03-01x", "%Y-%m-%d")
			raises("time", "there is no such day", rws.time.parse, "2026-02-30", "%Y-%m-%d")
			raises("time", "there is no such day", rws.time.parse, "2026-366", "%Y-%j")
			raises("layout", "%Z can be written, but not read", rws.time.parse, "UTC", "%Z")`,
		"at and duration": `
			eq(tostring(rws.time.at(0)), "1970-01-01T00:00:00.000Z")
			eq(tostring(rws.time.at(-1.5)), "1969-12-31T23:59:58.500Z")
			raises("time", "looks like milliseconds: write rws.time.at(ms / 1000)", rws.time.at, 1774960496789)
			raises("time", "is not a number of seconds", rws.time.at, 0/0)
			raises("time", "is not a number of seconds", rws.time.at, -1e300)
			eq(rws.time.duration("1h30m"), 5400)
			eq(rws.time.duration("250ms"), 0.25)
			raises("failed", "has no unit", rws.time.duration, "5")`,
		"elapsed follows the clock": `
			local t = rws.now()
			eq(t:elapsed(), 0)
			rws.sleep("1500ms")
			eq(t:elapsed(), 1.5) eq(t:elapsed("ms"), 1500) eq(t:elapsed("us"), 1500000)
			raises("argument", '"min" is no unit', function() t:elapsed("min") end)`,
		"JSON": `eq(rws.json.encode { at = rws.time.at(0) }, '{"at":"1970-01-01T00:00:00.000Z"}')`,
	}, at("2026-03-31T12:34:56.789Z"))
}

// FuzzTimeLayout holds that what a layout writes it reads as the same time, when all of the
// time is in it.
func FuzzTimeLayout(f *testing.F) {
	for _, s := range []string{"%Y-%m-%d", "%", "%%%", "%F %T%z", "%Q", "%j%s", "%M %p", "%b %e", "%é", "%y  %B%n%t"} {
		f.Add(s, int64(1774960496))
	}
	ambiguous := regexp.MustCompile(`%I|%s[0-9%]`) // half of the day is missing, or digits run together
	f.Fuzz(func(t *testing.T, layout string, seconds int64) {
		at := time.Unix(max(seconds, -seconds)%3_000_000_000, 0).UTC() // until 2065: %y has two digits
		layout = "%F %T|" + layout
		text, err := luabind.FormatTime(at, layout)
		if err != nil || ambiguous.MatchString(layout) {
			return
		}
		back, err := luabind.ParseTime(text, layout)
		if err != nil && strings.Contains(err.Error(), "can be written, but not read") || len(text) > 1024 {
			return
		}
		if err != nil || !back.Equal(at) {
			t.Errorf("%v by %q is %q, which reads as %v, %v", at, layout, text, back, err)
		}
	})
}

func FuzzTimeParse(f *testing.F) {
	for _, s := range [][2]string{{"2026-03-01", "%Y-%m-%d"}, {"1 Mar", "%e %b"}, {"12AM", "%I%p"}, {"+2599", "%z"}, {"-1", "%s"}, {"", "%a"}, {"2026-03-01T12:00:00Z", ""}} {
		f.Add(s[0], s[1])
	}
	f.Fuzz(func(t *testing.T, text, layout string) {
		at, err := luabind.ParseTime(text, layout)
		if err != nil || layout == "" {
			return
		}
		if _, err := luabind.FormatTime(at, layout); err != nil {
			t.Errorf("%q reads %q, but can't write it: %v", layout, text, err)
		}
	})
}
