package codec_test

import (
	"errors"
	"math"
	"strings"
	"testing"
	"time"

	lua "github.com/yuin/gopher-lua"

	"rws/luabind/bind"
	"rws/luabind/codec"
)

// eval returns the value of a Lua expression.
func eval(t testing.TB, L *lua.LState, expression string) lua.LValue {
	t.Helper()
	if err := L.DoString("return " + expression); err != nil {
		t.Fatal(err)
	}
	v := L.Get(-1)
	L.Pop(1)
	return v
}

func TestAppend(t *testing.T) {
	L := newState(t)
	for _, test := range []struct{ lua, json string }{
		{`true`, `true`},
		{`false`, `false`},
		{`null`, `null`},

		// Whole numbers have no fraction and no exponent as long as they are exact.
		{`0`, `0`},
		{`-0`, `0`},
		{`7`, `7`},
		{`-1e3`, `-1000`},
		{`1e15`, `1000000000000000`},
		{`2^53 - 1`, `9007199254740991`},
		{`-(2^53 - 1)`, `-9007199254740991`},
		{`2^53`, `9007199254740992`},
		{`-2^53`, `-9007199254740992`},
		{`2^62`, `4611686018427387904`},
		{`2^63`, `9.223372036854776e+18`},
		{`1e21`, `1e+21`},
		{`0.1`, `0.1`},
		{`-2.5e-9`, `-2.5e-9`},
		{`1/3`, `0.3333333333333333`},

		// Strings are escaped no more than JSON asks for.
		{`""`, `""`},
		{`"a\"b\\c\n\t\0"`, `"a\"b\\c\n\t\u0000"`},
		{`"<b>&'/é日😀"`, `"<b>&'/é日😀"`},

		// Empty tables are objects unless they are marked.
		{`{}`, `{}`},
		{`array{}`, `[]`},
		{`setmetatable({}, {})`, `{}`},
		{`{ a = {}, b = array{} }`, `{"a":{},"b":[]}`},

		{`{1, "a", false, null, {}}`, `[1,"a",false,null,{}]`},
		{`array{1, 2}`, `[1,2]`},
		{`{[1] = "a", [2] = "b"}`, `["a","b"]`},
		{`setmetatable({1}, { __len = function() return 0 end })`, `[1]`},
		{`{1, 2, nil}`, `[1,2]`},

		// Fields keep the order in which they were first set.
		{`{ id = 7, name = "ann", tags = {"a"} }`, `{"id":7,"name":"ann","tags":["a"]}`},
		{`{ z = 1, y = 2, x = 3, a = nil }`, `{"z":1,"y":2,"x":3}`},
		{`(function() local t = { a = 1, b = 2, c = 3 } t.a = nil return t end)()`, `{"b":2,"c":3}`},
		{`{ ["first name"] = 1, [""] = 2, ["1"] = 3, ["\n"] = 4 }`, `{"first name":1,"":2,"1":3,"\n":4}`},
		{`setmetatable({ a = 1 }, { __index = { b = 2 } })`, `{"a":1}`},

		// The same table may come twice.
		{`(function() local t = { 1 } return { t, t } end)()`, `[[1],[1]]`},
	} {
		got, err := codec.Append([]byte("> "), L, eval(t, L, test.lua), codec.Options{})
		if err != nil || string(got) != "> "+test.json {
			t.Errorf("%s: got %s, %v; want %s", test.lua, got, err, test.json)
		}
	}
}

func TestAppendIndents(t *testing.T) {
	L := newState(t)
	const want = `{
  "a": [
    1,
    {}
  ],
  "b": [],
  "c": {
    "d": null
  }
}`
	v := eval(t, L, `{ a = {1, {}}, b = array{}, c = { d = null } }`)
	got, err := codec.Append(nil, L, v, codec.Options{Indent: true})
	if err != nil || string(got) != want {
		t.Errorf("got %s, %v; want %s", got, err, want)
	}
}

