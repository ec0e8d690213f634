package health

import (
	"cmp"
	"fmt"
	"log/slog"
	"slices"
	"sync"
	"sync/atomic"
	"time"

	"rws/server/proxy/window"
)

// Defaults of OutlierOptions.
const (
	DefaultConsecutive = 5
	DefaultWindow      = 10 * time.Second
	DefaultMinimum     = 100
	DefaultEject       = 30 * time.Second
	DefaultMaxEject    = 5 * time.Minute
	DefaultMaxEjected  = 0.5
)

// OutlierOptions of [NewOutlier]. With neither Consecutive nor Failures nor Share, five failures in a
// row eject; of several that are given any one does.
type OutlierOptions struct {
	// Consecutive failures eject, without a success between them.
	Consecutive int
	// Failures within Window eject. A backend with many requests has some failures always: give it
	// a Share too, or in place of this.
	Failures int
	// Share of failures among at least Minimum requests (default 100) within Window ejects: more than 0,
	// at most 1. With Failures too, both are needed.
	Share   float64
	Minimum int
	Window  time.Duration // default 10 s
	// Eject is how long a backend gets no requests: this times the number of its ejections of late, at
	// most MaxEject. Default 30 s and 5 min. A time without ejections makes the number less by one for
	// each Eject.
	Eject, MaxEject time.Duration
	// MaxEjected is the share of the backends that may be ejected at a time, between 0 and 1; default
	// 0.5. One may be whatever the share is, and one that is up is always left.
	MaxEjected float64
	// Alone lets the only backend of a pool be ejected too, so that clients are answered at once.
	Alone bool

	// Name is of the pool, for the log and the Memory.
	Name string
	// Memory is who was ejected before; nil for nothing.
	Memory *Memory
	// OnEject hears when a backend is ejected, and false when it is back; with a lock held, so it must
	// return at once and not call anything of the Outlier.
	OnEject func(id string, ejected bool)
	Logger  *slog.Logger // default slog.Default()
}

// Outlier ejects backends whose requests fail. Safe for concurrent use; made by [NewOutlier].
type Outlier struct {
	o     OutlierOptions
	log   *slog.Logger
	hosts atomic.Pointer[map[string]*Host] // replaced as a whole
	mu    sync.Mutex                       // for what changes hosts or ejects one
}

// Host is what an Outlier knows of one backend. Kept by a caller it saves the search by name.
type Host struct {
	id      string
	outlier *Outlier

	run    atomic.Int32 // failures without a success between them
	counts *window.Counts
	until  atomic.Int64 // ejected until then, in nanoseconds of Unix time; 0 if it is not

	// Under the lock of outlier.
	gone      bool
	down      bool      // says an active check
	ejections int       // of late
	back      time.Time // when the last ended
}

// NewOutlier checks the options.
func NewOutlier(o OutlierOptions) (*Outlier, error) {
	if err := o.validate(); err != nil {
		return nil, fmt.Errorf("passive health check: %w", err)
	}
	if o.Consecutive == 0 && o.Failures == 0 && o.Share == 0 {
		o.Consecutive = DefaultConsecutive
	}
	o.Window = cmp.Or(o.Window, DefaultWindow)
	o.Minimum = cmp.Or(o.Minimum, DefaultMinimum)
	o.Eject = cmp.Or(o.Eject, DefaultEject)
	o.MaxEject = max(cmp.Or(o.MaxEject, DefaultMaxEject), o.Eject)
	o.MaxEjected = cmp.Or(o.MaxEjected, DefaultMaxEjected)
	o.Logger = cmp.Or(o.Logger, slog.Default())
	outlier := &Outlier{o: o, log: o.Logger.With(slog.String("pool", o.Name))}
	outlier.hosts.Store(&map[string]*Host{})
	return outlier, nil
}

