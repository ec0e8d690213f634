package schema

import (
	"encoding/json"
	"fmt"
	"maps"
	"slices"
	"strings"
)

// Check judges a decoded JSON value, made of nil, bool, string, int64, float64, [json.Number], map[string]any and
// []any. A decoder gives numbers it would have to round as json.Number.
//
// Nothing is converted from text. 5.0 is an int; beyond ±[MaxInt] an int has to come as int64 or json.Number, which
// floats have rounded. null counts as absent, but for any, where it is a value.
func (o *Object) Check(in any) (map[string]any, Errors) {
	var c collector
	out := c.object(o, in, 1)
	if len(c.errs) > 0 {
		return nil, c.errs
	}
	return out, nil
}

// object checks in at a depth of depth objects and lists, itself included.
func (c *collector) object(o *Object, in any, depth int) map[string]any {
	members, ok := in.(map[string]any)
	if !ok {
		c.add("", notObject)
		return nil
	}
	out := make(map[string]any, len(o.fields))
	known := 0
	for _, f := range o.fields {
		v, present := members[f.Name]
		if present {
			known++
		}
		if v == nil && !(present && f.Type == TypeAny) {
			c.fallback(f, out)
			continue
		}
		mark := len(c.errs)
		out[f.Name] = c.value(f, v, depth)
		c.within(mark, f.Name)
		if c.full() {
			return nil
		}
	}
	if known < len(members) && !o.AllowUnknown {
		c.unknown(o, maps.Keys(members))
	}
	return out
}

// value checks the value of a field, or of an item, of something at depth.
func (c *collector) value(f *Field, v any, depth int) any {
	switch {
	case f.Type == TypeList:
		return c.list(f, v, depth+1)
	case f.Type == TypeAny:
		c.free(v, depth+1)
		return v
	case f.Object != nil:
		return c.object(f.Object, v, depth+1)
	case f.Type == TypeObject:
		return c.freeObject(v, depth+1)
	}
	out, problem := f.fromJSON(v)
	c.add("", problem)
	return out
}

func (c *collector) list(f *Field, v any, depth int) any {
	in, ok := v.([]any)
	if !ok {
		c.add("", notList)
		return nil
	}
	if p := f.count(len(in)); p.code != "" {
		c.add("", p)
		in = in[:min(int64(len(in)), f.hi)]
	}
	out := make([]any, len(in))
	for i, item := range in {
		mark := len(c.errs)
		if item == nil && f.Items.Type != TypeAny {
			c.add("", required)
		} else {
			out[i] = c.value(f.Items, item, depth)
		}
		c.inItem(mark, i)
		if c.full() {
			return nil
		}
	}
	return out
}

func (c *collector) freeObject(v any, depth int) any {
	if _, ok := v.(map[string]any); !ok {
		c.add("", notObject)
		return nil
	}
	c.free(v, depth)
	return v
}

// free checks what must hold for every value, here one that would be at depth if it is an object or a list.
func (c *collector) free(v any, depth int) {
	switch v := v.(type) {
	case nil, bool, int64:
	case float64, json.Number:
		_, problem := toFloat(v)
		c.add("", problem)
	case string:
		if !isText(v) {
			c.add("", badText)
		}
	case []any:
		c.freeList(v, depth)
	case map[string]any:
		c.freeMembers(v, depth)
	default:
		c.add("", problem{CodeType, "must be a JSON value"})
	}
}

func (c *collector) freeList(list []any, depth int) {
	if len(list) > MaxItems {
		c.add("", problem{CodeLength, fmt.Sprintf("must have at most %d items", MaxItems)})
		return
	}
	if c.tooDeep(depth) {
		return
	}
	for i, item := range list {
		mark := len(c.errs)
		c.free(item, depth+1)
		c.inItem(mark, i)
		if c.full() {
			return
		}
	}
}

func (c *collector) freeMembers(members map[string]any, depth int) {
	if c.tooDeep(depth) {
		return
	}
	start := len(c.errs)
	for name, v := range members {
		mark := len(c.errs)
		c.free(v, depth+1)
		if !isText(name) {
			c.add("", badText)
		}
		if mark < len(c.errs) {
			c.within(mark, echo(name))
		}
		if c.full() {
			break
		}
	}
	slices.SortStableFunc(c.errs[start:], func(a, b FieldError) int { return strings.Compare(a.Path, b.Path) })
}

func (c *collector) tooDeep(depth int) bool {
	if depth <= MaxDepth {
		return false
	}
	c.add("", problem{CodeDepth, fmt.Sprintf("is nested too deeply, more than %d objects and lists in each other", MaxDepth)})
	return true
}
