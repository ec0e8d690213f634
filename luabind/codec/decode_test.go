package codec_test

import (
	"context"
	"encoding/json"
	"errors"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
	lua "github.com/yuin/gopher-lua"

	"rws/luabind/bind"
	"rws/luabind/codec"
	"rws/luabind/vm"
)

// What is decoded is what the Lua expression is, and encodes as what it was.
func TestDecode(t *testing.T) {
	L := newState(t)
	L.SetGlobal("isarray", L.NewFunction(func(L *lua.LState) int {
		L.Push(lua.LBool(bind.IsArray(L, L.CheckTable(1))))
		return 1
	}))
	for _, test := range []struct{ json, check, again string }{
		{`true`, `v == true`, ``},
		{` false `, `v == false`, `false`},
		{`null`, `v == null`, ``},
		{`"a\u00e9\n\ud83d\ude00"`, `v == "aé\n😀"`, `"aé\n😀"`},
		{`""`, `v == ""`, ``},

		{`0`, `v == 0`, ``},
		{`-0`, `v == 0`, `0`},
		{`255`, `v == 255`, ``},
		{`256`, `v == 256`, ``},
		{`-1`, `v == -1`, ``},
		{`1.5e3`, `v == 1500`, `1500`},
		{`1.25`, `v == 1.25`, ``},
		{`1e-999`, `v == 0`, `0`},
		{`9007199254740991`, `v == 2^53 - 1`, ``},
		{`9007199254740992`, `v == "9007199254740992"`, `"9007199254740992"`},
		{`-9007199254740993`, `v == "-9007199254740993"`, `"-9007199254740993"`},
		{`123456789012345678901234567890`, `v == "123456789012345678901234567890"`, `"123456789012345678901234567890"`},
		{`9.007199254740992e+15`, `v == 2^53`, `9007199254740992`},

		{`[]`, `#v == 0 and isarray(v)`, ``},
		{`{}`, `next(v) == nil and not isarray(v)`, ``},
		{`[1,[2,[]],{"a":[]}]`, `v[2][1] == 2 and isarray(v[2][2]) and isarray(v[3].a)`, ``},
		{`[null,1,null]`, `#v == 3 and v[1] == null and v[3] == null`, ``},
		{`{"b":1,"a":null,"":{"":2}}`, `v.b == 1 and v.a == null and v[""][""] == 2`, ``},
		{`{"1":"a","2":"b"}`, `v["1"] == "a" and #v == 0`, ``},
		{"\r\n\t {\"a\" : [ 1 , 2 ] }\n", `v.a[2] == 2`, `{"a":[1,2]}`},
		{`{"a long name that is not remembered":1,"é":2}`, `v["a long name that is not remembered"] == 1 and v["é"] == 2`, ``},
	} {
		v := decode(t, L, test.json)
		L.SetGlobal("v", v)
		if eval(t, L, test.check) != lua.LTrue {
			t.Errorf("%s: not %s", test.json, test.check)
		}
		want := test.again
		if want == "" {
			want = test.json
		}
		again, err := codec.Append(nil, L, v, codec.Options{})
		if err != nil || string(again) != want {
			t.Errorf("%s: encodes as %s, %v; want %s", test.json, again, err, want)
		}
	}
}

func TestDecodeNullAsNil(t *testing.T) {
	L := newState(t)
	v, err := codec.Decode(L, []byte(`{"a":null,"b":[null,{"c":null,"d":1}],"e":null}`), codec.Limits{NullAsNil: true})
	if err != nil {
		t.Fatal(err)
	}
	again, err := codec.Append(nil, L, v, codec.Options{})
	if want := `{"b":[null,{"d":1}]}`; err != nil || string(again) != want {
		t.Errorf("got %s, %v; want %s", again, err, want)
	}
}

