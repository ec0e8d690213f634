package router_test

import (
	"fmt"

	"rws/server/router"
)

func Example() {
	b := router.New[string]()
	for _, r := range []router.Route{
		{Method: "GET", Pattern: "/notes(/:page{int})", Source: "app.lua:4"},
		{Method: "GET", Pattern: "/notes/new", Source: "app.lua:8"},
		{Host: "*.example.com", Pattern: "/files/*path", Source: "app.lua:12"},
	} {
		if err := b.Add(r, "handler of "+r.Source); err != nil {
			fmt.Println(err)
		}
	}
	table := b.Build()

	var m router.Match[string] // keep one for each connection
	fmt.Println(table.Match("", "GET", "/notes/7", &m), m.Value)
	page, _ := m.Params.Get("page")
	fmt.Println(page)
	fmt.Println(table.Match("", "POST", "/notes/new", &m), m.Allow)
	fmt.Println(table.Match("cdn.example.com:443", "GET", "/files/a%20b/c", &m), m.Params.At(0).Value)
	// Output:
	// found handler of app.lua:4
	// 7
	// method not allowed [GET HEAD OPTIONS]
	// found a b/c
}

func ExampleTable_Explain() {
	b := router.New[int]()
	b.Add(router.Route{Method: "GET", Pattern: "/notes/:id{int}", Source: "app.lua:4"}, 1)
	b.Add(router.Route{Method: "GET", Pattern: "/notes/new", Source: "app.lua:8"}, 2)
	x := b.Build().Explain("", "GET", "/notes/new")
	fmt.Println(x.Reason)
	for _, s := range x.Steps {
		fmt.Printf("%s: %s: %s\n", s.Route, s.Outcome, s.Reason)
	}
	// Output:
	// GET /notes/new (app.lua:8) answers
	// GET /notes/:id{int} (app.lua:4): path: segment 2 "new" is not {int}
	// GET /notes/new (app.lua:8): match: the most specific route
}

func ExamplePattern_Build() {
	p, err := router.Parse("/:lang{slug}/posts(/:page{int})")
	if err != nil {
		fmt.Println(err)
	}
	fmt.Println(p.Build(map[string]string{"lang": "en"}))
	fmt.Println(p.Build(map[string]string{"page": "2"}))
	// Output:
	// /en/posts <nil>
	//  building a path for "/:lang{slug}/posts(/:page{int})": parameter "lang" is missing
}
