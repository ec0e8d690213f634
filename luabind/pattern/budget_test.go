package pattern_test

import (
	"errors"
	"strings"
	"testing"

	"rws/luabind/pattern"
)

// runaways take longer than anyone lives, or at least long, on a matcher without a budget.
var runaways = []struct{ src, s string }{
	{"(.-)(.-)(.-)(.-)(.-)(.-)(.-)(.-)b", strings.Repeat("a", 60)},
	{"(.-)(.-)(.-)(.-)b", strings.Repeat("a", 200)},
	{".*.*.*.*.*.*.*.*b", strings.Repeat("a", 60)},
	{strings.Repeat("a?", 60) + strings.Repeat("a", 60) + "b", strings.Repeat("a", 60)},
	{"[a-z]-[a-y]-[a-x]-[a-w]-[a-v]-1", strings.Repeat("a", 300)},
	{"(a*)(a*)(a*)%1%2%3b", strings.Repeat("a", 300)},
}

func TestNoPatternRunsAway(t *testing.T) {
	for _, c := range runaways {
		var m pattern.Match
		b := pattern.NewBudget(100_000, nil)
		if _, err := m.Find(c.src, c.s, 0, b); !errors.Is(err, pattern.ErrSteps) {
			t.Errorf("%q: %v, want %v", c.src, err, pattern.ErrSteps)
		}
		if b.Left() != 0 {
			t.Errorf("%q: %d steps left", c.src, b.Left())
		}
	}
}

func TestNoBudgetMeansTheDefault(t *testing.T) {
	c := runaways[0]
	var m pattern.Match
	if _, err := m.Find(c.src, c.s, 0, nil); !errors.Is(err, pattern.ErrSteps) {
		t.Errorf("find: %v", err)
	}
}

func TestLongRunsAreCharged(t *testing.T) {
	s := strings.Repeat("a", 1<<20)
	for _, src := range []string{"^a*", "^.*$", "b", "[bc]", "%b()", "^%ba(", "^(a+)%1"} {
		var m pattern.Match
		b := pattern.NewBudget(1000, nil)
		if ok, err := m.Find(src, s, 0, b); !errors.Is(err, pattern.ErrSteps) {
			t.Errorf("%q: %v %v", src, ok, err)
		}
	}
}

func TestTheCheckEndsAMatch(t *testing.T) {
	deadline := errors.New("deadline reached")
	calls := 0
	b := pattern.NewBudget(1<<40, func() error {
		if calls++; calls == 3 {
			return deadline
		}
		return nil
	})
	var m pattern.Match
	if _, err := m.Find(runaways[0].src, runaways[0].s, 0, b); !errors.Is(err, deadline) {
		t.Errorf("got %v", err)
	}
	if spent := 1<<40 - b.Left(); calls != 3 || spent < 3*4096 || spent > 4*4096 {
		t.Errorf("%d calls in %d steps", calls, spent)
	}
	calls = 2
	if err := b.Spend(1); !errors.Is(err, deadline) {
		t.Errorf("the check is not asked again: %v", err)
	}
}

func TestABudgetServesSeveralMatches(t *testing.T) {
	b := pattern.NewBudget(60, nil)
	var m pattern.Match
	n := 0
	for {
		_, err := m.Find("%a%d", "aaaa1", 0, b)
		if errors.Is(err, pattern.ErrSteps) {
			break
		}
		if err != nil {
			t.Fatal(err)
		}
		n++
	}
	if n < 3 || n > 20 {
		t.Errorf("60 steps were enough for %d matches", n)
	}
	if err := b.Spend(1); !errors.Is(err, pattern.ErrSteps) {
		t.Errorf("a spent budget pays: %v", err)
	}
	b.Reset(10, nil)
	if err := b.Spend(10); err != nil || b.Left() != 0 {
		t.Errorf("after Reset: %v, %d left", err, b.Left())
	}
	var zero pattern.Budget
	if err := zero.Spend(1); !errors.Is(err, pattern.ErrSteps) {
		t.Errorf("the zero budget pays: %v", err)
	}
}

// FuzzPattern gives any bytes as pattern: no panic, an end within the budget, sane offsets.
func FuzzPattern(f *testing.F) {
	for _, c := range runaways {
		f.Add(c.src, c.s)
	}
	for _, src := range []string{"", "%", "[", "[^]", "[a-%%]", "(()", "%f[", "%b", "^$", "[%", "()%1", "a)", "\x00", "%f[^\x00]-"} {
		f.Add(src, "a(b)\x00]")
	}
	f.Fuzz(func(t *testing.T, src, s string) {
		b := pattern.NewBudget(20_000, nil)
		w := pattern.NewWalk(src, s)
		for last := -1; ; last = w.Start {
			ok, err := w.Next(b)
			if !ok || err != nil {
				break
			}
			if w.Start <= last || w.End < w.Start || w.End > len(s) {
				t.Fatalf("match %d:%d after %d", w.Start, w.End, last)
			}
			for _, c := range w.Captures() {
				if !c.IsPosition() && (c.Start < w.Start || c.End < c.Start || c.End > w.End) {
					t.Fatalf("capture %v outside %d:%d", c, w.Start, w.End)
				}
			}
		}
		var m pattern.Match
		keep := func(dst []byte, m *pattern.Match) ([]byte, error) { return append(dst, m.Text()...), nil }
		out, _, err := m.Gsub(src, s, 50, b, keep)
		if err == nil && out != s {
			t.Fatalf("gsub with what it found changed %q to %q", s, out)
		}
	})
}
