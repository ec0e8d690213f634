package schema_test

import (
	"fmt"
	"maps"
	"reflect"
	"strings"
	"testing"

	"rws/server/schema"
)

func TestTextValues(t *testing.T) {
	tests := []struct {
		spec string
		sent []string
		want any    // the value, nil for absent, or
		err  string // path: code: message
	}{
		{"int", []string{"5"}, int64(5), ""},
		{"int", []string{"-007"}, int64(-7), ""},
		{"int", []string{"5.0"}, nil, "f: type: must be a whole number"},
		{"int", []string{"+5"}, nil, "f: type: must be a whole number"},
		{"int", []string{" 5"}, nil, "f: type: must be a whole number"},
		{"int", []string{"1_0"}, nil, "f: type: must be a whole number"},
		{"int", []string{"0x1"}, nil, "f: type: must be a whole number"},
		{"int", []string{"-"}, nil, "f: type: must be a whole number"},
		{"int", []string{"٣"}, nil, "f: type: must be a whole number"},
		{"int", []string{"9007199254740992"}, nil, "f: max: must be at most 9007199254740991"},
		{"int 0..", []string{"-99999999999999999999"}, nil, "f: min: must be at least 0"},
		{"int", []string{""}, nil, "f: required: is required"},
		{"int", nil, nil, "f: required: is required"},
		{"int", []string{"", ""}, nil, "f: required: is required"},
		{"int", []string{"1", "2"}, nil, "f: type: must be given only once"},
		{"int?", []string{""}, nil, ""},
		{"int 1.. = 1", []string{""}, int64(1), ""},
		{"number", []string{"-1.5e3"}, -1500.0, ""},
		{"number", []string{"1e+2"}, 100.0, ""},
		{"number", []string{"NaN"}, nil, "f: type: must be a number"},
		{"number", []string{"Inf"}, nil, "f: type: must be a number"},
		{"number", []string{"1e999"}, nil, "f: type: must be a number"},
		{"number", []string{".5"}, nil, "f: type: must be a number"},
		{"number", []string{"5."}, nil, "f: type: must be a number"},
		{"number", []string{"1e"}, nil, "f: type: must be a number"},
		{"number", []string{"0x1p1"}, nil, "f: type: must be a number"},
		{"number 0..1", []string{"1.1"}, nil, "f: max: must be at most 1"},
		{"bool", []string{"true"}, true, ""},
		{"bool", []string{"1"}, true, ""},
		{"bool", []string{"on"}, true, ""},
		{"bool", []string{"false"}, false, ""},
		{"bool", []string{"0"}, false, ""},
		{"bool", []string{"off"}, false, ""},
		{"bool", []string{"yes"}, nil, "f: type: must be true or false"},
		{"bool", []string{"TRUE"}, nil, "f: type: must be true or false"},
		{"bool = false", nil, false, ""},
		{"string", []string{""}, "", ""},
		{"string", []string{"", ""}, nil, "f: type: must be given only once"},
		{"string = 'x'", []string{""}, "", ""},
		{"string ..80 = ''", nil, "", ""},
		{"string 1..", []string{""}, nil, "f: required: is required"},
		{"string 1..?", []string{""}, nil, ""},
		{"string /^a/ = 'a'", []string{""}, "a", ""},
		{"email?", []string{""}, nil, ""},
		{"enum a|b = b", []string{""}, "b", ""},
		{"enum ''|b = b", []string{""}, "", ""},
		{"any", []string{""}, "", ""},
		{"any", []string{"x"}, "x", ""},
		{"[int]", []string{"1", "2"}, []any{int64(1), int64(2)}, ""},
		{"[int]", []string{"", "2", ""}, []any{int64(2)}, ""},
		{"[int]", []string{""}, nil, "f: required: is required"},
		{"[int]?", []string{""}, nil, ""},
		{"[int] = []", nil, []any{}, ""},
		{"[int]", []string{"", "x"}, nil, "f[1]: type: must be a whole number"},
		{"[int] ..2", []string{"1", "2", "3"}, nil, "f: length: must have at most 2 items"},
		{"[int] 2..", []string{"1", ""}, nil, "f: length: must have at least 2 items"},
		{"[string]", []string{"", "a"}, []any{"", "a"}, ""},
		{"[string]", strings.Split(strings.Repeat("a,", schema.MaxItems), ","), nil, "f: length: must have at most 10000 items"},
		{"object?", []string{"x"}, nil, ""},
		{"[[int]]", []string{"x"}, nil, "f: required: is required"},
		{"file?", []string{"x"}, nil, ""},
	}
	for _, test := range tests {
		out, errs := declare(t, "f", test.spec).CheckStrings(func(string) []string { return test.sent })
		if test.err == "" {
			got, present := out["f"]
			if len(errs) > 0 || !reflect.DeepEqual(got, test.want) || present != (test.want != nil) {
				t.Errorf("%s, %.40q: got %#v, %v", test.spec, test.sent, out, errs)
			}
			continue
		}
		if len(errs) != 1 || fmt.Sprintf("%s: %s: %s", errs[0].Path, errs[0].Code, errs[0].Message) != test.err || out != nil {
			t.Errorf("%s, %.40q: got %v, %#v, want %s", test.spec, test.sent, out, errs, test.err)
		}
	}
}