func TestDecodeSaysWhereAndWhat(t *testing.T) {
	L := newState(t)
	for _, test := range []struct {
		json      string
		line, col int
		msg       string
	}{
		{``, 1, 1, `expected a value, found the end`},
		{" \n ", 2, 2, `expected a value, found the end`},
		{"{\n  \"a\":}", 2, 7, `expected a value, found "}"`},
		{`[`, 1, 2, `the text ends in the middle of a value`},
		{`{"a":tru`, 1, 9, `the text ends in the middle of a value`},
		{`"ab`, 1, 4, `the text ends in the middle of a value`},
		{`1.`, 1, 3, `the text ends in the middle of a value`},
		{`]`, 1, 1, `expected a value, found "]"`},
		{`[1}`, 1, 3, `expected "," or "]", found "}"`},
		{`{"a":1]`, 1, 7, `expected "," or "}", found "]"`},
		{`[1 2]`, 1, 4, `expected "," or "]", found "2"`},
		{`["ä"x]`, 1, 5, `expected "," or "]", found "x"`},
		{`{"a":1 "bc":2}`, 1, 8, `expected "," or "}", found the string "bc"`},
		{`{"a" "b"}`, 1, 6, `expected ":" after the name, found the string "b"`},
		{`{"a"}`, 1, 5, `expected ":" after the name, found "}"`},
		{`{a:1}`, 1, 2, `expected a name in double quotes, found "a"`},
		{`{'a':1}`, 1, 2, `expected a name in double quotes, found "'"`},
		{`{12:1}`, 1, 2, `expected a name in double quotes, found "12"`},
		{`{]`, 1, 2, `expected a name in double quotes, found "]"`},
		{"[1,\n]", 2, 1, `expected a value after the comma, found "]"`},
		{`{"a":1, }`, 1, 9, `expected a name in double quotes after the comma, found "}"`},
		{`[1,,2]`, 1, 4, `expected a value, found ","`},
		{`[undefined]`, 1, 2, `expected a value, found "undefined"`},
		{`[truth]`, 1, 2, `expected a value, found "truth"`},
		{`NaN`, 1, 1, `expected a value, found "NaN"`},
		{`01`, 1, 2, `expected the end, found "1"`},
		{`{} {}`, 1, 4, `expected the end, found "{"`},
		{"1\n\n  // one", 3, 3, `expected the end, found "/"`},
		{`-x`, 1, 2, `expected a digit, found "x"`},
		{`[1e999]`, 1, 2, `the number 1e999 is too large`},
		{`-1e999`, 1, 1, `the number -1e999 is too large`},
		{"\ufeff1", 1, 1, `expected a value, found "\ufeff"`},
		{"\"a\nb\"", 1, 3, `expected an escape as \n, found "\n"`},
		{`"\x"`, 1, 2, "invalid escape sequence `\\x` in string"},
		{"\"\xff\"", 1, 2, `invalid UTF-8`},
		{"\xff", 1, 1, `expected a value, found "\xff"`},
		{`{"a":1,"b":{"a":1,"\u0061":2}}`, 1, 19, `duplicate name "a"`},
		{`[` + strings.Repeat("x", 100) + `]`, 1, 2, `expected a value, found "` + strings.Repeat("x", 30) + `..."`},
	} {
		v, err := codec.Decode(L, []byte(test.json), codec.Limits{})
		e, ok := errors.AsType[*codec.SyntaxError](err)
		if !ok || v != lua.LNil || e.Line != test.line || e.Col != test.col || e.Msg != test.msg {
			t.Errorf("%s: got %v, %v; want line %d, column %d: %s", test.json, v, err, test.line, test.col, test.msg)
		}
	}
}

func TestSyntaxErrorReads(t *testing.T) {
	_, err := codec.Decode(newState(t), []byte("[\n    1,}"), codec.Limits{})
	const want = `invalid JSON at line 2, column 7: expected a value after the comma, found "}"`
	if err == nil || err.Error() != want {
		t.Errorf("got %v, want %s", err, want)
	}
}

