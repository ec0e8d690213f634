package balance_test

import (
	"strconv"
	"strings"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"rws/server/proxy/balance"
)

func everyone(int) bool { return true }

func except(out ...int) func(int) bool {
	return func(i int) bool {
		for _, o := range out {
			if i == o {
				return false
			}
		}
		return true
	}
}

// entries are backends of these weights.
func entries(weights ...int) []balance.Entry {
	var all []balance.Entry
	for i, w := range weights {
		all = append(all, balance.Entry{State: balance.NewState("http://10.0.0." + strconv.Itoa(i) + ":80"), Weight: w})
	}
	return all
}

func same(n int) []int {
	weights := make([]int, n)
	for i := range weights {
		weights[i] = 1
	}
	return weights
}

func newSet(t testing.TB, o balance.Options, all []balance.Entry) *balance.Set {
	t.Helper()
	require.NoError(t, o.Check())
	return balance.NewSet(o, all)
}

// letters are n choices, as "ABAC".
func letters(s *balance.Set, n int, usable func(int) bool) string {
	var b strings.Builder
	for range n {
		b.WriteByte("-ABCDEFGHIJ"[s.Pick(0, usable)+1])
	}
	return b.String()
}

// shares counts who is chosen for n keys.
func shares(s *balance.Set, entries, n int, usable func(int) bool) []int {
	count := make([]int, entries)
	for k := range n {
		count[s.Pick(balance.Key(strconv.Itoa(k)), usable)]++
	}
	return count
}

func TestRoundRobinTakesTurns(t *testing.T) {
	assert.Equal(t, "ABCABC", letters(newSet(t, balance.Options{}, entries(1, 1, 1)), 6, everyone))
	assert.Equal(t, "AABACAA"+"AABACAA", letters(newSet(t, balance.Options{Policy: balance.RoundRobin}, entries(5, 1, 1)), 14, everyone))
	assert.Equal(t, "AAAAA", letters(newSet(t, balance.Options{}, entries(3)), 5, everyone))
}

func TestTheTurnOfOneThatIsDownGoesToAllOthers(t *testing.T) {
	got := letters(newSet(t, balance.Options{}, entries(1, 1, 1, 1)), 120, except(1))
	for _, who := range []string{"A", "C", "D"} {
		assert.Equal(t, 40, strings.Count(got, who), who)
	}
}

func TestNobodyIsChosenWhenNobodyMay(t *testing.T) {
	for _, p := range balance.Policies() {
		for _, weights := range [][]int{nil, {1}, {1, 1, 1}, {3, 2, 1}} {
			s := newSet(t, balance.Options{Policy: p}, entries(weights...))
			assert.Equal(t, -1, s.Pick(7, func(int) bool { return false }), "%s %v", p, weights)
			assert.Equal(t, -1, s.PickAny(func(int) bool { return false }), "%s %v", p, weights)
		}
	}
}

func TestOnlyTheUsableAreChosen(t *testing.T) {
	for _, p := range balance.Policies() {
		for _, weights := range [][]int{{1, 1, 1, 1, 1}, {9, 2, 1, 5, 1}} {
			s := newSet(t, balance.Options{Policy: p}, entries(weights...))
			for k := range uint64(300) {
				require.Equal(t, 2, s.Pick(balance.Key(strconv.FormatUint(k, 10)), except(0, 1, 3, 4)), p)
				require.Equal(t, 2, s.PickAny(except(0, 1, 3, 4)), p)
			}
		}
	}
}

func TestEveryPolicyHeedsWeights(t *testing.T) {
	const n = 20000
	for _, p := range balance.Policies() {
		t.Run(string(p), func(t *testing.T) {
			got := shares(newSet(t, balance.Options{Policy: p}, entries(1, 2, 5)), 3, n, everyone)
			for i, want := range []float64{n / 8, n / 4, n * 5 / 8} {
				assert.InEpsilon(t, want, got[i], 0.1, "%v", got)
			}
			even := shares(newSet(t, balance.Options{Policy: p}, entries(same(10)...)), 10, n, everyone)
			for _, c := range even {
				assert.InEpsilon(t, n/10, c, 0.15, "%v", even)
			}
		})
	}
}