func TestAppendNamesWhatHasNoForm(t *testing.T) {
	L := newState(t)
	for _, test := range []struct{ lua, want string }{
		{`nil`, `value: nil has no JSON form; use rws.null`},
		{`print`, `value: a function has no JSON form`},
		{`{ on = { click = print } }`, `on.click: a function has no JSON form`},
		{`{ co = coroutine.create(print) }`, `co: a thread has no JSON form`},
		{`{ n = 0/0 }`, `n: the number NaN has no JSON form`},
		{`{ 1, { rate = -1/0 } }`, `[2].rate: an infinite number has no JSON form`},

		{`{ body = { title = "ab\255" } }`, `body.title: invalid UTF-8 at byte 3`},
		{`"\237\160\128"`, `value: invalid UTF-8 at byte 1`},
		{`"\239\191\189\200"`, `value: invalid UTF-8 at byte 4`},
		{`{ a = { ["k\255"] = 1 } }`, `a["k\xff"]: invalid UTF-8 at byte 2`},

		{`{ a = { 1, 2, x = 3 } }`, `a: a table with the list item [1] and the field "x" is neither an array nor an object`},
		{`{ 1, [0.5] = 2 }`, `value: a table with the list item [1] and the field [0.5] is neither an array nor an object`},
		{`array{ x = 3 }`, `value: an array can't have the field "x"`},
		{`{ list = { 1, nil, 3 } }`, `list[2]: nil in a list of 3; use rws.null, or close the gap`},
		{`{ [3] = 1 }`, `[1]: nil in a list of 3; use rws.null, or close the gap`},
		{`{ m = { [0] = 1 } }`, `m: the key [0] has no JSON form; use tostring(key), or the keys 1 to n for a list`},
		{`{ a = 1, [-2] = 1 }`, `value: the key [-2] has no JSON form; use tostring(key), or the keys 1 to n for a list`},
		{`{ [true] = 1 }`, `value: the key [true] has no JSON form; use tostring(key), or the keys 1 to n for a list`},
		{`{ [{}] = 1 }`, `value: the key that is a table has no JSON form; use tostring(key), or the keys 1 to n for a list`},

		{`{ ["` + strings.Repeat("x", 29) + `é"] = print }`, `["` + strings.Repeat("x", 29) + `..."]: a function has no JSON form`},
		{`{ ["first name"] = { ["2nd"] = { print } } }`, `["first name"]["2nd"][1]: a function has no JSON form`},
	} {
		got, err := codec.Append([]byte(">"), L, eval(t, L, test.lua), codec.Options{})
		if err == nil || err.Error() != test.want || string(got) != ">" {
			t.Errorf("%s: got %s, %v; want %s", test.lua, got, err, test.want)
		}
	}
}

func TestAppendFindsCircles(t *testing.T) {
	L := newState(t)
	for _, test := range []struct{ lua, path string }{
		{`(function() local t = {} t.self = t return t end)()`, `self`},
		{`(function() local t = {} t[1] = t return { a = t } end)()`, `a[1]`},
		{`(function() local a, b = {}, {} a.b, b.a = b, a return { x = a } end)()`, `x.b.a.b`},
	} {
		_, err := codec.Append(nil, L, eval(t, L, test.lua), codec.Options{})
		want := test.path + ": a table that contains itself has no JSON form"
		if err == nil || err.Error() != want {
			t.Errorf("%s: got %v, want %s", test.lua, err, want)
		}
	}
}

func TestAppendUserdata(t *testing.T) {
	L := newState(t)
	moment := time.Date(2026, 5, 4, 3, 2, 1, 500e6, time.UTC)
	for _, test := range []struct {
		value any
		want  string
	}{
		{moment, `"2026-05-04T03:02:01.5Z"`},
		{90 * time.Second, `"1m30s"`},
	} {
		got, err := codec.Append(nil, L, &lua.LUserData{Value: test.value}, codec.Options{})
		if err != nil || string(got) != test.want {
			t.Errorf("%v: got %s, %v; want %s", test.value, got, err, test.want)
		}
	}

	table := L.NewTable()
	for value, want := range map[any]string{
		moment.AddDate(9000, 0, 0): `at: Time.MarshalText: year outside of range [0,9999]`,
		struct{ int }{1}:           `at: a userdata has no JSON form`,
		nil:                        `at: a userdata has no JSON form`,
	} {
		table.RawSetString("at", &lua.LUserData{Value: value})
		_, err := codec.Append(nil, L, table, codec.Options{})
		if err == nil || err.Error() != want {
			t.Errorf("%v: got %v, want %s", value, err, want)
		}
	}
}