func TestUnknownNamesInTextAreReportedOnRequest(t *testing.T) {
	o := declare(t, "page", "int", "q", "string?")
	query := map[string][]string{"page": {"1"}, "pgae": {"2"}, "utm_source": {"x"}}
	out, errs := o.CheckStrings(func(name string) []string { return query[name] })
	if len(errs) > 0 || !maps.Equal(out, map[string]any{"page": int64(1)}) {
		t.Errorf("got %v, %v", out, errs)
	}
	want := `pgae: is not a known field (did you mean "page"?); utm_source: is not a known field`
	if errs := o.Unknown(maps.Keys(query)); errs.Error() != want {
		t.Errorf("got %v", errs)
	}
}

type upload struct {
	name, media string
	size        int64
}

func (u upload) Name() string      { return u.name }
func (u upload) Size() int64       { return u.size }
func (u upload) MediaType() string { return u.media }

func TestFiles(t *testing.T) {
	png := upload{"a.png", "image/png", 5 << 20}
	tests := []struct {
		spec string
		sent []schema.File
		err  string // code: message
	}{
		{"file", []schema.File{png}, ""},
		{"file image/* ..5mb", []schema.File{png}, ""},
		{"file image/* ..5mb", []schema.File{upload{"a", "Image/PNG; charset=x", 0}}, ""},
		{"file image/png|image/gif", []schema.File{upload{"a", "image/gif", 1}}, ""},
		{"file image/* ..5mb", []schema.File{upload{"a", "image/png", 5<<20 + 1}}, "size: must be a file of at most 5mb"},
		{"file 1kb..", []schema.File{upload{"a", "image/png", 1023}}, "size: must be a file of at least 1kb"},
		{"file image/png|image/gif", []schema.File{upload{"a", "image/pngx", 1}}, "media_type: must be a file of type image/png or image/gif"},
		{"file image/*", []schema.File{upload{"a", "imagex/png", 1}}, "media_type: must be a file of type image/*"},
		{"file image/*", []schema.File{upload{"a", "", 1}}, "media_type: must be a file of type image/*"},
		{"file", []schema.File{png, png}, "type: must be given only once"},
		{"file", nil, "required: is required"},
		{"file?", nil, ""},
		{"[file image/*] ..2", []schema.File{png, png}, ""},
		{"[file image/*] ..2", []schema.File{png, png, png}, "length: must have at most 2 items"},
	}
	for _, test := range tests {
		out, errs := declare(t, "f", test.spec).CheckForm(nil, func(string) []schema.File { return test.sent })
		if test.err == "" {
			got := out["f"]
			if _, list := got.([]any); got != nil && !list {
				got = []any{got}
			}
			if len(errs) > 0 || fmt.Sprint(got) != fmt.Sprint(test.sent) && len(test.sent) > 0 {
				t.Errorf("%s, %v: got %v, %v", test.spec, test.sent, out, errs)
			}
			continue
		}
		if len(errs) != 1 || errs[0].Path != "f" || string(errs[0].Code)+": "+errs[0].Message != test.err {
			t.Errorf("%s, %v: got %v, want %s", test.spec, test.sent, errs, test.err)
		}
	}
}

