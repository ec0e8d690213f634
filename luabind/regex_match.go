package luabind

import (
	"context"
	"regexp"

	lua "github.com/yuin/gopher-lua"

	"rws/luabind/bind"
	"rws/luabind/fault"
	"rws/luabind/vm"
)

// A match takes at the most as many steps as the text has bytes times the steps of the pattern,
// some 10 ns each. Finding all matches may take the square of the text.
const (
	// maxText bounds the text of an expression: 8 MB.
	maxText = 8 << 20
	// maxSteps bounds the steps of one match to some 3 s: the 8 MB are for patterns of up to
	// 32 steps, and half for twice as many.
	maxSteps = maxText * 32
	// maxHeld is how many steps of one match are taken with the lock held, 10 ms, and
	// maxHeldAll those of all matches, of which it is very rare that they are taken at all.
	maxHeld    = 1_000_000
	maxHeldAll = 20_000_000
)

// A regex is a compiled expression.
type regex struct {
	*regexp.Regexp
	steps int // instructions of its program
}

// work calls f with the lock released when the text is long for the pattern; of a text that is
// too long it raises.
func (re *regex) work(L *lua.LState, name, text string, hold bool, f func(ctx context.Context) error) {
	if limit := min(maxText, maxSteps/re.steps); len(text) > limit {
		fault.Raisef(L, "too_large", "%s: the text has %d bytes; this pattern takes at most %d: work on the text in pieces", name, len(text), limit)
	}
	var err error
	if hold {
		err = f(context.Background())
	} else {
		err = vm.Wait(L, f)
	}
	if err != nil {
		bind.Raise(L, name, err)
	}
}

// short reports whether one match may keep the lock, and whether finding all may.
func (re *regex) short(text string) (one, all bool) {
	n := min(len(text), maxText)
	return re.steps*n <= maxHeld, re.steps*n*(n/2+1) <= maxHeldAll
}

// first is the first match and its groups, as FindStringSubmatchIndex has them.
func (re *regex) first(L *lua.LState, name, text string) (m []int) {
	short, _ := re.short(text)
	re.work(L, name, text, short, func(context.Context) error {
		m = re.FindStringSubmatchIndex(text)
		return nil
	})
	return m
}

// all finds every match, or raises when there are too many to hold.
func (re *regex) all(L *lua.LState, name, text string) (all [][]int) {
	_, short := re.short(text)
	re.work(L, name, text, short, func(ctx context.Context) error {
		if !short {
			if err := rehearse(ctx, re.Regexp, text); err != nil {
				return err
			}
		}
		if all = re.FindAllStringSubmatchIndex(text, maxMatches+1); len(all) > maxMatches {
			return bind.Errorf("too_large", "more than %d matches; work on the text in pieces", maxMatches)
		}
		return nil
	})
	return all
}

// rehearse goes through the matches until ctx ends, and returns its cause then. Finding all
// matches can't be interrupted, and takes as long.
func rehearse(ctx context.Context, re *regexp.Regexp, text string) (err error) {
	stop := new(struct{ byte })
	defer func() {
		if v := recover(); v != nil {
			if v != stop {
				panic(v)
			}
			err = context.Cause(ctx)
		}
	}()
	matches := 0
	re.ReplaceAllStringFunc(text, func(string) string {
		if matches++; ctx.Err() != nil || matches > maxMatches {
			panic(stop)
		}
		return ""
	})
	return nil
}
