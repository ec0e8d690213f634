package luabind

import (
	"context"
	"errors"
	"fmt"
	"regexp"
	"regexp/syntax"
	"strconv"
	"strings"
	"sync"
	"unicode"
	"unicode/utf8"

	lua "github.com/yuin/gopher-lua"

	"rws/luabind/bind"
	"rws/luabind/fault"
	"rws/luabind/vm"
)

const regexType = "rws.Regex"

const (
	// maxRegexes is how many compiled expressions are kept.
	maxRegexes = 256
	// maxPattern bounds a pattern, in bytes.
	maxPattern = 16 << 10
	// maxProgram bounds what a pattern compiles to: 10,000 instructions of 40 bytes. Each
	// may have to be looked at for each byte of the text, and a{1000} has 1,000 of them.
	maxProgram = 10_000
	// maxMatches bounds the matches of one call: each takes some 50 bytes.
	maxMatches = 1_000_000
)

// A regexCache keeps compiled expressions. When it is full it starts anew: scripts have few
// patterns, unless they make them of input, and then none is worth keeping.
type regexCache struct {
	mu   sync.Mutex
	kept map[string]*regex
}

var regexes = regexCache{kept: make(map[string]*regex)}

func (c *regexCache) compile(pattern string) (*regex, error) {
	c.mu.Lock()
	re := c.kept[pattern]
	c.mu.Unlock()
	if re != nil {
		return re, nil
	}
	steps, err := checkPattern(pattern)
	if err != nil {
		return nil, err
	}
	made, err := regexp.Compile(pattern)
	if err != nil {
		return nil, patternError(pattern, err)
	}
	re = &regex{made, steps}
	c.mu.Lock()
	defer c.mu.Unlock()
	if len(c.kept) >= maxRegexes {
		clear(c.kept)
	}
	c.kept[pattern] = re
	return re, nil
}

// checkPattern refuses patterns that are wrong or too large, and returns how many steps the
// others have.
func checkPattern(pattern string) (steps int, err error) {
	if len(pattern) > maxPattern {
		return 0, bind.Errorf("pattern", "the pattern has %d bytes; at most %d are taken", len(pattern), maxPattern)
	}
	tree, err := syntax.Parse(pattern, syntax.Perl)
	if err != nil {
		return 0, patternError(pattern, err)
	}
	program, err := syntax.Compile(tree.Simplify())
	if err != nil {
		return 0, patternError(pattern, err)
	}
	n := len(program.Inst)
	if n > maxProgram {
		return 0, bind.Errorf("pattern", "the pattern takes %d steps, more than %d; make the counts in its braces smaller", n, maxProgram)
	}
	return n, nil
}

// patternError says what is wrong where.
func patternError(pattern string, err error) error {
	bad, ok := errors.AsType[*syntax.Error](err)
	if !ok {
		return bind.Errorf("pattern", "%w", err)
	}
	at := ""
	if i := strings.Index(pattern, bad.Expr); i >= 0 && bad.Expr != pattern {
		at = fmt.Sprintf(" at character %d (%s)", utf8.RuneCountInString(pattern[:i])+1, strconv.Quote(bad.Expr))
	}
	return bind.Errorf("pattern", "%s%s in %q%s", bad.Code, at, pattern, patternHint(bad.Expr))
}

