package codec

import (
	"bytes"
	"strconv"
	"strings"
	"sync"

	"github.com/go-json-experiment/json/jsontext"
	lua "github.com/yuin/gopher-lua"

	"rws/luabind/bind"
	"rws/luabind/vm"
)

// Limits of Decode; the zero value is the default.
type Limits struct {
	// MaxDepth is how deep arrays and objects may nest, at most 1000. Default:
	// DefaultDepth.
	MaxDepth int
	// MaxBytes is how long the text may be. Default: DefaultBytes.
	MaxBytes int
	// MaxItems is how many values the text may hold, because a few bytes of JSON can
	// take hundreds of memory. Default: DefaultItems.
	MaxItems int
	// NullAsNil leaves out the fields of objects that are null. Default: they are
	// rws.null, as the items of arrays always are.
	NullAsNil bool
}

// Decode returns the one JSON value that data holds. An error is a *SyntaxError, or a
// *LimitError when the text is too deep or too large.
//
// The grammar is RFC 8259 in UTF-8 without duplicate names (RFC 7493). Arrays are
// marked by bind.MarkArray, null is rws.null. Integers beyond 2^53 become strings of
// their digits; numbers with a fraction or an exponent are rounded, and an error when
// they are too large for a Lua number.
func Decode(L *lua.LState, data []byte, l Limits) (lua.LValue, error) {
	if limit := orDefault(l.MaxBytes, DefaultBytes); len(data) > limit {
		return lua.LNil, tooLong(limit)
	}
	l.MaxDepth = min(orDefault(l.MaxDepth, DefaultDepth), maxDepth)
	l.MaxItems = orDefault(l.MaxItems, DefaultItems)
	d := decoders.Get().(*decoder)
	defer d.release()
	d.start(L, data, l)
	return d.decode()
}

var decoders = sync.Pool{New: func() any { return new(decoder) }}

// A decoder builds tables from the inside out, so that each is made in its final size:
// what the open arrays and objects have so far lies on the stacks names and values.
type decoder struct {
	L      *lua.LState
	limits Limits
	data   []byte
	source bytes.Buffer // jsontext reads in place what is a bytes.Buffer
	tokens jsontext.Decoder
	null   lua.LValue
	array  lua.LValue // the metatable of arrays, once an array was marked
	items  int        // values so far
	open   []container
	names  []string
	values []lua.LValue
	recent [256]string // names, by hash
}

// A container is an open array or object. Its part of the stacks begins at names and
// values.
type container struct {
	object        bool
	names, values int
}

func (d *decoder) start(L *lua.LState, data []byte, l Limits) {
	d.L, d.data, d.limits, d.null = L, data, l, bind.Null(L)
	d.source = *bytes.NewBuffer(data)
	d.tokens.Reset(&d.source)
}

// maxKept bounds the stacks that a decoder keeps for the next text.
const maxKept = 4096

// release forgets the text and its values and keeps memory for the next. What was
// closed is cleared already.
func (d *decoder) release() {
	clear(d.names)
	clear(d.values)
	d.open, d.names, d.values = d.open[:0], d.names[:0], d.values[:0]
	if cap(d.values) > maxKept {
		d.names, d.values = nil, nil
	}
	d.L, d.data, d.null, d.array, d.items = nil, nil, nil, nil, 0
	d.source = bytes.Buffer{}
	d.tokens.Reset(&d.source)
	decoders.Put(d)
}

func (d *decoder) decode() (lua.LValue, error) {
	for {
		token, err := d.tokens.ReadToken()
		if err != nil {
			return lua.LNil, d.syntaxError(err)
		}
		kind := token.Kind()
		if kind == jsontext.KindString && d.expectsName() {
			d.names = append(d.names, d.name(token.String()))
			continue
		}
		v, err := d.value(kind, token)
		if err != nil {
			return lua.LNil, err
		}
		if v == nil {
			continue
		}
		if len(d.open) > 0 {
			d.put(v)
			continue
		}
		if err := d.end(); err != nil {
			return lua.LNil, err
		}
		return v, nil
	}
}

// expectsName reports whether a string is a name: in an object that has as many names
// as values. wantsName, for errors, asks the parser.
func (d *decoder) expectsName() bool {
	if len(d.open) == 0 {
		return false
	}
	c := &d.open[len(d.open)-1]
	return c.object && len(d.names)-c.names == len(d.values)-c.values
}

func (d *decoder) wantsName() bool {
	kind, n := d.tokens.StackIndex(d.tokens.StackDepth())
	return kind == jsontext.KindBeginObject && n%2 == 0
}

