-- A folder of files as a site, with caching, a page for what is not there, and an old address
-- that leads to a new one. Files never pass through Lua.
-- Run:   rws static_site.lua
-- Then:  curl localhost:3000
--        curl -i localhost:3000/style.css
--        curl -i localhost:3000/nothing
--        curl -i localhost:3000/old/style.css

app:static("/", "public", { cache = "1h", precompressed = true })

app:get("/old/*", function(c)
  return c:redirect("/" .. c.params["*"], 301)
end)

app:on_error(404, function(c)
  return c:html("<h1>Nothing here</h1><p><a href='/'>To the start</a></p>")
end)
