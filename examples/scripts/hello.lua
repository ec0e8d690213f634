-- The smallest app: a text, and JSON with a part of the path.
-- Run:   rws hello.lua
-- Then:  curl localhost:3000
--        curl localhost:3000/hello/ann

app:get("/", function() return "hello, world\n" end)      -- a string is text

app:get("/hello/:name", function(c)
  return { hello = c.params.name }                        -- a table is JSON
end)
