package repl

import (
	"cmp"
	"fmt"
	"math"
	"slices"
	"strconv"
	"strings"
	"unicode"
	"unicode/utf8"

	lua "github.com/yuin/gopher-lua"

	"rws/luabind/bind"
	"rws/luabind/fault"
	"rws/luabind/vm"
)

// Limits of what is shown of a value.
const (
	maxDepth    = 4
	maxShown    = 50    // entries of a table
	maxText     = 200   // bytes of a string within a table
	maxLongText = 4_000 // bytes of a string by itself
	maxNodes    = 2_000 // values in all
)

// A printer writes values so that data pastes back as Lua; what it leaves out it says in
// comments. It runs with the isolate's lock held and calls no Lua code but __tostring of
// userdata.
type printer struct {
	L       *lua.LState
	style   Style
	source  func(file string) (string, bool)
	parents map[*lua.LTable]bool // tables that are being printed: cycles
	nodes   int
	known   map[lua.LValue]string // names of functions of the library, made when needed
}

func newPrinter(L *lua.LState, style Style, source func(string) (string, bool)) *printer {
	return &printer{L: L, style: style, source: source, parents: make(map[*lua.LTable]bool)}
}

// value returns v as text of one or more lines, without a line end.
func (p *printer) value(v lua.LValue) string {
	if t, ok := v.(*lua.LTable); ok {
		if r, ok := asResponse(p.L, t); ok {
			return r.text(p)
		}
		if text, ok := p.rows(t); ok {
			return text
		}
	}
	if s, ok := v.(lua.LString); ok {
		return p.text(string(s), maxLongText)
	}
	return p.format(v, 0, 0)
}

// format returns v, which stands indent columns from the left, depth tables deep.
func (p *printer) format(v lua.LValue, depth, indent int) string {
	p.nodes++
	switch v := v.(type) {
	case lua.LString:
		return p.text(string(v), maxText)
	case lua.LNumber:
		return p.style.paint(yellow, number(v))
	case *lua.LTable:
		return p.table(v, depth, indent)
	case *lua.LFunction:
		return p.style.paint(cyan, p.function(v))
	case *lua.LUserData:
		return p.userdata(v)
	case *lua.LState:
		return p.style.paint(cyan, "coroutine ("+p.L.Status(v)+")")
	}
	return p.style.paint(magenta, v.String())
}

func (p *printer) text(s string, limit int) string {
	if len(s) <= limit {
		return p.style.paint(green, Quote(s))
	}
	cut := limit
	for cut > limit-utf8.UTFMax && !utf8.RuneStart(s[cut]) {
		cut--
	}
	return p.style.paint(green, Quote(s[:cut])) + p.comment(fmt.Sprintf("… %d more bytes", len(s)-cut))
}

// comment is a remark that Lua skips when the output is pasted back.
func (p *printer) comment(text string) string { return p.style.paint(dim, " --[[ "+text+" ]]") }

// Quote returns s as a Lua string on one line: what is not printable is escaped, so that
// it can't control a terminal.
func Quote(s string) string {
	var b strings.Builder
	b.WriteByte('"')
	for i := 0; i < len(s); {
		r, size := utf8.DecodeRuneInString(s[i:])
		switch {
		case r == '"' || r == '\\':
			b.WriteByte('\\')
			b.WriteByte(s[i])
		case r == '\n':
			b.WriteString(`\n`)
		case r == '\t':
			b.WriteString(`\t`)
		case r == '\r':
			b.WriteString(`\r`)
		case (r != utf8.RuneError || size > 1) && unicode.IsPrint(r):
			b.WriteString(s[i : i+size])
		default:
			for _, c := range []byte(s[i : i+size]) {
				fmt.Fprintf(&b, `\%03d`, c)
			}
		}
		i += size
	}
	b.WriteByte('"')
	return b.String()
}

// number writes n so that reading it gives n again.
func number(n lua.LNumber) string {
	f := float64(n)
	switch {
	case math.IsNaN(f):
		return "0/0"
	case math.IsInf(f, 1):
		return "math.huge"
	case math.IsInf(f, -1):
		return "-math.huge"
	case f == math.Trunc(f) && math.Abs(f) <= 1<<53:
		return strconv.FormatInt(int64(f), 10)
	}
	return strconv.FormatFloat(f, 'g', -1, 64)
}

