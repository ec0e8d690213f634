package db

import (
	"fmt"
	"maps"
	"math"
	"slices"
	"strconv"
	"strings"
	"time"
	"unicode/utf8"

	"rws/server/suggest"
)

// Named are arguments by name, for statements with :name. It is the only argument of its call.
type Named map[string]any

// Verbatim as the only argument hands the text to the engine as it is, without looking for
// parameters: for statements that were not written for this package, as in migrations.
type Verbatim struct{}

// List is an argument that stands for several, as in "id in (?)". Nothing is in an empty one: "not in"
// is true then. Beside others, as in "in (1, ?)", it is null.
type List []any

// Either is a list whose meaning depends on where it stands: several values in "in (?)", an array
// where Postgres has one, and JSON anywhere else.
type Either struct {
	List List
	JSON JSON
	// Err says why there is no JSON.
	Err error
	// Array prefers an array when Postgres is not asked what it has, as with
	// default_query_exec_mode=exec and simple_protocol.
	Array bool
}

// Blob is binary data, as opposed to text.
type Blob []byte

// JSON is JSON text as the database keeps it.
type JSON string

// bind returns the text and the arguments for the engine.
func (st *statement) bind(engine Engine, args []any) (string, []any, error) {
	values, err := st.order(engine, args)
	if err != nil {
		return "", nil, &Error{Code: CodeParameters, Statement: st.source, Err: err}
	}
	text, lists := st.text, false
	for i, v := range values {
		if e, ok := v.(Either); ok {
			v = st.choose(engine, e, i)
			values[i] = v
		}
		if _, ok := v.(List); ok {
			lists = true
			continue
		}
		if values[i], err = argument(engine, v); err != nil {
			return "", nil, &Error{Code: CodeParameters, Statement: st.source, Err: fmt.Errorf("parameter %s: %w", st.label(i), err)}
		}
	}
	if lists {
		return st.expand(engine, values)
	}
	return text, values, nil
}

// choose decides what a value for the engine's parameter i is.
func (st *statement) choose(engine Engine, e Either, i int) any {
	if st.style != styleDollar && st.inList(st.place(engine, i)) {
		return e.List
	}
	return e
}

// place returns where the engine's parameter i stands first: a name that is used again has one
// parameter in Postgres.
func (st *statement) place(engine Engine, i int) int {
	if engine != Postgres || st.style != styleNamed {
		return i
	}
	return slices.Index(st.names, distinct(st.names)[i])
}

// inList says whether the parameter at a place is all that is in the parentheses of an in.
func (st *statement) inList(place int) bool {
	before, open := strings.CutSuffix(strings.TrimRight(st.parts[place], " \t\r\n"), "(")
	if !open || !strings.HasPrefix(strings.TrimLeft(st.parts[place+1], " \t\r\n"), ")") {
		return false
	}
	words := strings.Fields(before)
	return len(words) > 0 && strings.EqualFold(words[len(words)-1], "in")
}

// order returns a new slice with one value for each parameter of the engine's text.
func (st *statement) order(engine Engine, args []any) ([]any, error) {
	if len(args) == 1 {
		if named, ok := args[0].(Named); ok {
			return st.orderNamed(engine, named)
		}
	}
	if st.style == styleNamed {
		return nil, fmt.Errorf("the statement has named parameters (:%s): give their values by name", st.names[0])
	}
	if len(args) != st.count {
		hint := ""
		if engine == Postgres && st.hasOperator() {
			hint = "; the operator ? of jsonb is written ??"
		}
		return nil, fmt.Errorf("the statement has %s and was given %s%s", count(st.count, "parameter"), count(len(args), "value"), hint)
	}
	if len(args) == 0 {
		return nil, nil
	}
	return slices.Clone(args), nil
}

// hasOperator says whether a mark stands where an operator of Postgres would: before a text or
// another mark, or as the beginning of ?| and ?&.
func (st *statement) hasOperator() bool {
	if st.style != styleMarks {
		return false
	}
	for i, after := range st.parts[1:] {
		trimmed := strings.TrimSpace(after)
		switch {
		case trimmed == "" && i+2 < len(st.parts), strings.HasPrefix(trimmed, "'"):
			return true
		case len(after) > 1 && (after[0] == '|' || after[0] == '&') && after[1] != after[0]:
			return true
		}
	}
	return false
}

func (st *statement) orderNamed(engine Engine, named Named) ([]any, error) {
	if st.style != styleNamed {
		if len(named) == 0 {
			return st.order(engine, nil)
		}
		return nil, fmt.Errorf("values are given by name, but the statement has no parameter such as :%s", slices.Sorted(maps.Keys(named))[0])
	}
	values := make([]any, 0, len(st.names))
	used := make(map[string]bool, len(named))
	for _, name := range st.names {
		if engine == Postgres && used[name] {
			continue // $n stands for all of them
		}
		v, ok := named[name]
		if !ok {
			return nil, fmt.Errorf("parameter :%s has no value%s", name, suggest.DidYouMean(name, slices.Sorted(maps.Keys(named))))
		}
		used[name] = true
		values = append(values, v)
	}
	if len(used) == len(named) {
		return values, nil
	}
	for _, name := range slices.Sorted(maps.Keys(named)) {
		if !used[name] {
			return nil, fmt.Errorf("a value is given for %q, but the statement has no :%s%s", name, name, suggest.DidYouMean(name, st.names))
		}
	}
	return values, nil
}

