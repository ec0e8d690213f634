package schema_test

import (
	"encoding/json"
	"fmt"
	"maps"
	"math"
	"reflect"
	"slices"
	"strings"
	"testing"
	"unicode/utf8"

	"rws/server/schema"
)

func TestJSONValues(t *testing.T) {
	const over = schema.MaxInt + 1
	tests := []struct {
		spec string
		in   any
		want any    // the value, or
		err  string // code: message
	}{
		{"int", int64(5), int64(5), ""},
		{"int", 5.0, int64(5), ""},
		{"int", json.Number("5"), int64(5), ""},
		{"int", json.Number("5.0"), int64(5), ""},
		{"int", json.Number("5e2"), int64(500), ""},
		{"int", 5.5, nil, "type: must be a whole number"},
		{"int", json.Number("5.5"), nil, "type: must be a whole number"},
		{"int", json.Number("x"), nil, "type: must be a whole number"},
		{"int", "5", nil, "type: must be a whole number"},
		{"int", true, nil, "type: must be a whole number"},
		{"int", math.NaN(), nil, "type: must be a whole number"},
		{"int", math.Inf(1), nil, "type: must be a whole number"},
		{"int", int64(schema.MaxInt), int64(schema.MaxInt), ""},
		{"int", float64(-schema.MaxInt), int64(-schema.MaxInt), ""},
		{"int", int64(over), nil, "max: must be at most 9007199254740991"},
		{"int", float64(over), nil, "max: must be at most 9007199254740991"},
		{"int", -1e300, nil, "min: must be at least -9007199254740991"},
		{"int", json.Number("99999999999999999999"), nil, "max: must be at most 9007199254740991"},
		{"int", json.Number("-99999999999999999999"), nil, "min: must be at least -9007199254740991"},
		{"int ..9223372036854775807", json.Number("9223372036854775807"), int64(math.MaxInt64), ""},
		{"int ..9223372036854775807", json.Number("9223372036854775808"), nil, "max: must be at most 9223372036854775807"},
		{"int ..9223372036854775807", float64(over), nil, "type: must be written as a whole number, without fraction and exponent"},
		{"int -9223372036854775808..", int64(math.MinInt64), int64(math.MinInt64), ""},
		{"int -9223372036854775808..", -1e18, nil, "type: must be written as a whole number, without fraction and exponent"},
		{"int 1..5", int64(1), int64(1), ""},
		{"int 1..5", int64(5), int64(5), ""},
		{"int 1..5", int64(0), nil, "min: must be at least 1"},
		{"int 1..5", int64(6), nil, "max: must be at most 5"},
		{"int 1..5", 6.0, nil, "max: must be at most 5"},

		{"number 0..1", 0.0, 0.0, ""},
		{"number 0..1", int64(1), 1.0, ""},
		{"number 0..1", json.Number("0.5"), 0.5, ""},
		{"number 0..1", 1.0000001, nil, "max: must be at most 1"},
		{"number 0..1", -0.1, nil, "min: must be at least 0"},
		{"number", math.Inf(-1), nil, "type: must be a number"},
		{"number", json.Number("1e999"), nil, "type: must be a number"},
		{"number", json.Number("0x1p4"), nil, "type: must be a number"},
		{"number", "1", nil, "type: must be a number"},

		{"bool", true, true, ""},
		{"bool", false, false, ""},
		{"bool", "true", nil, "type: must be true or false"},
		{"bool", int64(1), nil, "type: must be true or false"},

		{"string", "", "", ""},
		{"string", int64(5), nil, "type: must be text"},
		{"string", "a\x00", nil, "format: must be valid text without NUL characters"},
		{"string 1..1", "", nil, "length: must be exactly 1 character long"},
		{"string 2..", "õ", nil, "length: must be at least 2 characters long"},
		{"string ..2", "abc", nil, "length: must be at most 2 characters long"},
		{"string /^a/", "b", nil, "pattern: must match the pattern ^a"},
		{"email", 5.0, nil, "type: must be text"},
		{"email", "x", nil, "format: must be an e-mail address such as ann@example.com"},
		{"enum a|b", "c", nil, "enum: must be one of a, b"},
		{"enum a", "c", nil, "enum: must be a"},
		{"enum ''|a", "c", nil, "enum: must be one of empty, a"},
		{"enum a|b|c|d|e|f|g|h|i|j|k|l", "z", nil, "enum: must be one of a, b, c, d, e, f, g, h, i, j and 2 more"},
		{"enum 1|2", int64(1), nil, "type: must be text"},
		{"decimal 0..9.5", "9.50", "9.50", ""},
		{"decimal 0..9.5", "9.51", nil, "max: must be at most 9.5"},
		{"decimal 0..9.5", "-0.01", nil, "min: must be at least 0"},
		{"decimal", 12.5, nil, `type: must be a decimal number in quotes, such as "12.50"`},
		{"file", "x", nil, "type: must be a file"},

		{"[int]", []any{}, []any{}, ""},
		{"[int]", []any(nil), []any{}, ""},
		{"[int]", []any{1.0, int64(2)}, []any{int64(1), int64(2)}, ""},
		{"[int]", int64(1), nil, "type: must be a list"},
		{"[int] 1..", []any{}, nil, "length: must have at least 1 item"},
		{"[int] ..2", []any{int64(1), int64(2), int64(3)}, nil, "length: must have at most 2 items"},
		{"[[string]]", []any{[]any{"a"}, []any{}}, []any{[]any{"a"}, []any{}}, ""},

		{"any", nil, nil, ""},
		{"any", []any{nil, map[string]any{"a": 1.5}}, []any{nil, map[string]any{"a": 1.5}}, ""},
		{"any", json.Number("12345678901234567890"), json.Number("12345678901234567890"), ""},
		{"any", 5, nil, "type: must be a JSON value"},
		{"any", "\xff", nil, "format: must be valid text without NUL characters"},
		{"any", math.NaN(), nil, "type: must be a number"},
		{"any", make([]any, schema.MaxItems+1), nil, "length: must have at most 10000 items"},
		{"object", map[string]any{"a": nil}, map[string]any{"a": nil}, ""},
		{"object", []any{}, nil, "type: must be an object"},
		{"int", nil, nil, "required: is required"},
	}
	for _, test := range tests {
		out, errs := declare(t, "f", test.spec).Check(map[string]any{"f": test.in})
		if test.err == "" {
			if len(errs) > 0 || !reflect.DeepEqual(out["f"], test.want) {
				t.Errorf("%s, %#v: got %#v, %v", test.spec, test.in, out["f"], errs)
			}
			continue
		}
		if len(errs) != 1 || errs[0].Path != "f" || string(errs[0].Code)+": "+errs[0].Message != test.err || out != nil {
			t.Errorf("%s, %#v: got %v, %#v, want %s", test.spec, test.in, out, errs, test.err)
		}
	}
}

