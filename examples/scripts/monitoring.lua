-- Metrics for Prometheus, health for load balancers, and an access log of its own.
--   rws monitoring.lua
--   curl localhost:3000/readyz           {"status":"ok"}
--   curl 127.0.0.1:9100/metrics          not on the port of the app
--   kill -TERM …                         /readyz says 503 for 5 s before the server stops

app:config {
  metrics    = { listen = "127.0.0.1:9100" },
  access_log = { format = "combined", file = "access.log", max_size = "10mb", max_age = "30d" },
  stop_delay = "5s",
}

local db = app:db("sqlite:orders.db")
db:migrate { "create table orders (id integer primary key, item text not null)" }

app:health {
  checks = {
    db = function() return db:value("select 1") end,
    backlog = { every = "10s", check = function() return db:value("select count(*) from orders") < 1000 end },
  },
}

local waiting = rws.metrics.gauge("orders_waiting", nil, { help = "Orders that nobody has looked at." })

app:post("/orders", { form = { item = "enum book|pen" } }, function(c)
  local started = rws.now()
  db:insert("orders", { item = c.input.item })
  -- The label has two values at most: what clients make up is refused above.
  rws.metrics.counter("orders_total", { item = c.input.item }, { help = "Orders that came in." }):add()
  rws.metrics.histogram("order_seconds"):observe(started:elapsed("ms") / 1000)
  waiting:set(db:value("select count(*) from orders"))
  return 201
end)

app:get("/orders/:id{int}", function(c)
  return c:assert(db:one("select * from orders where id = ?", c.params.id), 404, "no such order")
end)
