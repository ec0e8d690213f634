package schema_test

import (
	"errors"
	"reflect"
	"strings"
	"testing"

	"rws/server/schema"
)

func parse(t testing.TB, spec string) *schema.Field {
	t.Helper()
	return parseNamed(t, "f", spec)
}

func parseNamed(t testing.TB, name, spec string) *schema.Field {
	t.Helper()
	f, err := schema.ParseField(name, spec)
	if err != nil {
		t.Fatal(err)
	}
	return f
}

func object(t testing.TB, fields ...*schema.Field) *schema.Object {
	t.Helper()
	o, err := schema.NewObject(fields...)
	if err != nil {
		t.Fatal(err)
	}
	return o
}

// declare makes an object of name and spec in turn.
func declare(t testing.TB, pairs ...string) *schema.Object {
	t.Helper()
	var fields []*schema.Field
	for i := 0; i < len(pairs); i += 2 {
		fields = append(fields, parseNamed(t, pairs[i], pairs[i+1]))
	}
	return object(t, fields...)
}

func TestSpecIsKeptAsData(t *testing.T) {
	f := parse(t, "int 1.. = 1")
	if f.Name != "f" || f.Type != schema.TypeInt || f.Min != "1" || f.Max != "" || !f.HasDefault || f.Default != int64(1) {
		t.Errorf("int: %+v", f)
	}
	f = parse(t, `string /^a\/[b]+$/ 1..20 ?`)
	if f.Pattern != `^a/[b]+$` || f.Min != "1" || f.Max != "20" || !f.Optional || f.HasDefault {
		t.Errorf("string: %+v", f)
	}
	f = parse(t, `enum a | "b c" | '' = a`)
	if !reflect.DeepEqual(f.Enum, []string{"a", "b c", ""}) || f.Default != "a" {
		t.Errorf("enum: %+v", f)
	}
	f = parse(t, "file image/* | Application/PDF 1kb..5mb")
	if !reflect.DeepEqual(f.MediaTypes, []string{"image/*", "application/pdf"}) || f.Min != "1024" || f.Max != "5242880" {
		t.Errorf("file: %+v", f)
	}
	f = parse(t, "[[string ..20] 2..] ..10?")
	if f.Type != schema.TypeList || f.Max != "10" || !f.Optional || f.Items.Min != "2" || f.Items.Items.Max != "20" {
		t.Errorf("list: %+v", f)
	}
}

func TestCanonicalSpec(t *testing.T) {
	for spec, want := range map[string]string{
		"int":                             "int",
		"int 1.. = 1":                     "int 1.. = 1",
		"  int\t007..010\n= 08 ":          "int 7..10 = 8",
		"int -5..-1?":                     "int -5..-1?",
		"int 0..9223372036854775807":      "int 0..9223372036854775807",
		"int?=1":                          "int = 1",
		"date?":                           "date?",
		"date ?":                          "date?",
		"string 1..120":                   "string 1..120",
		"string ..80 = ''":                "string ..80 = ''",
		`string = "it's"`:                 `string = 'it\'s'`,
		`string = it's`:                   `string = 'it\'s'`,
		`string = 'a\\b'`:                 `string = 'a\\b'`,
		"string /^[a-z]+$/ 1..20":         "string /^[a-z]+$/ 1..20",
		`string/a\/b\\/..5`:               `string /a\/b\\/ ..5`,
		"[string ..20]":                   "[string ..20]",
		"[int]1..10":                      "[int] 1..10",
		"[ [ int 1..2 ] ]? ":              "[[int 1..2]]?",
		"[string] = []":                   "[string] = []",
		"[string] = [a, 'b c',]":          "[string] = ['a', 'b c']",
		"[[int]] = [[1,2],[]]":            "[[int]] = [[1, 2], []]",
		"enum a|b|c = a":                  "enum a|b|c = 'a'",
		"enum 'x y' | 'a|b' | '1..2'?":    "enum 'x y'|'a|b'|'1..2'?",
		"number 0..1":                     "number 0..1",
		"number -1.5..1e3 = .5e1":         "",
		"number -1.5..1e3 = 5e0":          "number -1.5..1000 = 5",
		"decimal 0.10..99.90 = 1.50":      "decimal 0.10..99.90 = '1.50'",
		"bool = on":                       "bool = true",
		"file image/* ..5mb":              "file image/* ..5mb",
		"file 1500b..1024mb":              "file 1500b..1gb",
		"file 0b..":                       "file 0b..",
		"url = https://x.ee/?a=b":         "url = 'https://x.ee/?a=b'",
		"datetime = 2026-01-31T00:00:00Z": "datetime = '2026-01-31T00:00:00Z'",
		"any":                             "any", "object?": "object?", "uuid": "uuid", "slug 3..": "slug 3..", "ip": "ip", "hostname": "hostname",
	} {
		f, err := schema.ParseField("f", spec)
		if want == "" {
			if err == nil {
				t.Errorf("%q: accepted as %q", spec, f)
			}
			continue
		}
		if err != nil {
			t.Errorf("%v", err)
			continue
		}
		if f.String() != want {
			t.Errorf("%q: canonical %q, want %q", spec, f, want)
		}
		again, err := schema.ParseField("f", want)
		if err != nil || again.String() != want {
			t.Errorf("%q again: %v, %v", want, again, err)
		}
	}
}

