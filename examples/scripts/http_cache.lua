-- Pages that are made once a minute and answered from memory for everybody who asks meanwhile.
--   rws http_cache.lua
--   curl -i localhost:3000/            twice: Cache-Status tells who answered
--   curl -d title=Hello localhost:3000/notes

local db = app:db("sqlite::memory:")
db:migrate { "create table notes (id integer primary key, title text not null)" }

-- After a minute the old page goes out at once while the new one is made; if that fails, for an hour.
local pages = rws.http_cache { ttl = "1m", stale_while_revalidate = "1m", stale_if_error = "1h" }

app:get("/", pages, function(c)
  c.res.headers["Cache-Tag"] = "notes"
  return db:all("select * from notes order by id")
end)

-- What changes a note makes the pages with notes untrue.
app:post("/notes", { form = { title = "string 1..120" } }, function(c)
  db:insert("notes", { title = c.input.title })
  pages:purge_tag("notes")
  return c:redirect("/", 303)
end)

app:get("/cache", function() return pages:stats() end)

app:test("a new note is there at once", function(t)
  t:get("/")
  t.eq(t:get("/").headers.cache_status, "rws; hit; ttl=60")
  t:post("/notes", { form = { title = "Hello" } })
  t.eq(t:get("/"):json()[1].title, "Hello")
end)
