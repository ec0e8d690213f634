-- The edge of several sites on one machine: TLS, hosts on listeners of their own, proxies and files.
-- Run:   rws edge.lua, with an application on 9001
-- Then:  rws trust edge.lua                               once, so that this machine believes the certificates
--        curl https://files.localhost:8443/style.css
--        curl https://shop.localhost:8443/                the application
--        curl localhost:9100/metrics                      not on the addresses of visitors
-- In production app:tls gets certificates by ACME, and the first listener is ":443":
--        app:tls { domains = { "shop.example.com", "files.example.com" }, email = "you@example.com", redirect = ":80" }

app:tls { issuer = "local" }

app:config { listen = {
  { address = env.HTTPS or "localhost:8443", tls = true, hosts = { "shop.localhost", "files.localhost" } },
  { address = env.ADMIN or "localhost:9100", hosts = { "localhost" } },
} }

app:use(rws.request_id(), rws.compress())

local shop = app:host("shop.localhost")
shop:use(rws.security_headers { hsts = "365d" })
shop:proxy("/*", env.SHOP or "http://127.0.0.1:9001", { timeout = "30s", retries = 1 })
shop:proxy("/live/*", env.SHOP or "http://127.0.0.1:9001", { timeout = { read = false, tunnel = "10m" } })   -- events, WebSockets

app:host("files.localhost"):static("/", "public", { list = true, cache = "1h" })

app:host("localhost"):metrics("/metrics")
