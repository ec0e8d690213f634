---@meta

---JSON Web Tokens (RFC 7519). Guards that want one are `rws.auth.jwt`.
---
---```lua
---local secret = "a secret of 32 characters or more"
---local token = rws.jwt.sign({ sub = "ann", admin = true }, { secret = secret, expires = "1h" })
---local claims = rws.jwt.verify(token, { secret = secret })
---assert(claims.sub == "ann" and claims.exp > claims.iat)
---
---local none, reason = rws.jwt.verify(token, { secret = "another secret of 32 characters and more" })
---assert(none == nil and reason == "its signature is wrong")
---```
---@class rws.jwt
rws.jwt = {}

---Makes a token. `iat` is added. Of several keys the first that can sign does. Times of rws, as in
---`{ nbf = rws.now() + "1h" }`, become seconds. A key in PEM waits, as its signatures take longer.
---@async
---@param claims table<string, any>
---@param options rws.JwtSignOptions
---@return string token
---@nodiscard
function rws.jwt.sign(claims, options) end

---@class rws.JwtSignOptions
---@field secret? string|string[] of 32 bytes or more
---@field key? string|string[] a private key as text, in PEM or as JWK
---@field key_file? string file with a private key, in the app's folder or absolute
---@field algorithm? string default is the first that the key is for: `"HS256"`, `"RS256"`, that of the curve, `"EdDSA"`
---@field expires? rws.Duration how long the token is valid; default forever, if the claims have no `exp`
---@field type? string `typ` in the header; default `"JWT"`

---The claims of a token that holds, else nil and why not. Without a token, as a header that is missing, it is nil too.
---Integers beyond 2^53 are texts. It waits when keys have to be fetched; while they can't be, it raises (code
---`unavailable`).
---@async
---@param token string?
---@param options rws.JwtVerifyOptions
---@return table<string, any>? claims
---@return string? reason
---@nodiscard
function rws.jwt.verify(token, options) end

---@class rws.JwtVerifyOptions
---@field secret? string|string[] for HS256, HS384 and HS512: 32, 48 and 64 bytes or more
---@field key? string|string[] keys as text, in PEM (public, private, certificate) or as JWK or JWKS
---@field key_file? string file with such keys, in the app's folder or absolute
---@field jwks? string address where a provider publishes its keys; needs `audience`
---@field jwks_options? rws.JwksOptions how they are fetched
---@field issuer? string|string[] that `iss` must be, one of them; default any
---@field audience? string|string[] of which `aud` must have one; default any. With `jwks` it must be said; `"*"` is any,
---  and then `issuer` must be said
---@field algorithms? string|string[] that are accepted; default all that the keys are for
---@field leeway? rws.Duration how far clocks may differ, at most `"5m"`; default none
---@field require_expiry? boolean refuses tokens without `exp`; default false
---@field type? string that `typ` in the header must be; default any

---What stands in a token that anybody may have made: nothing is verified. For looking at tokens, and for nothing
---else.
---
---```lua
---local token = rws.jwt.sign({ sub = "ann" }, { secret = "a secret of 32 characters or more" })
---local claims, header = rws.jwt.decode(token)
---assert(claims.sub == "ann" and header.alg == "HS256")
---```
---@param token string
---@return table<string, any>? claims nil when it is no token
---@return table<string, any>|string header the header of the token, or why it is none
function rws.jwt.decode(token) end
