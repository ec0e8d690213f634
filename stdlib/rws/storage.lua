---@meta

---Files under keys such as `"avatars/7.png"`, as `app:storage` returns them. A file appears when it is complete, in
---place of the one before; who reads that one meanwhile has it to its end. Nothing but `get` holds a whole file in
---memory. All waits end at the deadline of the request; once its answer has begun, a bucket that sends nothing for
---30 seconds in the middle of a file breaks it off, and the log says so.
---
---A key has at most 1024 bytes of UTF-8. Between `/` are names of at most 255 bytes, none of them empty, `.` or
---`..`; control characters, `\\` and a `/` at the beginning are refused, by all stores. In a folder no key can be the
---beginning of the path of another, as `a` beside `a/b`.
---
---Errors have the codes `not_found` (answered 404: of `copy` and `send`, the others return nil), `invalid_key` (400),
---`too_large` (413; 500 of `get`, which is no fault of the visitor), `denied` (credentials or permissions),
---`timeout` (504), `unavailable` (503: the server cannot be reached, the bucket does not exist, the disk is full),
---`unsupported` and `invalid`. In production a visitor sees the key and the rule, and the log the store too. What goes wrong with the body of a request is answered as if it were read by itself.
---
---```lua
---local files = app:storage "dir:./uploads"
---
---app:post("/avatars", { upload = { picture = "file image/* ..5mb" }, max_body = "6mb" }, function(c)
---  local key = "avatars/" .. rws.uuid()
---  files:put(key, c.files.picture)
---  return { key = key }
---end)
---app:get("/avatars/:id", function(c) return files:send(c, "avatars/" .. c.params.id, { cache = "1d" }) end)
---
---app:test("a picture has the type that it looks like", function(t)
---  local gif = { name = "a.png", content = "GIF89a…" }
---  local key = t:post("/avatars", { files = { picture = gif } }):json().key
---  t.eq(t:get("/" .. key).headers.content_type, "image/gif")
---  files:delete(key)
---end)
---```
---@class rws.Storage
local files = {}

---What `files:stat` knows of a file.
---@class rws.StoredFile
---@field key string
---@field size integer in bytes
---@field type string as `"image/png"`
---@field etag string another one for each content, in quotes
---@field modified rws.Time when it was put
---@field metadata table<string, string>

---What `files:list` knows of a file.
---@class rws.ListedFile
---@field key string
---@field size integer in bytes
---@field etag string another one for each content, in quotes
---@field modified rws.Time when it was put

---Options of `files:put`.
---@class rws.StoragePutOptions
---@field content_type? string default for a file of `c.files` what its content looks like, where that is more than
---  plain text, XML, a ZIP or any bytes (a `.docx` looks like a ZIP, a `.csv` like text); else by the extension of the
---  key, `application/octet-stream` where that says nothing
---@field metadata? table<string, string> kept with the file: names of small letters, digits and `-`, values of ASCII,
---  2048 bytes together

---Stores a text, or all that is left of a stream, in place of another file. When it fails nothing has changed, also
---when a client breaks off in the middle or the process is killed. Up to 24 MB of a large file are in memory on its
---way to S3, and 512 MB of all files together: more of them wait, up to their deadlines. 64 KB are on their way to a
---folder.
---
---A process that is killed in the middle of a large file leaves its parts in the bucket of S3, unseen and paid for. Give
---the bucket a rule that removes them (`AbortIncompleteMultipartUpload`, after a day):
---
---```sh
---aws s3api put-bucket-lifecycle-configuration --bucket my-bucket --lifecycle-configuration '{"Rules":[{"ID":"parts",
---  "Status":"Enabled","Filter":{"Prefix":""},"AbortIncompleteMultipartUpload":{"DaysAfterInitiation":1}}]}'
---```
---
---A stream that has been read to its end is not stored as an empty file: it raises `stream`.
---
---A type that the extension does not tell, and metadata, are kept beside a folder's files in `.rws-storage/meta`.
---
---```lua
---local files = app:storage "memory:"
---files:put("notes/1.txt", "hello", { metadata = { author = "ann" } })
---assert(files:stat("notes/1.txt").metadata.author == "ann")
---
---app:post("/import", function(c)
---  local answer = rws.http.get("https://example.com/dump", { stream = true }):ok()
---  files:put("imports/dump.bin", answer)
---  return 201
---end)
---```
---@async
---@param key string
---@param body string|rws.Reader|rws.File|rws.HttpResponse|rws.FileHandle a text; `c.body_stream`, a file of `c.files`,
---  what `files:open` or `rws.fs.open` returns, or an answer of `rws.http`
---@param options? rws.StoragePutOptions
function files:put(key, body, options) end

---Options of `files:get`.
---@class rws.StorageGetOptions
---@field max? rws.Size a larger file is an error with the code `too_large`, answered 500 where it is not caught;
---  default and at most 64 MB

---The content of a file, and what is known of it; nil when it is missing.
---
---```lua
---local files = app:storage "memory:"
---files:put("a", "hello")
---local text, info = files:get("a")
---assert(text == "hello" and info.size == 5)
---assert(files:get("none") == nil)
---```
---@async
---@param key string
---@param options? rws.StorageGetOptions
---@return string? content
---@return rws.StoredFile? info
---@nodiscard
function files:get(key, options) end