func TestFormMixesTextAndFiles(t *testing.T) {
	o := declare(t, "title", "string 1..", "pictures", "[file image/*]")
	out, errs := o.CheckForm(
		func(name string) []string { return map[string][]string{"title": {"x"}, "pictures": {"fake"}}[name] },
		func(name string) []schema.File {
			return map[string][]schema.File{"pictures": {upload{"a", "image/png", 1}, upload{"b", "text/html", 1}}}[name]
		})
	if out != nil || errs.Error() != "pictures[1]: must be a file of type image/*" {
		t.Errorf("got %v, %v", out, errs)
	}
}

func TestFieldsThatCannotComeFromTheSource(t *testing.T) {
	inner, err := schema.ParseNested("f", "[object]", declare(t, "picture", "file"))
	if err != nil {
		t.Fatal(err)
	}
	tests := []struct {
		field            *schema.Field
		text, form, json string
	}{
		{parse(t, "int"), "", "", ""},
		{parse(t, "[string]"), "", "", ""},
		{parse(t, "any"), "", "", ""},
		{parse(t, "object"), "no objects", "no objects", ""},
		{parse(t, "[object]"), "no objects", "no objects", ""},
		{parse(t, "[[int]]"), "no lists of lists", "no lists of lists", ""},
		{parse(t, "file"), "declare it as an upload", "", "a JSON body has no files"},
		{parse(t, "[file]"), "declare it as an upload", "", "a JSON body has no files"},
		{inner, "no objects", "no objects", `field "picture": a JSON body has no files`},
	}
	for _, test := range tests {
		for source, want := range map[schema.Source]string{schema.Text: test.text, schema.Form: test.form, schema.JSON: test.json} {
			err := object(t, test.field).Fits(source)
			if want == "" && err != nil || want != "" && (err == nil || !strings.Contains(err.Error(), want) || !strings.HasPrefix(err.Error(), `field "f": `)) {
				t.Errorf("%s from source %d: %v, want %q", test.field, source, err, want)
			}
		}
	}
}

func BenchmarkCheckStrings(b *testing.B) {
	o := declare(b, "page", "int 1.. = 1", "size", "int 1..100 = 20", "q", "string ..80 = ''")
	query := map[string][]string{"page": {"1234"}, "q": {"hello world"}}
	values := func(name string) []string { return query[name] }
	b.ReportAllocs()
	for b.Loop() {
		if _, errs := o.CheckStrings(values); len(errs) > 0 {
			b.Fatal(errs)
		}
	}
}

func BenchmarkCheck(b *testing.B) {
	o := order(b)
	in := map[string]any{
		"email": "ann@example.com",
		"items": []any{map[string]any{"title": "a", "count": int64(2)}, map[string]any{"title": "b"}},
	}
	b.ReportAllocs()
	for b.Loop() {
		if _, errs := o.Check(in); len(errs) > 0 {
			b.Fatal(errs)
		}
	}
}

func BenchmarkCheckErrors(b *testing.B) {
	o := order(b)
	in := map[string]any{"email": "ann", "items": []any{map[string]any{"titel": "a"}}}
	b.ReportAllocs()
	for b.Loop() {
		if _, errs := o.Check(in); len(errs) != 3 {
			b.Fatal(errs)
		}
	}
}

func BenchmarkParseField(b *testing.B) {
	b.ReportAllocs()
	for b.Loop() {
		if _, err := schema.ParseField("page", "int 1.. = 1"); err != nil {
			b.Fatal(err)
		}
	}
}
