package luabind_test

import (
	"regexp"
	"testing"

	"rws/luabind"
)

func TestRegex(t *testing.T) {
	scripts(t, map[string]string{
		"test": `
			local re = rws.regex([[^\d+$]])
			eq(re:test("42"), true)
			eq(re:test("4x"), false)
			eq(re.pattern, [[^\d+$]])
			eq(tostring(re), [[^\d+$]])`,
		"match gives the whole match or the groups": `
			eq(rws.regex([[\d+]]):match("on 2026-03-01"), "2026")
			local y, m, d = rws.regex([[(\d+)-(\d+)-(\d+)]]):match("on 2026-03-01")
			eq(y .. m .. d, "20260301")
			eq(rws.regex("x"):match("abc"), nil)
			local a, b = rws.regex("(a)?(b)"):match("b")
			eq(a, "") eq(b, "b")`,
		"find gives positions as string.find does": `
			local from, to, word = rws.regex([[(\w+)!]]):find("oh no! yes!")
			eq(from, 4) eq(to, 6) eq(word, "no")
			eq(select("#", rws.regex("no"):find("oh no")), 2)
			eq(rws.regex("x"):find("abc"), nil)`,
		"groups by name": `
			local re = rws.regex([[(?P<year>\d{4})(-(?P<month>\d\d))?]])
			list(re:groups("2026-03"), { year = "2026", month = "03" })
			list(re:groups("2026"), { year = "2026" })
			eq(re:groups("none"), nil)`,
		"gmatch": `
			local seen = {}
			for k, v in rws.regex([[(\w+)=(\w+)]]):gmatch("a=1, b=2") do seen[#seen + 1] = k .. v end
			list(seen, { "a1", "b2" })
			local n = 0
			for _ in rws.regex(""):gmatch("ab") do n = n + 1 end
			eq(n, 3)`,
		"replace by a text with groups": `
			eq(rws.regex([[(\w+) (\w+)]]):replace("hello world", "$2 $1"), "world hello")
			eq(rws.regex([[(?P<n>\d+)]]):replace("a1b22", "<${n}>"), "a<1>b<22>")
			eq(rws.regex([[\d]]):replace("a1", "$$"), "a$")
			eq(rws.regex("x"):replace("abc", "y"), "abc")`,
		"replace by a function": `
			eq(rws.regex([[\d+]]):replace("1 22 3", function(d) return d * 2 end), "2 44 6")
			eq(rws.regex([[(\w)(\d)]]):replace("a1 b2", function(l, d) if l == "a" then return d .. l end end), "1a b2")
			raises("argument", "the function returned a table", function() rws.regex("a"):replace("a", function() return {} end) end)`,
		"references to groups that are not there": `
			raises("argument", 'names the group "3", but the pattern has 2 groups', function() rws.regex("(a)(b)"):replace("ab", "$3") end)
			raises("argument", "if group 1 was meant, write ${1}", function() rws.regex("(a)"):replace("a", "$1x") end)
			raises("argument", "names the group", function() rws.regex("(a)"):replace("a", "$1é") end)
			raises("argument", "write $1, ${name}, or $$", function() rws.regex("(a)"):replace("a", "5 $") end)`,
		"split": `
			list(rws.regex([[\s*,\s*]]):split("a , b,c"), { "a", "b", "c" })
			list(rws.regex(","):split(""), { "" })`,
		"errors show the place": `
			raises("pattern", "missing closing )", rws.regex, "x(a")
			raises("pattern", 'invalid character class range at character 4 ("b-a") in "aa[b-a]"', rws.regex, "aa[b-a]")`,
		"what RE2 has not": `
			raises("pattern", "there is no looking ahead", rws.regex, "a(?=b)")
			raises("pattern", "there are no back-references", rws.regex, [[(a)\1]])
			raises("pattern", "at most 16384", rws.regex, ("a"):rep(20000))
			raises("pattern", "make the counts in its braces smaller", rws.regex, "([a-z]{10}[0-9]{10}){100}(abcdefghij){900}")`,
		"a pattern that ruins other engines": `eq(rws.regex("^(a+)+$"):test(("a"):rep(5000) .. "b"), false)`,
	})
}

func TestRegexKeepsABoundedNumber(t *testing.T) {
	script(t, `for n = 1, 1000 do eq(rws.regex("^" .. n .. "$"):test(tostring(n)), true) end`)
	if n := luabind.CompiledRegexes(); n > 256 {
		t.Errorf("%d expressions are kept", n)
	}
}

func TestLongTextsForExpressionsEnd(t *testing.T) {
	script(t, `
		local re = rws.regex("(x+x+)+y")
		local text = ("x"):rep(2e5)
		eq(re:test(text), false)
		eq(re:match(text .. "y"), text)
		eq(re:find("y" .. text), nil)
		raises("too_large", "work on the text in pieces", re.test, re, ("x"):rep(3e7))
		raises("too_large", "at most", function() return rws.regex("(abc|d){1,900}x"):test(("x"):rep(4e6)) end)
		local n = 0
		for a, b in rws.regex([[(\w)(\d)\b]]):gmatch(("a1 "):rep(5000)) do n = n + #a + #b end
		eq(n, 10000)
		eq(#rws.regex(","):split(("a,"):rep(5000)), 5001)
		eq(rws.regex("^a"):replace(("a"):rep(5000), "b"), "b" .. ("a"):rep(4999))
		list(rws.regex(""):split("ab"), { "a", "b" })
		list(rws.regex(""):split(""), {})
		list(rws.regex("x*"):split("axb"), { "a", "b" })`)
}

func TestFindingAllMatchesEndsAtTheDeadline(t *testing.T) {
	p := newApp(t, `app:get("/", { timeout = "100ms" }, function()
		for _ in rws.regex("a.*b|a"):gmatch(("a"):rep(200000)) do end
		return "done"
	end)
	app:get("/other", function() return "fine" end)`, nil)
	slow := make(chan *luabind.Answer, 1)
	go func() { slow <- do(t, p, "GET /") }()
	for range 5 {
		if a := do(t, p, "GET /other"); a.Status != 200 {
			t.Error(summary(a))
		}
	}
	if a := <-slow; a.Status != 504 {
		t.Error(summary(a))
	}
}

func FuzzRegexTemplate(f *testing.F) {
	for _, s := range []string{"$1", "${1}x", "$$", "$", "${", "${a b}", "$1é", "$a1", "$x", "$00"} {
		f.Add("(a)(?P<x>b)", s)
	}
	f.Fuzz(func(t *testing.T, pattern, by string) {
		groups, err := luabind.CheckTemplate(pattern, by)
		if err != nil {
			return
		}
		// What passes names groups only that are there: with groups that are not empty,
		// nothing may vanish.
		re := regexp.MustCompile(pattern)
		m := make([]int, 2*(groups+1))
		for i := range m {
			m[i] = i % 2 // every group is the first byte
		}
		out := string(re.ExpandString(nil, by, "!", m))
		if want := expanded(by); out != want {
			t.Errorf("%q expands to %q, expected %q", by, out, want)
		}
	})
}

var references = regexp.MustCompile(`\$(\$|\{[\p{L}\p{Nd}_]+\}|[\p{L}\p{Nd}_]+)`)

// expanded replaces every reference by "!".
func expanded(by string) string {
	return references.ReplaceAllStringFunc(by, func(ref string) string {
		if ref == "$$" {
			return "$"
		}
		return "!"
	})
}