func TestAbsentValues(t *testing.T) {
	o := declare(t, "a", "int", "b", "int?", "c", "int = 7", "d", "any?", "e", "[int] = [1]")
	out, errs := o.Check(map[string]any{"a": int64(1)})
	if want := map[string]any{"a": int64(1), "c": int64(7), "e": []any{int64(1)}}; len(errs) > 0 || !reflect.DeepEqual(out, want) {
		t.Errorf("got %v, %v", out, errs)
	}
	out, errs = o.Check(map[string]any{"a": int64(1), "b": nil, "c": nil, "d": nil, "e": nil})
	if want := map[string]any{"a": int64(1), "c": int64(7), "d": nil, "e": []any{int64(1)}}; len(errs) > 0 || !reflect.DeepEqual(out, want) {
		t.Errorf("null: got %v, %v", out, errs)
	}
	if _, errs = o.Check(map[string]any{}); errs.Error() != "a: is required" {
		t.Errorf("got %v", errs)
	}
}

func TestDefaultsAreFresh(t *testing.T) {
	o := declare(t, "f", "[[int]] = [[1]]")
	out, _ := o.Check(map[string]any{})
	out["f"].([]any)[0].([]any)[0] = "changed"
	o.JSONSchema()["properties"].(map[string]any)["f"].(map[string]any)["default"].([]any)[0] = "changed"
	out, _ = o.Check(map[string]any{})
	if !reflect.DeepEqual(out["f"], []any{[]any{int64(1)}}) {
		t.Errorf("the default became %v", out["f"])
	}
}

// order is a body with objects in a list.
func order(t testing.TB) *schema.Object {
	item := declare(t, "title", "string 1..20", "count", "int 1.. = 1")
	items, err := schema.ParseNested("items", "[object] 1..3", item)
	if err != nil {
		t.Fatal(err)
	}
	address, err := schema.ParseNested("address", "object?", declare(t, "street", "string"))
	if err != nil {
		t.Fatal(err)
	}
	return object(t, parseNamed(t, "email", "email"), items, address)
}

