-- TCP and UDP to backends: a database with a spare, TLS that goes by the name it asks for, and DNS.
-- Run:   rws tcp_udp.lua, with what it leads to
-- Then:  psql -h 127.0.0.1 -p 15432                                  as if it were the database
--        openssl s_client -connect 127.0.0.1:18443 -servername b.example.com
--        dig @127.0.0.1 -p 1053 example.com
--        curl localhost:3000/metrics

-- Connections outlive a reload of the script. The spare gets them while the first is down.
app:tcp(env.TCP or "127.0.0.1:15432", {
  to      = { env.DB or "127.0.0.1:5432", { url = env.SPARE or "127.0.0.1:5433", backup = true } },
  health  = { every = "2s" },                              -- a connection
  timeout = { connect = "2s", idle = "1h" },
  max_conns_per_ip = 50,
})

-- Passed through as it is: certificates stay with the backends.
app:tcp(env.SNI or "127.0.0.1:18443", {
  names = {
    ["a.example.com"]   = "127.0.0.1:8443",
    ["*.b.example.com"] = { to = { "127.0.0.1:9443", "127.0.0.1:9444" }, balance = "ip_hash" },
  },
  proxy_protocol = 2,                                      -- tells backends who the visitor is
})

app:udp(env.UDP or "127.0.0.1:1053", {
  to   = { "127.0.0.1:53", "127.0.0.53:53" },
  idle = "10s",
})

app:metrics("/metrics", rws.ip_filter { allow = { "loopback" } })     -- rws_stream_open and its like
