package luabind_test

import (
	"net/http"
	"net/http/httptest"
	"testing"
)

// BenchmarkDatabase is what a request takes that reads rows of 5 columns from a SQLite file,
// and answers with JSON.
func BenchmarkDatabase(b *testing.B) {
	const setup = `
		local db = app:db("sqlite:bench.db")
		db:migrate { [[
		  create table notes (id integer primary key, title text not null, body text not null, done boolean not null, created_at text not null);
		  insert into notes with recursive c(n) as (select 1 union all select n + 1 from c where n < 1000)
		    select n, 'note number ' || n, 'a text of some length', n % 2, '2030-01-31 08:00:00.000Z' from c;
		]] } `
	for _, c := range []struct{ name, handler string }{
		{"one", `function() return db:one("select * from notes where id = ?", 777) end`},
		{"value", `function() return db:value("select title from notes where id = ?", 777) end`},
		{"all20", `function() return db:all("select * from notes order by id limit 20") end`},
		{"from", `function() return db:from("notes"):where { id = 777 }:one() end`},
		{"each1000", `function() local n = 0 for row in db:each("select * from notes") do n = n + row.id end return tostring(n) end`},
		{"insert", `function() return db:insert("notes", { title = "a", body = "b", done = true, created_at = "c" }) end`},
	} {
		b.Run(c.name, func(b *testing.B) {
			h := handler(b, setup+`app:get("/", `+c.handler+`)`)
			r := httptest.NewRequest("GET", "/", nil)
			w := &discard{make(http.Header)}
			b.ReportAllocs()
			for b.Loop() {
				clear(w.header)
				h.ServeHTTP(w, r)
			}
		})
	}
}