func (st *statement) label(i int) string {
	if i < len(st.names) && st.names[i] != "" {
		return ":" + st.names[i]
	}
	return fmt.Sprint(i + 1)
}

// expand gives every List as many places as it has values.
func (st *statement) expand(engine Engine, values []any) (string, []any, error) {
	if st.style == styleDollar {
		return "", nil, &Error{Code: CodeParameters, Statement: st.source, Err: fmt.Errorf("a list needs a parameter written ? or :name, or = any($1) with an array")}
	}
	out := make([]any, 0, len(values)+16)
	widths := make([]int, len(st.names))
	seen := make(map[string]int)
	next := 0
	for i, name := range st.names {
		if at, ok := seen[name]; ok && name != "" && engine == Postgres {
			widths[i] = at
			continue
		}
		width := 1
		list, ok := values[next].(List)
		if !ok {
			out = append(out, values[next])
		} else {
			width = len(list)
		}
		for _, v := range list {
			a, err := argument(engine, v)
			if err != nil {
				return "", nil, &Error{Code: CodeParameters, Statement: st.source, Err: fmt.Errorf("list %s: %w", st.label(i), err)}
			}
			out = append(out, a)
		}
		next++
		widths[i], seen[name] = width, width
	}
	return st.render(engine, widths), out, nil
}

// argument turns a value into what the driver of the engine takes.
func argument(engine Engine, v any) (any, error) {
	switch v := v.(type) {
	case nil, bool, int64:
		return v, nil
	case int:
		return int64(v), nil
	case string:
		if !utf8.ValidString(v) {
			return []byte(v), nil // no text: the bytes would not come back
		}
		return v, nil
	case float64:
		return number(engine, v)
	case []byte:
		return v, nil
	case Blob:
		return []byte(v), nil
	case JSON:
		return string(v), nil
	case time.Time:
		return moment(engine, v), nil
	case Either:
		return either(engine, v)
	case []any:
		return array(engine, v)
	}
	return nil, fmt.Errorf("a %T cannot be stored: use nil, bool, int64, float64, string, []byte, time.Time or JSON", v)
}

// number refuses what SQLite would store as null and MySQL refuses. Large whole numbers are integers,
// which both keep exact where a float64 is rounded or gets a fraction: in decimals, and in text. What
// no bigint can hold MySQL gets as text, of which it says that it does not fit: 2^63 as a number
// becomes 2^63 - 1, and a bit(64) takes 2^63 for all that is larger.
func number(engine Engine, f float64) (any, error) {
	if engine != Postgres && (math.IsNaN(f) || math.IsInf(f, 0)) {
		return nil, fmt.Errorf("%v is not a number that %s can store", f, engine)
	}
	fits := f >= -1<<63 && f < 1<<63
	switch {
	case math.Abs(f) >= 1<<53 && fits:
		return int64(f), nil
	case engine == MySQL && !fits:
		return strconv.FormatFloat(f, 'f', wholeDigits(f), 64), nil
	}
	return f, nil
}

// wholeDigits is the precision that writes each digit of a number as long as 64 bits are near.
func wholeDigits(f float64) int {
	if math.Abs(f) < 1e21 {
		return 0
	}
	return -1
}

// moment writes times for SQLite as its own functions do: UTC, without a zone.
func moment(engine Engine, t time.Time) any {
	switch engine {
	case SQLite:
		return t.UTC().Format("2006-01-02 15:04:05.999999999")
	case MySQL:
		return t.UTC().Truncate(time.Microsecond)
	}
	return t.UTC()
}

// either leaves it to Postgres what a list is: its text is written when the type of the parameter is known.
func either(engine Engine, e Either) (any, error) {
	switch {
	case engine == Postgres:
		return e, nil
	case e.onlyArray():
		return array(engine, e.List)
	}
	return string(e.JSON), e.Err
}

// array is text such as {1,2} for Postgres, whatever the type of the parameter. How times are written
// depends on it.
func array(engine Engine, v List) (any, error) {
	if engine != Postgres {
		return nil, fmt.Errorf("%s has no arrays: use a List for in (?), or JSON", engine)
	}
	if _, err := appendArray(nil, v, elementPlain); err != nil {
		return nil, err
	}
	return Either{List: v, Array: true}, nil
}

func count(n int, what string) string {
	switch n {
	case 0:
		return "no " + what + "s"
	case 1:
		return "1 " + what
	}
	return fmt.Sprintf("%d %ss", n, what)
}