func TestBackupsAreChosenOnlyAlone(t *testing.T) {
	for _, p := range balance.Policies() {
		all := entries(1, 1, 1, 1)
		all[0].Backup, all[3].Backup = true, true
		s := newSet(t, balance.Options{Policy: p}, all)
		for k := range uint64(100) {
			assert.Contains(t, []int{1, 2}, s.Pick(k, everyone), p)
			assert.Equal(t, 2, s.Pick(k, except(1)), p)
			assert.Contains(t, []int{0, 3}, s.Pick(k, except(1, 2)), p)
			assert.Contains(t, []int{0, 3}, s.PickAny(except(1, 2)), p)
		}
	}
}

func TestLeastConnTakesTheIdlest(t *testing.T) {
	all := entries(1, 1, 1)
	s := newSet(t, balance.Options{Policy: balance.LeastConn}, all)
	all[0].State.Begin()
	all[2].State.Begin()
	assert.Equal(t, "BBBB", letters(s, 4, everyone))
	all[1].State.Begin()
	all[1].State.Begin()
	assert.NotContains(t, letters(s, 50, everyone), "B")
	assert.NotContains(t, letters(s, 50, except(0)), "B")
}

func TestLeastConnHasTwiceAsManyForTwiceTheWeight(t *testing.T) {
	all := entries(2, 1)
	s := newSet(t, balance.Options{Policy: balance.LeastConn}, all)
	for range 90 {
		all[s.Pick(0, everyone)].State.Begin()
	}
	assert.Equal(t, int64(60), all[0].State.Active())
}

func TestP2CKeepsTheLoadNarrow(t *testing.T) {
	spread := func(p balance.Policy) int64 {
		all := entries(same(50)...)
		s := newSet(t, balance.Options{Policy: p}, all)
		most := int64(0)
		for range 50 * 40 {
			most = max(most, all[s.Pick(0, everyone)].State.Begin())
		}
		return most
	}
	assert.Less(t, spread(balance.P2C), int64(46), "two choices exceed the mean by a few")
	assert.Greater(t, spread(balance.Random), int64(46), "one choice does not: the test can tell them apart")
}

// moved is how many of n keys are elsewhere in b than in a, by name of the backend.
func moved(a, b []balance.Entry, n int, o balance.Options) int {
	one, two := balance.NewSet(o, a), balance.NewSet(o, b)
	count := 0
	for k := range n {
		key := balance.Key("user " + strconv.Itoa(k))
		if a[one.Pick(key, everyone)].State != b[two.Pick(key, everyone)].State {
			count++
		}
	}
	return count
}

func TestOneOfNThatComesOrGoesMovesOneNthOfTheKeys(t *testing.T) {
	const n = 20000
	for _, weights := range [][]int{same(3), same(10), same(100), {1, 2, 3, 4, 5, 6, 7, 8, 9, 10}} {
		all := entries(weights...)
		total, last := 0, weights[len(weights)-1]
		for _, w := range weights {
			total += w
		}
		for _, p := range []balance.Policy{balance.IPHash, balance.CookieHash} {
			got := moved(all, all[:len(all)-1], n, balance.Options{Policy: p})
			assert.InEpsilon(t, n*last/total, got, 0.15, "%d backends", len(all))
			assert.Equal(t, got, moved(all[:len(all)-1], all, n, balance.Options{Policy: p}))
		}
	}
}

func TestOnlyTheKeysOfOneThatIsDownMove(t *testing.T) {
	s := newSet(t, balance.Options{Policy: balance.HeaderHash}, entries(same(5)...))
	to := map[int]int{}
	for k := range uint64(5000) {
		key := balance.KeyBytes([]byte(strconv.FormatUint(k, 10)))
		before, after := s.Pick(key, everyone), s.Pick(key, except(3))
		if before != 3 {
			require.Equal(t, before, after)
			continue
		}
		to[after]++
	}
	assert.Len(t, to, 4, "the keys of one that is down go to all others")
}

func TestABackendHasItsKeysInEveryProcess(t *testing.T) {
	s := newSet(t, balance.Options{Policy: balance.PathHash}, entries(same(5)...))
	var got []int
	for _, path := range []string{"/", "/a", "/b", "/c", "/d", "/e"} {
		got = append(got, s.Pick(balance.Key(path), everyone))
	}
	assert.Equal(t, []int{1, 1, 1, 1, 2, 2}, got, "a change here moves the keys of every user at an update")
}

