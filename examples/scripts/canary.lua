-- A new version for some of the visitors, which ends by itself when it has too many errors, and a shadow for another.
-- Run:   rws canary.lua, with the old version on 9001 and the new one on 9002
-- Then:  curl localhost:3000/shop/                                one in twenty gets the new version
--        curl localhost:3000/shop/ -H 'X-Canary: new'             or who asks for it
--        curl -X PUT localhost:3000/trial/share -d share=0.5      half of them do
--        curl localhost:3000/trial                                how it goes

local old = app:upstream("old", { to = env.OLD or "http://127.0.0.1:9001" })
local new = app:upstream("new", { to = env.NEW or "http://127.0.0.1:9002" })

local trial = app:canary("/shop/*", old, new, {
  share    = "5%",
  header   = "X-Canary",
  sticky   = { by = "cookie", max_age = "7d" },    -- who has it keeps it
  rollback = { errors = "2%", window = "1m", least = 10 },
})

-- The new version is asked for searches too, whose answers only the old one gives; differences are logged.
app:mirror("/search", old, new, { share = "50%", diff = true })

local admin = app:group("/trial", rws.ip_filter { allow = { "loopback" } })

admin:get("/", function() return trial:state() end)

admin:put("/share", { form = { share = "number 0..1" } }, function(c)
  trial:set_share(c.input.share)
  return trial:state()
end)

admin:delete("/", function()
  trial:rollback("by hand")
  return trial:state()
end)

admin:post("/", function()
  trial:resume()
  return trial:state()
end)
