---@meta

---Files, in the folder of the app: paths are relative to it, and neither `..` nor a link leads out of it.
---Other folders are reached by their whole path once `app:config { fs = { allow = { "/srv/data" } } }` names
---them.
---
---What fails raises, with one of these codes:
---
---| code | meaning |
---| --- | --- |
---| `not_found` | the file or folder is not there |
---| `permission` | it is outside of the app's folder, or the system says no |
---| `exists` | it is there already |
---| `not_empty` | the folder is not empty |
---| `too_large` | it has more than can be read at once |
---| `pattern` | the pattern has a mistake |
---| `closed` | the file has been closed |
---| `io` | anything else, as a full disk |
---@class rws.fs
rws.fs = {}

---Reads all of a file, of at most 64 MB; larger ones are read with `rws.fs.lines` or `rws.fs.open`.
---
---```lua
---rws.fs.write("note.txt", "hello")
---assert(rws.fs.read("note.txt") == "hello")
---```
---@async
---@param path string
---@return string content
function rws.fs.read(path) end

---Writes a file in one step: who reads it meanwhile sees the old content or the new, also when the machine
---fails. Missing folders above it are made.
---
---```lua
---rws.fs.write("data/rates.json", rws.json.encode { EUR = 1 })
---```
---@async
---@param path string
---@param text string
function rws.fs.write(path, text) end

---Writes at the end of a file, which is made if it is not there.
---
---```lua
---rws.fs.append("visits.log", tostring(rws.now()) .. "\n")
---```
---@async
---@param path string
---@param text string
function rws.fs.append(path, text) end

---Goes through the lines of a file, without their ends, and closes it.
---
---```lua
---rws.fs.write("names.txt", "ann\nbob\n")
---local names = {}
---for line in rws.fs.lines("names.txt") do names[#names + 1] = line end
---assert(#names == 2)
---```
---@async
---@param path string
---@return fun(): string? iterator
function rws.fs.lines(path) end

---Opens a file, to read or write it in pieces.
---
---```lua
---local file = rws.fs.open("big.csv", "w")
---for n = 1, 3 do file:write(n, ",", n * n, "\n") end
---file:close()
---assert(rws.fs.read("big.csv") == "1,1\n2,4\n3,9\n")
---```
---@async
---@param path string
---@param mode? "r"|"w"|"a"|"r+"|"w+"|"a+" to read, the default; to write a new file; to append; and both to read
---  and write an old file, a new one, and at the end of one
---@return rws.FileHandle handle
function rws.fs.open(path, mode) end

---Whether there is a file or folder of that name.
---
---```lua
---assert(not rws.fs.exists("none.txt"))
---```
---@async
---@param path string
---@return boolean
---@nodiscard
function rws.fs.exists(path) end

---What is known of a file or folder.
---@class rws.FileInfo
---@field name string without folders
---@field type "file"|"folder"|"link"|"other"
---@field size integer in bytes
---@field modified rws.Time when its content was last changed

---What is known of a file or folder; nil when it is not there.
---
---```lua
---rws.fs.write("a.txt", "12345")
---local info = rws.fs.stat("a.txt")
---assert(info.size == 5 and info.type == "file" and info.modified <= rws.now())
---```
---@async
---@param path string a link is followed
---@return rws.FileInfo? info
---@nodiscard
function rws.fs.stat(path) end

---What is in a folder, by name.
---
---```lua
---rws.fs.write("posts/one.md", "# One")
---for _, file in ipairs(rws.fs.list("posts")) do
---  print(file.name, file.size)
---end
---```
---@async
---@param path string `"."` is the app's folder
---@return rws.FileInfo[] entries
---@nodiscard
function rws.fs.list(path) end

---The paths that match a pattern, in order. `*` and `?` stand for characters but the slash, `[a-z]` for one of
---them; neither matches the dot at the beginning of a hidden name. Nothing matched is an empty list.
---
---```lua
---rws.fs.write("posts/one.md", "# One")
---assert(rws.fs.glob("posts/*.md")[1] == "posts/one.md")
---```
---@async
---@param pattern string
---@return string[] paths
---@nodiscard
function rws.fs.glob(pattern) end

---Makes a folder and those above it. One that is there already is fine.
---
---```lua
---rws.fs.mkdir("data/2026")
---```
---@async
---@param path string
function rws.fs.mkdir(path) end

---Options of `rws.fs.remove`.
---@class rws.RemoveOptions
---@field recursive? boolean removes a folder with all that is in it; default false

---Removes a file or an empty folder.
---
---```lua
---rws.fs.write("old/a.txt", "")
---rws.fs.remove("old/a.txt")
---rws.fs.remove("old")
---```
---@async
---@param path string
---@param options? rws.RemoveOptions
function rws.fs.remove(path, options) end

---Moves a file or folder in one step. A file that is there already is replaced.
---
---```lua
---rws.fs.write("new.txt", "x")
---rws.fs.rename("new.txt", "archive/old.txt")
---```
---@async
---@param from string
---@param to string missing folders above it are made
function rws.fs.rename(from, to) end

---Copies a file. The new one appears when it is complete, and replaces one that is there already.
---
---```lua
---rws.fs.write("a.txt", "x")
---rws.fs.copy("a.txt", "backup/a.txt")
---```
---@async
---@param from string
---@param to string missing folders above it are made
function rws.fs.copy(from, to) end

---Makes an empty file with a name that nobody can guess, below `.rws/tmp`. One that was made in a request is
---removed when the request is over; move it with `rws.fs.rename` to keep it.
---
---```lua
---local path = rws.fs.temp(".csv")
---rws.fs.write(path, "a,b\n")
---rws.fs.remove(path)
---```
---@async
---@param suffix? string the end of the name, as `".png"`
---@return string path
function rws.fs.temp(suffix) end

---An open file, as `rws.fs.open` returns it.
---@class rws.FileHandle
local handle = {}

---Reads n bytes, fewer at the end of the file, then nil; without n all that is left.
---
---```lua
---rws.fs.write("a.bin", "12345")
---local file = rws.fs.open("a.bin")
---assert(file:read(2) == "12" and file:read() == "345" and file:read() == nil)
---file:close()
---```
---@async
---@param n? integer bytes, from 1 to 64 MB
---@return string? bytes
function handle:read(n) end

---Goes through the lines from here on, without their ends. The file stays open.
---@async
---@return fun(): string? iterator
function handle:lines() end

---Writes texts and numbers.
---@async
---@param ... string|number
---@return rws.FileHandle handle the same
function handle:write(...) end

---Moves to another place of the file.
---
---```lua
---rws.fs.write("a.bin", "12345")
---local file = rws.fs.open("a.bin")
---assert(file:seek(-2, "end") == 3 and file:read() == "45")
---file:close()
---```
---@async
---@param offset integer bytes, negative to go back
---@param from? "start"|"current"|"end" default `"start"`
---@return integer position in bytes from the start
function handle:seek(offset, from) end

---Closes the file. Closing it twice does nothing.
---@async
function handle:close() end
