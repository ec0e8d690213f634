package pattern_test

import (
	"math"
	"strings"
	"testing"

	"github.com/yuin/gopher-lua/pm"

	"rws/luabind/pattern"
)

var page = strings.Repeat("The quick brown fox, key=value; jumps over 13 lazy dogs.\n", 180) // 10 KB

// finds are matches a web script does all day, from the first byte of a short or a long subject.
var finds = []struct{ name, src, s string }{
	{"Pair", "^([%w_]+)%s*=%s*(.-)%s*$", "content_type = text/html; charset=utf-8  "},
	{"Path", "^/users/(%d+)/posts/([%w-]+)$", "/users/12345/posts/a-fine-title"},
	{"Trim", "^%s*(.-)%s*$", "   some text with words in it   "},
	{"Late", "id=(%d+)", page + "id=77"},
	{"LateClass", "%d%d%d+", page + "777"},
	{"Miss", "(%a+)@(%a+)", page},
}

func BenchmarkFind(b *testing.B) {
	for _, c := range finds {
		b.Run(c.name+"/pattern", func(b *testing.B) {
			b.ReportAllocs()
			var m pattern.Match
			budget := pattern.NewBudget(math.MaxInt64, nil)
			for b.Loop() {
				if _, err := m.Find(c.src, c.s, 0, budget); err != nil {
					b.Fatal(err)
				}
			}
		})
		b.Run(c.name+"/pm", func(b *testing.B) {
			b.ReportAllocs()
			s := []byte(c.s)
			for b.Loop() {
				if _, err := pm.Find(c.src, s, 0, 1); err != nil {
					b.Fatal(err)
				}
			}
		})
	}
}

func BenchmarkGmatchWords(b *testing.B) {
	for _, src := range []string{"%a+", "[%w_]+"} {
		b.Run(src+"/pattern", func(b *testing.B) {
			b.ReportAllocs()
			budget := pattern.NewBudget(math.MaxInt64, nil)
			for b.Loop() {
				w := pattern.NewWalk(src, page)
				for {
					if ok, err := w.Next(budget); err != nil || !ok {
						break
					}
				}
			}
		})
		b.Run(src+"/pm", func(b *testing.B) {
			b.ReportAllocs()
			s := []byte(page)
			for b.Loop() {
				if _, err := pm.Find(src, s, 0, -1); err != nil {
					b.Fatal(err)
				}
			}
		})
	}
}

// The pm side only finds the matches; gopher-lua then rebuilds the whole string once for each of them.
func BenchmarkGsubEscape(b *testing.B) {
	const src = `[&<>"']`
	s := strings.Repeat(`<p class="x">fish &amp; chips</p> plain text that needs nothing `, 160)
	b.Run("pattern", func(b *testing.B) {
		b.ReportAllocs()
		var m pattern.Match
		budget := pattern.NewBudget(math.MaxInt64, nil)
		for b.Loop() {
			_, _, err := m.Gsub(src, s, math.MaxInt, budget, func(dst []byte, m *pattern.Match) ([]byte, error) {
				return append(dst, "&#0;"...), nil
			})
			if err != nil {
				b.Fatal(err)
			}
		}
	})
	b.Run("pm", func(b *testing.B) {
		b.ReportAllocs()
		in := []byte(s)
		for b.Loop() {
			if _, err := pm.Find(src, in, 0, -1); err != nil {
				b.Fatal(err)
			}
		}
	})
}

// One step of the worst kind, to put a time on a budget: see DefaultSteps.
func BenchmarkSteps(b *testing.B) {
	b.ReportAllocs()
	var m pattern.Match
	s := strings.Repeat("a", 40)
	budget := pattern.NewBudget(int64(b.N), nil)
	for b.Loop() {
		budget.Reset(1_000_000, nil)
		if _, err := m.Find("(.-)(.-)(.-)(.-)(.-)(.-)b", s, 0, budget); err == nil {
			b.Fatal("the budget held")
		}
	}
	b.ReportMetric(float64(b.Elapsed().Nanoseconds())/float64(b.N)/1_000_000, "ns/step")
}
