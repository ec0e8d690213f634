package template

import (
	"strconv"

	"github.com/yuin/goldmark/ast"
	"github.com/yuin/goldmark/parser"
)

// headingIDs makes goldmark's ids of headings. Its own search for a free number takes the
// square of the headings that have one text.
type headingIDs struct {
	used map[string]int // the last number
}

// Generate implements parser.IDs.
func (h *headingIDs) Generate(text []byte, kind ast.NodeKind) []byte {
	id := string(parser.NewContext().IDs().Generate(text, kind))
	free := id
	for n, taken := h.used[id]; taken; _, taken = h.used[free] {
		n++
		h.used[id] = n
		free = id + "-" + strconv.Itoa(n)
	}
	h.Put([]byte(free))
	return []byte(free)
}

// Put implements parser.IDs.
func (h *headingIDs) Put(id []byte) {
	if h.used == nil {
		h.used = make(map[string]int)
	}
	if _, taken := h.used[string(id)]; !taken {
		h.used[string(id)] = 0
	}
}
