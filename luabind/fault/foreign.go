package fault

import "fmt"

// foreign returns the hint for habits from other languages, by the token the parser
// stumbled over and its neighbours; "" when it is none of them.
func (r *reader) foreign() string {
	n := r.bad
	w, before, after := r.word(n), r.word(n-1), r.word(n+1)
	switch w {
	case "!":
		if after == "=" || after == "==" {
			return "Lua writes `~=` for not equal"
		}
		return "Lua writes `not x` for !x"
	case "~":
		if after != "=" && !r.operandBefore(n) {
			return "Lua writes `not x` for the opposite; " + noBits + "-1 - x is every bit of it turned"
		}
		return "Lua writes `~=` for not equal and `not x` for the opposite"
	case "&":
		if after != "&" {
			return noBits + "x % 2^n is the lowest n bits of x"
		}
		return "Lua writes `and` for &&"
	case "|":
		if after != "|" {
			return noBits + "write `a or b` for either value, a + b for bits that only one of them has"
		}
		return "Lua writes `or` for ||"
	case "<", ">":
		if w == ">" && before == "=" && r.adjacent(n) {
			return "Lua has no arrow functions: write function(x) return … end"
		}
		if w == "<" && r.attribute(n) {
			return fmt.Sprintf("Lua 5.1 has no <%s>: write local %s = …", after, before)
		}
		if before == w && r.adjacent(n) || after == w && r.adjacent(n+1) {
			return noBits + "x * 2^n moves bits up, math.floor(x / 2^n) down"
		}
	case "?":
		return "Lua has no `? :`: write `condition and a or b`, or if … then"
	case "+", "-", "*", "/", "%", "^", "..":
		return r.foreignOperator(n)
	case "#":
		if _, first := r.indent(n); first {
			return "comments begin with `--` in Lua"
		}
	case "=", "==":
		if after == ">" && r.adjacent(n+1) {
			return "Lua has no arrow functions: write function(x) return … end"
		}
		if hint := r.foreignAssignment(n); hint != "" {
			return hint
		}
	case ":":
		if top := r.top(); top != nil && top.word == "{" {
			return `Lua writes table entries as name = value, or ["some name"] = value`
		}
	case "[":
		if r.operandBefore(n) {
			return r.loopVariable(n)
		}
		return "Lua writes lists as { 1, 2, 3 }"
	case "{":
		if top := r.top(); top != nil && top.header || before == ")" || before == "else" {
			return "blocks are written with then … end or do … end in Lua, not with braces"
		}
	}
	return r.foreignWord(n)
}

// foreignOperator explains += and its like, ++ and //.
func (r *reader) foreignOperator(n int) string {
	w, after := r.word(n), r.word(n+1)
	name := r.path(n - 1)
	switch {
	case w == "/" && r.word(n-1) == "/" && r.adjacent(n) && r.operandBefore(n-1):
		return "Lua 5.1 has no `//`: write math.floor(a / b); comments begin with `--`"
	case !r.adjacent(n + 1):
		return ""
	case after == "=":
		return fmt.Sprintf("Lua has no `%s=`: write %s = %s %s …", w, name, name, w)
	case w == "+" && after == "+":
		return fmt.Sprintf("Lua has no `++`: write %s = %s + 1", name, name)
	case w == "/" && (after == "/" || after == "*"):
		return "comments begin with `--` in Lua"
	}
	return ""
}

// noBits begins the hints for operators that Lua has from 5.3 on.
const noBits = "Lua 5.1 has no operators for bits: "

// operandBefore reports whether the token before n, on the same line, ends a value.
func (r *reader) operandBefore(n int) bool {
	before := r.word(n - 1)
	if before == "" || n >= len(r.tokens) || r.line(n-1) != r.line(n) {
		return false
	}
	kind := r.tokens[n-1].kind
	return isName(before) || kind == text || kind == numeral || before == ")" || before == "]" || before == "}"
}

// attribute reports whether token n begins an attribute of a variable, as <const>.
func (r *reader) attribute(n int) bool {
	after := r.word(n + 1)
	return (after == "const" || after == "close") && r.word(n+2) == ">" && isName(r.word(n-1))
}

// loopVariable explains an index behind the variable of a for.
func (r *reader) loopVariable(n int) string {
	if r.word(n-2) == "for" {
		return "the variable of a for is a new local with a plain name: for i = 1, 5 do"
	}
	return ""
}

// path is the variable whose last token is n, as a.b.c.
func (r *reader) path(n int) string {
	if !isName(r.word(n)) {
		return "x"
	}
	path := r.word(n)
	for r.word(n-1) == "." && isName(r.word(n-2)) {
		n -= 2
		path = r.word(n) + "." + path
	}
	return path
}

// foreignAssignment explains an = or == that can't stand where it does.
func (r *reader) foreignAssignment(n int) string {
	if r.word(n) == "==" {
		if top := r.top(); top == nil || !top.header {
			return "`==` compares: write `=` to assign"
		}
		return ""
	}
	top := r.top()
	if top != nil && top.header && top.word != "for" || r.afterReturn(n) {
		return "`=` assigns: write `==` to compare"
	}
	return ""
}

// afterReturn reports whether token n belongs to a return on the same line.
func (r *reader) afterReturn(n int) bool {
	for at := n - 1; at >= 0 && r.line(at) == r.line(n); at-- {
		if r.word(at) == "return" {
			return true
		}
	}
	return false
}

// foreignWord explains words that mean nothing in Lua, which the parser takes for the
// name of a variable until it sees what follows.
func (r *reader) foreignWord(n int) string {
	before := r.word(n - 1)
	switch before {
	case "continue":
		return "Lua has no `continue`: write `goto continue`, and `::continue::` before the `end` of the loop"
	case "let", "var", "const", "auto":
		return fmt.Sprintf("variables are declared with `local` in Lua, not `%s`", before)
	case "func", "fn", "def", "fun":
		return fmt.Sprintf("functions are declared with `function` in Lua, not `%s`", before)
	case "elif", "elsif", "elsef":
		return "write `elseif`"
	case "switch", "case":
		return "Lua has no `switch`: write if … elseif … else … end, or look the value up in a table"
	case "try", "catch", "throw":
		return "Lua has no `try`: use rws.try(fn, …) or pcall(fn, …), and raise with error(…)"
	case "new":
		return "Lua has no `new`: call a function that returns the object"
	case "import", "from":
		return `Lua loads files with: local name = require("name")`
	}
	if r.returned(n) {
		return "`return` must be the last statement of its block; put it into do … end to leave early"
	}
	return ""
}

// returned reports whether token n begins a statement after a return: the line above,
// in the same block, begins with it.
func (r *reader) returned(n int) bool {
	if n == 0 || n >= len(r.tokens) || closing(r.word(n)) {
		return false
	}
	if top := r.top(); top != nil && !top.isBlock() {
		return false
	}
	at := n - 1
	for at > 0 && r.line(at-1) == r.line(n-1) {
		at--
	}
	return r.line(at) < r.line(n) && r.word(at) == "return"
}