---A file to read in pieces, or to put into another store; nil when it is missing. It is closed at the end of the
---handler: one that `c:stream` is to send is opened in its function. To send a file as it is, `files:send`.
---
---```lua
---local files = app:storage "memory:"
---local archive = app:storage "memory:?size=1mb"
---files:put("a", "hello")
---archive:put("a", files:open("a"))
---assert(archive:get("a") == "hello")
---
---app:get("/lines", function()
---  local count = 0
---  for chunk in files:open("a"):chunks() do count = count + select(2, chunk:gsub("\n", "")) end
---  return { lines = count }
---end)
---```
---@async
---@param key string
---@return rws.Reader? reader
---@nodiscard
function files:open(key) end

---Options of `files:send`.
---@class rws.StorageSendOptions
---@field download? string the name under which browsers save it instead of showing it
---@field type? string the content type; default that of the file
---@field cache? rws.Duration how long clients may use it without asking; default they ask each time, and are
---  answered 304 while it is the same. It is `public`, for caches that people share too, unless the answer sets a
---  cookie or the request has `Authorization`, a `c.user` or a session that was used: then it is `private`

---Answers with a file, without holding it in memory, with its type, `ETag` and `Last-Modified`; ranges and conditions
---are those of the request. One that is missing, and a key that can be none, raise: 404 for the visitor.
---
---A page or picture with scripts in it (HTML, SVG, XML) comes from whoever has put it: it is sent with a
---`Content-Security-Policy` that keeps scripts from running. Set that header in `c.res.headers` for files that are
---your own.
---
---```lua
---local files = app:storage "memory:"
---files:put("report.pdf", "%PDF-1.7 …")
---app:get("/report", function(c) return files:send(c, "report.pdf", { download = "Report.pdf" }) end)
---
---app:test("a part of it", function(t)
---  local answer = t:get("/report", { headers = { range = "bytes=0-3" } })
---  t.eq(answer.status, 206)
---  t.eq(answer.body, "%PDF")
---end)
---```
---@async
---@param c rws.Context
---@param key string
---@param options? rws.StorageSendOptions
---@return rws.Response res
function files:send(c, key, options) end

---What is known of a file; nil when it is missing.
---@async
---@param key string
---@return rws.StoredFile? info
---@nodiscard
function files:stat(key) end

---Whether there is a file. S3 says so of a file that the credentials may read only if they may list the bucket.
---@async
---@param key string
---@return boolean found
---@nodiscard
function files:exists(key) end

---Removes a file. One that is missing is no error.
---@async
---@param key string
function files:delete(key) end

---Makes a file out of another one, with its type and metadata; one that is missing raises `not_found`. S3 does it by itself, up to 5 GB.
---@async
---@param from string
---@param to string
function files:copy(from, to) end

---The files whose keys begin with a prefix, in the order of the bytes of their keys. They come in pages of 1000, as
---the loop goes on. In a folder, links are left out.
---
---```lua
---local files = app:storage "memory:"
---for _, key in ipairs { "a/1", "a/2", "b" } do files:put(key, "x") end
---local keys = {}
---for file in files:list("a/") do keys[#keys + 1] = file.key end
---assert(table.concat(keys, " ") == "a/1 a/2")
---```
---@async
---@param prefix? string default all
---@return fun(): rws.ListedFile? next
---@nodiscard
function files:list(prefix) end

---Options of `files:url`.
---@class rws.StorageUrlOptions
---@field expires? rws.Duration how long it is good for, up to 7 days; default 1 hour

---A URL of S3 by which anybody can read the file for a while, without asking the app. It is signed here, and whether
---the file is there is not looked at. A folder and memory raise `unsupported`: nobody but the app reaches them, so
---declare a route with `files:send`, and give out its `app:url`.
---
---```lua
---local files = app:storage "s3://my-bucket?region=eu-north-1"
---app:get("/videos/:id", function(c)
---  return c:redirect(files:url("videos/" .. c.params.id .. ".mp4", { expires = "4h" }))
---end)
---```
---@async
---@param key string
---@param options? rws.StorageUrlOptions
---@return string url
---@nodiscard
function files:url(key, options) end

---A stream of bytes: `c.body_stream`, or what `files:open` returns. It ends with the request.
---@class rws.Reader
---@field size integer? in bytes, if it is known
---@field type string the content type; of `c.body_stream` what the client says, and maybe `""`
local reader = {}

---Up to n bytes, fewer at the end, then nil.
---
---```lua
---app:post("/head", function(c) return { head = c.body_stream:read(10) } end)
---```
---@async
---@param n? integer default 65536
---@return string? bytes
function reader:read(n) end

---The rest in pieces, as they arrive.
---
---```lua
---app:post("/count", function(c)
---  local n = 0
---  for chunk in c.body_stream:chunks() do n = n + #chunk end
---  return { bytes = n }
---end)
---```
---@async
---@return fun(): string? next
function reader:chunks() end

---Ends the stream before its end.
---@async
function reader:close() end