func (o OutlierOptions) validate() error {
	switch {
	case o.Consecutive < 0 || o.Failures < 0 || o.Minimum < 0:
		return fmt.Errorf("consecutive (%d), failures (%d) and minimum (%d) must not be negative", o.Consecutive, o.Failures, o.Minimum)
	case o.Share < 0 || o.Share > 1:
		return fmt.Errorf("the share of failures is %v: must be between 0 and 1", o.Share)
	case o.MaxEjected < 0 || o.MaxEjected > 1:
		return fmt.Errorf("the share of backends that may be ejected is %v: must be between 0 and 1", o.MaxEjected)
	case o.MaxEject > 0 && o.MaxEject < cmp.Or(o.Eject, DefaultEject):
		return fmt.Errorf("the longest ejection, %v, is shorter than the first, %v: give less to the first too", o.MaxEject, cmp.Or(o.Eject, DefaultEject))
	case o.Window < 0 || o.Eject < 0 || o.MaxEject < 0:
		return fmt.Errorf("window (%v), eject (%v) and its maximum (%v) must not be negative", o.Window, o.Eject, o.MaxEject)
	}
	return nil
}

// Update names all backends of the pool. What is known of those that were there before is kept.
func (o *Outlier) Update(ids []string) {
	o.mu.Lock()
	defer o.mu.Unlock()
	old := *o.hosts.Load()
	next := make(map[string]*Host, len(ids))
	var fresh []*Host
	for _, id := range ids {
		h := old[id]
		if h == nil {
			h = o.newHost(id)
			fresh = append(fresh, h)
		}
		next[id] = h
	}
	for id, h := range old {
		h.gone = next[id] == nil
	}
	o.hosts.Store(&next)
	for _, h := range fresh {
		o.recall(h)
	}
}

// recall goes on with the ejection of a host that the memory knows. mu is held.
func (o *Outlier) recall(h *Host) {
	known, now := o.o.Memory.loadEjection(o.key(h)), time.Now()
	h.ejections, h.back = known.ejections, known.back
	if known.until.After(now) && o.mayEject(h, now) {
		h.until.Store(known.until.UnixNano())
	}
}

// key is what a backend of this pool is remembered by.
func (o *Outlier) key(h *Host) string { return fmt.Sprintf("%q", []string{o.o.Name, h.id}) }

func (o *Outlier) newHost(id string) *Host {
	h := &Host{id: id, outlier: o}
	if o.o.Failures > 0 || o.o.Share > 0 {
		h.counts = window.New(o.o.Window)
	}
	return h
}

// Host returns a backend that Update has named, nil for another. A nil Host takes reports and is never
// ejected.
func (o *Outlier) Host(id string) *Host { return (*o.hosts.Load())[id] }

// Report is [Host.Report] by name.
func (o *Outlier) Report(id string, failed bool) { o.Host(id).Report(failed) }

// Ejected is [Host.Ejected] by name.
func (o *Outlier) Ejected(id string) bool { return o.Host(id).Ejected() }

// Report takes in the result of a request. What a client has done wrong is not to be reported, and
// neither is a request that was called off.
func (h *Host) Report(failed bool) {
	switch {
	case h == nil || h.until.Load() != 0: // or of a request from before the ejection
	case failed:
		h.failed()
	default:
		h.succeeded()
	}
}

// succeeded writes only what is not so already, as most requests of most backends succeed.
func (h *Host) succeeded() {
	if h.counts != nil {
		h.counts.Add(false)
	}
	if h.run.Load() != 0 {
		h.run.Store(0)
	}
}

func (h *Host) failed() {
	run := int(h.run.Add(1))
	if h.counts != nil {
		h.counts.Add(true)
	}
	if why, n := h.why(run); why != "" {
		h.outlier.eject(h, why, n)
	}
}

// why says what ejects a host, if anything does, and the number of failures.
func (h *Host) why(run int) (string, int) {
	o := &h.outlier.o
	if o.Consecutive > 0 && run >= o.Consecutive {
		return "failures in a row", run
	}
	if h.counts == nil {
		return "", 0
	}
	all, failed := h.counts.Sum()
	if o.Failures > 0 && failed < o.Failures {
		return "", 0
	}
	if o.Share > 0 && (all < o.Minimum || float64(failed) < o.Share*float64(all)) {
		return "", 0
	}
	if o.Share > 0 {
		return "share of failures", failed
	}
	return "failures", failed
}

