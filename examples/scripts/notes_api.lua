-- A REST API for notes, kept in SQLite: migrations, pages with links, transactions, tests.
-- Run:   rws notes_api.lua
-- Then:  curl localhost:3000/notes --json '{"title":"Milk","tags":["shop"]}'
--        curl -i 'localhost:3000/notes?q=mi&size=10'
--        curl -X PATCH localhost:3000/notes/1 --json '{"done":true}'
--        curl localhost:3000/tags
-- Test:  rws test notes_api.lua          Tables: rws migrate status notes_api.lua

local db = app:db(env.DATABASE_URL or "sqlite:notes.db")

db:migrate {
  { up   = [[create table notes (id integer primary key, title text not null, done boolean not null default false,
               created_at datetime not null)]],
    down = "drop table notes" },
  { up   = [[create table tags (note_id integer not null references notes(id) on delete cascade, name text not null,
               primary key (note_id, name))]],
    down = "drop table tags" },
}

app:get("/notes", { query = { q = "string ..80 = ''", page = "int 1.. = 1", size = "int 1..100 = 20" } }, function(c)
  local found = db:from("notes"):where("title like ?", "%" .. c.query.q .. "%"):order("id desc")
  return c:page(found:page { page = c.query.page, size = c.query.size, total = true })
end)

app:post("/notes", { body = { title = "string 1..120", tags = "[string 1..20] ..5 = []" } }, function(c)
  local note = db:tx(function(tx)                         -- all of it, or nothing
    local new = tx:insert("notes", { title = c.input.title, created_at = rws.now() })
    for _, name in ipairs(c.input.tags) do tx:insert("tags", { note_id = new.id, name = name }) end
    return new
  end)
  c.res.headers.location = app:url("note", { id = note.id })
  return c:json(note, 201)
end)

app:get("/notes/:id{int}", function(c)
  local note = c:assert(db:one("select * from notes where id = ?", c.params.id), 404, "no such note")
  note.tags = db:all("select name from tags where note_id = ? order by name", note.id)
  return note
end):name("note")

app:patch("/notes/:id{int}", { body = { title = "string 1..120?", done = "bool?" } }, function(c)
  c:assert(next(c.input), 422, "there is nothing to change")
  c:assert(db:update("notes", c.input, { id = c.params.id }) == 1, 404, "no such note")
  return db:one("select * from notes where id = ?", c.params.id)
end)

app:delete("/notes/:id{int}", function(c)
  c:assert(db:delete("notes", { id = c.params.id }) == 1, 404, "no such note")
end)

app:get("/tags", function()
  return db:all("select name, count(*) as notes from tags group by name order by notes desc, name")
end)

app:test("a note is found by its tag", function(t)        -- on an empty database of its own
  t.eq(t:post("/notes", { json = { title = "Milk", tags = { "shop" } } }).status, 201)
  t.eq(t:get("/tags"):json(), { { name = "shop", notes = 1 } })
end)
