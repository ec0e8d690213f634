-- gRPC behind the edge: over TLS to clients, over h2c to two backends whose health they tell themselves.
-- Run:   rws grpc.lua, with a server for gRPC on 50051
-- Then:  rws trust grpc.lua
--        grpcurl -cacert .rws/ca/root.pem localhost:3000 grpc.health.v1.Health/Check
--        curl --cacert .rws/ca/root.pem https://localhost:3000/backends

app:tls { issuer = "local" }

local orders = app:upstream("orders", {
  to      = { env.GRPC1 or "h2c://127.0.0.1:50051", { url = env.GRPC2 or "h2c://127.0.0.1:50052", backup = true } },
  balance = "p2c",
  health  = { scheme = "grpc", every = "5s" },        -- grpc.health.v1
})

-- Unary calls and streams, with trailers; a call that comes after the backend is gone gets UNAVAILABLE.
app:grpc("/shop.Orders/*", orders, {
  request = { set = { ["x-edge"] = "rws" } },         -- metadata
})
app:grpc("/grpc.health.v1.Health/*", orders)

app:get("/backends", function() return orders:status() end)
