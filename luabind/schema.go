package luabind

import (
	"errors"
	"fmt"
	"math"
	"strconv"
	"strings"

	lua "github.com/yuin/gopher-lua"

	"rws/luabind/bind"
	"rws/luabind/fault"
	"rws/server/schema"
)

const schemaType = "rws.SchemaField"

// A schemaField is what the functions of rws.schema make: a field without its name, as the text
// of the mini-language, so that both ways to say it are the same data.
type schemaField struct {
	text   string         // without what follows
	rest   string         // "?" and the default
	object *schema.Object // members of the innermost type
}

func (f *schemaField) spec() string { return f.text + f.rest }

// field makes the field called name.
func (f *schemaField) field(name string) (*schema.Field, error) {
	return schema.ParseNested(name, f.spec(), f.object)
}

// schemaOptions are the options of the fields of rws.schema.
type schemaOptions struct {
	Min      *lua.LValue `json:"min"`
	Max      *lua.LValue `json:"max"`
	Pattern  string      `json:"pattern"`
	Format   string      `json:"format"`
	Types    *[]string   `json:"types"`
	Optional bool        `json:"optional"`
	Default  *lua.LValue `json:"default"`
	Unknown  bool        `json:"unknown"`
}

// schemaModule is rws.schema.
func schemaModule() bind.Module {
	m := bind.Module{Name: "rws.schema", Types: []bind.Type{{
		Name: schemaType, As: "field", String: func(self any) string { return self.(*schemaField).spec() },
	}}, Funcs: []bind.Func{
		bind.Raw("one_of(values, options?)", schemaOneOf),
		bind.Raw("array(of, options?)", schemaArray),
		bind.Raw("object(fields, options?)", schemaObject),
	}}
	for _, kind := range []schema.Type{schema.TypeString, schema.TypeInt, schema.TypeNumber, schema.TypeBool, schema.TypeAny, schema.TypeFile} {
		m.Funcs = append(m.Funcs, bind.Raw(string(kind)+"(options?)", func(L *lua.LState) int {
			return pushField(L, "rws.schema."+string(kind), 1, string(kind), nil)
		}))
	}
	return m
}

// pushField makes a field of a type and the options that are argument n.
func pushField(L *lua.LState, name string, n int, kind string, object *schema.Object) int {
	o := bind.Options[schemaOptions](L, name, n)
	f, err := o.apply(L, kind, object)
	if err == nil {
		_, err = f.field("value")
	}
	if err != nil {
		message := err.Error()
		if syntax, ok := errors.AsType[*schema.SyntaxError](err); ok {
			message = fmt.Sprintf("%q: %s", syntax.Spec, syntax.Msg)
		}
		fault.Raise(L, &fault.Error{Code: "spec", Message: name + ": " + message})
	}
	L.Push(bind.New(L, schemaType, f))
	return 1
}

func (o *schemaOptions) apply(L *lua.LState, kind string, object *schema.Object) (*schemaField, error) {
	if o.Format != "" {
		if kind != string(schema.TypeString) {
			return nil, errors.New("option \"format\" is one of string")
		}
		kind = o.Format
	}
	if o.Unknown {
		if object == nil || kind != string(schema.TypeObject) {
			return nil, errors.New("option \"unknown\" is one of object")
		}
		object.AllowUnknown = true
	}
	f := &schemaField{text: kind, object: object}
	if o.Pattern != "" {
		f.text += " /" + schema.EscapePattern(o.Pattern) + "/"
	}
	if o.Types != nil {
		f.text += " " + strings.Join(*o.Types, "|")
	}
	low, err := bound("min", o.Min)
	if err != nil {
		return nil, err
	}
	high, err := bound("max", o.Max)
	if err != nil {
		return nil, err
	}
	if low+high != "" {
		f.text += " " + low + ".." + high
	}
	if o.Optional {
		f.rest = "?"
	}
	if o.Default != nil {
		text, err := defaultText(L, *o.Default)
		if err != nil {
			return nil, fmt.Errorf("option \"default\": %w", err)
		}
		f.rest += " = " + text
	}
	return f, nil
}

