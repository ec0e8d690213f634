package fault_test

import (
	"strings"
	"testing"
	"unicode/utf8"

	"github.com/rogpeppe/go-internal/txtar"
	lua "github.com/yuin/gopher-lua"

	"rws/luabind/fault"
)

// FuzzText shows an error at any place of any text.
func FuzzText(f *testing.F) {
	f.Add("return user.name", "app.lua:1", "user.name", "hint", uint8(80))
	f.Add("\tx = '日本' .. t\u0301\r\n\x1b[2J", "a:2", "t", "", uint8(20))
	f.Add("local x\n\n", "app.lua:99999999999999999999", "f(…).x", "", uint8(0))
	f.Add(strings.Repeat("x", 400)+".y", "app.lua:1", "x", "", uint8(30))
	f.Fuzz(func(t *testing.T, text, at, name, hint string, width uint8) {
		src := func(string) (string, bool) { return text, true }
		e := &fault.Error{Message: name, At: at, Hint: hint, Frames: []fault.Frame{{File: "a", Line: int(width), Locals: []fault.Local{{Name: name, Value: text}}}}}
		fault.Mark(e, int(width)%7, int(width)%5, name, hint)
		got := e.Text(src, fault.TextOptions{Locals: true, Trace: true, Width: int(width)})
		if !utf8.ValidString(got) || strings.ContainsAny(got, "\x1b\x00\r\u202e") {
			t.Errorf("%q", got)
		}
		page := string(e.HTML(src, fault.PageData{Path: text, ID: at, Method: name}))
		if strings.Count(page, "<") != strings.Count(strings.ReplaceAll(page, "<", "< "), "< ") || !strings.HasSuffix(page, "</html>") && !strings.Contains(page, "</html>") {
			t.Error("the page is not complete")
		}
		if strings.Contains(page, "<script") || strings.ContainsAny(page, "\x1b\u202e") {
			t.Errorf("the page has what nobody wrote: %q", page)
		}
	})
}

// FuzzLoad compiles any text and shows what is wrong with it.
func FuzzLoad(f *testing.F) {
	archive, err := txtar.ParseFile("testdata/load.txtar")
	if err != nil {
		f.Fatal(err)
	}
	for _, file := range archive.Files {
		if strings.HasSuffix(file.Name, ".lua") {
			f.Add(string(file.Data))
		}
	}
	f.Add("x = [==[ ]=] ")
	f.Add("return " + strings.Repeat("{", 300))
	f.Add("return -(" + strings.Repeat("a^-f{", 150) + strings.Repeat("}", 150) + ")")
	f.Add("goto a\nlocal x\n::a:: print(x)")
	f.Fuzz(func(t *testing.T, text string) {
		_, err := fault.Compile("app.lua", text)
		if err == nil {
			return
		}
		e := fault.FromError(err)
		if e.Code != "syntax" || !strings.HasPrefix(e.At, "app.lua:") || e.Message == "" {
			t.Errorf("%#v", e)
		}
		shown := e.Text(func(string) (string, bool) { return text, true }, whole)
		if !strings.Contains(shown, "\n> ") {
			t.Errorf("no excerpt at %s: %q", e.At, shown)
		}
	})
}

// FuzzFromLoad explains an error that has nothing to do with the text.
func FuzzFromLoad(f *testing.F) {
	f.Add("local x = = 1", "if a then", 1, 3)
	f.Add("x", "", -1, 0)
	f.Fuzz(func(t *testing.T, text, other string, line, column int) {
		L := lua.NewState()
		defer L.Close()
		if _, err := L.Load(strings.NewReader(text), "a.lua"); err != nil {
			if e := fault.FromLoad(err, "a.lua", other); e.Message == "" {
				t.Errorf("%v gave no message", err)
			}
		}
		if e := fault.FromLoad(fault.ParseError(line, column, other), "a.lua", text); e.Message == "" {
			t.Errorf("%d:%d gave no message", line, column)
		}
	})
}
