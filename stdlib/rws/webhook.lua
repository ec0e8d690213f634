---@meta

---Signatures of webhooks, over the body as it was sent: `"stripe"`, `"github"`, `"shopify"`, `"slack"`, `"standard"`
---(standardwebhooks.com), `"svix"`, and `"generic"` for any other that is an HMAC of the body in a header.
---
---```lua
---local secret = "whsec of the dashboard"
---app:post("/hooks/github", rws.webhook.guard("github", { secret = secret, replays = "memory" }), function(c)
---  return "got " .. c:read_json().action
---end)
---
---app:test("a webhook", function(t)
---  local body = '{"action":"opened"}'
---  local signed = rws.webhook.sign("github", body, secret)
---  t.eq(t:post("/hooks/github", { body = body }).status, 403)
---  t.eq(t:post("/hooks/github", { body = body, headers = signed }).body, "got opened")
---  t.eq(t:post("/hooks/github", { body = body, headers = signed }).status, 409)
---end)
---```
---@class rws.webhook
rws.webhook = {}

---Middleware that lets in what is signed. What is not is answered 403, a replay 409, a body that is too long 413, and
---while the store of replays does not answer everything 503. The reason is in the log alone. A webhook whose handler
---answers with anything but 2xx, or fails, is forgotten by the store: its sender takes it for not delivered, and sends
---it again.
---@param provider string
---@param options rws.WebhookGuardOptions
---@return rws.Middleware middleware
function rws.webhook.guard(provider, options) end

---@class rws.WebhookGuardOptions
---@field secret string|string[] as the provider shows it, of 8 bytes or more; 16 for `"generic"`, 24 for `"standard"` and
---  `"svix"`. Of several any will do, so that they can be changed
---@field tolerance? rws.Duration how far its time may be from ours, both ways, where one is signed (stripe, slack,
---  standard, svix; an error for others); default `"5m"`
---@field replays? "memory"|"redis"|string remembers what was here, in this process, in the app's Redis (see
---  `rws.rate_limit`) or the one of a URL; default none, so that a webhook can be sent again while its time holds, and
---  one without a time (github, shopify, generic) forever. What is remembered is the provider, the pattern of the
---  route, and the message: its id (standard, svix), for others all that is signed, so that a body that a provider
---  means to send twice is refused the second time
---@field replay_ttl? rws.Duration how long; default twice the tolerance, `"24h"` where no time is signed: one that is
---  recorded can be sent again after that
---@field max_body? rws.Size default `"1mb"`
---@field header? string of `"generic"`: that has the signature
---@field prefix? string of `"generic"`: before it, as `"sha256="`; default none
---@field encoding? "hex"|"base64" of `"generic"`; default `"hex"`
---@field hash? "sha256"|"sha512" of `"generic"`; default `"sha256"`

---Whether the request is a webhook that is signed: true, or nil and why not. It reads the body, which `c.body` and
---`c:read_json()` have afterwards; a form must not have been read before.
---
---```lua
---app:post("/hooks/slack", function(c)
---  local ok, reason = rws.webhook.verify("slack", c, "the signing secret")
---  if not ok then
---    rws.log.warn("a webhook was refused", { reason = reason })
---    return 403
---  end
---  return "hello"
---end)
---
---app:test("slack", function(t)
---  local signed = rws.webhook.sign("slack", "a=b", "the signing secret")
---  t.eq(t:post("/hooks/slack", { body = "a=b", headers = signed }).body, "hello")
---  t.eq(t:post("/hooks/slack", { body = "a=c", headers = signed }).status, 403)
---end)
---```
---@async
---@param provider string
---@param c rws.Context
---@param secret string|string[] as the provider shows it
---@param options? rws.WebhookOptions
---@return boolean? ok
---@return string? reason
---@nodiscard
function rws.webhook.verify(provider, c, secret, options) end

---@class rws.WebhookOptions
---@field tolerance? rws.Duration default `"5m"`
---@field replays? "memory"|"redis"|string remembers what was here; default none
---@field replay_ttl? rws.Duration how long; default twice the tolerance, `"24h"` where no time is signed
---@field header? string of `"generic"`: that has the signature
---@field prefix? string of `"generic"`: before it; default none
---@field encoding? "hex"|"base64" of `"generic"`; default `"hex"`
---@field hash? "sha256"|"sha512" of `"generic"`; default `"sha256"`

---The headers that sign a body, to be sent now with webhooks of our own. `"standard"` is the one to choose.
---
---```lua
---local body = rws.json.encode { type = "note.created", id = 7 }
---rws.http.post("https://example.com/hooks", {
---  body = body, headers = rws.webhook.sign("standard", body, "whsec_C2FVsBQIhrscChlQIMV+b5sSYspob7oD"),
---})
---```
---@param provider string
---@param body string
---@param secret string|string[] of several the first signs, and where several signatures are possible all do
---@param options? rws.WebhookSignOptions
---@return table<string, string> headers
---@nodiscard
function rws.webhook.sign(provider, body, secret, options) end

---@class rws.WebhookSignOptions
---@field id? string of the message, for `"standard"` and `"svix"`: the same when it is sent again; default a new one
---@field header? string of `"generic"`: that has the signature
---@field prefix? string of `"generic"`: before it; default none
---@field encoding? "hex"|"base64" of `"generic"`; default `"hex"`
---@field hash? "sha256"|"sha512" of `"generic"`; default `"sha256"`
