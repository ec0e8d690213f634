package upstream

import (
	"time"

	"rws/server/proxy/breaker"
	"rws/server/proxy/discover"
	"rws/server/proxy/health"
	"rws/server/proxy/transport"
)

// BackendStatus is how one backend is.
type BackendStatus struct {
	Name   string
	Host   string // as it is called; see Backend.URL
	Weight int
	Backup bool
	// State is "up", or why it gets no requests: [Down], [Ejected], [Open], [Full] or [Drained].
	State    string
	Active   int    // requests under way
	Requests uint64 // that ended
	Failures uint64 // by fault of the backend

	LastFailed time.Time // zero for never
	LastFault  string    // what happened then

	Health  *health.Status        // nil without active checks
	Passive *health.OutlierStatus // nil without passive ones
	Breaker *breaker.Status       // nil without breakers
	Conns   transport.Stats       // zero where a maker made the connections
}

// Status says how each backend is, in the order of the targets.
func (p *Pool) Status() []BackendStatus {
	s := p.now.Load()
	all := make([]BackendStatus, len(s.backends))
	at := make(map[string]*BackendStatus, len(all))
	for i, b := range s.backends {
		all[i] = b.status()
		all[i].Weight, all[i].Backup = s.places[i].weight, s.places[i].backup
		at[b.name] = &all[i]
	}
	p.addJudgements(at)
	return all
}

func (b *Backend) status() BackendStatus {
	s := BackendStatus{
		Name: b.name, Host: b.url.Host, State: string(b.hindrance()),
		Active: int(b.load.Active()), Requests: b.requests.Load(), Failures: b.failures.Load(),
	}
	if s.State == "" {
		s.State = "up"
	}
	if f := b.fault.Load(); f != nil {
		s.LastFailed, s.LastFault = f.at, f.text
	}
	if t, ok := b.rt.(interface{ Stats() transport.Stats }); ok {
		s.Conns = t.Stats()
	}
	return s
}

func (p *Pool) addJudgements(at map[string]*BackendStatus) {
	if p.monitor != nil {
		for _, h := range p.monitor.Status() {
			if s := at[h.ID]; s != nil {
				s.Health = &h
			}
		}
	}
	if p.outlier != nil {
		for _, o := range p.outlier.Status() {
			if s := at[o.ID]; s != nil {
				s.Passive = &o
			}
		}
	}
	if p.breakers != nil {
		for _, b := range p.breakers.Status() {
			if s := at[b.Name]; s != nil {
				s.Breaker = &b
			}
		}
	}
}

// Sources says how the sources of backends are.
func (p *Pool) Sources() []discover.Status {
	p.mu.Lock()
	defer p.mu.Unlock()
	var all []discover.Status
	for _, f := range p.feeds {
		if f.follower != nil {
			all = append(all, f.follower.Status())
		} else {
			all = append(all, discover.Status{Source: f.source.String()})
		}
	}
	return all
}
