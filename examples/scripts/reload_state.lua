-- Save this file while it runs: the new version takes over without losing a request, and
-- app.state goes along. A version that does not load changes nothing.
-- Run:   rws reload_state.lua
-- Then:  curl localhost:3000/hit            a few times
--        change the word "hits" below and save
--        curl localhost:3000/hit            the count goes on

app.state = { hits = 0 }

app:on("reload", function(old)
  rws.log.info("taking over", { hits = old.state.hits })
  return old.state                                        -- what this returns is the new app.state
end)

app:on("start", function() rws.log.info("started") end)
app:on("stop", function() rws.log.info("stopped", { hits = app.state.hits }) end)

app:get("/hit", function()
  app.state.hits = app.state.hits + 1
  return app.state.hits .. " hits\n"
end)
