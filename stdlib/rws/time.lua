---@meta

---The present time.
---
---```lua
---local started = rws.now()
---local month_ago = started - "30d"
---assert(month_ago < started)
---print("took", started:elapsed("ms"), "ms")
---```
---@return rws.Time now
---@nodiscard
function rws.now() end

---Times from text and numbers. `rws.now()` is the present one.
---@class rws.time
rws.time = {}

---Reads a time from text. It raises (code `time`) for text that is none, with the place.
---
---Without a layout it takes RFC 3339, `"2026-03-01T12:00:00Z"`, also with a blank for the `T`, without
---seconds and without an offset, and a date alone, `"2026-03-01"`.
---
---```lua
---local t = rws.time.parse("2026-03-01 12:00:00")
---assert(t.month == 3)
---t = rws.time.parse("1.3.2026 14:00", "%d.%m.%Y %H:%M", "Europe/Tallinn")
---assert(tostring(t) == "2026-03-01T12:00:00.000Z")
---```
---@param text string
---@param layout? string what `time:format` takes, but for `%Z`, `%u`, `%V` and `%G`
---@param zone? string where a text without an offset belongs, as `"Europe/Tallinn"`; default `"UTC"`
---@return rws.Time time in that zone
---@nodiscard
function rws.time.parse(text, layout, zone) end

---The time that is a number of seconds after 1970-01-01 00:00 UTC.
---
---```lua
---assert(tostring(rws.time.at(0)) == "1970-01-01T00:00:00.000Z")
---```
---@param seconds number may have a fraction; milliseconds are an error that says so
---@return rws.Time time in UTC
---@nodiscard
function rws.time.at(seconds) end

---The seconds of a duration.
---
---```lua
---assert(rws.time.duration("1h30m") == 5400)
---```
---@param text rws.Duration
---@return number seconds
---@nodiscard
function rws.time.duration(text) end

---A moment, to the nanosecond, from the year 0 to 9999. It never changes.
---
---A duration is added or subtracted as text: `time + "1h"`, `time - "90d"`; a day is 24 hours there, while
---`time:add` counts on the calendar. `time - other` is a number of seconds. Times compare with `<`, `<=` and
---`==`, in whatever zone they are. As text, in JSON and in a database a time is RFC 3339 in UTC with
---milliseconds, so that the order of texts is the order of times.
---
---```lua
---local t = rws.time.parse("2026-03-01")
---assert(tostring(t + "36h") == "2026-03-02T12:00:00.000Z")
---assert((t + "36h") - t == 129600)
---assert(rws.json.encode { at = t } == '{"at":"2026-03-01T00:00:00.000Z"}')
---```
---@class rws.Time
---@field year integer in the zone of the time, as all fields but `unix` and `unix_ms`
---@field month integer from 1 to 12
---@field day integer from 1 to 31
---@field hour integer from 0 to 23
---@field minute integer from 0 to 59
---@field second integer from 0 to 59
---@field weekday integer from 1, Monday, to 7, Sunday
---@field yearday integer from 1 to 366
---@field unix integer seconds since 1970-01-01 00:00 UTC
---@field unix_ms integer milliseconds since then
---@field zone string as `"UTC"` or `"Europe/Tallinn"`
local time = {}

---Writes the time in its zone. An unknown conversion is an error (code `layout`).
---
---| | |
---| --- | --- |
---| `%Y %y` | year with four and with two digits |
---| `%m %b %B` | month as `03`, `Mar`, `March` |
---| `%d %e %j` | day as `01`, as ` 1`, and of the year |
---| `%a %A %u` | weekday as `Sun`, as `Sunday`, and from 1, Monday, to 7 |
---| `%G %V` | year and week of ISO 8601 |
---| `%H %I %p` | hour from 0 to 23, from 1 to 12, and `AM` or `PM` |
---| `%M %S %L` | minute, second, millisecond |
---| `%z %Z` | offset as `+0200`, zone as `EET` |
---| `%s` | seconds since 1970 |
---| `%F %T %R` | `%Y-%m-%d`, `%H:%M:%S`, `%H:%M` |
---| `%% %n %t` | percent sign, line break, tab |
---
---```lua
---local t = rws.time.parse("2026-03-01T12:30:00Z")
---assert(t:format("%d.%m.%Y %H:%M") == "01.03.2026 12:30")
---assert(t:format("http") == "Sun, 01 Mar 2026 12:30:00 GMT")
---```
---@param layout string conversions as above, or one of the names `"rfc3339"`, `"http"`, `"date"`, `"time"`
---@return string text
---@nodiscard
function time:format(layout) end

---The same moment as another zone shows it.
---
---```lua
---local t = rws.time.parse("2026-03-01T12:00:00Z"):in_zone("Europe/Tallinn")
---assert(t.hour == 14 and t == rws.time.parse("2026-03-01T12:00:00Z"))
---```
---@param zone string a name of the IANA database, as `"Europe/Tallinn"`, or `"UTC"`; any other is an error
---  (code `zone`)
---@return rws.Time time
---@nodiscard
function time:in_zone(zone) end

---How long ago the time was; negative for one to come. For a time that `rws.now()` gave it does not jump
---when the clock of the machine is set.
---
---```lua
---local started = rws.now()
---rws.sleep("5ms")
---assert(started:elapsed("ms") >= 5)
---```
---@param unit? "s"|"ms"|"us" default `"s"`
---@return number
---@nodiscard
function time:elapsed(unit) end

---The first moment of the unit that the time is in, in its zone. Weeks begin on Monday.
---
---```lua
---local t = rws.time.parse("2026-03-11T12:30:00Z")
---assert(tostring(t:start_of("month")) == "2026-03-01T00:00:00.000Z")
---```
---@param unit "second"|"minute"|"hour"|"day"|"week"|"month"|"year"
---@return rws.Time time
---@nodiscard
function time:start_of(unit) end

---Parts that `time:add` adds.
---@class rws.CalendarParts
---@field years? integer
---@field months? integer
---@field weeks? integer
---@field days? integer

---Moves the time on the calendar of its zone; the hour stays, also where clocks are changed between. A
---month that has no such day gives its last one. Negative numbers go back.
---
---```lua
---local t = rws.time.parse("2026-01-31")
---assert(t:add({ months = 1 }):format("date") == "2026-02-28")
---```
---@param parts rws.CalendarParts
---@return rws.Time time
---@nodiscard
function time:add(parts) end
