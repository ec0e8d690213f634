package fault

import (
	"fmt"
	"strconv"
	"strings"

	lua "github.com/yuin/gopher-lua"
)

// A culprit is the value that an operation could not use.
type culprit struct {
	symbol *symbol
	value  lua.LValue
	use    use
	other  lua.LValue // the other operand of arithmetic and comparisons
	key    lua.LValue // that it was indexed with
	callee *symbol    // the function it was an argument of
	arg    int
	absent bool // the call has fewer arguments
}

// A use is what was done with a value.
type use int

const (
	indexed use = iota
	called
	iterated
	added // any arithmetic
	concatenated
	compared
	measured // #x
	bounded  // in the head of a numeric for
	keyed    // as the key of an assignment
	passed   // as an argument
)

var (
	indexMessage    = pattern(`(?s)^attempt to index a non-table object\((\w+)\) with key '(.*)'$`)
	arithMessage    = pattern(`^cannot perform (add|sub|mul|div|mod|pow) operation between (\w+) and (\w+)$`)
	concatMessage   = pattern(`^cannot perform concat operation between (\w+) and (\w+)$`)
	compareMessage  = pattern(`^attempt to compare (\w+) with (\w+)$`)
	forMessage      = pattern(`^for statement (init|limit|step) must be a number$`)
	keyMessage      = pattern(`^table index is (nil|NaN)$`)
	argumentMessage = pattern(`(?s)^bad argument #(\d+) to (\S+) \((.*)\)$`)
	argumentOfRws   = pattern(`: argument (\d+): `)
)

// explain returns message, one of gopher-lua's, in better words, and the culprit when
// the instruction that failed tells it. frames are those that ran, innermost first.
func explain(frames []frame, message string) (string, *culprit) {
	f := frame{pc: -1}
	if len(frames) > 0 {
		f = frames[0]
	}
	switch {
	case message == "attempt to call a non-function object":
		return explainCall(f)
	case message == "__len undefined":
		return explainUnary(f, lua.OP_LEN, "get the length of", measured)
	case message == "__unm undefined":
		return explainUnary(f, lua.OP_UNM, "negate", added)
	}
	if m := indexMessage().FindStringSubmatch(message); m != nil {
		return explainIndex(f, m[1], m[2])
	}
	if m := arithMessage().FindStringSubmatch(message); m != nil {
		return explainArithmetic(f, m[1], m[2], m[3])
	}
	if m := concatMessage().FindStringSubmatch(message); m != nil {
		return explainConcat(f, m[1], m[2])
	}
	if m := compareMessage().FindStringSubmatch(message); m != nil {
		return explainCompare(f, m[1], m[2])
	}
	if m := forMessage().FindStringSubmatch(message); m != nil {
		return explainFor(f, m[1])
	}
	if m := keyMessage().FindStringSubmatch(message); m != nil {
		return explainKey(f, m[1])
	}
	if m := argumentMessage().FindStringSubmatch(message); m != nil && len(frames) > 1 && f.isGo() {
		return explainArgument(f, frames[1], m)
	}
	if m := argumentOfRws().FindStringSubmatch(message); m != nil && len(frames) > 1 && f.isGo() {
		n, _ := strconv.Atoi(m[1])
		return message, frames[1].argumentCulprit(f, n, true)
	}
	return message, nil
}

// a names a type with its article.
func a(typ string) string {
	if typ == "nil" {
		return "nil"
	}
	return "a " + typ
}

// failing names the value that an operation could not use: `user` (nil), or nil value.
func (c *culprit) failing() string {
	if c.symbol == nil {
		return "a " + c.value.Type().String() + " value"
	}
	if s, ok := c.value.(lua.LString); ok && c.use == added && c.symbol.kind != constant && !isSecret(c.symbol.text()) {
		return fmt.Sprintf("`%s` (string %s)", c.symbol.text(), quote(string(s)))
	}
	if c.symbol.kind == constant {
		return typed(c.symbol, c.value)
	}
	return fmt.Sprintf("`%s` (%s)", c.symbol.text(), c.value.Type())
}