func TestNestedObjects(t *testing.T) {
	var in any
	text := `{"email": "ann@example.com", "items": [{"title": "a"}, {"title": "b", "count": 2}], "address": {"street": "x"}}`
	if err := json.Unmarshal([]byte(text), &in); err != nil {
		t.Fatal(err)
	}
	out, errs := order(t).Check(in)
	want := map[string]any{
		"email": "ann@example.com",
		"items": []any{
			map[string]any{"title": "a", "count": int64(1)},
			map[string]any{"title": "b", "count": int64(2)},
		},
		"address": map[string]any{"street": "x"},
	}
	if len(errs) > 0 || !reflect.DeepEqual(out, want) {
		t.Errorf("got %v, %v", out, errs)
	}
}

func TestAllErrorsAtOnce(t *testing.T) {
	_, errs := order(t).Check(map[string]any{
		"email": "ann",
		"items": []any{
			map[string]any{"title": ""},
			nil,
			map[string]any{"titel": "x", "count": int64(0)},
			"beyond the limit",
		},
		"address": map[string]any{"street": []any{}},
		"zzz":     1.0,
		"emall":   1.0,
	})
	want := schema.Errors{
		{"email", schema.CodeFormat, "must be an e-mail address such as ann@example.com"},
		{"items", schema.CodeLength, "must have at most 3 items"},
		{"items[0].title", schema.CodeLength, "must be at least 1 character long"},
		{"items[1]", schema.CodeRequired, "is required"},
		{"items[2].title", schema.CodeRequired, "is required"},
		{"items[2].count", schema.CodeMin, "must be at least 1"},
		{"items[2].titel", schema.CodeUnknown, `is not a known field (did you mean "title"?)`},
		{"address.street", schema.CodeType, "must be text"},
		{"emall", schema.CodeUnknown, `is not a known field (did you mean "email"?)`},
		{"zzz", schema.CodeUnknown, "is not a known field"},
	}
	if !reflect.DeepEqual(errs, want) {
		t.Errorf("got\n%v\nwant\n%v", strings.ReplaceAll(errs.Error(), "; ", "\n"), strings.ReplaceAll(want.Error(), "; ", "\n"))
	}
}

func TestInputThatIsNoObject(t *testing.T) {
	for _, in := range []any{nil, "x", []any{}, 1.0, true} {
		if _, errs := order(t).Check(in); errs.Error() != "must be an object" {
			t.Errorf("%v: %v", in, errs)
		}
	}
}

func TestUnknownMembersMayBeAllowed(t *testing.T) {
	o := declare(t, "a", "int")
	o.AllowUnknown = true
	out, errs := o.Check(map[string]any{"a": int64(1), "b": int64(2)})
	if len(errs) > 0 || !maps.Equal(out, map[string]any{"a": int64(1)}) {
		t.Errorf("got %v, %v", out, errs)
	}
}

func TestErrorsStayFewAndShort(t *testing.T) {
	in := map[string]any{}
	for i := range 1000 {
		in[fmt.Sprintf("%s%d\n", strings.Repeat("secret", 20), i)] = 1.0
	}
	list := make([]any, 500)
	for i := range list {
		list[i] = "x"
	}
	in["f"], in["g"] = "x", map[string]any{"b": "\x00", "a": "\x00", "bad \xff": "\x00"}
	_, errs := declare(t, "f", "int", "g", "object").Check(in)
	if len(errs) != schema.MaxErrors || errs[1].Path != `g."bad \xff"` || errs[3].Path != "g.a" || errs[4].Path != "g.b" {
		t.Errorf("%d errors: %v", len(errs), errs[:min(len(errs), 5)])
	}
	for _, e := range errs {
		if utf8.RuneCountInString(e.Path) > 50 || !utf8.ValidString(e.Path) || strings.ContainsAny(e.Path, "\n\x00") {
			t.Errorf("path %q", e.Path)
		}
	}
	_, errs = declare(t, "f", "[int]").Check(map[string]any{"f": list})
	if len(errs) != schema.MaxErrors || errs[99].Path != "f[99]" {
		t.Errorf("%d errors in a list", len(errs))
	}
}

func nest(depth int) any {
	var v any = "x"
	for i := range depth {
		if i%2 == 0 {
			v = []any{v}
		} else {
			v = map[string]any{"a": v}
		}
	}
	return v
}

