package upstream_test

import (
	"context"
	"sync"
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"rws/server/proxy/upstream"
)

func lease(t testing.TB, p *upstream.Pool) *upstream.Lease {
	t.Helper()
	l, err := p.Pick(get(), nil)
	require.NoError(t, err)
	return l
}

func TestAFullBackendIsPassedOver(t *testing.T) {
	p := pool(t, upstream.Options{Targets: targets("http://a", "http://b"), Limits: upstream.Limits{PerBackend: 1, Wait: -1}})
	first, second := lease(t, p), lease(t, p)
	assert.NotEqual(t, first.Backend, second.Backend)
	e := noBackend(t, p, upstream.Full)
	assert.Zero(t, e.Waited)
	first.Done(upstream.Outcome{})
	assert.Equal(t, first.Backend.Name(), pick(t, p, get()))
	second.Done(upstream.Outcome{})
}

func TestRequestsThatShareConnectionsAreNotCounted(t *testing.T) {
	p := pool(t, upstream.Options{Targets: targets("h2c://a"), Limits: upstream.Limits{PerBackend: 1, Wait: -1}})
	first, second := lease(t, p), lease(t, p)
	first.Done(upstream.Outcome{})
	second.Done(upstream.Outcome{})
}

func TestWhenAllAreFullARequestWaitsForTheFirstThatIsFree(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		p := pool(t, upstream.Options{Targets: targets("http://a", "http://b"), Limits: upstream.Limits{PerBackend: 1}})
		a, b := lease(t, p), lease(t, p)
		start := time.Now()
		time.AfterFunc(300*time.Millisecond, func() { b.Done(upstream.Outcome{}) })
		l := lease(t, p)
		assert.Equal(t, b.Backend, l.Backend)
		assert.Equal(t, 300*time.Millisecond, time.Since(start))
		e := noBackend(t, p, upstream.Full)
		assert.Equal(t, time.Second, e.Waited)
		assert.ErrorContains(t, e, "full for 1s; http://a:80 is full; http://b:80 is full")
		l.Done(upstream.Outcome{})
		a.Done(upstream.Outcome{})
	})
}

func TestTheFirstInLineIsServedFirst(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		p := pool(t, upstream.Options{Targets: targets("http://a"), Limits: upstream.Limits{PerBackend: 1, Wait: time.Minute}})
		l := lease(t, p)
		var mu sync.Mutex
		var order []int
		for i := range 5 {
			go func() {
				l, err := p.Pick(get(), nil)
				if !assert.NoError(t, err) {
					return
				}
				mu.Lock()
				order = append(order, i)
				mu.Unlock()
				l.Done(upstream.Outcome{})
			}()
			synctest.Wait()
		}
		l.Done(upstream.Outcome{})
		synctest.Wait()
		mu.Lock()
		defer mu.Unlock()
		assert.Equal(t, []int{0, 1, 2, 3, 4}, order)
	})
}

func TestWhoComesLaterIsNotServedSooner(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		p := pool(t, upstream.Options{Targets: targets("http://a"), Limits: upstream.Limits{PerBackend: 1}})
		l := lease(t, p)
		got := make(chan *upstream.Lease)
		go func() {
			l, err := p.Pick(get(), nil)
			assert.NoError(t, err)
			got <- l
		}()
		synctest.Wait()
		l.Done(upstream.Outcome{})
		assert.Equal(t, 1, p.Status()[0].Active, "the place was handed on before anybody could take it")
		noBackend(t, p, upstream.Full)
		next := <-got
		require.NotNil(t, next)
		next.Done(upstream.Outcome{})
		assert.Zero(t, p.Status()[0].Active)
	})
}

func TestAPlaceThatTheFirstCannotUseGoesToTheNext(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		p := pool(t, upstream.Options{Targets: targets("http://a", "http://b"), Limits: upstream.Limits{PerBackend: 1, Wait: time.Minute}})
		x, y := lease(t, p), lease(t, p)
		var picky, easy atomic.Pointer[upstream.Lease]
		go func() {
			l, err := p.Pick(get(), []*upstream.Backend{x.Backend})
			assert.NoError(t, err)
			picky.Store(l)
		}()
		synctest.Wait()
		go func() {
			l, err := p.Pick(get(), nil)
			assert.NoError(t, err)
			easy.Store(l)
		}()
		synctest.Wait()
		x.Done(upstream.Outcome{})
		synctest.Wait()
		assert.Nil(t, picky.Load())
		require.NotNil(t, easy.Load(), "the second in line takes what the first cannot")
		y.Done(upstream.Outcome{})
		synctest.Wait()
		require.NotNil(t, picky.Load())
		picky.Load().Done(upstream.Outcome{})
		easy.Load().Done(upstream.Outcome{})
	})
}