// bound is an end of a range: a number, or text as "2mb" and exact decimals.
func bound(name string, v *lua.LValue) (string, error) {
	if v == nil {
		return "", nil
	}
	switch v := (*v).(type) {
	case lua.LNumber:
		if math.IsNaN(float64(v)) || math.IsInf(float64(v), 0) {
			return "", fmt.Errorf("option %q: a finite number expected, got %s", name, v)
		}
		return strconv.FormatFloat(float64(v), 'f', -1, 64), nil
	case lua.LString:
		if v != "" && !strings.ContainsAny(string(v), " .?=[]") || strings.Count(string(v), ".") == 1 {
			return string(v), nil
		}
	}
	return "", fmt.Errorf("option %q: a number, or a size such as \"2mb\", expected, got %s", name, (*v).String())
}

// defaultText is a value as a default is written.
func defaultText(L *lua.LState, v lua.LValue) (string, error) {
	switch v := v.(type) {
	case lua.LBool:
		return v.String(), nil
	case lua.LNumber:
		return strconv.FormatFloat(float64(v), 'f', -1, 64), nil
	case lua.LString:
		return schema.Quote(string(v)), nil
	case *lua.LTable:
		var items []string
		for n := 1; n <= v.Len(); n++ {
			item, err := defaultText(L, v.RawGetInt(n))
			if err != nil {
				return "", err
			}
			items = append(items, item)
		}
		if len(bind.Keys(v)) > 0 {
			return "", errors.New("an object has no default")
		}
		return "[" + strings.Join(items, ", ") + "]", nil
	}
	return "", fmt.Errorf("a %s can't be a default", v.Type())
}

// schemaOneOf is one of the texts of a list.
func schemaOneOf(L *lua.LState) int {
	const name = "rws.schema.one_of"
	values := bind.Arg[[]string](L, name, 1)
	if len(values) == 0 {
		bind.ArgError(L, name, 1, "a list of texts expected, as { \"small\", \"large\" }")
	}
	choices := make([]string, len(values))
	for i, v := range values {
		choices[i] = schema.Quote(v)
	}
	return pushField(L, name, 2, "enum "+strings.Join(choices, "|"), nil)
}

// schemaArray is a list of what its first argument says.
func schemaArray(L *lua.LState) int {
	const name = "rws.schema.array"
	var item *schemaField
	switch v := L.Get(1).(type) {
	case lua.LString:
		item = &schemaField{text: string(v)}
	default:
		made, ok := userdata[schemaField](v)
		if !ok {
			bind.ArgError(L, name, 1, "a field expected, as \"string 1..20\" or one of rws.schema, got %s", v.Type())
		}
		item = made
	}
	return pushField(L, name, 2, "["+item.spec()+"]", item.object)
}

// schemaObject is an object with fields.
func schemaObject(L *lua.LState) int {
	const name = "rws.schema.object"
	fields := bind.Arg[*lua.LTable](L, name, 1)
	if len(bind.Keys(fields)) == 0 || fields.Len() > 0 {
		bind.ArgError(L, name, 1, "fields with names expected, as { title = \"string\" }")
	}
	object, err := parseObject(fields)
	if err != nil {
		fault.Raise(L, &fault.Error{Code: "spec", At: stateOf(L).placeOf(fault.Where(L), err), Message: name + ": " + err.Error()})
	}
	return pushField(L, name, 2, string(schema.TypeObject), object)
}

// objectOf is the table of fields that a part of a spec is, or the object that rws.schema made.
func objectOf(name string, v lua.LValue) (*schema.Object, error) {
	switch v := v.(type) {
	case *lua.LTable:
		if v.Len() > 0 {
			return nil, errors.New("fields have names, as { title = \"string\" }; a list goes into a field")
		}
		return parseObject(v)
	case *lua.LUserData:
		f, ok := v.Value.(*schemaField)
		if ok && f.object != nil && f.spec() == string(schema.TypeObject) {
			return f.object, nil
		}
		if ok {
			return nil, fmt.Errorf("the %s is an object with fields; %q goes into a field", name, f.spec())
		}
	}
	return nil, fmt.Errorf("a table of fields expected, got %s", v.Type())
}
