-- HTTPS in development, by an authority of this app's own, and a page that only programs with a certificate see.
--   rws tls.lua
--   rws trust tls.lua                                        how to have this machine trust it
--   curl --cacert .rws/ca/root.pem https://shop.localhost:3000/
--   curl -i http://localhost:8080/                            308: plain HTTP is sent to HTTPS
-- In production the first line becomes
--   app:tls { domains = { "shop.example.com" }, email = "you@example.com", redirect = ":80" }

app:tls { issuer = "local", redirect = env.HTTP or "localhost:8080" }

-- Hosts may ask for certificates of clients, which staff.pem has signed. With "optional" those without one get in.
if rws.fs.exists("staff.pem") then
  app:tls { domains = "staff.localhost", issuer = "local", client_ca = "staff.pem", client_auth = "optional" }
end

app:get("/", function(c)
  return { host = c.tls.server_name, version = c.tls.version, protocol = c.tls.alpn or "http/1.1" }
end)

local staff = app:host("staff.localhost")

staff:get("/", function(c)
  local who = c:assert(c.tls.client, 403, "show your certificate")
  return { name = who.common_name, until_when = tostring(who.not_after) }
end)
