---@meta

---Hashes, random values, encodings and encryption. All texts may hold any bytes.
---@class rws.crypto
rws.crypto = {}

---Options of the hash functions and of `rws.crypto.hmac`.
---@class rws.HashOptions
---@field encoding? "hex"|"base64"|"base64url"|"raw" how the result is written; default `"hex"`. `"base64url"`
---  has no padding

---The SHA-256 of a text. It is no way to store passwords: it is far too quick.
---
---```lua
---assert(rws.crypto.sha256("abc"):sub(1, 8) == "ba7816bf")
---assert(#rws.crypto.sha256("abc", { encoding = "raw" }) == 32)
---```
---@param text string
---@param options? rws.HashOptions
---@return string hash 64 hex digits, unless options say otherwise
---@nodiscard
function rws.crypto.sha256(text, options) end

---The SHA-384 of a text, as in the `integrity` attribute of scripts.
---
---```lua
---local integrity = "sha384-" .. rws.crypto.sha384("alert(1)", { encoding = "base64" })
---```
---@param text string
---@param options? rws.HashOptions
---@return string hash 96 hex digits, unless options say otherwise
---@nodiscard
function rws.crypto.sha384(text, options) end

---The SHA-512 of a text.
---@param text string
---@param options? rws.HashOptions
---@return string hash 128 hex digits, unless options say otherwise
---@nodiscard
function rws.crypto.sha512(text, options) end

---The SHA-1 of a text, for old protocols that ask for it. It is broken: nothing may rest on it.
---@param text string
---@param options? rws.HashOptions
---@return string hash 40 hex digits, unless options say otherwise
---@nodiscard
function rws.crypto.sha1(text, options) end

---The MD5 of a text, for old protocols and Gravatar. It is broken: nothing may rest on it.
---
---```lua
---local avatar = "https://gravatar.com/avatar/" .. rws.crypto.md5("ann@example.com")
---```
---@param text string
---@param options? rws.HashOptions
---@return string hash 32 hex digits, unless options say otherwise
---@nodiscard
function rws.crypto.md5(text, options) end

---The HMAC of a text (RFC 2104): a hash that only who has the key can make. Compare it with
---`rws.crypto.equal`.
---
---```lua
---local signature = rws.crypto.hmac("sha256", "key", "the body of a webhook")
---assert(rws.crypto.equal(signature, rws.crypto.hmac("sha256", "key", "the body of a webhook")))
---```
---@param algorithm "sha256"|"sha384"|"sha512"|"sha1"|"md5" any other is an error
---@param key string
---@param text string
---@param options? rws.HashOptions
---@return string hash
---@nodiscard
function rws.crypto.hmac(algorithm, key, text, options) end

---Random bytes from the operating system.
---
---```lua
---assert(#rws.crypto.random_bytes(16) == 16)
---```
---@param n integer how many, from 1 to 1048576
---@return string bytes
---@nodiscard
function rws.crypto.random_bytes(n) end

---Random bytes, written as hex digits: 16 bytes are a token that nobody guesses.
---
---```lua
---assert(#rws.crypto.random_hex(16) == 32)
---```
---@param n integer how many bytes, from 1 to 1048576; each is two digits
---@return string digits
---@nodiscard
function rws.crypto.random_hex(n) end

---A random text of the letters A to Z and a to z and the digits: 22 characters are a token that nobody
---guesses.
---
---```lua
---local token = rws.crypto.random_string(22)
---assert(token:match("^%w+$") and #token == 22)
---```
---@param n integer how many characters, from 1 to 1048576
---@return string text
---@nodiscard
function rws.crypto.random_string(n) end

---Compares two texts in a time that does not tell where they differ. Use it for tokens and signatures.
---
---```lua
---assert(rws.crypto.equal("a", "a") and not rws.crypto.equal("a", "b"))
---```
---@param a string
---@param b string
---@return boolean
---@nodiscard
function rws.crypto.equal(a, b) end

---Options of `rws.crypto.base64_encode` and `rws.crypto.base64_decode`.
---@class rws.Base64Options
---@field url? boolean the alphabet for URLs, with `-` and `_`, and without padding; default false

---Writes bytes as base64 (RFC 4648).
---
---```lua
---assert(rws.crypto.base64_encode("hi") == "aGk=")
---assert(rws.crypto.base64_encode("hi", { url = true }) == "aGk")
---```
---@param text string
---@param options? rws.Base64Options
---@return string base64
---@nodiscard
function rws.crypto.base64_encode(text, options) end

---Reads base64, with or without padding. It raises (code `encoding`) for other text, with the place.
---
---```lua
---assert(rws.crypto.base64_decode("aGk=") == "hi")
---```
---@param text string
---@param options? rws.Base64Options
---@return string bytes
---@nodiscard
function rws.crypto.base64_decode(text, options) end

---Writes bytes as hex digits, in lower case.
---
---```lua
---assert(rws.crypto.hex_encode("hi") == "6869")
---```
---@param text string
---@return string digits
---@nodiscard
function rws.crypto.hex_encode(text) end

---Reads hex digits, in either case. It raises (code `encoding`) for other text.
---
---```lua
---assert(rws.crypto.hex_decode("6869") == "hi")
---```
---@param text string
---@return string bytes
---@nodiscard
function rws.crypto.hex_decode(text) end

---Encrypts a text so that nobody without the key can read or change it (AES-256-GCM with a random nonce).
---Make a key once with `rws.crypto.random_hex(32)`, keep it in `.env`, and decode it with
---`rws.crypto.hex_decode`.
---
---```lua
---local key = rws.crypto.hex_decode(env.KEY or rws.crypto.random_hex(32))
---local sealed = rws.crypto.encrypt("4111 1111", key)
---assert(rws.crypto.decrypt(sealed, key) == "4111 1111")
---```
---@param text string
---@param key string 32 bytes; any other length is an error (code `key`)
---@return string sealed letters, digits, `-` and `_`: fit for cookies, URLs and text columns
---@nodiscard
function rws.crypto.encrypt(text, key) end

---Decrypts what `rws.crypto.encrypt` made. It returns nil when the text was changed, was encrypted under
---another key, or is no such text at all.
---
---```lua
---local key = rws.crypto.random_bytes(32)
---assert(rws.crypto.decrypt("from a visitor", key) == nil)
---```
---@param text string
---@param key string 32 bytes; any other length is an error (code `key`)
---@return string? text
---@nodiscard
function rws.crypto.decrypt(text, key) end
