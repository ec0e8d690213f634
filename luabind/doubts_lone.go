package luabind

import (
	"fmt"
	"slices"
	"strings"

	lua "github.com/yuin/gopher-lua"

	"rws/luabind/fault"
)

// count is how many backends there are, 0 where that is not known before something has been asked.
func (r reach) count() int {
	if r.asked {
		return 0
	}
	return len(r.places)
}

// loneDoubts are about what a single backend has no use for.
func (u *Upstream) loneDoubts() (list []*fault.Error) {
	if u.reach.count() != 1 {
		return nil
	}
	if u.options.SlowStart != 0 {
		list = append(list, doubt(u.source, fmt.Sprintf("slow_start: %q has one backend, which gets all requests at once anyhow", u.pool.Name()), "name more backends, or leave slow_start out"))
	}
	passive := u.options.Passive == lua.LTrue
	if t, ok := u.options.Passive.(*lua.LTable); ok {
		passive = t.RawGetString("alone") != lua.LTrue
	}
	if passive {
		list = append(list, doubt(u.source, fmt.Sprintf("passive: %q has one backend, which is never put out", u.pool.Name()), "name more backends, or say passive = { alone = true }"))
	}
	return list
}

// hedgeDoubts are about backends to ask that there are not.
func (x *proxied) hedgeDoubts() []*fault.Error {
	n, most := x.upstream.reach.count(), max(x.hedge.Most, 1)
	switch {
	case x.hedge.After == 0 || n == 0 || most < n:
		return nil
	case n == 1:
		return []*fault.Error{doubt(x.route.source, fmt.Sprintf("hedge: %q has one backend, and there is no other to ask", x.upstream.pool.Name()), "name more backends, or leave hedge out")}
	}
	return []*fault.Error{doubt(x.route.source, fmt.Sprintf("hedge: most is %d, and %q has %d further backends", most, x.upstream.pool.Name(), n-1), fmt.Sprintf("say most = %d, or less", n-1))}
}

// vainRetry doubts what is said of repetitions where there are none. Hedges go by some of it.
func (o *poolOptions) vainRetry(at string, hedged bool) []*fault.Error {
	once := o.Retries != nil && *o.Retries == 0
	r := o.Retry
	if r == nil || hedged || !once && (r.Tries == nil || *r.Tries != 1) {
		return nil
	}
	var vain []string
	for name, said := range map[string]bool{"on": r.On != nil, "methods": r.Methods != nil, "budget": r.Budget != nil, "backoff": r.Backoff != nil, "max_replay": r.MaxReplay != nil} {
		if said {
			vain = append(vain, name)
		}
	}
	if len(vain) == 0 {
		return nil
	}
	slices.Sort(vain)
	what := strings.Join(vain, ", ")
	return []*fault.Error{doubt(at, fmt.Sprintf("retry: a request is sent once, and nothing comes of %s", what), "say tries = 2 or more, or leave out "+what)}
}
