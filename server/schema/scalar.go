package schema

import (
	"encoding/json"
	"fmt"
	"math"
	"math/big"
	"slices"
	"strconv"
	"strings"
	"unicode/utf8"
)

// fromText is the value of a text that stands for one value: a query parameter, a form value, a default.
func (f *Field) fromText(s string) (any, problem) {
	switch f.Type {
	case TypeInt:
		return f.parseInt(s)
	case TypeNumber:
		return f.parseNumber(s)
	case TypeBool:
		return parseBool(s)
	}
	return s, f.checkText(s)
}

// fromJSON is the value of a decoded JSON value that is neither list nor object nor free-form.
func (f *Field) fromJSON(v any) (any, problem) {
	switch f.Type {
	case TypeInt:
		return f.toInt(v)
	case TypeNumber:
		return f.toNumber(v)
	case TypeBool:
		if _, ok := v.(bool); !ok {
			return nil, notBool
		}
		return v, problem{}
	case TypeFile:
		return nil, notFile
	}
	s, ok := v.(string)
	switch {
	case !ok && f.Type == TypeDecimal:
		return nil, notDecimal
	case !ok:
		return nil, notText
	}
	return v, f.checkText(s)
}

var (
	required   = problem{CodeRequired, "is required"}
	notBool    = problem{CodeType, "must be true or false"}
	notInt     = problem{CodeType, "must be a whole number"}
	notNumber  = problem{CodeType, "must be a number"}
	notDecimal = problem{CodeType, `must be a decimal number in quotes, such as "12.50"`}
	notText    = problem{CodeType, "must be text"}
	notFile    = problem{CodeType, "must be a file"}
	notList    = problem{CodeType, "must be a list"}
	notObject  = problem{CodeType, "must be an object"}
	notOne     = problem{CodeType, "must be given only once"}
	badText    = problem{CodeFormat, "must be valid text without NUL characters"}
)

func parseBool(s string) (any, problem) {
	switch s {
	case "true", "1", "on":
		return true, problem{}
	case "false", "0", "off":
		return false, problem{}
	}
	return nil, notBool
}

func (f *Field) parseInt(s string) (any, problem) {
	if !isInt(s) {
		return nil, notInt
	}
	n, err := strconv.ParseInt(s, 10, 64)
	if err == nil {
		return n, f.checkInt(n)
	}
	if s[0] == '-' {
		return nil, f.tooSmall()
	}
	return nil, f.tooLarge()
}

func (f *Field) parseNumber(s string) (any, problem) {
	n, err := strconv.ParseFloat(s, 64)
	if !isNumber(s) || err != nil {
		return nil, notNumber
	}
	return n, f.checkNumber(n)
}

// toInt takes whole floats only where every int has a float of its own.
func (f *Field) toInt(v any) (any, problem) {
	switch n := v.(type) {
	case int64:
		return n, f.checkInt(n)
	case float64:
		return f.wholeFloat(n)
	case json.Number:
		if isInt(string(n)) {
			return f.parseInt(string(n))
		}
		number, problem := toFloat(n)
		if problem.code != "" {
			return nil, notInt
		}
		return f.wholeFloat(number)
	}
	return nil, notInt
}

func (f *Field) wholeFloat(n float64) (any, problem) {
	switch {
	case n != math.Trunc(n) || math.IsInf(n, 0):
		return nil, notInt
	case n > MaxInt && f.hi <= MaxInt:
		return nil, f.tooLarge()
	case n < -MaxInt && f.lo >= -MaxInt:
		return nil, f.tooSmall()
	case math.Abs(n) > MaxInt:
		return nil, problem{CodeType, "must be written as a whole number, without fraction and exponent"}
	}
	return int64(n), f.checkInt(int64(n))
}

func (f *Field) toNumber(v any) (any, problem) {
	n, p := toFloat(v)
	if p.code != "" {
		return nil, p
	}
	return n, f.checkNumber(n)
}

func toFloat(v any) (float64, problem) {
	switch n := v.(type) {
	case float64:
		if math.IsNaN(n) || math.IsInf(n, 0) {
			return 0, notNumber
		}
		return n, problem{}
	case int64:
		return float64(n), problem{}
	case json.Number:
		x, err := strconv.ParseFloat(string(n), 64)
		if err == nil && isNumber(string(n)) {
			return x, problem{}
		}
	}
	return 0, notNumber
}

