package proxy

import (
	"errors"
	"fmt"
	"net/http"
	"slices"
	"strings"

	"golang.org/x/net/http/httpguts"
)

// Edits change the fields of a header: first Remove, then Set, then Add.
type Edits struct {
	Remove []string            // names, with a "*" at one end for all that begin or end like it: "X-Internal-*"
	Set    map[string]string   // in place of what was there
	Add    map[string][]string // beside what was there
}

// edits are Edits at work.
type edits struct {
	remove names
	exact  []string // what remove has without globs, canonical
	set    []field
	add    []field
}

type field struct {
	name   string
	values []string
}

// compile checks the edits, of requests or of answers.
func (e Edits) compile(request bool) (c edits, err error) {
	if c.remove, err = parseNames(e.Remove); err != nil {
		return c, err
	}
	for _, name := range e.Remove {
		if !strings.Contains(name, "*") {
			if err := checkRemoved(canonical(name), request); err != nil {
				return c, err
			}
			c.exact = append(c.exact, canonical(name))
		}
	}
	for name, value := range e.Set {
		c.set = append(c.set, field{name, []string{value}})
	}
	for name, values := range e.Add {
		c.add = append(c.add, field{name, slices.Clone(values)})
	}
	for _, list := range [][]field{c.set, c.add} {
		for i := range list {
			if err := list[i].check(); err != nil {
				return c, err
			}
		}
	}
	return c, nil
}

// checkRemoved refuses what would change nothing.
func checkRemoved(name string, request bool) error {
	switch {
	case request && name == "Host":
		return errors.New("remove: header Host: no request is without; the option for the host sets another")
	case isHop(name) || request && name == "Content-Length":
		return fmt.Errorf("remove: header %s: it belongs to the connection, and is never passed on as it came: leave it out", name)
	}
	return nil
}

func (f *field) check() error {
	if !httpguts.ValidHeaderFieldName(f.name) {
		return fmt.Errorf("header %q: it is no name of a header", f.name)
	}
	f.name = canonical(f.name)
	switch {
	case f.name == "Host":
		return fmt.Errorf("header Host: it is set by the option for the host")
	case isHop(f.name) || f.name == "Content-Length":
		return fmt.Errorf("header %s: it belongs to the connection, which the proxy makes itself", f.name)
	}
	for _, value := range f.values {
		if !httpguts.ValidHeaderFieldValue(value) {
			return fmt.Errorf("header %s: value %q has a character that may not stand there", f.name, value)
		}
	}
	return nil
}

func (c *edits) apply(h http.Header) {
	if len(c.remove.prefixes) > 0 || len(c.remove.suffixes) > 0 {
		for name := range h {
			if c.remove.has(name) {
				delete(h, name)
			}
		}
	} else {
		for _, name := range c.exact {
			delete(h, name)
		}
	}
	for _, f := range c.set {
		h[f.name] = f.values
	}
	for _, f := range c.add {
		h[f.name] = append(slices.Clip(h[f.name]), f.values...)
	}
}