func explainIndex(f frame, typ, key string) (string, *culprit) {
	c := &culprit{use: indexed}
	part := "field " + quote(key)
	in, ok := f.instruction()
	known := ok
	var by *symbol
	switch in.op() {
	case lua.OP_GETTABLE, lua.OP_GETTABLEKS, lua.OP_SELF:
		c.symbol, c.value, c.key, by = f.register(in.b()), f.local(in.b()), f.value(in.c()), f.operand(in.c())
		if in.op() == lua.OP_SELF {
			part = "method " + quote(key)
		}
	case lua.OP_SETTABLE, lua.OP_SETTABLEKS:
		c.symbol, c.value, c.key, by = f.register(in.a()), f.local(in.a()), f.value(in.b()), f.operand(in.b())
	default:
		known = false
	}
	if !known || c.value.Type().String() != typ || c.key.String() != key {
		return fmt.Sprintf("attempt to index %s, %s", valueOf(typ), part), nil
	}
	if by != nil && by.kind != constant && isSecret(by.text()) {
		part = "field " + redacted
	} else if _, isText := c.key.(lua.LString); !isText {
		part = "index " + key
	}
	return fmt.Sprintf("attempt to index %s, %s", c.failing(), part), c
}

func valueOf(typ string) string { return "a " + typ + " value" }

func explainCall(f frame) (string, *culprit) {
	in, _ := f.instruction()
	c := &culprit{use: called, symbol: f.register(in.a()), value: f.local(in.a())}
	switch {
	case f.pc < 0:
		return "attempt to call a value that is not a function", nil
	case in.op() == lua.OP_TFORLOOP:
		c.use = iterated
		return fmt.Sprintf("attempt to iterate over %s: `for … in` needs a function", c.failing()), c
	case in.op() == lua.OP_CALL, in.op() == lua.OP_TAILCALL:
		return "attempt to call " + c.failing(), c
	}
	return "attempt to call a value that is not a function", nil
}

func explainUnary(f frame, op int, verb string, u use) (string, *culprit) {
	in, ok := f.instruction()
	if !ok || in.op() != op {
		return "attempt to " + verb + " a value that has none", nil
	}
	c := &culprit{use: u, symbol: f.operand(in.b()), value: f.value(in.b())}
	return fmt.Sprintf("attempt to %s %s", verb, c.failing()), c
}

// arithmetic has the words for each operation, its operands as %[1]s and %[2]s.
var arithmetic = map[string]struct {
	op    int
	words string
}{
	"add": {lua.OP_ADD, "attempt to add %[1]s and %[2]s"},
	"sub": {lua.OP_SUB, "attempt to subtract %[2]s from %[1]s"},
	"mul": {lua.OP_MUL, "attempt to multiply %[1]s by %[2]s"},
	"div": {lua.OP_DIV, "attempt to divide %[1]s by %[2]s"},
	"mod": {lua.OP_MOD, "attempt to take %[1]s modulo %[2]s"},
	"pow": {lua.OP_POW, "attempt to raise %[1]s to the power of %[2]s"},
}

func explainArithmetic(f frame, event, left, right string) (string, *culprit) {
	how := arithmetic[event]
	in, ok := f.instruction()
	if !ok || in.op() != how.op {
		return fmt.Sprintf(how.words, valueOf(left), valueOf(right)), nil
	}
	l := &culprit{use: added, symbol: f.operand(in.b()), value: f.value(in.b())}
	r := &culprit{use: added, symbol: f.operand(in.c()), value: f.value(in.c())}
	l.other, r.other = r.value, l.value
	message := fmt.Sprintf(how.words, l.operand(), r.operand())
	if isNumeric(l.value) {
		return message, r
	}
	return message, l
}

// operand is failing, for one that may be all right: a literal then stands for itself.
func (c *culprit) operand() string {
	if c.symbol != nil && c.symbol.kind == constant && isNumeric(c.value) {
		return literal(c.value)
	}
	return c.failing()
}

// isNumeric reports whether arithmetic accepts v.
func isNumeric(v lua.LValue) bool {
	if s, ok := v.(lua.LString); ok {
		_, err := strconv.ParseFloat(strings.TrimSpace(string(s)), 64)
		return err == nil
	}
	return v.Type() == lua.LTNumber
}

func explainConcat(f frame, left, right string) (string, *culprit) {
	in, ok := f.instruction()
	if ok && in.op() == lua.OP_CONCAT {
		for r := in.c(); r >= in.b(); r-- {
			if v := f.local(r); !lua.LVCanConvToString(v) && (v.Type().String() == left || v.Type().String() == right) {
				c := &culprit{use: concatenated, symbol: f.register(r), value: v}
				return "attempt to concatenate " + c.failing(), c
			}
		}
	}
	if left == "string" || left == "number" {
		left = right
	}
	return "attempt to concatenate " + valueOf(left), nil
}

