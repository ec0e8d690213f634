package flood

import "slices"

// recent are the last streams that were reset: more than may be open at a time, so that one whose frames
// are still under way is among them.
type recent struct {
	streams []uint32
	next    int
}

const remembered = 256

// add reports whether the stream was there before.
func (r *recent) add(stream uint32) bool {
	if slices.Contains(r.streams, stream) {
		return true
	}
	if len(r.streams) < remembered {
		r.streams = append(r.streams, stream)
		return false
	}
	r.streams[r.next] = stream
	r.next = (r.next + 1) % remembered
	return false
}
