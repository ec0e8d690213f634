package httpcache

import (
	"container/list"
	"net/http"
	"slices"
	"strings"
	"sync"
)

// store keeps entries, bound by bytes. What was asked for only once goes first (segmented LRU), so
// that somebody who runs through a million addresses does not push out what everybody reads.
//
// It is our own because invalidation needs indexes by path and by tag that agree with what is
// there at any moment, and libraries evict in the background.
type store struct {
	mu        sync.Mutex
	limit     int64
	bytes     int64
	evictions int64
	keys      map[string]*resource
	paths     map[string]map[*resource]struct{} // by key without the query
	tags      map[string]map[*resource]int      // how many entries have the tag
	probation list.List                         // of *resource, the latest first
	protected list.List                         // asked for again
	safe      int64                             // bytes in protected
}

// resource is all that is kept under one key.
type resource struct {
	key, path string
	entries   []*entry // the latest first
	bytes     int64
	protected bool
	at        *list.Element
}

func newStore(limit int64) *store {
	return &store{limit: limit, keys: map[string]*resource{}, paths: map[string]map[*resource]struct{}{}, tags: map[string]map[*resource]int{}}
}

// find returns the entry for a request, nil if there is none, and counts as use.
func (s *store) find(p place, r *http.Request) *entry {
	s.mu.Lock()
	defer s.mu.Unlock()
	res := s.keys[string(p.key)]
	if res == nil {
		return nil
	}
	for _, e := range res.entries {
		if e.matches(r, p.spelling) {
			s.touch(res)
			return e
		}
	}
	return nil
}

// vary names the headers that the latest answer under a key depends on.
func (s *store) vary(key []byte) []string {
	s.mu.Lock()
	defer s.mu.Unlock()
	if res := s.keys[string(key)]; res != nil && len(res.entries) > 0 {
		return res.entries[0].vary
	}
	return nil
}

// touch moves a resource to the front; one that is asked for again becomes protected.
func (s *store) touch(res *resource) {
	if res.protected {
		s.protected.MoveToFront(res.at)
		return
	}
	s.probation.Remove(res.at)
	res.protected, res.at = true, s.protected.PushFront(res)
	for s.safe += res.bytes; s.safe > s.limit/5*4; {
		last := s.protected.Remove(s.protected.Back()).(*resource)
		s.safe -= last.bytes
		last.protected, last.at = false, s.probation.PushFront(last)
	}
}

// put stores e in place of what it replaces: the entry for the same request.
func (s *store) put(key string, path int, e *entry, r *http.Request) {
	s.mu.Lock()
	defer s.mu.Unlock()
	res := s.keys[key]
	if res == nil {
		res = &resource{key: key, path: key[:path], bytes: int64(2*len(key)) + 256}
		res.at = s.probation.PushFront(res)
		s.keys[key] = res
		if s.paths[res.path] == nil {
			s.paths[res.path] = map[*resource]struct{}{}
		}
		s.paths[res.path][res] = struct{}{}
		s.bytes += res.bytes
	}
	res.entries = slices.DeleteFunc(slices.Clone(res.entries), func(old *entry) bool {
		gone := old.matches(r, e.spelling)
		if gone {
			s.forget(res, old)
		}
		return gone
	})
	res.entries = slices.Insert(res.entries, 0, e)
	s.count(res, e.size())
	for _, tag := range e.tags {
		if s.tags[tag] == nil {
			s.tags[tag] = map[*resource]int{}
		}
		s.tags[tag][res]++
	}
	if n := len(res.entries); n > maxVariants {
		s.forget(res, res.entries[n-1])
		res.entries = res.entries[:n-1]
	}
	s.shrink()
}

// count adds to what a resource takes up.
func (s *store) count(res *resource, n int64) {
	res.bytes += n
	s.bytes += n
	if res.protected {
		s.safe += n
	}
}

// forget takes an entry out of the books.
func (s *store) forget(res *resource, e *entry) {
	s.count(res, -e.size())
	for _, tag := range e.tags {
		if s.tags[tag][res]--; s.tags[tag][res] <= 0 {
			delete(s.tags[tag], res)
		}
		if len(s.tags[tag]) == 0 {
			delete(s.tags, tag)
		}
	}
}

// shrink makes room.
func (s *store) shrink() {
	for s.bytes > s.limit {
		last := s.probation.Back()
		if last == nil {
			last = s.protected.Back()
		}
		res := last.Value.(*resource)
		s.evictions += int64(len(res.entries))
		s.remove(res)
	}
}

// remove takes a resource out, and returns how many entries it had.
func (s *store) remove(res *resource) int {
	n := len(res.entries)
	for _, e := range res.entries {
		s.forget(res, e)
	}
	if res.protected {
		s.protected.Remove(res.at)
		s.safe -= res.bytes
	} else {
		s.probation.Remove(res.at)
	}
	s.bytes -= res.bytes
	delete(s.keys, res.key)
	delete(s.paths[res.path], res)
	if len(s.paths[res.path]) == 0 {
		delete(s.paths, res.path)
	}
	return n
}

// drop removes one entry, if it is still there.
func (s *store) drop(key string, e *entry) {
	s.mu.Lock()
	defer s.mu.Unlock()
	res := s.keys[key]
	if res == nil || !slices.Contains(res.entries, e) {
		return
	}
	if len(res.entries) == 1 {
		s.remove(res)
		return
	}
	s.forget(res, e)
	res.entries = slices.DeleteFunc(slices.Clone(res.entries), func(old *entry) bool { return old == e })
}

// dropPath removes what is kept for a path, with whatever query.
func (s *store) dropPath(path string) (n int) {
	s.mu.Lock()
	defer s.mu.Unlock()
	for res := range s.paths[path] {
		n += s.remove(res)
	}
	return n
}

// dropTags removes what has one of the tags.
func (s *store) dropTags(tags []string) (n int) {
	s.mu.Lock()
	defer s.mu.Unlock()
	for _, tag := range tags {
		for res := range s.tags[tag] {
			n += s.remove(res)
		}
	}
	return n
}

// dropAll removes what want says.
func (s *store) dropAll(want func(key, path string) bool) (n int) {
	s.mu.Lock()
	defer s.mu.Unlock()
	for _, res := range s.keys {
		if want(res.key, res.path) {
			n += s.remove(res)
		}
	}
	return n
}

// usage counts entries and bytes.
func (s *store) usage() (entries, bytes, evictions int64) {
	s.mu.Lock()
	defer s.mu.Unlock()
	for _, res := range s.keys {
		entries += int64(len(res.entries))
	}
	return entries, s.bytes, s.evictions
}

// afterHost cuts scheme and host off a key.
func afterHost(key string) string {
	_, rest, _ := strings.Cut(key, "://")
	if at := strings.IndexByte(rest, '/'); at >= 0 {
		return rest[at:]
	}
	return ""
}