func (p *printer) table(t *lua.LTable, depth, indent int) string {
	prefix := ""
	if t.Len() == 0 && bind.IsArray(p.L, t) {
		prefix = "rws.array "
	}
	switch {
	case p.parents[t]:
		return p.style.paint(magenta, "nil") + p.comment("a table around this one")
	case isEmpty(t):
		return prefix + "{}"
	case depth >= maxDepth || p.nodes > maxNodes:
		return "{" + p.comment("… "+counted(count(t), "entry", "entries")) + " }"
	}
	p.parents[t] = true
	defer delete(p.parents, t)

	entries, left := p.entries(t, depth, indent+2)
	line := "{ " + strings.Join(entries, ", ") + " }"
	if left == 0 && !strings.Contains(line, "\n") && indent+visible(line) <= p.style.width() {
		return line
	}
	margin := strings.Repeat(" ", indent+2)
	var b strings.Builder
	b.WriteString("{\n")
	for _, e := range entries {
		b.WriteString(margin + e + ",\n")
	}
	if left > 0 {
		b.WriteString(margin + p.style.paint(dim, fmt.Sprintf("-- … %d more", left)) + "\n")
	}
	b.WriteString(margin[2:] + "}")
	return b.String()
}

func counted(n int, one, many string) string {
	if n == 1 {
		return "1 " + one
	}
	return strconv.Itoa(n) + " " + many
}

// entries returns the entries of t in order, and how many were left out.
func (p *printer) entries(t *lua.LTable, depth, indent int) (entries []string, left int) {
	keys := sortedKeys(t)
	if len(keys) > maxShown {
		keys, left = keys[:maxShown], len(keys)-maxShown
	}
	position := 1
	for _, k := range keys {
		name := ""
		if n, ok := k.(lua.LNumber); ok && n == lua.LNumber(position) {
			position++
		} else {
			name = p.key(k) + " = "
		}
		entries = append(entries, name+p.format(t.RawGet(k), depth+1, indent+min(visible(name), 24)))
	}
	return p.reindent(entries, indent), left
}

// reindent moves what follows the first line of an entry to its margin: the entry was
// made for the column behind its name.
func (p *printer) reindent(entries []string, indent int) []string {
	for i, e := range entries {
		lines := strings.Split(e, "\n")
		if len(lines) == 1 {
			continue
		}
		last := lines[len(lines)-1]
		shift := len(last) - len(strings.TrimLeft(last, " ")) - indent
		for n := 1; n < len(lines); n++ {
			lines[n] = lines[n][min(max(shift, 0), len(lines[n])):]
		}
		entries[i] = strings.Join(lines, "\n")
	}
	return entries
}

func (p *printer) key(k lua.LValue) string {
	if s, ok := k.(lua.LString); ok && isName(string(s)) {
		return p.style.paint(blue, string(s))
	}
	return "[" + p.format(k, maxDepth, 0) + "]"
}

// sortedKeys returns the keys: numbers first, then strings, then the rest.
func sortedKeys(t *lua.LTable) []lua.LValue {
	var keys []lua.LValue
	t.ForEach(func(k, _ lua.LValue) { keys = append(keys, k) })
	slices.SortStableFunc(keys, func(a, b lua.LValue) int {
		if order := cmp.Compare(rank(a), rank(b)); order != 0 {
			return order
		}
		switch x := a.(type) {
		case lua.LNumber:
			return cmp.Compare(x, b.(lua.LNumber))
		case lua.LString:
			return cmp.Compare(x, b.(lua.LString))
		}
		return 0
	})
	return keys
}

func rank(v lua.LValue) int {
	switch v.(type) {
	case lua.LNumber:
		return 0
	case lua.LString:
		return 1
	case lua.LBool:
		return 2
	}
	return 3
}

func isEmpty(t *lua.LTable) bool {
	k, _ := t.Next(lua.LNil)
	return k == lua.LNil
}

func count(t *lua.LTable) (n int) {
	t.ForEach(func(_, _ lua.LValue) { n++ })
	return n
}

func (p *printer) userdata(ud *lua.LUserData) string {
	if bind.IsNull(p.L, ud) {
		return p.style.paint(magenta, "rws.null")
	}
	if e, ok := ud.Value.(*fault.Error); ok {
		return p.style.paint(red, clean(e.Error()))
	}
	return p.style.paint(cyan, clean(p.tostring(ud)))
}

// tostring returns what Lua's tostring gives; a __tostring that fails gives its error.
func (p *printer) tostring(ud *lua.LUserData) string {
	mt, ok := ud.Metatable.(*lua.LTable)
	if !ok {
		return "userdata"
	}
	fn := mt.RawGetString("__tostring")
	if fn == lua.LNil {
		return "userdata"
	}
	results, err := vm.Try(p.L, nil, fn, ud)
	if err != nil {
		return "userdata (tostring failed: " + vm.ErrorValue(err).String() + ")"
	}
	if len(results) == 0 {
		return "userdata"
	}
	return results[0].String()
}

// isName reports whether s can be written after a dot.
func isName(s string) bool {
	for i, c := range []byte(s) {
		if !isLetter(c) && !(i > 0 && isDigit(c)) {
			return false
		}
	}
	return s != "" && !keywords[s]
}