func TestDecodeKeepsLimits(t *testing.T) {
	L := newState(t)
	nested := func(n int) string { return strings.Repeat("[", n) + strings.Repeat("]", n) }
	for _, test := range []struct {
		name, json string
		limits     codec.Limits
		want       string
	}{
		{"as deep as may be", nested(128), codec.Limits{}, ""},
		{"too deep", nested(129), codec.Limits{}, "JSON nested more than 128 deep"},
		{"objects too deep", strings.Repeat(`{"a":`, 129), codec.Limits{}, "JSON nested more than 128 deep"},
		{"as deep as set", nested(3), codec.Limits{MaxDepth: 3}, ""},
		{"deeper than set", nested(4), codec.Limits{MaxDepth: 3}, "JSON nested more than 3 deep"},
		{"deeper than can be set", nested(1001), codec.Limits{MaxDepth: 1 << 40}, "JSON nested more than 1000 deep"},
		{"as many as set", `[1,{"a":2}]`, codec.Limits{MaxItems: 4}, ""},
		{"more than set", `[1,{"a":2}]`, codec.Limits{MaxItems: 3}, "JSON of more than 3 values"},
		{"too many", "[" + strings.Repeat("0,", 1_000_000) + "0]", codec.Limits{}, "JSON of more than 1000000 values"},
		{"as long as set", `[1,2]`, codec.Limits{MaxBytes: 5}, ""},
		{"longer than set", `[1,2] `, codec.Limits{MaxBytes: 5}, "JSON of more than 5 bytes"},
		{"too long", strings.Repeat(" ", 64<<20+1), codec.Limits{}, "JSON of more than 64mb"},
	} {
		_, err := codec.Decode(L, []byte(test.json), test.limits)
		if test.want == "" {
			if err != nil {
				t.Errorf("%s: %v", test.name, err)
			}
			continue
		}
		if _, ok := errors.AsType[*codec.LimitError](err); !ok || err.Error() != test.want {
			t.Errorf("%s: got %v, want %s", test.name, err, test.want)
		}
	}
}

// Decoders are reused, also after errors and by other isolates.
func TestDecodersForget(t *testing.T) {
	for range 10 {
		L := newState(t)
		for _, text := range []string{`[1,{"a":[2,`, `{"b":3}`, `[}`, `[[],null]`} {
			v, err := codec.Decode(L, []byte(text), codec.Limits{})
			if err != nil {
				continue
			}
			again, err := codec.Append(nil, L, v, codec.Options{})
			if err != nil || string(again) != text {
				t.Fatalf("%s became %s, %v", text, again, err)
			}
		}
	}
}

// The text belongs to the caller, who may reuse it.
func TestDecodeCopies(t *testing.T) {
	L := newState(t)
	const text = `{"name":"ann","n":12345678901234567890}`
	data := []byte(text)
	v, err := codec.Decode(L, data, codec.Limits{})
	if err != nil || string(data) != text {
		t.Fatalf("%s, %v", data, err)
	}
	clear(data)
	again, err := codec.Append(nil, L, v, codec.Options{})
	if want := `{"name":"ann","n":"12345678901234567890"}`; err != nil || string(again) != want {
		t.Errorf("got %s, %v; want %s", again, err, want)
	}
}

func TestDecodePlain(t *testing.T) {
	v, err := codec.DecodePlain(t.Context(), []byte(`{"a":[1,2.5,9007199254740993,123456789012345678901,null,true],"b":{"c":"x"}}`), codec.Limits{})
	require.NoError(t, err)
	assert.Equal(t, map[string]any{
		"a": []any{int64(1), 2.5, int64(9007199254740993), json.Number("123456789012345678901"), nil, true},
		"b": map[string]any{"c": "x"},
	}, v)
}

func TestDecodePlainEndsWithItsContext(t *testing.T) {
	ctx, cancel := context.WithCancelCause(t.Context())
	cancel(errors.New("enough"))
	_, err := codec.DecodePlain(ctx, []byte("["+strings.Repeat("0,", 5000)+"0]"), codec.Limits{})
	assert.EqualError(t, err, "enough")
}

func TestARunEndsWhileItDecodesAndEncodes(t *testing.T) {
	i := vm.New(vm.Options{Stall: -1})
	defer i.Close()
	text := []byte("[" + strings.Repeat("[],", 500_000) + "0]")
	for name, work := range map[string]func(L *lua.LState){
		"decode": func(L *lua.LState) { _, _ = codec.Decode(L, text, codec.Limits{MaxItems: 1 << 30}) },
		"encode": func(L *lua.LState) {
			t := L.NewTable()
			for n := range 100_000 {
				t.RawSetInt(n+1, lua.LNumber(n))
			}
			_, _ = codec.Append(nil, L, t, codec.Options{})
		},
	} {
		r := &vm.Run{}
		r.SetDeadline(time.Now().Add(-time.Second))
		err := i.Do(r, func(L *lua.LState) error {
			bind.Prepare(L)
			fn := L.NewFunction(func(L *lua.LState) int {
				for r.Cause() == nil { // the watchdog comes round
					time.Sleep(time.Millisecond)
				}
				work(L)
				return 0
			})
			_, err := vm.Call(L, fn)
			return err
		})
		assert.ErrorContains(t, err, vm.ErrDeadline.Error(), name)
	}
}
