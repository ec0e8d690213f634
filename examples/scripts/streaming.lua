-- A stream sends what it has while it goes on; waiting in it holds up nobody. This one sends
-- events that a browser reads with EventSource.
-- Run:   rws streaming.lua
-- Then:  curl -N localhost:3000/clock
--        curl -N 'localhost:3000/count?to=3'
--        open http://localhost:3000

app:get("/clock", function(c)
  return c:stream(function(out)
    while true do                                         -- until the client leaves
      out:write("data: ", rws.now():format("%H:%M:%S"), "\n\n")
      rws.sleep("1s")
    end
  end, { type = "text/event-stream" })
end)

app:get("/count", { query = { to = "int 1..1000 = 10" } }, function(c)
  return c:stream(function(out)
    for n = 1, c.query.to do
      out:write(n .. "\n")
      rws.sleep("10ms")
    end
  end)
end)

app:get("/", function(c)
  return c:html [[<!doctype html><title>Clock</title><h1 id="t">…</h1>
<script>new EventSource("/clock").onmessage = e => t.textContent = e.data</script>]]
end)
