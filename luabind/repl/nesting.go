package repl

// maxEager is up to what length lines that belong together are parsed again with each one more, as
// long as blocks or brackets are open: 4 KB. The time for it grows with the square.
const maxEager = 4 << 10

// A nesting follows which blocks and brackets a text leaves open, line by line.
type nesting struct {
	depth int
	rest  string // a string or comment that has no end yet
}

// add takes the next line.
func (n *nesting) add(line string) {
	text := n.rest + line
	n.rest = ""
	for _, t := range scan(text) {
		word := text[t.start:t.end]
		switch {
		case t.open && t.end == len(text):
			n.rest = word
		case t.kind == tokenKeyword && (word == "function" || word == "if" || word == "do" || word == "repeat"):
			n.depth++
		case t.kind == tokenKeyword && (word == "end" || word == "until"):
			n.depth--
		case word == "(" || word == "{" || t.kind == tokenSymbol && word == "[":
			n.depth++
		case word == ")" || word == "}" || word == "]":
			n.depth--
		}
	}
}

// open reports whether more must come.
func (n *nesting) open() bool { return n.depth > 0 || n.rest != "" }