func explainCompare(f frame, left, right string) (string, *culprit) {
	in, ok := f.instruction()
	if !ok || in.op() != lua.OP_LT && in.op() != lua.OP_LE {
		return fmt.Sprintf("attempt to compare %s with %s", a(left), a(right)), nil
	}
	l := &culprit{use: compared, symbol: f.operand(in.b()), value: f.value(in.b())}
	r := &culprit{use: compared, symbol: f.operand(in.c()), value: f.value(in.c())}
	l.other, r.other = r.value, l.value
	if l.symbol != nil && l.symbol.kind == constant { // a > 5 is compiled as 5 < a
		l, r = r, l
	}
	message := fmt.Sprintf("attempt to compare %s with %s", typed(l.symbol, l.value), typed(r.symbol, r.value))
	if l.value != lua.LNil && (r.value == lua.LNil || l.value.Type() == lua.LTNumber) {
		return message, r
	}
	return message, l
}

func explainFor(f frame, part string) (string, *culprit) {
	name := map[string]string{"init": "start", "limit": "limit", "step": "step"}[part]
	in, ok := f.instruction()
	if !ok || in.op() != lua.OP_FORPREP && in.op() != lua.OP_FORLOOP {
		return fmt.Sprintf("the %s of `for` must be a number", name), nil
	}
	r := in.a() + map[string]int{"init": 0, "limit": 1, "step": 2}[part]
	c := &culprit{use: bounded, symbol: f.register(r), value: f.local(r)}
	return fmt.Sprintf("the %s of `for` must be a number, not %s", name, c.failing()), c
}

func explainKey(f frame, what string) (string, *culprit) {
	in, ok := f.instruction()
	if !ok || in.op() != lua.OP_SETTABLE {
		return "a table can't have " + what + " as a key", nil
	}
	c := &culprit{use: keyed, symbol: f.operand(in.b()), value: f.value(in.b())}
	into := ""
	if s := f.register(in.a()); s != nil {
		into = " of `" + s.text() + "`"
	}
	if c.symbol == nil {
		return fmt.Sprintf("attempt to use %s as a key%s", what, into), c
	}
	return fmt.Sprintf("attempt to use `%s` (%s) as a key%s", c.symbol.text(), what, into), c
}

// argumentCulprit returns the n-th argument of the call that f makes of a Go function, in whose
// frame the value is. declared says that n does not count the object of a method.
func (f frame) argumentCulprit(of frame, n int, declared bool) *culprit {
	in, ok := f.instruction()
	callee := f.callee()
	if !ok || callee == nil || n < 1 {
		return nil
	}
	r := in.a() + n
	if declared && callee.kind == method {
		r++
	}
	if in.b() != 0 && r >= in.a()+in.b() {
		return &culprit{use: passed, value: lua.LNil, callee: callee, arg: n, absent: true}
	}
	return &culprit{use: passed, symbol: f.register(r), value: of.argument(r - in.a()), callee: callee, arg: n}
}

func explainArgument(of, f frame, m []string) (string, *culprit) {
	n, _ := strconv.Atoi(m[1])
	c := f.argumentCulprit(of, n, false)
	if c == nil {
		return fmt.Sprintf("bad argument #%s to `%s`: %s", m[1], m[2], m[3]), nil
	}
	shown := n
	if c.callee.kind == method {
		shown--
	}
	which := fmt.Sprintf("bad argument #%d to `%s`", shown, c.callee.text())
	if shown == 0 {
		which = fmt.Sprintf("bad object for `%s`", c.callee.text())
	}
	expected, _, typed := strings.Cut(m[3], ", got ")
	if c.absent && typed {
		return which + ": " + expected + ", got nothing", c
	}
	if c.symbol == nil || c.symbol.kind == constant || !typed {
		return which + ": " + m[3], c
	}
	return fmt.Sprintf("%s: %s, got `%s` (%s)", which, expected, c.symbol.text(), c.value.Type()), c
}

// markOf returns where a caret finds the culprit.
func (c *culprit) markOf() mark {
	if c == nil || c.symbol == nil {
		return mark{}
	}
	m := mark{expr: c.symbol.text()}
	switch {
	case c.use == called:
		m.after = "("
	case c.use == indexed && c.key != nil:
		m.after = c.key.String()
	}
	return m
}
