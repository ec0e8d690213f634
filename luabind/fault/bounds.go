package fault

import (
	"fmt"
	"strings"

	"github.com/yuin/gopher-lua/ast"
	"github.com/yuin/gopher-lua/parse"
)

// Bounds on the text of a file. gopher-lua's compiler calls itself for every level of nesting
// and every link of a chain: without bounds "{{{…" a million deep ends the process, because no
// Go program can recover from a full stack.
const (
	// MaxSource is how long a file may be: 8 MB.
	MaxSource = 8 << 20
	// maxNesting bounds blocks and brackets within each other, as C Lua does, and prefix
	// and right-associative operators in a row.
	maxNesting = 200
	// maxChain bounds the operators, calls and fields in one expression, and the elseifs
	// of one if, with those they are nested in. The compiler's time grows with the square.
	maxChain = 500
)

// smallSource is a text that is too short to break a bound.
const smallSource = maxNesting

// Bounded returns why Compile refuses a text for its length or its nesting, or nil. It does not
// parse the text: who does so before it is compiled asks first.
func Bounded(file, text string) error {
	if err := checkBounds(file, text); err != nil {
		return err
	}
	return nil // a nil *Error would be an error
}

// checkBounds refuses a text that the compiler must not see. The tokens are those of the parser
// itself, so that nothing hides from it.
func checkBounds(file, text string) *Error {
	if len(text) <= smallSource {
		return nil
	}
	if len(text) > MaxSource {
		return &Error{Code: codeSyntax, At: file + ":1", Message: fmt.Sprintf("the source is longer than %d MB", MaxSource>>20),
			Hint: "keep data in files of their own and read them with rws.fs.read, or in a database"}
	}
	b := bounds{open: []depth{{}}}
	scanner := parse.NewScanner(strings.NewReader(text), file)
	var lexer parse.Lexer
	for {
		t, err := scanner.Scan(&lexer)
		if err != nil || t.Type < 0 {
			return nil // the parser reports it
		}
		lexer.PrevTokenType = t.Type
		if problem := b.add(t); problem != "" {
			return &Error{Code: codeSyntax, At: fmt.Sprintf("%s:%d", file, t.Pos.Line), Message: problem,
				Hint: "split it into local variables and functions, or read the data from a file, as rws.json.decode(rws.fs.read(path))"}
		}
	}
}

// A depth is a block or a bracket that is open.
type depth struct {
	header bool // a while or for before its do
	block  bool // statements, not an expression
	chain  int  // how deep the tree of the current expression is at most
	deep   int  // and that of the deepest one before, in this level
	concat int  // operators .. in a row
	power  int  // operators ^ in a row
	elses  int  // elseifs
	under  int  // operators that have this level as their last operand
}

// bounds follows the tokens of a file. Precedence is left out: for a text that the parser
// accepts, the tree is deeper than what is counted by no more than the eight precedences in
// each bracket.
type bounds struct {
	open    []depth // the innermost last, never empty
	prefix  int     // prefix operators in a row
	operand bool    // the token before ends a value, so that a suffix or an operator may follow
}

func (b *bounds) top() *depth { return &b.open[len(b.open)-1] }

// add counts a token and returns what is too much.
func (b *bounds) add(t ast.Token) string {
	b.token(t)
	l := b.top()
	switch {
	case len(b.open)+b.prefix+l.power > maxNesting:
		return fmt.Sprintf("blocks, brackets and operators are nested more than %d deep", maxNesting)
	case l.concat > maxNesting:
		return fmt.Sprintf("more than %d values are joined by `..` in one expression: use table.concat", maxNesting)
	case max(l.chain, l.deep)+l.elses > maxChain:
		return fmt.Sprintf("more than %d operators, calls or fields in one chain", maxChain)
	}
	return ""
}

func (b *bounds) token(t ast.Token) {
	switch t.Type {
	case parse.TIdent, parse.TString, parse.TNumber, parse.TNil, parse.TTrue, parse.TFalse, parse.T3Comma:
		b.value(t.Type)
	case '(', '{', '[', parse.TFunction:
		b.bracket(t.Type)
	case parse.TIf, parse.TWhile, parse.TFor, parse.TRepeat, parse.TDo, parse.TElseIf:
		b.statement(t.Type)
	case ')', '}', ']', parse.TEnd, parse.TUntil:
		b.close(t.Type)
	case '.', ':':
		b.top().chain++
		b.operand = false
	case '+', '-', '*', '/', '%', '^', '#', '<', '>', parse.TNot, parse.T2Comma, parse.TAnd, parse.TOr,
		parse.TEqeq, parse.TNeq, parse.TLte, parse.TGte:
		b.operator(t.Type)
	default: // ; , = and the words of statements
		b.endExpr()
	}
}

// value is a name or a literal. After another value it is an argument if it is a string, and
// else it begins a statement.
func (b *bounds) value(kind int) {
	if b.operand {
		if kind == parse.TString {
			b.top().chain++
		} else {
			b.endExpr()
		}
	}
	b.prefix, b.operand = 0, true
}

// bracket opens a level in an expression.
func (b *bounds) bracket(kind int) {
	switch {
	case b.operand && kind == parse.TFunction:
		b.endExpr()
	case b.operand:
		b.top().chain++
	}
	b.push(depth{block: kind == parse.TFunction})
}

func (b *bounds) statement(kind int) {
	b.endExpr()
	switch l := b.top(); {
	case kind == parse.TElseIf:
		l.elses++
	case kind == parse.TDo && l.header:
		l.header = false
	default:
		b.push(depth{block: true, header: kind == parse.TWhile || kind == parse.TFor})
	}
}

func (b *bounds) push(l depth) {
	l.under = b.prefix + b.top().concat + b.top().power
	b.prefix, b.operand = 0, false
	b.open = append(b.open, l)
}

func (b *bounds) close(kind int) {
	b.endExpr()
	if len(b.open) == 1 {
		return // the parser reports it
	}
	inner := b.top().deep + b.top().elses + b.top().under + 1
	b.open = b.open[:len(b.open)-1]
	l := b.top()
	l.chain = max(l.chain, inner)
	b.operand = kind != parse.TUntil
}

func (b *bounds) operator(kind int) {
	l := b.top()
	l.chain++
	if kind == parse.TNot || kind == '#' || kind == '-' && !b.operand {
		b.prefix++
		b.operand = false
		return
	}
	b.operand = false
	switch kind {
	case '^':
		l.power++
	case parse.T2Comma:
		l.concat, l.power = l.concat+1, 0
	case parse.TAnd, parse.TOr, '<', '>', parse.TEqeq, parse.TNeq, parse.TLte, parse.TGte:
		l.concat, l.power = 0, 0
	default:
		l.power = 0
	}
}

// endExpr ends the expression that the level is in.
func (b *bounds) endExpr() {
	l := b.top()
	l.deep = max(l.deep, l.chain)
	l.chain, l.concat, l.power = 0, 0, 0
	b.prefix, b.operand = 0, false
}