func TestMistakesTeach(t *testing.T) {
	tests := []struct {
		spec string
		pos  int
		msg  string // a part of it
	}{
		{"imt 1..", 0, `unknown type "imt" (did you mean "int"?)`},
		{"strng", 0, `did you mean "string"?`},
		{"emial", 0, `did you mean "email"?`},
		{"Int", 0, `did you mean "int"?`},
		{"integer", 0, `did you mean "int"?`},
		{"array", 0, `did you mean "[string]"?`},
		{"zzzzzz", 0, `types are any, bool, date,`},
		{"", 0, "a type is missing"},
		{"  ", 2, "a type is missing"},
		{"?int", 0, `starts with its type`},
		{"1..5", 0, `the type comes before the range: "int 1..5"`},
		{"int 5..1", 4, `reversed: write "1..5"`},
		{"number 1..0.5", 7, `reversed: write "0.5..1"`},
		{"decimal 1.10..1.09", 8, `reversed`},
		{"file 5mb..1mb", 5, `reversed: write "1mb..5mb"`},
		{"int 5", 4, `"5.." is at least 5, "..5" at most, "5..5" exactly`},
		{"int ..", 4, `needs an end`},
		{"string 1-20", 7, `two dots: "1..20"`},
		{"int 1 .. 5", 4, `no white space in it`},
		{"int >= 5", 4, `"1.." (at least 1)`},
		{"int 1.5..2", 4, `ends at a whole number`},
		{"int 1..x", 7, `not at "x"`},
		{"int 1...5", 7, `not at ".5"`},
		{"int ..99999999999999999999", 6, `does not fit in 64 bits`},
		{"int 9007199254740993..", 4, `write the end: "9007199254740993..N"`},
		{"int ..-9007199254740993", 4, `write the end: "N..-9007199254740993"`},
		{"[int] 20000..", 6, `by default; to go further`},
		{"string -1..5", 7, "cannot be negative"},
		{"string 1..2 3..4", 12, "a second range"},
		{"string? 1..2", 8, `comes before "?"`},
		{"number 1e999..", 7, "not a number"},
		{"number 0x1..", 7, "not a number"},
		{"decimal 1e3..", 8, "not a decimal"},
		{"bool 0..1", 5, "bool takes no range; a bool is true or false"},
		{"date 2026-01-01..", 5, "compare dates in the handler"},
		{"uuid ..36", 5, "always has 36"},
		{"file ..5", 7, `no unit: "5b", "5kb", "5mb" or "5gb"`},
		{"file ..5mib", 7, `unknown unit "mib"; units are b, kb, mb and gb`},
		{"file ..5MB", 7, `unknown unit "MB"`},
		{"file ..1.5mb", 7, "a whole number and its unit"},
		{"file ..9999999999gb", 7, "does not fit"},
		{"file 5mb", 5, `"..5mb" is at most 5mb`},
		{"file png ..5mb", 5, `not a media type such as "image/png"`},
		{"file /png", 5, "not a media type"},
		{"file image/", 5, "not a media type"},
		{"file im@ge/png", 5, "not a media type"},
		{"file */*", 5, "not a media type"},
		{"file image/png|", 15, `"" is not a media type`},
		{"file image/png, image/gif", 14, `separate media types with "|"`},
		{"enum", 4, `needs its values: "enum a|b|c"`},
		{"enum a|", 7, `missing after "|"`},
		{"enum |a", 5, `needs its values`},
		{"enum a|b|a", 9, `has "a" twice`},
		{"enum 1..5", 5, `"int 1..5"`},
		{"enum a b", 7, `separate values with "|"`},
		{"enum a, b", 6, `separate values with "|"`},
		{"enum 'a", 5, "quote is not closed"},
		{"enum a = b", 9, "the default must be a"},
		{"[int", 0, `"[" without "]"`},
		{"[[int]", 0, `"[" without "]"`},
		{"int]", 3, `"]" without "["`},
		{"[int?]", 4, `put "?" after "]"`},
		{"[int = 1]", 5, `put the default of the list after "]"`},
		{"[int string]", 5, `unexpected "string]"`},
		{"[]", 1, "starts with its type"},
		{"string[]", 6, "[string]"},
		{strings.Repeat("[", 32) + "int", 31, "nested deeper than 32"},
		{"string /[a/", 7, "missing closing ]"},
		{"string /a", 7, `no closing "/"`},
		{"string //", 7, "pattern is empty"},
		{"string 1..20 /a/", 13, "before the range"},
		{"email /a/", 6, "only a string has a pattern"},
		{"int optional", 4, `is written "?"`},
		{"int required", 4, `leave "required" out`},
		{"int default 5", 4, `"= value"`},
		{"int banana", 4, `unexpected "banana"`},
		{"date??", 5, `one "?" is enough`},
		{"int = 1 ?", 8, "before the default"},
		{"int =", 5, "a value is missing"},
		{"int 1.. = 0", 10, "the default must be at least 1"},
		{"int = 'five'", 6, "leave the quotes out"},
		{"int = 1.5", 6, "the default must be a whole number"},
		{"bool = yes", 7, "the default must be true or false"},
		{"string ..2 = abc", 13, "the default must be at most 2 characters"},
		{"string = a b", 11, "quote a default"},
		{"string = 'a' b", 13, "after the default"},
		{"string = 'a", 9, "quote is not closed"},
		{`string = 'a\n'`, 11, "a backslash in quotes"},
		{"email = ann", 8, "the default must be an e-mail address"},
		{"[int] = 5", 8, "default of a list is a list"},
		{"[int] =", 7, "default of a list is a list"},
		{"[int] = [1 2]", 11, `separate them with ","`},
		{"[int] = [1,", 11, "a value is missing"},
		{"[int] = [1", 8, `"[" without "]"`},
		{"[int] = [1,,2]", 11, "a value is missing"},
		{"[int] ..1 = [1,2]", 12, "the default must have at most 1 item"},
		{"[int 5..] = [1]", 13, "the default must be at least 5"},
		{"file = a", 5, `write "?" and decide in the handler`},
		{"[any] = []", 6, "any has no default"},
		{"int \x00", 0, "without NUL"},
		{"int \xff", 0, "valid UTF-8"},
	}
	for _, test := range tests {
		f, err := schema.ParseField("f", test.spec)
		se, ok := errors.AsType[*schema.SyntaxError](err)
		if !ok {
			t.Errorf("%q: field %v, error %v", test.spec, f, err)
			continue
		}
		if se.Pos != test.pos || !strings.Contains(se.Msg, test.msg) || se.Spec != test.spec || se.Field != "f" {
			t.Errorf("%q: at %d: %s\nwant at %d: %s", test.spec, se.Pos, se.Msg, test.pos, test.msg)
		}
	}
	_, err := schema.ParseField("page", "imt 1..")
	if got, want := err.Error(), `field "page": "imt 1..": unknown type "imt" (did you mean "int"?)`; got != want {
		t.Errorf("error %s, want %s", got, want)
	}
	if _, err := schema.ParseField("", "int"); err == nil || !strings.Contains(err.Error(), "no name") {
		t.Errorf("a field without a name: %v", err)
	}
}

