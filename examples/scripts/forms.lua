-- A guest book: a page from a template, a form that is checked, a redirect after it.
-- Run:   rws forms.lua
-- Then:  open http://localhost:3000, or
--        curl localhost:3000 -d name=Ann -d text=Hello
--        curl localhost:3000 -d name= -H 'Accept: text/html'

local entries = rws.array {}

app:get("/", function(c)
  return c:render("guestbook.html", { entries = entries, wrong = {}, typed = {} })
end)

app:post("/", { form = { name = "string 1..40", text = "string 1..500" } }, function(c)
  table.insert(entries, 1, { name = c.input.name, text = c.input.text })
  return c:redirect("/", 303)                             -- so that a reload sends nothing twice
end)

-- a form that does not fit comes back with what is wrong, and with what was typed
app:on_error(422, function(c, err)
  local wrong = {}
  for _, field in ipairs(err.fields) do wrong[field.path] = field.message end
  return c:render("guestbook.html", { entries = entries, wrong = wrong, typed = c.form }, 422)
end)
