package schema

import (
	"fmt"
	"iter"
	"slices"
)

// Object is an ordered list of fields: the query, form or body of a route, or an object inside one.
type Object struct {
	// AllowUnknown makes [Object.Check] drop members that have no field, which are errors otherwise.
	// Set it before the first check. Text is the other way round: see [Object.Unknown].
	AllowUnknown bool

	fields []*Field
	byName map[string]*Field
	depth  int // objects and lists in each other, this one included
}

// NewObject makes an object of fields with different names.
// Objects and lists deeper than [MaxDepth] are an error too: no input could reach the inner ones.
func NewObject(fields ...*Field) (*Object, error) {
	o := &Object{fields: slices.Clone(fields), byName: make(map[string]*Field, len(fields)), depth: 1}
	for _, f := range fields {
		if o.byName[f.Name] != nil {
			return nil, fmt.Errorf("field %q is declared twice", f.Name)
		}
		o.byName[f.Name] = f
		o.depth = max(o.depth, 1+f.depth())
	}
	if o.depth > MaxDepth {
		return nil, fmt.Errorf("objects and lists are nested %d deep; at most %d are allowed", o.depth, MaxDepth)
	}
	return o, nil
}

func (f *Field) depth() int {
	switch {
	case f.Items != nil:
		return 1 + f.Items.depth()
	case f.Object != nil:
		return f.Object.depth
	case f.Type == TypeObject:
		return 1
	}
	return 0
}

// Fields yields the fields in the order of their declaration.
func (o *Object) Fields() iter.Seq[*Field] { return slices.Values(o.fields) }

// Field is the field called name, or nil.
func (o *Object) Field(name string) *Field { return o.byName[name] }

// Unknown reports the names that are no field, with code unknown. Queries and forms may carry such names (trackers add
// theirs), so [Object.CheckStrings] ignores them; who wants to refuse them adds these errors.
func (o *Object) Unknown(names iter.Seq[string]) Errors {
	var c collector
	c.unknown(o, names)
	return c.errs
}

func (c *collector) unknown(o *Object, names iter.Seq[string]) {
	var odd []string
	for name := range names {
		if o.byName[name] == nil {
			odd = append(odd, name)
		}
	}
	slices.Sort(odd)
	for _, name := range odd[:min(len(odd), MaxErrors-len(c.errs))] {
		hint := ""
		if c.hints < maxHints {
			c.hints++
			hint = didYouMean(name, o.names())
		}
		c.add(echo(name), problem{CodeUnknown, "is not a known field" + hint})
	}
}

func (o *Object) names() iter.Seq[string] {
	return func(yield func(string) bool) {
		for _, f := range o.fields {
			if !yield(f.Name) {
				return
			}
		}
	}
}

// Source is where the values of an object come from.
type Source int

// The sources.
const (
	Text Source = iota // query, path parameters, URL-encoded form: single values and lists of them
	Form               // multipart form: the same, and files
	JSON               // decoded JSON: everything but files
)

// Fits returns an error that names the first field which nothing from the source can ever fill, such as a file in a
// JSON body. Call it once where the object is declared; the checks treat such a field as absent.
func (o *Object) Fits(s Source) error {
	for _, f := range o.fields {
		if why := f.misfit(s); why != "" {
			return fmt.Errorf("field %q: %s", f.Name, why)
		}
	}
	return nil
}

func (f *Field) misfit(s Source) string {
	if s == JSON {
		return f.misfitJSON()
	}
	switch inner := f.single(); {
	case inner.Type == TypeList:
		return "a query or form has no lists of lists; take them in a JSON body"
	case inner.Type == TypeObject:
		return "a query or form has no objects; take them in a JSON body"
	case inner.Type == TypeFile && s == Text:
		return "a file comes in a multipart form; declare it as an upload"
	}
	return ""
}

func (f *Field) misfitJSON() string {
	switch {
	case f.Type == TypeFile:
		return "a JSON body has no files; declare it as an upload"
	case f.Items != nil:
		return f.Items.misfitJSON()
	case f.Object != nil:
		if err := f.Object.Fits(JSON); err != nil {
			return err.Error()
		}
	}
	return ""
}

// single is the field of one value: the items of a list, else f itself.
func (f *Field) single() *Field {
	if f.Type == TypeList {
		return f.Items
	}
	return f
}

// fallback fills in the default of an absent field, or reports it as missing.
func (c *collector) fallback(f *Field, out map[string]any) {
	switch {
	case f.HasDefault:
		out[f.Name] = fresh(f.Default)
	case !f.Optional:
		c.add(f.Name, required)
	}
}

// fresh copies the lists of a default, so that no caller changes the default of the next.
func fresh(v any) any {
	list, ok := v.([]any)
	if !ok {
		return v
	}
	list = append([]any{}, list...)
	for i := range list {
		list[i] = fresh(list[i])
	}
	return list
}
