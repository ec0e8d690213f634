---@meta

---A regular expression (RE2), which takes a time that grows with the text and nothing more, whatever the
---pattern: no input can make it run for ever. There are no back-references and no look-ahead for that
---reason. Write patterns in `[[…]]`, where Lua leaves backslashes alone. Compiled expressions are kept, so
---that this costs little when it is called again.
---
---A text can have 8 MB, less for patterns of more than 32 steps (code `too_large`). While a long one is worked
---through, other requests run.
---
---See https://github.com/google/re2/wiki/Syntax for what a pattern can hold. `(?i)` at its beginning
---ignores case, `(?s)` lets `.` match line breaks, `(?m)` makes `^` and `$` match at each line.
---
---```lua
---local date = rws.regex([[(\d{4})-(\d\d)-(\d\d)]])
---local year, month, day = date:match("on 2026-03-01")
---assert(year == "2026" and day == "01")
---```
---@param pattern string a mistake in it raises (code `pattern`) with the place
---@return rws.Regex regex
---@nodiscard
function rws.regex(pattern) end

---A compiled regular expression.
---@class rws.Regex
---@field pattern string
local regex = {}

---Whether the text has a match.
---
---```lua
---assert(rws.regex([[^\d+$]]):test("42"))
---```
---@param text string
---@return boolean
---@nodiscard
---@async
function regex:test(text) end

---The first match: its groups, or all of it when the pattern has no groups, or nil. A group that took no
---part is `""`.
---
---```lua
---assert(rws.regex([[\d+]]):match("room 42") == "42")
---local key, value = rws.regex([[(\w+)=(\w+)]]):match("a=1")
---assert(key == "a" and value == "1")
---```
---@param text string
---@return string? ... groups
---@nodiscard
---@async
function regex:match(text) end

---The places of the first match, as `string.find` has them, and its groups; nil without a match.
---
---```lua
---local from, to = rws.regex([[\d+]]):find("room 42")
---assert(from == 6 and to == 7)
---```
---@param text string
---@return integer? from the first byte, from 1
---@return integer? to the last byte
---@return string? ... groups
---@nodiscard
---@async
function regex:find(text) end

---The groups of the first match that have a name, `(?P<name>…)`, and took part; nil without a match.
---
---```lua
---local g = rws.regex([[(?P<user>\w+)@(?P<host>[\w.]+)]]):groups("ann@example.com")
---assert(g.user == "ann" and g.host == "example.com")
---```
---@param text string
---@return table<string, string>? groups
---@nodiscard
---@async
function regex:groups(text) end

---Goes through all matches: the groups of each, or all of it when the pattern has no groups.
---
---```lua
---local words = {}
---for word in rws.regex([[\w+]]):gmatch("one two") do words[#words + 1] = word end
---assert(#words == 2)
---```
---@param text string more than a million matches are an error (code `too_large`)
---@return fun(): string? iterator
---@async
function regex:gmatch(text) end

---Replaces all matches. In a text, `$1` or `${1}` is a group, `${name}` one with a name, `$0` all of the
---match, and `$$` the sign itself; a group that the pattern does not have is an error. A function gets the
---groups, or all of the match when there are none, and returns a text, or nil to keep the match.
---
---```lua
---local swap = rws.regex([[(\w+) (\w+)]])
---assert(swap:replace("hello world", "$2 $1") == "world hello")
---assert(rws.regex([[\d+]]):replace("1 2", function(n) return n * 10 end) == "10 20")
---```
---@param text string
---@param by string|fun(...: string): string|number|nil|false
---@return string text
---@nodiscard
---@async
function regex:replace(text, by) end

---The parts of a text between the matches.
---
---```lua
---local parts = rws.regex([[\s*,\s*]]):split("a , b,c")
---assert(#parts == 3 and parts[2] == "b")
---```
---@param text string
---@return string[] parts
---@nodiscard
---@async
function regex:split(text) end