func TestMembersNeedTheTypeObject(t *testing.T) {
	inner := declare(t, "title", "string")
	for _, spec := range []string{"object", "object?", "[object] 1..50", "[[object]]"} {
		f, err := schema.ParseNested("f", spec, inner)
		if err != nil {
			t.Error(err)
			continue
		}
		for f.Items != nil {
			f = f.Items
		}
		if f.Object != inner {
			t.Errorf("%q does not have its members", spec)
		}
	}
	if _, err := schema.ParseNested("f", "[int]", inner); err == nil || !strings.Contains(err.Error(), `must be "object" or "[object]", not "int"`) {
		t.Errorf("members of an int: %v", err)
	}
}

func FuzzParseField(f *testing.F) {
	for _, seed := range []string{
		"int 1.. = 1", "string /^a\\/b$/ 1..20 = 'ab'", "[[string ..20] 1..] ..3? = [[a, 'b c'], []]", "enum a|'b c'|\"\" = ''",
		"file image/*|application/pdf 1kb..5mb", "number -1.5..1e21 = 5", "decimal 0..9.50 = 1.50", "bool?", "uuid", "[any]",
		"enum 'x\\'y'|/z", "string = \"\\\\\"", "int 5..1", "[", "string /(/", "date ? = 2026-02-28", "\tip\n?",
	} {
		f.Add(seed)
	}
	f.Fuzz(func(t *testing.T, spec string) {
		field, err := schema.ParseField("f", spec)
		if err != nil {
			se, ok := errors.AsType[*schema.SyntaxError](err)
			if !ok || se.Pos < 0 || se.Pos > len(spec) || se.Msg == "" {
				t.Fatalf("%q: %#v", spec, err)
			}
			return
		}
		again, err := schema.ParseField("f", field.String())
		if err != nil {
			t.Fatalf("%q printed as %q: %v", spec, field, err)
		}
		if a, b := data(field), data(again); !reflect.DeepEqual(a, b) {
			t.Fatalf("%q printed as %q\n%+v\n%+v", spec, field, a, b)
		}
		if _, err := schema.NewObject(field); err != nil {
			t.Fatalf("%q: %v", spec, err)
		}
	})
}

// data is what a field exports.
func data(f *schema.Field) any {
	if f == nil {
		return nil
	}
	return []any{f.Name, f.Type, f.Pattern, f.Enum, f.MediaTypes, f.Min, f.Max, f.Optional, f.HasDefault, f.Default, data(f.Items)}
}
