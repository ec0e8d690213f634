package luabind

import (
	"slices"
	"strings"
	"sync"
)

// A ledger adds counts up over reloads: those of programs that have ended stay, for what the present one still
// has. So no counter goes back while requests of the program before come to their end.
type ledger struct {
	mu     sync.Mutex
	ended  map[string]float64 // by tally.key
	living []*Program         // that have begun, the present one last
}

// A tally is one count of a program.
type tally struct {
	name   string // of the metric
	labels []string
	count  float64
}

func (t *tally) key() string { return t.name + "\xff" + strings.Join(t.labels, "\xff") }

// begin makes p the present program.
func (k *kept) begin(p *Program) {
	k.ledger.mu.Lock()
	defer k.ledger.mu.Unlock()
	k.ledger.living = append(k.ledger.living, p)
	k.present.Store(p)
}

// end keeps the counts of a program that is closed. If it was the present one, that is the one before again.
func (k *kept) end(p *Program) {
	l := &k.ledger
	l.mu.Lock()
	defer l.mu.Unlock()
	i := slices.Index(l.living, p)
	if i < 0 {
		return
	}
	l.living = slices.Delete(l.living, i, i+1)
	l.keep(p)
	if n := len(l.living); n > 0 {
		k.present.Store(l.living[n-1])
	}
}

// keep adds the counts of p to those of programs that have ended. What the present program knows nothing of is
// forgotten: backends come and go for ever.
func (l *ledger) keep(p *Program) {
	if len(l.living) == 0 {
		l.ended = nil
		return
	}
	sums := map[string]float64{}
	for _, t := range l.living[len(l.living)-1].counts() {
		sums[t.key()] = l.ended[t.key()]
	}
	for _, t := range p.counts() {
		if _, known := sums[t.key()]; known {
			sums[t.key()] += t.count
		}
	}
	l.ended = sums
}

// read returns the counts of the present program, with those of the ones before, and how its backends are.
func (l *ledger) read() ([]tally, []poolState) {
	l.mu.Lock()
	defer l.mu.Unlock()
	if len(l.living) == 0 {
		return nil, nil
	}
	last := len(l.living) - 1
	before := map[string]float64{}
	for _, p := range l.living[:last] {
		for _, t := range p.counts() {
			before[t.key()] += t.count
		}
	}
	pools := l.living[last].poolStates()
	list := l.living[last].tallies(pools)
	for i := range list {
		key := list[i].key()
		list[i].count += l.ended[key] + before[key]
	}
	return list, pools
}
