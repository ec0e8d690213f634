package db

import (
	"regexp"
	"strings"
)

// emptyRows is what stands in "in (…)" for an empty list: unlike null, no rows make "not in" true. In
// Postgres they would need the type of what is compared.
var emptyRows = map[Engine]string{
	SQLite: "select null where 1 = 0",
	MySQL:  "select null from dual where 1 = 0",
}

var inBegins = regexp.MustCompile(`(?i)\b(not\s+)?in\s*\(\s*$`)

// emptyIn writes what comes before parameter i, an empty list that an in compares with. In Postgres
// the in becomes a comparison with an empty array, which takes any type.
func (st *statement) emptyIn(engine Engine, i int) string {
	before := st.parts[i]
	if engine != Postgres {
		return before + emptyRows[engine]
	}
	at := inBegins.FindStringSubmatchIndex(before)
	switch {
	case at == nil, strings.HasSuffix(strings.TrimSpace(before[:at[0]]), "*/"): // a not may stand before
		return before + "null"
	case at[2] < 0:
		return before[:at[0]] + "= any ('{}'"
	}
	return before[:at[0]] + "<> all ('{}'"
}