func TestABoundPassesTheKeysOfAHotBackendOn(t *testing.T) {
	all := entries(same(4)...)
	s := newSet(t, balance.Options{Policy: balance.PathHash, Bound: 1.25}, all)
	key := balance.Key("/hot")
	for range 400 {
		all[s.Pick(key, everyone)].State.Begin()
	}
	busy := 0
	for _, e := range all {
		assert.LessOrEqual(t, e.State.Active(), int64(126))
		if e.State.Active() > 0 {
			busy++
		}
	}
	assert.Equal(t, 4, busy)
	assert.Equal(t, 0, s.Pick(key, except(1, 2, 3)), "the last one is never passed over")
}

func TestSlowStartRisesInAStraightLine(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		for _, p := range []balance.Policy{balance.RoundRobin, balance.Random, balance.P2C, balance.IPHash} {
			all := entries(1, 1)
			s := newSet(t, balance.Options{Policy: p, SlowStart: time.Minute}, all)
			s.Warm(all[1].State)
			const n = 40000
			for _, c := range []struct {
				after time.Duration
				share float64 // of the weight
			}{{0, 0.1}, {3 * time.Second, 0.1}, {27 * time.Second, 0.5}, {15 * time.Second, 0.75}, {15 * time.Second, 1}, {time.Hour, 1}} {
				time.Sleep(c.after)
				want := n * c.share / (1 + c.share)
				assert.InEpsilon(t, want, shares(s, 2, n, everyone)[1], 0.1, "%s %v", p, c)
			}
		}
	})
}

func TestSlowStartGoesOnInTheNextSet(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		all := entries(1, 1)
		o := balance.Options{SlowStart: time.Minute}
		newSet(t, o, all).Warm(all[1].State)
		time.Sleep(6 * time.Second)
		assert.Equal(t, 100, shares(newSet(t, o, all), 2, 1100, everyone)[1])
	})
}

func TestWithoutSlowStartThereIsNone(t *testing.T) {
	all := entries(1, 1)
	s := newSet(t, balance.Options{}, all)
	s.Warm(all[1].State)
	assert.Equal(t, "ABAB", letters(s, 4, everyone))
}

func TestBeginBelowNeverExceedsItsLimit(t *testing.T) {
	s := balance.NewState("a")
	var wg sync.WaitGroup
	for range 8 {
		wg.Go(func() {
			for range 1000 {
				if s.BeginBelow(3) {
					assert.LessOrEqual(t, s.Active(), int64(3))
					s.End()
				}
			}
		})
	}
	wg.Wait()
	assert.Zero(t, s.Active())
}

func TestManyAtOnceShareEvenly(t *testing.T) {
	for _, weights := range [][]int{same(4), {2, 2, 2, 1}} {
		s := newSet(t, balance.Options{}, entries(weights...))
		var wg sync.WaitGroup
		var mu sync.Mutex
		count := make([]int, 4)
		for range 7 {
			wg.Go(func() {
				for range 400 {
					i := s.Pick(0, everyone)
					mu.Lock()
					count[i]++
					mu.Unlock()
				}
			})
		}
		wg.Wait()
		sum := weights[0] + weights[1] + weights[2] + weights[3]
		for i, w := range weights {
			assert.Equal(t, 7*400*w/sum, count[i])
		}
	}
}

func TestWrongOptionsTeach(t *testing.T) {
	for want, o := range map[string]balance.Options{
		`balance policy "least_con" is unknown (did you mean "least_conn"?): use one of round_robin, `: {Policy: "least_con"},
		`balance bound 0.5: give a factor of 1 to 1000`:                                                {Policy: balance.IPHash, Bound: 0.5},
		`balance bound 2 has no use with p2c`:                                                          {Policy: balance.P2C, Bound: 2},
		`slow start -1s: give a duration`:                                                              {SlowStart: -time.Second},
	} {
		assert.ErrorContains(t, o.Check(), want)
	}
	p, err := balance.ParsePolicy("")
	assert.NoError(t, err)
	assert.Equal(t, balance.RoundRobin, p)
}

func BenchmarkPick(b *testing.B) {
	for _, p := range balance.Policies() {
		for _, n := range []int{3, 100} {
			for kind, weights := range map[string][]int{"even": same(n), "weighted": append(same(n-1), 5)} {
				b.Run(string(p)+"/"+strconv.Itoa(n)+"/"+kind, func(b *testing.B) {
					s := newSet(b, balance.Options{Policy: p}, entries(weights...))
					down, key := n/2, uint64(0)
					usable := func(i int) bool { return i != down }
					b.ReportAllocs()
					for b.Loop() {
						key += 0x9e3779b97f4a7c15
						if s.Pick(key, usable) < 0 {
							b.Fatal("none")
						}
					}
				})
			}
		}
	}
}
