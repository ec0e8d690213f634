package codec_test

import (
	"bytes"
	stdjson "encoding/json"
	"fmt"
	"strings"
	"testing"

	"github.com/go-json-experiment/json/jsontext"
	lua "github.com/yuin/gopher-lua"

	"rws/luabind/codec"
)

// documents are what the benchmarks encode and decode.
var documents = []struct{ name, text string }{
	{"small", `{"id":7,"name":"ann","tags":["a","b","c"]}`},
	{"rows", "[" + strings.Join(rows(20), ",") + "]"},
	{"100kb", `{"rows":[` + strings.Join(rows(780), ",") + "]}"},
}

// rows returns n objects of 6 fields.
func rows(n int) []string {
	list := make([]string, n)
	for i := range list {
		list[i] = fmt.Sprintf(`{"id":%d,"title":"note number %d","body":"Some text\nof two lines.","done":%t,"price":%d.5,"tags":["x","y"]}`,
			1000+i, i, i%2 == 0, i)
	}
	return list
}

func BenchmarkAppend(b *testing.B) {
	L := newState(b)
	for _, doc := range documents {
		v := decode(b, L, doc.text)
		b.Run(doc.name, func(b *testing.B) {
			buf := make([]byte, 0, 2*len(doc.text))
			b.ReportAllocs()
			b.SetBytes(int64(len(doc.text)))
			for b.Loop() {
				buf, _ = codec.Append(buf[:0], L, v, codec.Options{})
			}
		})
	}
}

func BenchmarkDecode(b *testing.B) {
	L := newState(b)
	for _, doc := range documents {
		data := []byte(doc.text)
		b.Run(doc.name, func(b *testing.B) {
			b.ReportAllocs()
			b.SetBytes(int64(len(data)))
			for b.Loop() {
				if _, err := codec.Decode(L, data, codec.Limits{}); err != nil {
					b.Fatal(err)
				}
			}
		})
	}
}

// BenchmarkStandard is encoding/json with maps, for comparison.
func BenchmarkStandard(b *testing.B) {
	for _, doc := range documents {
		data := []byte(doc.text)
		var v any
		if err := stdjson.Unmarshal(data, &v); err != nil {
			b.Fatal(err)
		}
		b.Run("marshal/"+doc.name, func(b *testing.B) {
			b.ReportAllocs()
			b.SetBytes(int64(len(data)))
			for b.Loop() {
				if _, err := stdjson.Marshal(v); err != nil {
					b.Fatal(err)
				}
			}
		})
		b.Run("unmarshal/"+doc.name, func(b *testing.B) {
			b.ReportAllocs()
			b.SetBytes(int64(len(data)))
			for b.Loop() {
				var v any
				if err := stdjson.Unmarshal(data, &v); err != nil {
					b.Fatal(err)
				}
			}
		})
	}
}

// BenchmarkTokens encodes through a jsontext.Encoder, which Append does without.
func BenchmarkTokens(b *testing.B) {
	L := newState(b)
	for _, doc := range documents {
		v := decode(b, L, doc.text)
		b.Run(doc.name, func(b *testing.B) {
			var buf bytes.Buffer
			var e jsontext.Encoder
			b.ReportAllocs()
			b.SetBytes(int64(len(doc.text)))
			for b.Loop() {
				buf.Reset()
				e.Reset(&buf)
				writeTokens(&e, v)
			}
		})
	}
}

func writeTokens(e *jsontext.Encoder, v lua.LValue) {
	switch v := v.(type) {
	case lua.LString:
		_ = e.WriteToken(jsontext.String(string(v)))
	case lua.LNumber:
		_ = e.WriteToken(jsontext.Float(float64(v)))
	case lua.LBool:
		_ = e.WriteToken(jsontext.Bool(bool(v)))
	case *lua.LTable:
		if n := v.Len(); n > 0 {
			_ = e.WriteToken(jsontext.BeginArray)
			for i := 1; i <= n; i++ {
				writeTokens(e, v.RawGetInt(i))
			}
			_ = e.WriteToken(jsontext.EndArray)
			return
		}
		_ = e.WriteToken(jsontext.BeginObject)
		for k, x := v.Next(lua.LNil); k != lua.LNil; k, x = v.Next(k) {
			_ = e.WriteToken(jsontext.String(k.String()))
			writeTokens(e, x)
		}
		_ = e.WriteToken(jsontext.EndObject)
	}
}
