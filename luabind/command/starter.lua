-- Run: rws    Test: rws test    Manual: rws doc
app:get("/", function() return "hello, world\n" end)

app:get("/hello/:name", function(c)
  return { hello = c.params.name }
end)

app:test("greets by name", function(t)
  local r = t:get("/hello/ann")
  t.eq(r.status, 200)
  t.eq(r:json().hello, "ann")
end)
