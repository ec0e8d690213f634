package repl

import (
	"cmp"
	"context"
	"slices"
	"strings"
	"time"

	lua "github.com/yuin/gopher-lua"

	"rws/luabind/bind"
	"rws/luabind/luadoc"
	"rws/luabind/vm"
)

// A Candidate is one way to go on with a line.
type Candidate struct {
	Text   string `json:"text"`
	Detail string `json:"detail,omitempty"` // a signature, a value, a file and line
}

// patience is how long completion waits for the isolate; typing must not stall.
const patience = 200 * time.Millisecond

// maxCandidates bounds an answer.
const maxCandidates = 500

// Complete returns what may stand at byte offset pos of line: candidates that replace
// line[from:pos]. It looks at live values, but never runs Lua code, not even a
// metamethod; while Lua is busy it answers nothing.
func (s *Session) Complete(ctx context.Context, line string, pos int) (from int, list []Candidate) {
	text := line[:min(max(pos, 0), len(line))]
	if len(text) > maxDrawn {
		return len(text), nil
	}
	ctx, cancel := context.WithTimeout(ctx, patience)
	defer cancel()
	tables := s.tablesFor(ctx, text)
	run := &vm.Run{Context: ctx, Stall: -1, Owner: s, ReadOnly: s.options.ReadOnly}
	err := s.host.Isolate().Do(run, func(L *lua.LState) error {
		from, list = s.complete(L, text, tables)
		return nil
	})
	if err != nil {
		return len(text), nil
	}
	return from, list
}

func (s *Session) complete(L *lua.LState, text string, tables []Table) (int, []Candidate) {
	c := &completer{session: s, text: text, tokens: scan(text), tables: tables}
	sc := s.scope.Load()
	if sc == nil || sc.isolate != vm.Of(L) {
		sc = newScope(L, true)
		s.stubs(L, sc)
		sc.fns = topFunctions(s.host)
	}
	sc.cells = topLocals(s.host)
	c.lookup = &lookup{scope: sc, docs: s.host.Docs(), known: libraryNames(sc.globals)}
	from, list := c.candidates()
	slices.SortStableFunc(list, func(a, b Candidate) int { return cmp.Compare(a.Text, b.Text) })
	list = slices.CompactFunc(list, func(a, b Candidate) bool { return a.Text == b.Text })
	return from, list[:min(len(list), maxCandidates)]
}

// A completer looks at one text that ends at the cursor.
type completer struct {
	session *Session
	lookup  *lookup
	text    string
	tokens  []token
	tables  []Table // when their names may stand at the end
}

func (c *completer) candidates() (int, []Candidate) {
	if isCommand(c.text) {
		return c.commands()
	}
	n := len(c.tokens) - 1
	if n >= 0 && c.tokens[n].kind == tokenComment && (c.tokens[n].open || !strings.HasPrefix(c.word(n), "--[")) {
		return len(c.text), nil
	}
	if n >= 0 && c.tokens[n].kind == tokenString && c.tokens[n].open {
		if c.tables != nil {
			return c.sqlNames(c.tokens[n].start + 1)
		}
		return c.paths(n)
	}
	if n >= 0 && c.tokens[n].kind == tokenNumber {
		return len(c.text), nil
	}
	from, prefix := len(c.text), ""
	if n >= 0 && (c.tokens[n].kind == tokenName || c.tokens[n].kind == tokenKeyword) {
		from, prefix = c.tokens[n].start, c.word(n)
		n--
	}
	if n >= 0 && (c.word(n) == "." || c.word(n) == ":") {
		return from, c.members(n, prefix)
	}
	if list := c.options(n, prefix); len(list) > 0 {
		return from, list // here stands a name of an option, and no value
	}
	return from, c.names(prefix)
}

func (c *completer) word(n int) string {
	if n < 0 || n >= len(c.tokens) {
		return ""
	}
	return c.text[c.tokens[n].start:c.tokens[n].end]
}

// back returns the number of the token before n that is not white space.
func (c *completer) back(n int) int {
	for n--; n >= 0 && (c.tokens[n].kind == tokenSpace || c.tokens[n].kind == tokenComment); n-- {
	}
	return n
}

// commands completes the names of commands and their arguments.
func (c *completer) commands() (int, []Candidate) {
	start := strings.IndexByte(c.text, ':') + 1
	name, arg, hasArg := strings.Cut(c.text[start:], " ")
	if !hasArg {
		var list []Candidate
		for _, cmd := range commands() {
			if strings.HasPrefix(cmd.name, name) {
				list = append(list, Candidate{cmd.name, cmd.help})
			}
		}
		return start, list
	}
	from := len(c.text) - len(arg)
	switch name {
	case "help":
		return from, c.documentedNames(arg)
	case "db":
		return c.sqlNames(from)
	case "why":
		method, path, ok := strings.Cut(arg, " ")
		if !ok {
			method, path = "", arg
		}
		return len(c.text) - len(path), c.routes(strings.ToUpper(method), path)
	case "src", "edit", "time":
		inner := &completer{session: c.session, lookup: c.lookup, text: arg, tokens: scan(arg), tables: c.tables}
		at, list := inner.candidates()
		return from + at, list
	}
	return len(c.text), nil
}

func (c *completer) documentedNames(prefix string) []Candidate {
	var list []Candidate
	add := func(name string, s luadoc.Symbol) {
		if strings.HasPrefix(name, prefix) {
			list = append(list, Candidate{name, luadoc.Signature(s)})
		}
	}
	if docs := c.lookup.docs; docs != nil {
		for _, f := range docs.Functions {
			add(f.Call, f)
		}
		for _, class := range docs.Classes {
			add(class.Label, class)
		}
	}
	return list
}