func TestAppendKeepsLimits(t *testing.T) {
	L := newState(t)
	nested := func(depth int) lua.LValue {
		return eval(t, L, strings.Repeat("{", depth)+strings.Repeat("}", depth))
	}
	text := func(n int) lua.LValue { return lua.LString(strings.Repeat("x", n)) }
	for _, test := range []struct {
		name    string
		value   lua.LValue
		options codec.Options
		want    string
	}{
		{"as deep as may be", nested(128), codec.Options{}, ""},
		{"too deep", nested(129), codec.Options{}, "nested more than 128 deep"},
		{"as deep as set", nested(3), codec.Options{MaxDepth: 3}, ""},
		{"deeper than set", nested(4), codec.Options{MaxDepth: 3}, "[1][1][1]: nested more than 3 deep"},
		{"deeper than can be set", nested(180), codec.Options{MaxDepth: math.MaxInt}, ""},
		{"as long as set", text(8), codec.Options{MaxBytes: 10}, ""},
		{"longer than set", text(9), codec.Options{MaxBytes: 10}, "value: JSON of more than 10 bytes"},
		{"longer before it is written", text(1000), codec.Options{MaxBytes: 10}, "value: JSON of more than 10 bytes"},
		{"as long as can be", text(1000), codec.Options{MaxBytes: math.MaxInt}, ""},
		{"longer by escapes", lua.LString("\x01\x01"), codec.Options{MaxBytes: 10}, "value: JSON of more than 10 bytes"},
		{"longer by items", eval(t, L, `{ a = {1, 2, 3, 4, 5} }`), codec.Options{MaxBytes: 10}, "a[4]: JSON of more than 10 bytes"},
		{"too long", text(64 << 20), codec.Options{}, "value: JSON of more than 64mb"},
	} {
		_, err := codec.Append([]byte("before"), L, test.value, test.options)
		if test.want == "" {
			if err != nil {
				t.Errorf("%s: %v", test.name, err)
			}
			continue
		}
		if _, ok := errors.AsType[*codec.LimitError](err); !ok || !strings.HasSuffix(err.Error(), test.want) {
			t.Errorf("%s: got %v, want %s", test.name, err, test.want)
		}
	}
}

// A table that holds itself many times is small, and its JSON would never end.
func TestAppendBoundsWhatGrows(t *testing.T) {
	L := newState(t)
	v := eval(t, L, `(function() local t = {} for i = 1, 100 do t = { t, t } end return t end)()`)
	_, err := codec.Append(nil, L, v, codec.Options{MaxBytes: 1 << 20})
	if _, ok := errors.AsType[*codec.LimitError](err); !ok || !strings.HasSuffix(err.Error(), "JSON of more than 1mb") {
		t.Errorf("got %v", err)
	}
}

func TestLongPathsLoseTheirMiddle(t *testing.T) {
	L := newState(t)
	v := lua.LValue(L.NewFunction(func(*lua.LState) int { return 0 }))
	for range 100 {
		outer := L.NewTable()
		outer.RawSetString("field", v)
		v = outer
	}
	_, err := codec.Append(nil, L, v, codec.Options{})
	e, ok := errors.AsType[*codec.ValueError](err)
	if !ok || len(e.Path) > 200 || !strings.HasPrefix(e.Path, "field.field.") || !strings.HasSuffix(e.Path, ".field") ||
		strings.Count(e.Path, "…") != 1 {
		t.Errorf("got %v", err)
	}
}

func TestAppendAllocatesNothing(t *testing.T) {
	L := newState(t)
	v := eval(t, L, `{ id = 7, name = "ann", tags = array{"a", "b"}, none = null }`)
	buf := make([]byte, 0, 256)
	n := testing.AllocsPerRun(100, func() { buf, _ = codec.Append(buf[:0], L, v, codec.Options{}) })
	if n > 0 {
		t.Errorf("%v allocations", n)
	}
	if !bind.IsNull(L, v.(*lua.LTable).RawGetString("none")) {
		t.Error("null is lost")
	}
}
