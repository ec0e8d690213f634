-- Uploads: the spec says what a file may be; it is looked at, not believed, and goes to disk
-- without being held in memory.
-- Run:   rws uploads.lua
-- Then:  curl localhost:3000/pictures -F title=Cat -F picture=@cat.png
--        curl localhost:3000/pictures
--        curl -O localhost:3000/pictures/1
--        curl localhost:3000/pictures -F title=Cat -F picture=@/etc/hostname

local pictures = rws.array {}

app:post("/pictures", {
  form   = { title = "string 1..80" },
  upload = { picture = "file image/* ..5mb" },
  max_body = "6mb",
  returns = 201,
}, function(c)
  local file, id = c.files.picture, #pictures + 1
  local path = ("uploads/%d"):format(id)                  -- never a name that a client chose
  file:save(path)
  pictures[id] = { id = id, title = c.input.title, name = file.name, type = file.type, size = file.size, path = path }
  return { id = id, url = app:url("picture", { id = id }) }
end)

app:get("/pictures", function() return pictures end)

app:get("/pictures/:id{int}", function(c)
  local picture = c:assert(pictures[c.params.id], 404, "no such picture")
  return c:file(picture.path, { type = picture.type, download = picture.name })
end):name("picture")