// eject ejects a host unless too many are already.
func (o *Outlier) eject(h *Host, why string, failures int) {
	o.mu.Lock()
	defer o.mu.Unlock()
	now := time.Now()
	if h.gone || h.until.Load() != 0 || !o.mayEject(h, now) {
		return
	}
	h.forgive(now, o.o.Eject)
	h.ejections++
	span := min(o.o.Eject*time.Duration(h.ejections), o.o.MaxEject)
	until := now.Add(span)
	h.until.Store(until.UnixNano())
	h.forget()
	o.o.Memory.saveEjection(o.key(h), ejection{until: until, ejections: h.ejections, back: h.back})
	o.log.Warn("backend is ejected", slog.String("backend", h.id), slog.String("why", why),
		slog.Int("failures", failures), slog.Duration("for", span), slog.Int("ejections", h.ejections))
	o.notify(h, true)
}

// mayEject counts who is left.
func (o *Outlier) mayEject(h *Host, now time.Time) bool {
	hosts := *o.hosts.Load()
	if len(hosts) == 1 {
		return o.o.Alone
	}
	out, left := 0, 0
	for _, other := range hosts {
		switch {
		case other.ejectedAt(now):
			out++
		case other != h && !other.down:
			left++
		}
	}
	allowed := max(1, int(o.o.MaxEjected*float64(len(hosts))))
	return left > 0 && out < allowed
}

// forgive lowers the number of ejections for the time that went well since the last.
func (h *Host) forgive(now time.Time, each time.Duration) {
	if !h.back.IsZero() {
		h.ejections = max(0, h.ejections-int(now.Sub(h.back)/each))
	}
}

// forget starts to count anew.
func (h *Host) forget() {
	h.run.Store(0)
	if h.counts != nil {
		h.counts.Reset()
	}
}

// Ejected reports whether the backend is to get no requests.
func (h *Host) Ejected() bool {
	if h == nil {
		return false
	}
	until := h.until.Load()
	if until == 0 {
		return false
	}
	if time.Now().UnixNano() < until {
		return true
	}
	h.outlier.release(h, "the time is over")
	return false
}

func (h *Host) ejectedAt(now time.Time) bool { return h.until.Load() > now.UnixNano() }

// release takes back an ejection that there may be.
func (o *Outlier) release(h *Host, why string) {
	o.mu.Lock()
	defer o.mu.Unlock()
	until := h.until.Load()
	if until == 0 {
		return
	}
	h.back = time.Unix(0, min(until, time.Now().UnixNano()))
	h.forget()
	h.until.Store(0)
	o.o.Memory.saveEjection(o.key(h), ejection{ejections: h.ejections, back: h.back})
	o.log.Info("backend is no longer ejected", slog.String("backend", h.id), slog.String("why", why))
	o.notify(h, false)
}

func (o *Outlier) notify(h *Host, ejected bool) {
	if o.o.OnEject != nil {
		o.o.OnEject(h.id, ejected)
	}
}

// Mark takes in what active checks think of a backend: one that is down is not among those that must
// be left.
func (o *Outlier) Mark(id string, down bool) {
	o.mu.Lock()
	defer o.mu.Unlock()
	if h := o.Host(id); h != nil {
		h.down = down
	}
}

// Revive takes back the ejection of a backend, as when an active check of it has succeeded.
func (o *Outlier) Revive(id string) {
	if h := o.Host(id); h != nil && h.until.Load() != 0 {
		o.release(h, "a health check succeeded")
	}
}

// OutlierStatus is what is known of a backend.
type OutlierStatus struct {
	ID                 string
	Ejected            bool
	Until              time.Time // of the ejection
	Ejections          int       // of late
	Consecutive        int       // failures in a row now
	Requests, Failures int       // within the window; 0 without one
}

// Status returns what is known of all backends, by name.
func (o *Outlier) Status() []OutlierStatus {
	o.mu.Lock()
	defer o.mu.Unlock()
	now := time.Now()
	hosts := *o.hosts.Load()
	list := make([]OutlierStatus, 0, len(hosts))
	for _, h := range hosts {
		list = append(list, h.status(now))
	}
	slices.SortFunc(list, func(a, b OutlierStatus) int { return cmp.Compare(a.ID, b.ID) })
	return list
}

func (h *Host) status(now time.Time) OutlierStatus {
	s := OutlierStatus{ID: h.id, Ejected: h.ejectedAt(now), Ejections: h.ejections, Consecutive: int(h.run.Load())}
	if s.Ejected {
		s.Until = time.Unix(0, h.until.Load())
	}
	if h.counts != nil {
		s.Requests, s.Failures = h.counts.Sum()
	}
	return s
}
