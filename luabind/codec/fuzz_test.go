package codec_test

import (
	"encoding/json"
	"errors"
	"regexp"
	"strings"
	"testing"

	"github.com/go-json-experiment/json/jsontext"
	lua "github.com/yuin/gopher-lua"

	"rws/luabind/bind"
	"rws/luabind/codec"
)

// Decode reads what is JSON to jsontext and nothing else, and what it read becomes JSON
// that reads as the same.
func FuzzDecode(f *testing.F) {
	for _, text := range []string{documents[0].text, rows(1)[0], `{"a":1,"a":2}`, `[1,]`, `{"a" 1}`, `"\ud800"`, "\"\xff\"", `1e999`, `-0.0`, `[9007199254740993,1e16]`,
		`{"":{}} x`, "\ufeff[]", `[nul]`, `{"a":`, `01`, `,`} {
		f.Add([]byte(text))
	}
	L := newState(f)
	f.Fuzz(func(t *testing.T, data []byte) {
		v, err := codec.Decode(L, data, codec.Limits{})
		if valid := jsontext.Value(data).IsValid(); valid != (err == nil) && !isTooMuch(err) {
			t.Fatalf("%q: valid %t, but %v", data, valid, err)
		}
		if err != nil {
			return
		}
		first, err := codec.Append(nil, L, v, codec.Options{})
		if err != nil {
			t.Fatal(err)
		}
		second, err := codec.Append(nil, L, decode(t, L, string(first)), codec.Options{})
		if err != nil || alike(first) != alike(second) {
			t.Fatalf("%q: %s became %s, %v", data, first, second, err)
		}
	})
}

var longInteger = regexp.MustCompile(`"(-?[0-9]{16,19})"`)

// alike is text with the integers that Decode keeps as strings as integers again.
func alike(text []byte) string { return longInteger.ReplaceAllString(string(text), "$1") }

// DecodePlain takes what Decode takes, refuses the rest in the same words, and reads the same.
func FuzzDecodePlain(f *testing.F) {
	for _, text := range []string{documents[0].text, rows(1)[0], `{"a":1,"a":2}`, `[1,]`, `{"a" 1}`, `{1}`, `{"a":}`, "\"\xff\"", `1e999`, `[9007199254740993,1e16,123456789012345678901]`,
		`{"":{}} x`, `[nul]`, `{"a":`, `,`, `[null,{"a":null}]`, `[[[[[[]]]]]]`} {
		f.Add([]byte(text))
	}
	L := newState(f)
	f.Fuzz(func(t *testing.T, data []byte) {
		limits := codec.Limits{MaxDepth: 5, MaxItems: 20}
		_, want := codec.Decode(L, data, limits)
		v, err := codec.DecodePlain(t.Context(), data, limits)
		if (err == nil) != (want == nil) || err != nil && err.Error() != want.Error() {
			t.Fatalf("%q: %v; Decode says %v", data, err, want)
		}
		if err != nil {
			return
		}
		if _, err := json.Marshal(v); err != nil {
			t.Fatalf("%q: %v", data, err)
		}
	})
}

// isTooMuch reports whether err is about JSON that is valid but too large for Lua.
func isTooMuch(err error) bool {
	if _, ok := errors.AsType[*codec.LimitError](err); ok {
		return true
	}
	return err != nil && strings.HasSuffix(err.Error(), "is too large")
}

// Append gives an error or JSON that reads as the same, whatever the table.
func FuzzAppend(f *testing.F) {
	f.Add([]byte("\x04a\x00b\x05\x03cc\x06"))
	f.Add([]byte("\x05\x05\x05\x06\x06\x07\x07\x08\x09\x0a\x0b\x0c"))
	f.Add([]byte("\x05\x01\x10\x0d\x01\x20\x0d\x07"))
	L := newState(f)
	f.Fuzz(func(t *testing.T, program []byte) {
		v := build(L, program)
		for _, indent := range []bool{false, true} {
			text, err := codec.Append(nil, L, v, codec.Options{MaxBytes: 1 << 16, MaxDepth: 20, Indent: indent})
			if err != nil {
				if _, ok := errors.AsType[*codec.ValueError](err); !ok || len(err.Error()) > 500 {
					t.Fatalf("%q: %v", program, err)
				}
				continue
			}
			if !jsontext.Value(text).IsValid() {
				t.Fatalf("%q: invalid %s", program, text)
			}
			again, err := codec.Append(nil, L, decode(t, L, string(text)), codec.Options{Indent: indent})
			if err != nil || alike(again) != alike(text) {
				t.Fatalf("%q: %s became %s, %v", program, text, again, err)
			}
		}
	})
}

// build runs a program of small instructions that fill nested tables.
func build(L *lua.LState, program []byte) lua.LValue {
	root := L.NewTable()
	open := []*lua.LTable{root}
	next := func() byte {
		if len(program) == 0 {
			return 0
		}
		b := program[0]
		program = program[1:]
		return b
	}
	value := func() lua.LValue {
		switch b := next(); b % 12 {
		case 0:
			return lua.LTrue
		case 1:
			return lua.LNumber(int8(next()))
		case 2:
			return lua.LNumber(float64(next()) / float64(next()))
		case 3:
			return lua.LNumber(float64(1<<53) + float64(next()) - 128)
		case 4:
			return bind.Null(L)
		case 5:
			return open[int(b)%len(open)]
		case 6:
			return bind.MarkArray(L, L.NewTable())
		case 7:
			return lua.LNil
		default:
			n := min(int(next())%40, len(program))
			s := string(program[:n])
			program = program[n:]
			return lua.LString(s)
		}
	}
	for len(program) > 0 {
		t := open[len(open)-1]
		switch next() % 6 {
		case 0:
			inner := L.NewTable()
			t.Append(inner)
			open = append(open, inner)
		case 1:
			open = open[:max(1, len(open)-1)]
		case 2:
			t.Append(value())
		case 3:
			t.RawSetInt(int(next()%8), value())
		case 4:
			if key := value(); key != lua.LNil && key.String() != "NaN" {
				t.RawSet(key, value())
			}
		case 5:
			inner := L.NewTable()
			t.RawSetString(string(rune(next())), inner)
			open = append(open, inner)
		}
	}
	return root
}
