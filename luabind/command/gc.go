package command

import (
	"context"
	"os"
	"runtime/debug"
	"runtime/metrics"
	"time"
)

// A small heap is collected too often with Go's default: at 4 MB live, a sixth of the
// processor went to it. So it may grow to five times its size, up to smallHeap; beyond,
// Go's default holds.
const (
	smallHeap   = 16 << 20
	smallGrowth = 400
	growth      = 100
)

// tuneGC keeps the collector at the growth that suits the heap. The variable GOGC, when it
// is set, is obeyed instead.
func tuneGC(ctx context.Context) {
	if os.Getenv("GOGC") != "" {
		return
	}
	now := smallGrowth
	debug.SetGCPercent(now)
	go func() {
		ticker := time.NewTicker(time.Second)
		defer ticker.Stop()
		live := []metrics.Sample{{Name: "/gc/heap/live:bytes"}}
		for {
			select {
			case <-ctx.Done():
				return
			case <-ticker.C:
			}
			metrics.Read(live)
			want := growth
			if live[0].Value.Uint64() < smallHeap {
				want = smallGrowth
			}
			if want != now {
				now = want
				debug.SetGCPercent(now)
			}
		}
	}()
}
