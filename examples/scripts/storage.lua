-- Files in a folder, or in a bucket of S3 by one variable: uploads and downloads as streams.
-- Run:   rws storage.lua
--        STORAGE_URL='s3://my-bucket?region=eu-north-1' rws storage.lua
-- Then:  curl -T report.pdf localhost:3000/files/2026/report.pdf
--        curl localhost:3000/files
--        curl -O localhost:3000/files/2026/report.pdf
--        curl -X DELETE localhost:3000/files/2026/report.pdf
--        curl -X POST localhost:3000/backup

local files = app:storage(env.STORAGE_URL or "dir:./uploads")
local db = app:db "sqlite:storage.db"
db:migrate { "create table uploads (key text primary key, at text not null default current_timestamp)" }

app:put("/files/*", { max_body = "1gb", timeout = "10m" }, function(c)
  local key = "files/" .. c.params["*"]
  files:put(key, c.body_stream)                     -- a client that breaks off leaves the old file
  db:upsert("uploads", { key = key }, "key")
  return c:json(files:stat(key), 201)
end)

app:get("/files", function(c)
  local list = rws.array {}
  for file in files:list("files/" .. (c.query.below or "")) do
    list[#list + 1] = { key = file.key, size = file.size }
  end
  return list
end)

app:get("/files/*", function(c) return files:send(c, "files/" .. c.params["*"]) end)

app:delete("/files/*", function(c) files:delete("files/" .. c.params["*"]) end)

app:post("/backup", function()
  local key = "backups/storage.db"
  db:backup(files, key)
  return files:stat(key)
end)

app:test("what was put comes back", function(t)
  t.eq(t:put("/files/a/b.txt", { body = "hello" }).status, 201)
  t.eq(t:get("/files/a/b.txt").body, "hello")
  t.eq(t:get("/files?below=a/"):json(), { { key = "files/a/b.txt", size = 5 } })
  t.eq(t:delete("/files/a/b.txt").status, 204)
end)
