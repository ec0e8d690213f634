---@meta

---Options of `app:tcp`.
---@class rws.TcpOptions
---@field to? string|rws.Backend|table|function the backends, `"10.0.0.7:5432"` or `"unix:/run/x.sock"`: one, a table with one, a list of these, or a function that returns such a list
---@field balance? string|rws.Balance as of `rws.UpstreamOptions`
---@field slow_start? rws.Duration
---@field refresh? rws.Duration
---@field health? rws.BackendHealth a check is a connection, unless a scheme is given; `{ every = "5s" }`
---@field passive? boolean|rws.Passive default on: backends that cannot be reached get no connections for a while
---@field breaker? boolean|rws.Breaker
---@field names? table<string, any> other backends by the server name that the visitor's TLS asks for, `"db.example.com"` or `"*.example.com"`: where they are, or a table with `to` and options of its own. The connection is passed through as it is, unless `cert` ends its TLS here. What is no TLS, says nothing, or asks for another name goes to `to`; a hello that is begun and not ended in time is closed
---@field cert? string file of a certificate (PEM): TLS ends here, and backends get what is in it. It is the only one, for all `names` (`rws check` doubts those that are not in it), and read again when it changes
---@field key? string its key
---@field tls? rws.BackendTls speaks TLS with the backends. Each is verified for its `host`, or else for the host of its address, unless `server_name` names one for all; that is the SNI they are sent, too. With `names` and without `cert` the visitors' TLS is passed through and never wrapped: `tls` is then for checks alone, `health = { scheme = "tls" }`, and an error without such
---@field proxy_protocol? 1|2 tells backends the visitor's address in that version of the PROXY protocol
---@field accept_proxy? rws.ProxyProtocol expects that protocol of what connects: a balancer before this one, which names the visitor. Who is refused for want of it is in the log, once a minute for each peer, and in the metric `rws_proxy_protocol_refused_total`
---@field timeout? rws.TcpTimeout
---@field tries? integer backends that are tried; default 3
---@field max_conns? integer open connections, more wait; default 10000
---@field max_conns_per_ip? integer of one address; default no limit

---@class rws.TcpTimeout
---@field connect? rws.Duration until a backend accepts; default 3s
---@field handshake? rws.Duration for the visitor's TLS; default 10s
---@field idle? rws.Duration without a byte either way; default 1h

---Carries TCP connections from an address of this machine to backends. They outlive a reload of the script.
---
---```lua
---app:tcp("127.0.0.1:15432", { to = { "10.0.0.7:5432", { url = "10.0.0.8:5432", backup = true } }, health = { every = "5s" } })
---app:tcp("127.0.0.1:18443", { names = { ["a.example.com"] = "10.0.0.9:443", ["*.example.org"] = { "10.0.1.1:443", "10.0.1.2:443" } } })
---```
---@param listen string `":5432"`, `"10.0.0.1:5432"` or `"unix:/run/db.sock"`
---@param options rws.TcpOptions
function app:tcp(listen, options) end

---@class rws.UdpOptions
---@field to? string|rws.Backend|table|function the backends: `"10.0.0.7:53"`, no unix sockets
---@field balance? string|rws.Balance
---@field slow_start? rws.Duration
---@field breaker? boolean|rws.Breaker
---@field health? rws.BackendHealth with a scheme and a port where the backend answers over TCP
---@field passive? boolean|rws.Passive
---@field refresh? rws.Duration
---@field idle? rws.Duration how long a client keeps its backend without a datagram either way; default 30s
---@field max_sessions? integer clients at a time; default 10000
---@field max_per_ip? integer of one address; default 1000

---Carries datagrams from an address of this machine to backends, and their answers back, as many as come. A reload,
---`rws upgrade` and a stop lose none that was read: answers are passed on until a client has heard nothing for 2 s (or
---`idle`, if that is less). Its next datagram then goes to a backend from another port.
---
---```lua
---app:udp("127.0.0.1:1053", { to = { "10.0.0.7:53", "10.0.0.8:53" } })
---```
---@param listen string `":53"` or `"10.0.0.1:53"`
---@param options rws.UdpOptions
function app:udp(listen, options) end