func (f *Field) checkInt(n int64) problem {
	switch {
	case n < f.lo:
		return f.tooSmall()
	case n > f.hi:
		return f.tooLarge()
	}
	return problem{}
}

func (f *Field) tooSmall() problem {
	return problem{CodeMin, "must be at least " + strconv.FormatInt(f.lo, 10)}
}
func (f *Field) tooLarge() problem {
	return problem{CodeMax, "must be at most " + strconv.FormatInt(f.hi, 10)}
}

func (f *Field) checkNumber(n float64) problem {
	switch {
	case f.limits.min != nil && n < *f.limits.min:
		return problem{CodeMin, "must be at least " + f.Min}
	case f.limits.max != nil && n > *f.limits.max:
		return problem{CodeMax, "must be at most " + f.Max}
	}
	return problem{}
}

func (f *Field) checkDecimal(s string) problem {
	if f.from == nil && f.to == nil {
		return problem{}
	}
	r, _ := new(big.Rat).SetString(s) // a decimal of at most maxDecimal characters
	switch {
	case f.from != nil && r.Cmp(f.from) < 0:
		return problem{CodeMin, "must be at least " + f.Min}
	case f.to != nil && r.Cmp(f.to) > 0:
		return problem{CodeMax, "must be at most " + f.Max}
	}
	return problem{}
}

// isText tells whether s is what every text here must be.
func isText(s string) bool { return utf8.ValidString(s) && strings.IndexByte(s, 0) < 0 }

// checkText judges a value of any type that is a string in Go.
func (f *Field) checkText(s string) problem {
	switch {
	case !isText(s):
		return badText
	case f.Enum != nil && !slices.Contains(f.Enum, s):
		return problem{CodeEnum, "must be " + oneOf(f.Enum)}
	case f.info.text != nil && !f.info.text.valid(s):
		return problem{CodeFormat, f.info.text.must}
	case f.info.measure == byDecimal:
		return f.checkDecimal(s)
	}
	if p := f.checkLength(s); p.code != "" {
		return p
	}
	if f.pattern != nil && !f.pattern.MatchString(s) {
		return problem{CodePattern, "must match the pattern " + f.Pattern}
	}
	return problem{}
}

func (f *Field) checkLength(s string) problem {
	if f.Min == "" && f.Max == "" {
		return problem{}
	}
	return f.amount(int64(utf8.RuneCountInString(s)), "must be", "character", " long")
}

// count judges the number of items of a list.
func (f *Field) count(n int) problem {
	return f.amount(int64(n), "must have", "item", "")
}

func (f *Field) amount(n int64, verb, unit, after string) problem {
	switch {
	case n >= f.lo && n <= f.hi:
		return problem{}
	case f.lo == f.hi:
		return problem{CodeLength, fmt.Sprintf("%s exactly %s%s", verb, plural(f.lo, unit), after)}
	case n < f.lo:
		return problem{CodeLength, fmt.Sprintf("%s at least %s%s", verb, plural(f.lo, unit), after)}
	}
	return problem{CodeLength, fmt.Sprintf("%s at most %s%s", verb, plural(f.hi, unit), after)}
}

func plural(n int64, unit string) string {
	if n == 1 {
		return "1 " + unit
	}
	return strconv.FormatInt(n, 10) + " " + unit + "s"
}

// oneOf lists the first choices: a form shows them all, an error reminds.
func oneOf(choices []string) string {
	const shown = 10
	if len(choices) == 1 {
		return named(choices[0])
	}
	names := make([]string, min(len(choices), shown))
	for i := range names {
		names[i] = named(choices[i])
	}
	list := "one of " + strings.Join(names, ", ")
	if len(choices) > shown {
		return list + fmt.Sprintf(" and %d more", len(choices)-shown)
	}
	return list
}

func named(choice string) string {
	if choice == "" {
		return "empty"
	}
	return choice
}

// acceptsBlank tells whether "" may be meant as a value; for the other fields a form's empty input is an absent one.
func (f *Field) acceptsBlank() bool {
	switch f.Type {
	case TypeAny:
		return true
	case TypeString, TypeEnum:
		return f.checkText("").code == ""
	}
	return false
}