// value returns what token completes, or nil when it opens an array or object.
func (d *decoder) value(kind jsontext.Kind, token jsontext.Token) (lua.LValue, error) {
	switch kind {
	case jsontext.KindEndObject:
		return d.closeObject(), nil
	case jsontext.KindEndArray:
		return d.closeArray(), nil
	}
	if d.items++; d.items > d.limits.MaxItems {
		return nil, tooMany(d.limits.MaxItems)
	}
	if d.items%checkEvery == 0 {
		vm.Checkpoint(d.L)
	}
	switch kind {
	case jsontext.KindString:
		return lua.LString(token.String()), nil
	case jsontext.KindNumber:
		return d.number(token.String())
	case jsontext.KindTrue:
		return lua.LTrue, nil
	case jsontext.KindFalse:
		return lua.LFalse, nil
	case jsontext.KindNull:
		return d.null, nil
	}
	if len(d.open) == d.limits.MaxDepth {
		return nil, tooDeep(d.limits.MaxDepth)
	}
	d.open = append(d.open, container{kind == jsontext.KindBeginObject, len(d.names), len(d.values)})
	return nil, nil
}

// put adds v to the container that is open.
func (d *decoder) put(v lua.LValue) {
	if d.limits.NullAsNil && v == d.null && d.open[len(d.open)-1].object {
		d.names = d.names[:len(d.names)-1]
		return
	}
	d.values = append(d.values, v)
}

func (d *decoder) closeArray() lua.LValue {
	c := d.pop()
	values := d.values[c.values:]
	t := d.L.CreateTable(len(values), 0)
	for _, v := range values {
		t.Append(v)
	}
	clear(values)
	d.values = d.values[:c.values]
	vm.Made(d.L, t)
	if d.array == nil {
		d.array = bind.MarkArray(d.L, t).Metatable
	}
	t.Metatable = d.array
	return t
}

func (d *decoder) closeObject() lua.LValue {
	c := d.pop()
	names, values := d.names[c.names:], d.values[c.values:]
	t := d.L.CreateTable(0, len(names))
	vm.Made(d.L, t)
	for i, name := range names {
		t.RawSetString(name, values[i])
	}
	clear(names)
	clear(values)
	d.names, d.values = d.names[:c.names], d.values[:c.values]
	return t
}

func (d *decoder) pop() container {
	last := len(d.open) - 1
	c := d.open[last]
	d.open = d.open[:last]
	return c
}

// maxRecent is how long names may be that are remembered.
const maxRecent = 32

// name returns a copy of s, the same one for names that come often: for 20 rows that is
// 642 allocations instead of 762.
func (d *decoder) name(s string) string {
	if s == "" || len(s) > maxRecent {
		return strings.Clone(s)
	}
	i := uint8(len(s)) + s[0]<<1 + s[len(s)/2]<<3 + s[len(s)-1]<<5
	if d.recent[i] != s {
		d.recent[i] = strings.Clone(s)
	}
	return d.recent[i]
}

// number returns the value of a literal, which is valid.
func (d *decoder) number(s string) (lua.LValue, error) {
	if isInteger(s) {
		n, err := strconv.ParseInt(s, 10, 64)
		if err != nil || n > maxInteger || n < -maxInteger {
			return lua.LString(strings.Clone(s)), nil
		}
		return number(float64(n)), nil
	}
	f, err := strconv.ParseFloat(s, 64)
	if err != nil {
		return nil, d.errorAt(int(d.tokens.InputOffset())-len(s), "the number "+cut(s)+" is too large")
	}
	return number(f), nil
}

func isInteger(s string) bool { return !strings.ContainsAny(s, ".eE") }

// end checks that nothing but space follows the value.
func (d *decoder) end() error {
	at := int(d.tokens.InputOffset())
	rest := bytes.TrimLeft(d.data[at:], space)
	if len(rest) == 0 {
		return nil
	}
	return d.errorAt(len(d.data)-len(rest), "expected the end, found "+found(rest))
}

// small are the numbers that need no memory of their own.
var small = func() (list [256]lua.LValue) {
	for i := range list {
		list[i] = lua.LNumber(i)
	}
	return list
}()

// number returns f as a value without an allocation when it is small.
func number(f float64) lua.LValue {
	if f >= 0 && f < float64(len(small)) && f == float64(int(f)) {
		return small[int(f)]
	}
	return lua.LNumber(f)
}