func TestThePlaceOfABackendThatIsToRestIsNotHandedOn(t *testing.T) {
	for name, rest := range map[string]func(p *upstream.Pool, b *upstream.Backend) error{
		"drained": func(p *upstream.Pool, b *upstream.Backend) error { return p.Drain(b.Name(), true) },
		"removed": func(p *upstream.Pool, b *upstream.Backend) error { return p.Update(targets("http://b")) },
	} {
		t.Run(name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				p := pool(t, upstream.Options{Targets: targets("http://a", "http://b"), Limits: upstream.Limits{PerBackend: 1, Wait: time.Minute}})
				a, b := lease(t, p), lease(t, p)
				require.Equal(t, "http://a:80", a.Backend.Name())
				got := make(chan string, 1)
				go func() { got <- pick(t, p, get()) }()
				synctest.Wait()
				require.NoError(t, rest(p, a.Backend))
				synctest.Wait()
				a.Done(upstream.Outcome{})
				synctest.Wait()
				require.Empty(t, got)
				b.Done(upstream.Outcome{})
				assert.Equal(t, "http://b:80", <-got)
			})
		})
	}
}

func TestTheLineHasAnEnd(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		p := pool(t, upstream.Options{Targets: targets("http://a"), Limits: upstream.Limits{PerBackend: 1, Waiting: 2}})
		l := lease(t, p)
		done := make(chan error)
		for range 2 {
			go func() {
				_, err := p.Pick(get(), nil)
				done <- err
			}()
		}
		synctest.Wait()
		start := time.Now()
		noBackend(t, p, upstream.Full)
		assert.Zero(t, time.Since(start), "the third is told at once")
		assert.ErrorIs(t, <-done, upstream.ErrNoBackend)
		assert.ErrorIs(t, <-done, upstream.ErrNoBackend)
		l.Done(upstream.Outcome{})
	})
}

func TestAClientThatLeavesLeavesTheLine(t *testing.T) {
	p := pool(t, upstream.Options{Targets: targets("http://a"), Limits: upstream.Limits{PerBackend: 1, Wait: time.Minute}})
	l := lease(t, p)
	ctx, cancel := context.WithCancel(t.Context())
	done := make(chan error)
	go func() {
		_, err := p.Pick(get().WithContext(ctx), nil)
		done <- err
	}()
	cancel()
	err := <-done
	assert.ErrorIs(t, err, context.Canceled)
	assert.NotErrorIs(t, err, upstream.ErrNoBackend)
	l.Done(upstream.Outcome{})
}

func TestChangesOfThePoolReachThoseWhoWait(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		p := pool(t, upstream.Options{Targets: targets("http://a"), Limits: upstream.Limits{PerBackend: 1, Wait: time.Minute}})
		l := lease(t, p)
		defer l.Done(upstream.Outcome{})
		got := make(chan string)
		go func() { got <- pick(t, p, get()) }()
		synctest.Wait()
		require.NoError(t, p.Update(targets("http://a", "http://b")))
		assert.Equal(t, "http://b:80", <-got)

		held := lease(t, p)
		defer held.Done(upstream.Outcome{})
		failed := make(chan error)
		go func() {
			_, err := p.Pick(get(), nil)
			failed <- err
		}()
		synctest.Wait()
		require.NoError(t, p.Close())
		assert.ErrorContains(t, <-failed, "closed")
	})
}

func TestManyShareFewPlacesAndNobodyIsForgotten(t *testing.T) {
	p := pool(t, upstream.Options{Targets: targets("http://a", "http://b", "http://c"), Limits: upstream.Limits{PerBackend: 2, Wait: 20 * time.Second}})
	var wg sync.WaitGroup
	var under, most atomic.Int64
	for range 60 {
		wg.Go(func() {
			for range 100 {
				l, err := p.Pick(get(), nil)
				if !assert.NoError(t, err) {
					return
				}
				n := under.Add(1)
				for old := most.Load(); n > old && !most.CompareAndSwap(old, n); old = most.Load() {
				}
				under.Add(-1)
				l.Done(upstream.Outcome{Kind: upstream.Success})
			}
		})
	}
	wg.Wait()
	assert.LessOrEqual(t, most.Load(), int64(6))
	for _, s := range p.Status() {
		assert.Zero(t, s.Active)
	}
}
