package repl

import (
	"context"
	"strings"
)

// calledAt returns the function whose arguments are being typed at the end of text, as
// "db:one", and where its name ends; "" when there is none.
func calledAt(text string) (name string, end int) {
	if len(text) > maxDrawn {
		return "", 0
	}
	c := &completer{text: text, tokens: scan(text)}
	n := len(c.tokens)
	for {
		open, _ := c.opening(n)
		if open < 0 {
			return "", 0
		}
		if names, ok := c.pathBefore(open); ok && c.word(open) == "(" {
			last := c.back(open)
			return names[len(names)-1], c.tokens[last].end
		}
		n = open
	}
}

// A hintCache remembers the last signature, because the line is drawn at each key.
type hintCache struct{ before, text string }

// detail returns what completion knows about the function that ends at byte end of line.
func (h *hintCache) detail(ctx context.Context, c Console, line, name string, end int) string {
	before := line[:end]
	if before == h.before {
		return h.text
	}
	h.before, h.text = before, ""
	_, list := c.Complete(ctx, line, end)
	for _, one := range list {
		if one.Text == name && strings.Contains(one.Detail, "(") {
			h.text = one.Detail
		}
	}
	return h.text
}
