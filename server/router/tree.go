package router

import (
	"slices"
	"strings"
)

// node is the state after some segments. A node at depth d is reached only by paths whose first d segments match, so one
// match visits each node at most once however hostile the path is.
type node struct {
	static map[string]*node // "" is the trailing slash
	params []edge           // by rank
	end    leaf             // the path ends here
	rest   leaf             // a wildcard takes what is left
}

// edge is a parameter segment.
type edge struct {
	segment
	to *node
}

// leaf holds the routes of one shape, one for each method.
type leaf []entry

// entry answers one method; HEAD has its own where there is GET.
type entry struct {
	method string // "" is any
	route  int
	params []Param
}

// insert adds a route under one of its variants.
func (n *node) insert(v variant, e entry) {
	for _, s := range v {
		if s.kind == restSegment {
			n.rest = n.rest.with(e)
			return
		}
		n = n.child(s)
	}
	n.end = n.end.with(e)
}

func (n *node) child(s segment) *node {
	if s.kind == staticSegment {
		if n.static == nil {
			n.static = map[string]*node{}
		}
		if n.static[s.prefix] == nil {
			n.static[s.prefix] = &node{}
		}
		return n.static[s.prefix]
	}
	i, found := slices.BinarySearchFunc(n.params, s, func(e edge, s segment) int {
		if order := e.compare(&s); order != 0 {
			return order
		}
		return strings.Compare(e.prefix+"\x00"+e.suffix, s.prefix+"\x00"+s.suffix)
	})
	if !found {
		n.params = slices.Insert(n.params, i, edge{s, &node{}})
	}
	return n.params[i].to
}

// with adds an entry and what it implies: GET answers HEAD, unless HEAD has a route of its own. The first HEAD counts.
func (l leaf) with(e entry) leaf {
	if i := l.index("HEAD"); e.method == "HEAD" && i >= 0 {
		l[i] = e
		return l
	}
	l = append(l, e)
	if e.method == "GET" {
		e.method = "HEAD"
		l = append(l, e)
	}
	return l
}

func (l leaf) index(method string) int {
	return slices.IndexFunc(l, func(e entry) bool { return e.method == method })
}

// pick is the entry for a method, nil for none.
func (l leaf) pick(method string) *entry {
	var other *entry
	for i := range l {
		if l[i].method == method {
			return &l[i]
		}
		if l[i].method == "" {
			other = &l[i]
		}
	}
	return other
}

// walk is one search through trees.
type walk struct {
	path   string // decoded
	method string
	slash  bool // the path goes on with a slash that it does not have
	params *Params
	allow  []string // the methods of the leaves that have the path but not the method
}

// find is the most specific entry below n for the rest of the path, nil for none. The segment starts at i, which is
// beyond the path when no segment is left; k parameters are taken so far.
func (w *walk) find(n *node, i, k int) *entry {
	if i > len(w.path) {
		return w.finish(n, len(w.path), k)
	}
	segment, next := w.path[i:], len(w.path)+1
	if j := strings.IndexByte(segment, '/'); j >= 0 {
		segment, next = segment[:j], i+j+1
	}
	if child := n.static[segment]; child != nil {
		if e := w.find(child, next, k); e != nil {
			return e
		}
	}
	for p := range n.params {
		edge := &n.params[p]
		v, ok := edge.value(segment)
		if !ok {
			continue
		}
		w.params.slot(k).Value = v
		if e := w.find(edge.to, next, k+1); e != nil {
			return e
		}
	}
	return w.take(n.rest, i, k)
}

// finish answers a path that ends at n.
func (w *walk) finish(n *node, i, k int) *entry {
	if w.slash {
		if n = n.static[""]; n == nil {
			return nil
		}
	}
	if e := w.choose(n.end); e != nil {
		return e
	}
	return w.take(n.rest, i, k)
}

// take answers with a wildcard whose value starts at i.
func (w *walk) take(l leaf, i, k int) *entry {
	e := w.choose(l)
	if e != nil {
		w.params.slot(k).Value = w.path[i:]
	}
	return e
}

func (w *walk) choose(l leaf) *entry {
	e := l.pick(w.method)
	if e == nil {
		for i := range l {
			w.allow = append(w.allow, l[i].method)
		}
	}
	return e
}
