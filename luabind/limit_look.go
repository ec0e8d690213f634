package luabind

import (
	"fmt"
	"maps"
	"slices"

	"rws/luabind/fault"
	"rws/server/db"
)

// limitPlace is who asked for a store of limits first.
type limitPlace struct{ at, option string }

// placeOfLimit names the option that named a store: the one of the limit at a place of the script, or,
// with "", the setting.
func (p *Program) placeOfLimit(at, store string) limitPlace {
	if store == "" {
		return limitPlace{at, "the setting limits.store"}
	}
	option := `option "store"`
	return limitPlace{p.states[0].placeOf(at, fmt.Errorf("%s: %s", option, store)), option}
}

// fault is that a store can't be opened.
func (l limitPlace) fault(url string, err error) *fault.Error {
	return &fault.Error{Code: "option", At: l.at, Cause: err,
		Message: fmt.Sprintf("rws.rate_limit: %s: opening the store of limits %s: %s", l.option, shownURL(url), err)}
}

// limitFiles are the stores of limits that are files.
func (p *Program) limitFiles() map[string]*lateLimits {
	p.stores.mu.Lock()
	defer p.stores.mu.Unlock()
	files := maps.Clone(p.stores.limits)
	maps.DeleteFunc(files, func(url string, _ *lateLimits) bool { return !p.placeOf(url).isSQLite() })
	return files
}

// LookAtFiles says which files could not be opened at the start, without making one: those of limits, and
// certificates.
func (p *Program) LookAtFiles() (faults []*fault.Error) {
	stores := p.limitFiles()
	for _, url := range slices.Sorted(maps.Keys(stores)) {
		path := p.placeOf(url).path
		if path == "" {
			continue // in memory
		}
		if err := db.LookAtSQLite(path); err != nil {
			faults = append(faults, stores[url].place.fault(url, err))
		}
	}
	return append(faults, p.lookAtCertificates()...)
}
