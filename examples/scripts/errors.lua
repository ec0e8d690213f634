-- Errors: what a client did wrong is answered by c:fail and c:assert, what went wrong here is
-- a 500 with the id of the request. People get a page, programs JSON (RFC 9457).
-- Run:   rws errors.lua
-- Then:  curl -i localhost:3000/users/7
--        curl -i localhost:3000/nothing
--        curl -i localhost:3000/bug            and look at the log
--        curl -i localhost:3000/guarded

local users = { ["1"] = { name = "Ann" } }

app:get("/users/:id", function(c)
  return c:assert(users[c.params.id], 404, "no such user")
end)

app:post("/users", function(c)
  c:fail(409, "that name is taken", { name = "choose another" })
end)

app:get("/bug", function(c)
  local user = users["2"]
  return user.name                                        -- nil: the log shows this line
end)

app:get("/guarded", function()
  local ok, err = rws.try(function() error("out of paper") end)
  return { printed = ok, reason = err.message }
end)

app:on_error(404, function(c, err)
  return c:json({ error = err.message, path = c.path })
end)

app:on_error(function(c, err)                             -- every other status
  return c:json({ error = "something went wrong", id = c.id }, err.status or 500)
end)
