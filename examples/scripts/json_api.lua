-- A JSON API over a list in memory. The table before a handler says what it takes: what does
-- not fit is answered 422, with all that is wrong, before the handler runs.
-- Run:   rws json_api.lua
-- Then:  curl localhost:3000/notes --json '{"title":"Milk"}'
--        curl 'localhost:3000/notes?q=mi'
--        curl localhost:3000/notes --json '{"title":"","due":"soon"}'
--        curl -X DELETE localhost:3000/notes/1

local notes, last = rws.array {}, 0

local function find(c)
  for place, note in ipairs(notes) do
    if note.id == c.params.id then return note, place end
  end
  c:fail(404, "no such note")
end

app:get("/notes", { query = { q = "string ..80 = ''", limit = "int 1..100 = 20" } }, function(c)
  local found = rws.array {}                              -- [] when nothing is found, not {}
  for _, note in ipairs(notes) do
    if #found < c.query.limit and note.title:lower():find(c.query.q:lower(), 1, true) then
      found[#found + 1] = note
    end
  end
  return found
end)

app:post("/notes", {
  body = { title = "string 1..120", due = "date?", tags = "[string 1..20] = []" },
  returns = 201,
}, function(c)
  last = last + 1
  local note = { id = last, title = c.input.title, due = c.input.due, tags = c.input.tags }
  notes[#notes + 1] = note
  c.res.headers.location = app:url("note", { id = note.id })
  return note
end)

app:get("/notes/:id{int}", function(c) return (find(c)) end):name("note")

app:delete("/notes/:id{int}", function(c)
  local _, place = find(c)
  table.remove(notes, place)                              -- nothing returned is 204
end)
