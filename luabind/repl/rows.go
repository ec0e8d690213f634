package repl

import (
	"fmt"
	"iter"
	"strings"

	lua "github.com/yuin/gopher-lua"

	"rws/luabind/bind"
)

// Limits of a table of rows.
const (
	maxRows    = 100
	maxColumns = 16
	maxCell    = 40
)

// rows prints a list of two or more tables with the same text keys and no tables in them,
// such as a database gives, as an aligned table. The columns keep the order of the row.
func (p *printer) rows(t *lua.LTable) (string, bool) {
	columns, ok := columnsOf(t)
	if !ok {
		return "", false
	}
	n := t.Len()
	cells := [][]string{columns}
	numeric := make([]bool, len(columns))
	for i := range numeric {
		numeric[i] = true
	}
	for i := 1; i <= min(n, maxRows); i++ {
		row := t.RawGetInt(i).(*lua.LTable)
		line := make([]string, len(columns))
		for c, name := range columns {
			v := row.RawGetString(name)
			_, isNumber := v.(lua.LNumber)
			numeric[c] = numeric[c] && (isNumber || v == lua.LNil)
			line[c] = p.cell(v)
		}
		cells = append(cells, line)
	}
	widths := make([]int, len(columns))
	total := 0
	for c := range columns {
		for _, line := range cells {
			widths[c] = max(widths[c], visible(line[c]))
		}
		total += widths[c] + 2
	}
	if total-2 > p.style.width() {
		return "", false
	}
	return p.grid(cells, widths, numeric) + p.style.paint(dim, rowCount(n)), true
}

func rowCount(n int) string {
	if n > maxRows {
		return fmt.Sprintf("(%d rows, %d shown)", n, maxRows)
	}
	return fmt.Sprintf("(%d rows)", n)
}

func (p *printer) grid(cells [][]string, widths []int, right []bool) string {
	var b strings.Builder
	write := func(line []string, c color) {
		text := ""
		for i, cell := range line {
			text += pad(cell, widths[i], right[i]) + "  "
		}
		b.WriteString(p.style.paint(c, strings.TrimRight(text, " ")) + "\n")
	}
	write(cells[0], bold)
	rule := make([]string, len(widths))
	for i, w := range widths {
		rule[i] = strings.Repeat("─", w)
	}
	write(rule, dim)
	for _, line := range cells[1:] {
		write(line, plain)
	}
	return b.String()
}

func (p *printer) cell(v lua.LValue) string {
	switch v := v.(type) {
	case *lua.LNilType:
		return ""
	case lua.LNumber:
		return number(v)
	case lua.LString:
		return cutText(strings.Join(strings.Fields(clean(string(v))), " "), maxCell)
	case *lua.LUserData:
		if bind.IsNull(p.L, v) {
			return "null"
		}
		return cutText(clean(p.tostring(v)), maxCell)
	}
	return v.String()
}

// inOrder yields the entries of t in the order in which its keys were first set, which
// ForEach does not keep.
func inOrder(t *lua.LTable) iter.Seq2[lua.LValue, lua.LValue] {
	return func(yield func(k, v lua.LValue) bool) {
		for k, v := t.Next(lua.LNil); k != lua.LNil && yield(k, v); k, v = t.Next(k) {
		}
	}
}

// columnsOf returns the keys of the rows in t, when t is a list of rows.
func columnsOf(t *lua.LTable) ([]string, bool) {
	n := t.Len()
	if n < 2 || count(t) != n {
		return nil, false
	}
	var columns []string
	seen := make(map[string]bool)
	for i := 1; i <= n; i++ {
		row, ok := t.RawGetInt(i).(*lua.LTable)
		if !ok {
			return nil, false
		}
		common := 0
		flat := true
		for k, v := range inOrder(row) {
			name, isText := k.(lua.LString)
			flat = flat && isText && isScalar(v)
			if seen[string(name)] {
				common++
			} else if i == 1 || len(columns) < maxColumns {
				seen[string(name)] = true
				columns = append(columns, string(name))
			} else {
				flat = false
			}
		}
		if !flat || i > 1 && common == 0 {
			return nil, false
		}
	}
	return columns, len(columns) >= 2 && len(columns) <= maxColumns
}

func isScalar(v lua.LValue) bool {
	switch v.(type) {
	case *lua.LTable, *lua.LFunction, *lua.LState:
		return false
	}
	return true
}
