package health_test

import (
	"context"
	"testing"
	"testing/synctest"
	"time"

	"github.com/stretchr/testify/assert"

	"rws/server/proxy/health"
)

// A reload goes on with what was known, and with the checks in a row: one that fails then decides nothing.
func TestAReloadForgetsNothing(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		memory := health.NewMemory()
		o := health.Options{Check: exact, Name: "api", Memory: memory}
		old := newWard(t, o, "up", "sick", "down")
		old.set("down", errSick)
		old.Start(t.Context())
		time.Sleep(9 * time.Second)
		old.set("sick", errSick)
		time.Sleep(time.Second + 2*time.Second) // its first failure and the second
		synctest.Wait()
		old.Close()

		next := newWard(t, o, "up", "sick", "down")
		assert.True(t, next.Up("up"))
		assert.False(t, next.Up("down"), "known before any check")
		next.set("up", errSick)
		next.set("sick", errSick)
		next.set("down", nil)
		next.Start(t.Context())
		defer next.Close()
		synctest.Wait()
		assert.True(t, next.Up("up"), "one failure of three")
		assert.False(t, next.Up("sick"), "the third failure in a row")
		assert.False(t, next.Up("down"), "one success of two")
		time.Sleep(2 * time.Second)
		synctest.Wait()
		assert.True(t, next.Up("down"))
	})
}

// What was found out by another question, for another pool, or long ago, says nothing.
func TestWhatIsNotRemembered(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		o := health.Options{Check: exact, Name: "api", Memory: health.NewMemory()}
		old := newWard(t, o, "a")
		old.set("a", errSick)
		old.Start(t.Context())
		synctest.Wait()
		old.Close()
		known := func(o health.Options) bool {
			w := newWard(t, o, "a")
			defer w.Close()
			return !w.Up("a")
		}
		assert.True(t, known(o))
		other := o
		other.Check.Path = "/healthz"
		assert.False(t, known(other), "another question")
		other = o
		other.Name = "shop"
		assert.False(t, known(other), "another pool")
		time.Sleep(time.Minute)
		assert.False(t, known(o), "too long ago")
	})
}

func TestTheTimeOfACheckIsNotLongerThanTheTimeBetweenTwo(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		w := newWard(t, health.Options{Check: health.Check{Every: 300 * time.Millisecond, Jitter: -1, Probe: func(ctx context.Context, _ health.Target) error { <-ctx.Done(); return ctx.Err() }}}, "a")
		w.Start(t.Context())
		defer w.Close()
		time.Sleep(301 * time.Millisecond)
		synctest.Wait()
		assert.False(t, w.Up("a"), "it took longer than 300 ms")
	})
}

// Who is ejected stays so, as long as it was to be, and the next time longer; where that would leave nobody,
// or in another pool, nobody is.
func TestAReloadKeepsWhoIsEjected(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		o := health.OutlierOptions{Name: "api", Memory: health.NewMemory()}
		old, _ := outlier(t, o, "a", "b", "c")
		report(old, "a", 5)
		time.Sleep(20 * time.Second)

		next, log := outlier(t, o, "a", "b", "c")
		assert.Equal(t, []string{"a"}, ejected(next))
		alone, _ := outlier(t, o, "a")
		assert.Empty(t, ejected(alone))
		other := o
		other.Name = "web"
		stranger, _ := outlier(t, other, "a", "b", "c")
		assert.Empty(t, ejected(stranger))

		time.Sleep(10 * time.Second)
		assert.False(t, next.Ejected("a"))
		report(next, "a", 5)
		assert.Contains(t, log.String(), "for=1m0s ejections=2")
		next.Revive("a")
		third, _ := outlier(t, o, "a", "b", "c")
		assert.Empty(t, ejected(third), "it was back")
	})
}
