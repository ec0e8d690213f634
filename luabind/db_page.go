package luabind

import (
	"context"
	"errors"
	"fmt"
	"math"
	"net/url"
	"strconv"
	"strings"

	lua "github.com/yuin/gopher-lua"

	"rws/luabind/bind"
	"rws/luabind/fault"
	"rws/server/db"
)

// pageOptions are the options of db:page.
type pageOptions struct {
	Page   lua.LValue `json:"page"`
	Size   lua.LValue `json:"size"`
	Total  bool       `json:"total"`
	Order  string     `json:"order"`
	After  string     `json:"after"`
	Before string     `json:"before"`
}

// engine returns what the options say to the engine.
func (o pageOptions) engine() (db.PageOptions, error) {
	out := db.PageOptions{Total: o.Total, After: o.After, Before: o.Before}
	var err error
	if out.Page, err = pageNumber("page", o.Page, db.MaxPage); err != nil {
		return out, err
	}
	if out.Size, err = pageNumber("size", o.Size, db.MaxPageSize); err != nil {
		return out, err
	}
	if o.Order != "" {
		if out.Keys, err = db.ParseOrder(o.Order); err != nil { // often a visitor's
			err = &db.Error{Code: db.CodePage, Err: errors.Unwrap(err)}
		}
	}
	return out, err
}

// pageNumber reads a number that often is a visitor's, and then a text; 0 when there is none.
func pageNumber(option string, v lua.LValue, most int) (int, error) {
	switch v := v.(type) {
	case nil, *lua.LNilType:
		return 0, nil
	case lua.LNumber:
		if n := float64(v); n >= 1 && n <= float64(most) && n == math.Trunc(n) {
			return int(n), nil
		}
	case lua.LString:
		if v == "" {
			return 0, nil
		}
		if n, err := strconv.Atoi(string(v)); err == nil && n >= 1 && n <= most {
			return n, nil
		}
	default:
		return 0, bind.Errorf("option", "option %q: a number or text expected, got %s", option, v.Type())
	}
	text := []rune(v.String())
	return 0, &db.Error{Code: db.CodePage, Err: fmt.Errorf("%s %q: a whole number from 1 to %d expected", option, string(text[:min(len(text), 20)]), most)}
}

// pageOptions reads the options of a page from argument n.
func (d *Database) pageOptions(L *lua.LState, name string, n int) db.PageOptions {
	o, err := bind.Options[pageOptions](L, name, n).engine()
	if err != nil {
		bind.Raise(L, name, dbError(err))
	}
	return o
}

// dbPage returns a part of the rows of a select.
func dbPage(L *lua.LState, d *Database) int {
	d.usable(L, "page")
	name := d.as() + ":page"
	text := bind.Arg[string](L, name, 2)
	args := d.pageArguments(L, name, text)
	o := d.pageOptions(L, name, 4)
	var p *db.Page
	d.reading(L, "page", func(ctx context.Context, q db.Querier) (err error) {
		p, err = db.PageOf(ctx, q, text, args, o)
		return err
	})
	return d.pushPage(L, p)
}

// pageArguments reads argument 3: a table of names and values, or a list of values.
func (d *Database) pageArguments(L *lua.LState, name, text string) []any {
	t := bind.Arg[bind.Opt[*lua.LTable]](L, name, 3)
	switch {
	case !t.Set, !hasNames(t.Value):
		return nil
	case !isList(L, t.Value):
		return d.named(L, name, t.Value, 3)
	}
	list, err := listToSQL(L, d.engine(), t.Value)
	if err != nil {
		bind.ArgError(L, name, 2, "%s", err)
	}
	return list
}

// pushPage pushes what db:page returns.
func (d *Database) pushPage(L *lua.LState, p *db.Page) int {
	t := fresh(L, L.CreateTable(0, 8))
	m := d.newRowMaker(L, p.Columns)
	t.RawSetString("items", m.list(p.Rows))
	if p.Page > 0 {
		t.RawSetString("page", lua.LNumber(p.Page))
	}
	t.RawSetString("size", lua.LNumber(p.Size))
	t.RawSetString("more", lua.LBool(p.More))
	if p.Total >= 0 {
		t.RawSetString("total", bind.Integer(p.Total))
	}
	if p.Next != "" {
		t.RawSetString("next", lua.LString(p.Next))
	}
	if p.Previous != "" {
		t.RawSetString("previous", lua.LString(p.Previous))
	}
	L.Push(t)
	return 1
}

// contextPage answers with a page as JSON, and says in a Link header (RFC 8288) where the
// others are: the URL of the request with another page, after or before.
func contextPage(L *lua.LState, c *Ctx) int {
	contextOf(L, c)
	t := bind.Arg[*lua.LTable](L, "c:page", 2)
	if _, ok := t.RawGetString("items").(*lua.LTable); !ok {
		bind.ArgError(L, "c:page", 1, "what db:page returned expected: a table with items, page and size")
	}
	if links := pageLinks(c.r.URL, t); links != "" {
		c.setHeader(L, "Link", links)
	}
	if err := c.setJSON(L, t, 0); err != nil {
		fault.Raise(L, &fault.Error{Code: "json", Message: "c:page: " + err.Error(), Cause: err})
	}
	return c.push(L)
}

// pageLinks returns the links of a page to those around it.
func pageLinks(u *url.URL, t *lua.LTable) string {
	var links []string
	add := func(rel string, params ...string) {
		links = append(links, "<"+pageURL(u, params...)+">; rel=\""+rel+"\"")
	}
	page, numbered := t.RawGetString("page").(lua.LNumber)
	if !numbered {
		add("first")
		for _, side := range []struct{ field, rel, param string }{{"previous", "prev", "before"}, {"next", "next", "after"}} {
			if cursor, ok := t.RawGetString(side.field).(lua.LString); ok {
				add(side.rel, side.param, string(cursor))
			}
		}
		return strings.Join(links, ", ")
	}
	number := func(n int) string { return strconv.Itoa(n) }
	add("first", "page", "1")
	if page > 1 {
		add("prev", "page", number(int(page)-1))
	}
	if t.RawGetString("more") == lua.LTrue {
		add("next", "page", number(int(page)+1))
	}
	if last := lastPage(t); last > 0 {
		add("last", "page", number(last))
	}
	return strings.Join(links, ", ")
}

// lastPage is the number of the last page, 0 when it is not known.
func lastPage(t *lua.LTable) int {
	total, known := t.RawGetString("total").(lua.LNumber)
	size, ok := t.RawGetString("size").(lua.LNumber)
	if !known || !ok || size < 1 {
		return 0
	}
	return max(1, (int(total)+int(size)-1)/int(size))
}

// pageURL is a URL with other places of a page.
func pageURL(u *url.URL, params ...string) string {
	query := u.Query()
	for _, name := range []string{"page", "after", "before"} {
		query.Del(name)
	}
	for i := 0; i+1 < len(params); i += 2 {
		query.Set(params[i], params[i+1])
	}
	path := "/" + strings.TrimLeft(u.EscapedPath(), "/") // two slashes would begin a host
	if len(query) == 0 {
		return path
	}
	return path + "?" + query.Encode()
}
