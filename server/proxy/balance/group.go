package balance

import (
	"math/bits"
	"math/rand/v2"
	"sync"
	"sync/atomic"
	"time"
)

// A group is the entries that are chosen among at once: those in front, or the backups.
type group struct {
	index   []int // in the entries of the set
	states  []*State
	weights []int64 // in units
	even    bool    // they are all the same
	most    int64   // the largest

	turn, spill atomic.Uint64 // of round robin
	mu          sync.Mutex
	current     []int64 // of smooth round robin; guarded by mu
}

func (g *group) add(index int, e Entry) {
	g.index = append(g.index, index)
	g.states = append(g.states, e.State)
	g.weights = append(g.weights, unit*int64(max(e.Weight, 1)))
}

func (g *group) seal() {
	g.even = true
	for _, w := range g.weights {
		g.even = g.even && w == g.weights[0]
		g.most = max(g.most, w)
	}
	g.current = make([]int64, len(g.index))
}

func (g *group) pick(o *Options, key uint64, now int64, usable func(int) bool) int {
	switch {
	case len(g.index) == 0:
		return -1
	case o.Policy.Hashes():
		return g.rendezvous(key, o.Bound, now, o.SlowStart, usable)
	case o.Policy == Random:
		return g.at(g.draw(-1, now, o.SlowStart, usable))
	case o.Policy == P2C:
		return g.two(now, o.SlowStart, usable)
	case o.Policy == LeastConn:
		return g.least(now, o.SlowStart, usable)
	case g.even && now == 0:
		return g.rotate(usable)
	}
	return g.smooth(now, o.SlowStart, usable)
}

// at turns a place in the group into the index of the entry.
func (g *group) at(k int) int {
	if k < 0 {
		return -1
	}
	return g.index[k]
}

func (g *group) weight(k int, now int64, slow time.Duration) int64 {
	if now == 0 {
		return g.weights[k]
	}
	return g.weights[k] * g.states[k].warmth(now, slow) / unit
}

// rotate takes turns among equals. The turn of one that is not usable goes to each of the others
// in turn: to its neighbour alone it would double the load there.
func (g *group) rotate(usable func(int) bool) int {
	i := g.index[(g.turn.Add(1)-1)%uint64(len(g.index))]
	if usable(i) {
		return i
	}
	left := uint64(0)
	for _, i := range g.index {
		if usable(i) {
			left++
		}
	}
	if left == 0 {
		return -1
	}
	nth := (g.spill.Add(1) - 1) % left
	last := -1
	for _, i := range g.index {
		if !usable(i) {
			continue
		}
		if last = i; nth == 0 {
			break
		}
		nth--
	}
	return last // one earlier when somebody went down meanwhile
}

// smooth is the weighted round robin of nginx: each gains its weight, the highest goes and pays
// the sum.
func (g *group) smooth(now int64, slow time.Duration, usable func(int) bool) int {
	g.mu.Lock()
	defer g.mu.Unlock()
	best, total := -1, int64(0)
	for k, i := range g.index {
		if !usable(i) {
			continue
		}
		w := g.weight(k, now, slow)
		g.current[k] += w
		total += w
		if best < 0 || g.current[k] > g.current[best] {
			best = k
		}
	}
	if best >= 0 {
		g.current[best] -= total
	}
	return g.at(best)
}

// draws is how often draw guesses before it counts.
const draws = 8

// draw chooses by lot, in proportion to the weights, but not the place not.
func (g *group) draw(not int, now int64, slow time.Duration, usable func(int) bool) int {
	for range draws {
		k := rand.IntN(len(g.index))
		if k == not || !usable(g.index[k]) {
			continue
		}
		if g.even && now == 0 || rand.Int64N(g.most) < g.weight(k, now, slow) {
			return k
		}
	}
	return g.lot(now, slow, func(k int) bool { return k != not && usable(g.index[k]) })
}

// lot chooses in proportion to the weights among the places for which in holds.
func (g *group) lot(now int64, slow time.Duration, in func(k int) bool) int {
	total := int64(0)
	for k := range g.index {
		if in(k) {
			total += g.weight(k, now, slow)
		}
	}
	if total == 0 {
		return -1
	}
	ticket, last := rand.Int64N(total), -1
	for k := range g.index {
		if !in(k) {
			continue
		}
		last = k
		if ticket -= g.weight(k, now, slow); ticket < 0 {
			break
		}
	}
	return last // before the ticket was used up when somebody went down meanwhile
}

// two draws two and takes the one with less to do.
func (g *group) two(now int64, slow time.Duration, usable func(int) bool) int {
	if len(g.index) == 0 {
		return -1
	}
	a := g.draw(-1, now, slow, usable)
	if a < 0 || len(g.index) == 1 {
		return g.at(a)
	}
	b := g.draw(a, now, slow, usable)
	if b >= 0 && g.busier(a, b, now, slow) > 0 {
		return g.at(b)
	}
	return g.at(a)
}

// busier compares the requests under way for their weight: more than 0 when a has more than b.
func (g *group) busier(a, b int, now int64, slow time.Duration) int64 {
	return g.states[a].Active()*g.weight(b, now, slow) - g.states[b].Active()*g.weight(a, now, slow)
}

// least takes the one with the least to do, by lot in proportion to the weights among equals.
func (g *group) least(now int64, slow time.Duration, usable func(int) bool) int {
	best, total := -1, int64(0)
	var active, weight int64 // of the best
	luck := rand.Uint64()
	for k, i := range g.index {
		if !usable(i) {
			continue
		}
		a, w := g.states[k].Active(), g.weight(k, now, slow)
		switch more := a*weight - active*w; {
		case best < 0, more < 0:
			best, active, weight, total = k, a, w, w
		case more == 0:
			total += w
			luck = mix(luck + 1)
			if odds, _ := bits.Mul64(luck, uint64(total)); int64(odds) < w { // rand.N, without its cost
				best, active, weight = k, a, w
			}
		}
	}
	return g.at(best)
}