func TestDepthHasALimit(t *testing.T) {
	o := declare(t, "f", "any")
	if _, errs := o.Check(map[string]any{"f": nest(schema.MaxDepth - 1)}); len(errs) > 0 {
		t.Errorf("%d deep: %v", schema.MaxDepth, errs)
	}
	_, errs := o.Check(map[string]any{"f": nest(schema.MaxDepth)})
	if len(errs) != 1 || errs[0].Code != schema.CodeDepth {
		t.Errorf("%d deep: %v", schema.MaxDepth+1, errs)
	}
	_, errs = o.Check(map[string]any{"f": nest(1_000_000)})
	if len(errs) != 1 || errs[0].Code != schema.CodeDepth {
		t.Errorf("a million deep: %v", errs)
	}
	for i := 2; i <= schema.MaxDepth; i++ {
		f, err := schema.ParseNested("f", "object", o)
		if err != nil {
			t.Fatal(err)
		}
		o = object(t, f)
	}
	f, err := schema.ParseNested("f", "object", o)
	if err != nil {
		t.Fatal(err)
	}
	if _, err := schema.NewObject(f); err == nil || !strings.Contains(err.Error(), "33 deep") {
		t.Errorf("a schema of 33 objects: %v", err)
	}
}

func TestListsEndAtMaxItems(t *testing.T) {
	long := make([]any, schema.MaxItems+1)
	for i := range long {
		long[i] = true
	}
	for spec, good := range map[string]bool{"[bool]": false, "[bool] 1..": false, "[bool] ..10001": true} {
		if _, errs := declare(t, "f", spec).Check(map[string]any{"f": long}); (len(errs) == 0) != good {
			t.Errorf("%s of %d: %v", spec, len(long), errs)
		}
	}
}

func TestObjectFields(t *testing.T) {
	o := order(t)
	var names []string
	for f := range o.Fields() {
		names = append(names, f.Name)
	}
	if !slices.Equal(names, []string{"email", "items", "address"}) || o.Field("items").Items.Object == nil || o.Field("none") != nil {
		t.Errorf("fields %v", names)
	}
	if _, err := schema.NewObject(parse(t, "int"), parse(t, "int")); err == nil || err.Error() != `field "f" is declared twice` {
		t.Errorf("the same field twice: %v", err)
	}
}

func FuzzCheck(f *testing.F) {
	for spec, text := range map[string]string{
		"int 1..5": `{"f": 5}`, "[string ..3] 1..": `{"f": ["a", null]}`, "any": `{"f": {"a": [1e999, "\u0000"]}, "b": 1}`,
		"number?": `{"f": null}`, "decimal 0.. = 1.5": `{}`, "[[int]] = [[1]]": `[]`, "string /a/": `{"f": "b"}`, "object": `{"f": {"": {}}}`,
		"enum a|b": `{"f": "\ud800"}`, "datetime": `{"F": "2026-01-31T00:00:00Z"}`, "int -9223372036854775808..": `{"f": -9223372036854775808}`,
	} {
		f.Add(spec, text)
	}
	f.Fuzz(func(t *testing.T, spec, text string) {
		field, err := schema.ParseField("f", spec)
		if err != nil {
			return
		}
		o := object(t, field)
		sound(t, o, func() (map[string]any, schema.Errors) {
			return o.CheckStrings(func(string) []string { return []string{text, text}[:len(text)%3%2+1] })
		}, field.Type != schema.TypeAny)
		for _, exact := range []bool{false, true} {
			d := json.NewDecoder(strings.NewReader(text))
			if exact {
				d.UseNumber()
			}
			var in any
			if d.Decode(&in) == nil {
				sound(t, o, func() (map[string]any, schema.Errors) { return o.Check(in) }, true)
			}
		}
	})
}

// sound checks what holds for every check: a result or errors, and a result that is itself right.
func sound(t *testing.T, o *schema.Object, check func() (map[string]any, schema.Errors), again bool) {
	t.Helper()
	out, errs := check()
	if (out == nil) == (len(errs) == 0) || len(errs) > schema.MaxErrors {
		t.Fatalf("result %v with %d errors", out, len(errs))
	}
	for _, e := range errs {
		if e.Code == "" || e.Message == "" {
			t.Fatalf("incomplete error %#v", e)
		}
	}
	if out == nil || !again {
		return
	}
	twice, errs := o.Check(out)
	if len(errs) > 0 || !reflect.DeepEqual(twice, out) {
		t.Fatalf("%v checked again: %v, %v", out, twice, errs)
	}
}
