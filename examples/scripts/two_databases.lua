-- Two databases in one app: articles in one, the count of their readers in another, which is
-- SQLite too, or Postgres or MySQL when STATS_URL names one.
-- Run:   rws two_databases.lua
--   or:  STATS_URL=postgres://user:password@localhost/stats rws two_databases.lua
-- Then:  curl localhost:3000/articles/1
--        curl localhost:3000/popular
--        rws migrate status two_databases.lua --db stats

local articles = app:db("sqlite:articles.db")
local stats    = app:db(env.STATS_URL or "sqlite:stats.db", { name = "stats", timeout = "2s", test = "sqlite::memory:" })

articles:migrate {
  [[create table articles (id integer primary key, title text not null);
    insert into articles (title) values ('One'), ('Two'), ('Three')]],
}
stats:migrate {
  [[create table views (article int primary key, count int not null)]],
}

-- counts in a transaction: the row is made by whoever comes first
local function count(id)
  stats:tx(function(tx)
    tx:upsert("views", { article = id, count = 0 }, "article", {})
    tx:exec("update views set count = count + 1 where article = ?", id)
  end)
end

app:get("/articles/:id{int}", function(c)
  local article = c:assert(articles:one("select * from articles where id = ?", c.params.id), 404, "no such article")
  local ok, err = rws.try(count, article.id)              -- an article is worth more than its count
  if not ok then rws.log.warn("not counted", { code = err.code }) end
  return article
end)

app:get("/popular", function()
  local list = rws.array {}
  for _, row in ipairs(stats:from("views"):order("count desc", "article"):limit(10):all()) do
    list[#list + 1] = { title = articles:value("select title from articles where id = ?", row.article), reads = row.count }
  end
  return list
end)

app:get("/health", function()                             -- 503 when one of them does not answer
  rws.parallel(function() articles:ping() end, function() stats:ping() end)
  return { articles = articles.engine, stats = stats.engine }
end)
