---@meta

---What a function of `app:test` gets: requests to the app without a socket, a clock that only it moves, and
---stubs for the network.
---
---```lua
---app:get("/rate", function()
---  return rws.http.get("https://api.example.com/rates"):ok():json()
---end)
---
---app:test("it asks for the rate", function(t)
---  t:stub("https://api.example.com/rates", { json = { EUR = 1 } })
---  t.eq(t:get("/rate"):json(), { EUR = 1 })
---end)
---```
---@class rws.Test
local t = {}

---Options of `t:get` and its like.
---@class rws.TestOptions
---@field headers? table<string, string|number> `host` is the host of the request, in place of `localhost` or that of a full URL
---@field query? table<string, string|number>
---@field form? table<string, string|number>
---@field json? any
---@field body? string
---@field files? table<string, rws.TestFile> sent with form as `multipart/form-data`
---@field cookies? table<string, string|number>
---@field as? any becomes `c.user`

---A file of a test's request.
---@class rws.TestFile
---@field name string
---@field content string
---@field type? string

---Makes a GET request to the app. Cookies are kept from one request to the next, as a browser does;
---redirects are not followed. It returns when what the app does behind the answer has ended, too: the shadow of
---`app:mirror`, the refreshing of a cached answer; at the latest 5 s after the answer.
---@async
---@param path string
---@param options? rws.TestOptions
---@return rws.Answer answer
function t:get(path, options) end

---Makes a POST request to the app.
---@async
---@param path string
---@param options? rws.TestOptions
---@return rws.Answer answer
---@see t:get
function t:post(path, options) end

---Makes a PUT request to the app.
---@async
---@param path string
---@param options? rws.TestOptions
---@return rws.Answer answer
---@see t:get
function t:put(path, options) end

---Makes a PATCH request to the app.
---@async
---@param path string
---@param options? rws.TestOptions
---@return rws.Answer answer
---@see t:get
function t:patch(path, options) end

---Makes a DELETE request to the app.
---@async
---@param path string
---@param options? rws.TestOptions
---@return rws.Answer answer
---@see t:get
function t:delete(path, options) end

---Makes a HEAD request to the app.
---@async
---@param path string
---@param options? rws.TestOptions
---@return rws.Answer answer
---@see t:get
function t:head(path, options) end

---Makes an OPTIONS request to the app.
---@async
---@param path string
---@param options? rws.TestOptions
---@return rws.Answer answer
---@see t:get
function t:options(path, options) end

---Fails the test unless both values are equal; tables are compared by what they hold.
---@param got any
---@param want any
function t.eq(got, want) end

---Fails the test unless the value is true.
---@param value any
---@param message? string
function t.ok(value, message) end

---Fails the test.
---@param message string
function t.fail(message) end

---Moves the clock of `rws.now()` and `rws.sleep`.
---
---```lua
---app:test("an hour passes at once", function(t)
---  local before = rws.now()
---  t:travel("1h")
---  t.eq(rws.now() - before, 3600)
---end)
---```
---@param duration rws.Duration
function t:travel(duration) end

---What a stub answers.
---@class rws.StubAnswer
---@field status? integer default 200
---@field headers? table<string, string|number>
---@field body? string
---@field json? any

---What a function of `t:stub` gets.
---@class rws.StubRequest
---@field method string
---@field url string
---@field headers table<string, string> with `host`, as the backend would see it
---@field body string

---Answers calls of `rws.http` to a URL, and requests of proxies to their backends. One that has no stub fails.
---
---```lua
---app:test("the peer is asked with a key", function(t)
---  t:stub("https://api.example.com/*", function(request)
---    return { status = request.headers.x_key and 200 or 401 }
---  end)
---  t.eq(rws.http.get("https://api.example.com/a").status, 401)
---  t.eq(rws.http.get("https://api.example.com/a", { headers = { x_key = "1" } }).status, 200)
---end)
---```
---@param url string with a `*` at its end: all that begins so. Of a backend with a socket it is that and the path of the request: `"unix:/run/app.sock/users"`
---@param answer rws.StubAnswer|fun(request: rws.StubRequest): rws.StubAnswer
function t:stub(url, answer) end

---What a request of a test was answered.
---@class rws.Answer
---@field status integer
---@field headers table<string, string> by name in any case, with `_` for `-`
---@field body string
---@field took_ms number
local answer = {}

---The body, read as JSON.
---@return any value
---@nodiscard
function answer:json() end
