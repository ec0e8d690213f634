package template

import (
	"fmt"
	"strings"
)

// Bounds on what a text may leave open. The parser's time grows with the square of what they
// bound; of the default size, 64 KiB, the slowest text that was found takes 0.2 s with them
// and 2 s without (TestMarkdownIsQuickWhateverTheText).
const (
	maxMarkers = 50        // quotes and lists that one line opens
	maxParens  = 200       // parentheses that are open at a time, in one paragraph
	maxPairs   = 1_000_000 // runs of "*" times runs of "_" or "~", in one paragraph
	maxLabels  = 5_000_000 // closing brackets times lines, in one paragraph
)

// A ComplexError is why a text that would take long is not rendered.
type ComplexError struct {
	Line int
	What string // "the paragraph has too many brackets"
}

// Error names the line.
func (e *ComplexError) Error() string { return fmt.Sprintf("markdown line %d: %s", e.Line, e.What) }

// tooComplex returns which part of a text would take long, or nil.
func tooComplex(text string) error {
	var p paragraph
	number := 0
	for line := range strings.Lines(text) {
		number++
		if markers(line) > maxMarkers {
			return &ComplexError{number, fmt.Sprintf("quotes or lists are nested more than %d deep", maxMarkers)}
		}
		if begins(line) {
			p = paragraph{}
		}
		p.add(line)
		if what := p.excess(); what != "" {
			return &ComplexError{number, "the paragraph has too many " + what}
		}
	}
	return nil
}

// markers counts the quotes and lists that a line opens; a rule opens none.
func markers(line string) int {
	if strings.Trim(line, "- \t\r\n") == "" || strings.Trim(line, "* \t\r\n") == "" {
		return 0
	}
	n := 0
	for i, ch := range []byte(line) {
		switch {
		case ch == '>' || ch == '-' || ch == '*' || ch == '+', (ch == '.' || ch == ')') && i > 0 && isDigit(line[i-1]):
			n++
		case ch != ' ' && ch != '\t' && !isDigit(ch):
			return n
		}
	}
	return n
}

func isDigit(ch byte) bool { return '0' <= ch && ch <= '9' }

// begins reports whether a line begins a new paragraph whatever comes before it: it is blank,
// or an item of a list.
func begins(line string) bool {
	rest := strings.TrimLeft(line, " ")
	if strings.TrimSpace(rest) == "" {
		return true
	}
	return len(line)-len(rest) < 4 && len(rest) > 2 && strings.IndexByte("-*+", rest[0]) >= 0 && rest[1] == ' ' && rest[2] > ' '
}

// A paragraph counts what makes the parser look back.
type paragraph struct {
	lines, labels int
	open          int // parentheses
	stars, scores int // runs of * and of _ or ~
	after         byte
}

func (p *paragraph) add(line string) {
	p.lines++
	for _, ch := range []byte(line) {
		before := p.after
		if p.after = ch; before == '\\' {
			p.after = 0 // ch is escaped
			continue
		}
		switch ch {
		case '(':
			p.open++
		case ')':
			p.open = max(p.open-1, 0)
		case ']':
			p.labels++
		case '*':
			if before != ch {
				p.stars++
			}
		case '_', '~':
			if before != ch {
				p.scores++
			}
		}
	}
}

// excess names what there is too much of.
func (p *paragraph) excess() string {
	switch {
	case p.open > maxParens:
		return "parentheses that are not closed"
	case p.stars*p.scores > maxPairs:
		return "marks of emphasis"
	case p.labels*p.lines > maxLabels:
		return "brackets"
	}
	return ""
}