// paths completes a route's path in the string of get "/… and its like.
func (c *completer) paths(n int) (int, []Candidate) {
	from := c.tokens[n].start + 1
	before := c.back(n)
	if c.word(before) == "(" {
		before = c.back(before)
	}
	method, ok := methods[c.word(before)]
	if !ok || strings.HasPrefix(c.word(n), "[") {
		return len(c.text), nil
	}
	return from, c.routes(method, c.text[from:])
}

func (c *completer) routes(method, prefix string) []Candidate {
	var list []Candidate
	for _, r := range c.session.host.Routes() {
		if strings.HasPrefix(r.Pattern, prefix) && (method == "" || r.Method == "" || r.Method == method) {
			list = append(list, Candidate{r.Pattern, orText(r.Method, "ANY") + "  " + r.Source})
		}
	}
	return list
}

// names completes variables and keywords.
func (c *completer) names(prefix string) []Candidate {
	var list []Candidate
	for _, name := range c.lookup.scope.names() {
		if strings.HasPrefix(name, prefix) && isName(name) {
			t, _ := c.lookup.path([]string{name})
			list = append(list, Candidate{name, c.detail(t)})
		}
	}
	if prefix == "" {
		return list
	}
	for word := range keywords {
		if strings.HasPrefix(word, prefix) {
			list = append(list, Candidate{word, ""})
		}
	}
	return list
}

// members completes what follows the "." or ":" that is token n.
func (c *completer) members(n int, prefix string) []Candidate {
	method := c.word(n) == ":"
	t, ok := c.targetBefore(n)
	if !ok {
		return nil
	}
	var list []Candidate
	add := func(name, detail string) {
		if strings.HasPrefix(name, prefix) && isName(name) {
			list = append(list, Candidate{name, detail})
		}
	}
	if docs := c.lookup.docs; docs != nil && t.doc != "" {
		for _, m := range docs.Members(t.doc) {
			fn, isFunction := m.(*luadoc.Function)
			if isFunction && fn.Method == method {
				add(fn.Member, luadoc.Signature(fn))
			}
			if f, ok := m.(*luadoc.Field); ok && !method {
				add(f.Member, f.Type)
			}
		}
	}
	table, isTable := t.value.(*lua.LTable)
	if _, isText := t.value.(lua.LString); isText && method {
		table, isTable = c.lookup.scope.globals.RawGetString("string").(*lua.LTable)
	}
	if isTable {
		for _, name := range rawNames(table) {
			field, _ := c.lookup.member(t, name)
			if _, isFunction := field.value.(*lua.LFunction); isFunction || !method {
				add(name, c.detail(field))
			}
		}
	}
	return list
}

// rawNames returns the text keys of a table and of the tables that __index names.
func rawNames(t *lua.LTable) []string {
	names := bind.Keys(t)
	for range 8 {
		mt, ok := t.Metatable.(*lua.LTable)
		if !ok {
			break
		}
		if t, ok = mt.RawGetString("__index").(*lua.LTable); !ok {
			break
		}
		names = append(names, bind.Keys(t)...)
	}
	return names
}

// targetBefore follows the path of names that ends before token n.
func (c *completer) targetBefore(n int) (target, bool) {
	names, ok := c.pathBefore(n)
	if !ok {
		return target{}, false
	}
	return c.lookup.path(names)
}

// pathBefore returns the names of a path such as db.pool that ends before token n; a number
// in brackets is a name too, as "[1]".
func (c *completer) pathBefore(n int) ([]string, bool) {
	var names []string
	for {
		n = c.back(n)
		if c.word(n) == "]" {
			key, open, ok := c.keyBefore(n)
			if !ok {
				return nil, false
			}
			names = append([]string{key}, names...)
			n = open
			continue
		}
		if n < 0 || c.tokens[n].kind != tokenName {
			return nil, false
		}
		names = append([]string{c.word(n)}, names...)
		separator := c.back(n)
		if w := c.word(separator); w != "." && w != ":" {
			return names, true
		}
		n = separator
	}
}

// keyBefore returns the key in the brackets that token n closes, and the token that opens them.
func (c *completer) keyBefore(n int) (key string, open int, ok bool) {
	at := c.back(n)
	open = c.back(at)
	if at < 0 || c.word(open) != "[" {
		return "", 0, false
	}
	switch word := c.word(at); c.tokens[at].kind {
	case tokenNumber:
		return "[" + word + "]", open, true
	case tokenString:
		key = word[1:max(len(word)-1, 1)]
		return key, open, word[0] != '[' && !strings.ContainsAny(key, "\\[")
	}
	return "", 0, false
}

// detail says in a few words what a target is.
func (c *completer) detail(t target) string {
	if s, ok := c.lookup.symbol(t); ok {
		return luadoc.Signature(s)
	}
	switch v := t.value.(type) {
	case nil, *lua.LNilType:
		return ""
	case *lua.LFunction:
		if v.IsG {
			return ""
		}
		return "function(" + strings.Join(parameters(v), ", ") + ")  " + place(v)
	case lua.LString:
		return cutText(Quote(string(v)), maxCell)
	case lua.LNumber:
		return number(v)
	case lua.LBool:
		return v.String()
	}
	if ud, ok := t.value.(*lua.LUserData); ok {
		return className(ud)
	}
	return ""
}
