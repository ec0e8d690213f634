package balance

import (
	"math"
	"time"

	"github.com/cespare/xxhash/v2"
)

// Key is the key of a text, the same in every process.
func Key(s string) uint64 { return mix(xxhash.Sum64String(s)) }

// KeyBytes is the key of bytes.
func KeyBytes(b []byte) uint64 { return mix(xxhash.Sum64(b)) }

// mix spreads every bit over all (the end of SplitMix64).
func mix(x uint64) uint64 {
	x ^= x >> 30
	x *= 0xbf58476d1ce4e5b9
	x ^= x >> 27
	x *= 0x94d049bb133111eb
	return x ^ x>>31
}

// rendezvous takes the entry that scores highest with the key (highest random weight hashing).
// With a bound, those with too much to do are passed over.
func (g *group) rendezvous(key uint64, bound float64, now int64, slow time.Duration, usable func(int) bool) int {
	limit := g.limit(bound, usable)
	best := g.top(key, limit, now, slow, usable)
	if best < 0 && bound != 0 { // they filled up meanwhile
		return g.top(key, math.MaxInt64, now, slow, usable)
	}
	return best
}

func (g *group) top(key uint64, limit, now int64, slow time.Duration, usable func(int) bool) int {
	if g.even && now == 0 {
		return g.highest(key, limit, usable)
	}
	best, top := -1, 0.0
	var bits uint64 // of the best
	var heavy int64
	for k, i := range g.index {
		h, w := mix(key^g.states[k].hash), g.weight(k, now, slow)
		if best >= 0 && h <= bits && w <= heavy || g.states[k].Active() >= limit || !usable(i) {
			continue // the first: it cannot win, without a logarithm
		}
		if score := weighted(h, w); best < 0 || score > top {
			best, top, bits, heavy = i, score, h, w
		}
	}
	return best
}

// highest is top among equal weights, where comparing the bits gives the same order.
func (g *group) highest(key uint64, limit int64, usable func(int) bool) int {
	best, top := -1, uint64(0)
	for k, i := range g.index {
		if score := mix(key ^ g.states[k].hash); (best < 0 || score > top) && g.states[k].Active() < limit && usable(i) {
			best, top = i, score
		}
	}
	return best
}

// weighted turns a hash into a score that wins in proportion to the weight: -w / ln(u) with u
// between 0 and 1 (Schindelhauer and Schomaker, 2005).
func weighted(hash uint64, weight int64) float64 {
	u := (float64(hash>>11) + 0.5) / (1 << 53)
	return -float64(weight) / math.Log(u)
}

// limit is how many requests an entry may have under way before it is passed over: bound times
// the mean, the new request counted in, rounded up, so that never all are.
func (g *group) limit(bound float64, usable func(int) bool) int64 {
	if bound == 0 {
		return math.MaxInt64
	}
	total, n := int64(1), 0
	for k, i := range g.index {
		if usable(i) {
			total += g.states[k].Active()
			n++
		}
	}
	if n == 0 {
		return math.MaxInt64
	}
	return int64(math.Ceil(bound * float64(total) / float64(n)))
}