// patternHint explains what other engines have and RE2 has not.
func patternHint(expr string) string {
	switch {
	case strings.HasPrefix(expr, "(?=") || strings.HasPrefix(expr, "(?!") || strings.HasPrefix(expr, "(?<=") || strings.HasPrefix(expr, "(?<!"):
		return "; there is no looking ahead or behind, because it can take for ever: match more and capture the part you want"
	case len(expr) == 2 && expr[0] == '\\' && expr[1] >= '1' && expr[1] <= '9':
		return "; there are no back-references, because they can take for ever: capture twice and compare in Lua"
	case expr == `\`:
		return "; write a pattern in [[…]], where Lua leaves backslashes alone"
	}
	return ""
}

// regexFuncs is the function rws.regex.
func regexFuncs() []bind.Func {
	return []bind.Func{bind.Call1("regex(pattern)", func(pattern string) (bind.Pusher, error) {
		re, err := regexes.compile(pattern)
		return func(L *lua.LState) int {
			L.Push(bind.New(L, regexType, re))
			return 1
		}, err
	})}
}

// regexOfType describes what rws.regex returns.
func regexOfType() bind.Type {
	return bind.Type{
		Name: regexType, As: "regex",
		Fields: map[string]func(*lua.LState, any) lua.LValue{
			"pattern": func(_ *lua.LState, self any) lua.LValue { return lua.LString(self.(*regex).String()) },
		},
		Methods: []bind.Func{
			bind.RawWaitMethod("test(text)", regexTest),
			bind.RawWaitMethod("match(text)", regexMatch),
			bind.RawWaitMethod("find(text)", regexFind),
			bind.RawWaitMethod("groups(text)", regexGroups),
			bind.RawWaitMethod("gmatch(text)", regexGmatch),
			bind.RawWaitMethod("replace(text, by)", regexReplace),
			bind.RawWaitMethod("split(text)", regexSplit),
		},
		String: func(self any) string { return self.(*regex).String() },
	}
}

// pushCaptures pushes the groups of a match, or all of it when the pattern has none. A group
// that took no part is "": a nil would look like no match.
func pushCaptures(L *lua.LState, text string, m []int) int {
	from := 2
	if len(m) == 2 {
		from = 0
	}
	for i := from; i < len(m); i += 2 {
		L.Push(lua.LString(group(text, m, i/2)))
	}
	return (len(m) - from) / 2
}

// group returns group n of a match.
func group(text string, m []int, n int) string {
	if m[2*n] < 0 {
		return ""
	}
	return text[m[2*n]:m[2*n+1]]
}

func regexTest(L *lua.LState, re *regex) int {
	text := bind.Arg[string](L, "regex:test", 2)
	found := false
	short, _ := re.short(text)
	re.work(L, "regex:test", text, short, func(context.Context) error {
		found = re.MatchString(text)
		return nil
	})
	L.Push(lua.LBool(found))
	return 1
}

func regexMatch(L *lua.LState, re *regex) int {
	text := bind.Arg[string](L, "regex:match", 2)
	m := re.first(L, "regex:match", text)
	if m == nil {
		L.Push(lua.LNil)
		return 1
	}
	return pushCaptures(L, text, m)
}

// regexFind returns the first and the last byte of the match, from 1, and the captures.
func regexFind(L *lua.LState, re *regex) int {
	text := bind.Arg[string](L, "regex:find", 2)
	m := re.first(L, "regex:find", text)
	if m == nil {
		L.Push(lua.LNil)
		return 1
	}
	L.Push(lua.LNumber(m[0] + 1))
	L.Push(lua.LNumber(m[1]))
	if len(m) == 2 {
		return 2
	}
	return 2 + pushCaptures(L, text, m)
}

// regexGroups returns the named groups that took part, nil without a match.
func regexGroups(L *lua.LState, re *regex) int {
	text := bind.Arg[string](L, "regex:groups", 2)
	m := re.first(L, "regex:groups", text)
	if m == nil {
		L.Push(lua.LNil)
		return 1
	}
	t := fresh(L, L.NewTable())
	for n, name := range re.SubexpNames() {
		if name != "" && m[2*n] >= 0 {
			t.RawSetString(name, lua.LString(group(text, m, n)))
		}
	}
	L.Push(t)
	return 1
}

func regexGmatch(L *lua.LState, re *regex) int {
	text := bind.Arg[string](L, "regex:gmatch", 2)
	all := re.all(L, "regex:gmatch", text)
	L.Push(L.NewFunction(func(L *lua.LState) int {
		if len(all) == 0 {
			L.Push(lua.LNil)
			return 1
		}
		m := all[0]
		all = all[1:]
		return pushCaptures(L, text, m)
	}))
	return 1
}

// regexReplace replaces every match by a text, in which $1 and ${name} stand for groups, or
// by what a function makes of the captures; nil and false keep the match.
func regexReplace(L *lua.LState, re *regex) int {
	const name = "regex:replace"
	text := bind.Arg[string](L, name, 2)
	var expand func(dst []byte, m []int) []byte
	switch by := L.Get(3).(type) {
	case lua.LString:
		if err := checkTemplate(string(by), re.Regexp); err != nil {
			bind.ArgError(L, name, 2, "%s", err)
		}
		groups := strings.Count(string(by), "$")
		expand = func(dst []byte, m []int) []byte {
			if len(dst)+groups*(m[1]-m[0]) > vm.MaxString { // as many bytes as the groups may have
				tooLong(L, name)
			}
			return re.ExpandString(dst, string(by), text, m)
		}
	case *lua.LFunction:
		expand = func(dst []byte, m []int) []byte { return replaceBy(L, dst, by, text, m) }
	default:
		bind.ArgError(L, name, 2, "a string or a function expected, got %s", by.Type())
	}
	var out []byte
	end := 0
	for _, m := range re.all(L, name, text) {
		out = append(out, text[end:m[0]]...)
		out = expand(out, m)
		end = m[1]
		if len(out) > vm.MaxString {
			tooLong(L, name)
		}
	}
	L.Push(lua.LString(append(out, text[end:]...)))
	return 1
}

func tooLong(L *lua.LState, name string) {
	fault.Raisef(L, "too_large", "%s: the result is longer than %d MB", name, vm.MaxString>>20)
}

// replaceBy appends what fn makes of a match.
func replaceBy(L *lua.LState, dst []byte, fn *lua.LFunction, text string, m []int) []byte {
	L.Push(fn)
	n := pushCaptures(L, text, m)
	vm.CallBack(L, n, 1)
	v := L.Get(-1)
	L.Pop(1)
	switch v := v.(type) {
	case lua.LString, lua.LNumber:
		return append(dst, v.String()...)
	case *lua.LNilType:
		return append(dst, text[m[0]:m[1]]...)
	case lua.LBool:
		if !v {
			return append(dst, text[m[0]:m[1]]...)
		}
	}
	fault.Raisef(L, "argument", "regex:replace: the function returned a %s; a string, or nil to keep the match, was expected", v.Type())
	return nil
}

// checkTemplate reports a reference to a group that the expression does not have, for which
// Go's Expand silently puts nothing.
func checkTemplate(by string, re *regexp.Regexp) error {
	for rest := by; ; {
		i := strings.IndexByte(rest, '$')
		if i < 0 {
			return nil
		}
		rest = rest[i+1:]
		if strings.HasPrefix(rest, "$") {
			rest = rest[1:]
			continue
		}
		name := reference(rest)
		if name == "" {
			return fmt.Errorf("a \"$\" that names no group in %q: write $1, ${name}, or $$ for the sign itself", by)
		}
		if n, err := strconv.Atoi(name); err == nil && n <= re.NumSubexp() && strconv.Itoa(n) == name || re.SubexpIndex(name) >= 0 {
			continue
		}
		hint := didYouMean(name, re.SubexpNames())
		if digits := name[:len(name)-len(strings.TrimLeft(name, "0123456789"))]; digits != "" && digits != name {
			hint = fmt.Sprintf("; if group %s was meant, write ${%s}", digits, digits)
		}
		return fmt.Errorf("%q names the group %q, but the pattern has %d groups%s", by, name, re.NumSubexp(), hint)
	}
}

// reference returns the name of a group as Go's Expand reads it.
func reference(s string) string {
	if inner, ok := strings.CutPrefix(s, "{"); ok {
		name, _, closed := strings.Cut(inner, "}")
		if !closed || strings.IndexFunc(name, notWord) >= 0 {
			return ""
		}
		return name
	}
	if end := strings.IndexFunc(s, notWord); end >= 0 {
		s = s[:end]
	}
	return s
}

func notWord(r rune) bool { return r != '_' && !unicode.IsLetter(r) && !unicode.IsDigit(r) }

// regexSplit returns what is between the matches. As with regexp.Split, an empty match at the
// beginning or the end is none.
func regexSplit(L *lua.LState, re *regex) int {
	text := bind.Arg[string](L, "regex:split", 2)
	list := L.NewTable()
	begin, end := 0, 0
	for _, m := range re.all(L, "regex:split", text) {
		if end = m[0]; m[1] != 0 {
			list.Append(lua.LString(text[begin:end]))
			begin = m[1]
		}
	}
	if end != len(text) || text == "" && re.String() != "" {
		list.Append(lua.LString(text[begin:]))
	}
	L.Push(bind.MarkArray(L, list))
	return 1
}
