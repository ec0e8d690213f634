// Package balance chooses which of several backends takes the next request.
//
// A [Set] chooses among its entries by a [Policy] and waits for nothing. Who may be chosen is the
// caller's to say, for each request: a backend that is down, full or was tried already is left out,
// and its share goes evenly to the others.
package balance

import (
	"fmt"
	"math"
	"strings"
	"sync/atomic"
	"time"

	"rws/server/suggest"
)

// A Policy is a way to choose.
type Policy string

// The policies. Each heeds weights.
const (
	// RoundRobin takes turns, the smooth way: with weights 5, 1, 1 as A A B A C A A. The default.
	RoundRobin Policy = "round_robin"
	// WeightedRoundRobin is another name for RoundRobin.
	WeightedRoundRobin Policy = "weighted_round_robin"
	// Random draws one.
	Random Policy = "random"
	// P2C draws two and takes the one with fewer requests under way for its weight.
	P2C Policy = "p2c"
	// LeastConn takes the one with the fewest requests under way for its weight, by lot among equals.
	LeastConn Policy = "least_conn"
	// The hash policies give equal keys to equal backends, by rendezvous hashing: when one of n
	// comes or goes, the keys of that one move, about 1/n, and no others. They differ in what the
	// caller makes the key of.
	IPHash     Policy = "ip_hash"
	HeaderHash Policy = "header_hash"
	CookieHash Policy = "cookie_hash"
	PathHash   Policy = "path_hash"
)

// Policies lists them.
func Policies() []Policy {
	return []Policy{RoundRobin, WeightedRoundRobin, Random, P2C, LeastConn, IPHash, HeaderHash, CookieHash, PathHash}
}

// ParsePolicy finds a policy by its name; "" is [RoundRobin].
func ParsePolicy(name string) (Policy, error) {
	if name == "" {
		return RoundRobin, nil
	}
	var names []string
	for _, p := range Policies() {
		if string(p) == name {
			return p, nil
		}
		names = append(names, string(p))
	}
	return "", fmt.Errorf("balance policy %q is unknown%s: use one of %s", name, suggest.DidYouMean(name, names), strings.Join(names, ", "))
}

// Hashes says whether the policy goes by a key.
func (p Policy) Hashes() bool {
	return p == IPHash || p == HeaderHash || p == CookieHash || p == PathHash
}

// Options of a set. The zero value is round robin.
type Options struct {
	Policy Policy
	// Bound, with a hash policy, is how many times the mean of requests under way a backend may
	// have before its keys pass on to their next choice, as 1.25; 0 means that there is no bound.
	// Less than 1 is an error.
	Bound float64
	// SlowStart is how long a backend that came up takes to reach its weight, from a tenth of it,
	// in a straight line; 0 gives it all at once.
	SlowStart time.Duration
}

// Check says what is wrong with the options.
func (o Options) Check() error {
	if _, err := ParsePolicy(string(o.Policy)); err != nil {
		return err
	}
	switch {
	case o.Bound != 0 && !(o.Bound >= 1 && o.Bound <= 1000):
		return fmt.Errorf("balance bound %v: give a factor of 1 to 1000, as 1.25, or 0 for none", o.Bound)
	case o.Bound != 0 && !o.Policy.Hashes():
		return fmt.Errorf("balance bound %v has no use with %s: only hash policies have one", o.Bound, o.Policy)
	case o.SlowStart < 0:
		return fmt.Errorf("slow start %v: give a duration, or 0 for none", o.SlowStart)
	}
	return nil
}

// An Entry is one backend of a set.
type Entry struct {
	State  *State
	Weight int  // share among the others; less than 1 means 1
	Backup bool // chosen only when no other may be
}

// A Set chooses among entries that do not change; when they do, another set with the same
// [State]s takes over. Safe for concurrent use; made by [NewSet].
type Set struct {
	o              Options
	first, backups group
	warm           atomic.Int64 // until when some entry is in its slow start, in Unix ns; 0 for none
}

// NewSet makes a set. The options were checked before.
func NewSet(o Options, entries []Entry) *Set {
	s := &Set{o: o}
	for i, e := range entries {
		if e.Backup {
			s.backups.add(i, e)
		} else {
			s.first.add(i, e)
		}
	}
	s.first.seal()
	s.backups.seal()
	for _, e := range entries {
		s.stayWarm(e.State.since.Load())
	}
	return s
}

// Pick chooses an entry and returns its index, or -1 when none may be chosen. The key is for hash
// policies; see [Key]. usable says whether the entry of an index may be chosen; it should be quick,
// and may be asked again for the same.
func (s *Set) Pick(key uint64, usable func(i int) bool) int {
	now := s.clock()
	if i := s.first.pick(&s.o, key, now, usable); i >= 0 {
		return i
	}
	return s.backups.pick(&s.o, key, now, usable)
}

// PickAny is Pick for a request that has no key: hash policies draw as [P2C] does.
func (s *Set) PickAny(usable func(i int) bool) int {
	if !s.o.Policy.Hashes() {
		return s.Pick(0, usable)
	}
	now := s.clock()
	if i := s.first.two(now, s.o.SlowStart, usable); i >= 0 {
		return i
	}
	return s.backups.two(now, s.o.SlowStart, usable)
}

// Warm begins the slow start of an entry that came up.
func (s *Set) Warm(st *State) {
	if s.o.SlowStart <= 0 {
		return
	}
	since := time.Now().UnixNano()
	st.since.Store(since)
	s.stayWarm(since)
}

func (s *Set) stayWarm(since int64) {
	if since == 0 || s.o.SlowStart <= 0 {
		return
	}
	until := since + int64(s.o.SlowStart)
	for {
		old := s.warm.Load()
		if old >= until || s.warm.CompareAndSwap(old, until) {
			return
		}
	}
}

// clock is the time in Unix ns, or 0 when no entry is in its slow start: it costs more than a choice.
func (s *Set) clock() int64 {
	until := s.warm.Load()
	if until == 0 {
		return 0
	}
	now := time.Now().UnixNano()
	if now < until {
		return now
	}
	s.warm.CompareAndSwap(until, 0)
	return 0
}

// A State is what a backend keeps from set to set. Make it with [NewState].
type State struct {
	hash   uint64
	active atomic.Int64
	since  atomic.Int64 // when it came up, in Unix ns; 0 for long ago
}

// NewState makes the state of the backend of that name. The name decides which keys it gets, in
// this process and in any other.
func NewState(name string) *State { return &State{hash: Key(name)} }

// Active is how many requests are under way.
func (s *State) Active() int64 { return s.active.Load() }

// Begin counts a request that begins and returns how many are under way with it.
func (s *State) Begin() int64 { return s.active.Add(1) }

// BeginBelow counts a request that begins unless limit are under way.
func (s *State) BeginBelow(limit int64) bool {
	for {
		n := s.active.Load()
		if n >= limit {
			return false
		}
		if s.active.CompareAndSwap(n, n+1) {
			return true
		}
	}
}

// End counts a request that ended and returns how many are still under way.
func (s *State) End() int64 { return s.active.Add(-1) }

// unit is the weight 1 inside: fine enough for the steps of a slow start.
const unit = 100

// warmth is the part of its weight that an entry has, of unit.
func (s *State) warmth(now int64, slow time.Duration) int64 {
	since := s.since.Load()
	if since == 0 {
		return unit
	}
	return min(unit, max(unit/10, int64(math.Round(unit*float64(now-since)/float64(slow)))))
}
