package db_test

import (
	"context"
	"fmt"

	"rws/server/db"
)

func Example() {
	ctx := context.Background()
	d, err := db.Open("sqlite::memory:", db.Options{})
	if err != nil {
		fmt.Println(err)
		return
	}
	defer d.Close()
	_, _ = d.Exec(ctx, "create table notes (id integer primary key, title text unique, done boolean default false)")

	in, _ := db.Insert(ctx, d, "notes", db.Fields(map[string]any{"title": "milk"}), "*")
	fmt.Println(in.ID, in.Row.Columns, in.Row.Values)

	_, err = db.Insert(ctx, d, "notes", db.Fields(map[string]any{"title": "milk"}))
	fmt.Println(db.CodeOf(err))

	n, _, _ := db.Value(ctx, d, "select count(*) from notes where title like :like", db.Named{"like": "m%"})
	fmt.Println(n)

	page, _ := db.Select{From: "notes"}.Page(ctx, d, db.PageOptions{Size: 10, Keys: []db.Order{{Column: "id", Desc: true}}})
	fmt.Println(len(page.Rows), page.More)
	// Output:
	// 1 [id title done] [1 milk false]
	// unique
	// 1
	// 1 false
}
