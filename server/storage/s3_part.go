package storage

import (
	"context"
	"io"
	"sync"

	"golang.org/x/sync/semaphore"
)

const (
	// UploadMemory is how many bytes all uploads to S3 of a process hold on their way at most: 64 parts. More
	// of them wait, and do not read meanwhile. The first 256 KB of an upload do not count.
	UploadMemory = 64 * PartSize
	// firstPart is what a part begins with, and smallPart to which size it grows with what arrives, and counts
	// for nothing.
	firstPart = 4 << 10
	smallPart = 256 << 10
)

// uploads is shared by all stores: a reload has two of each for a while.
var uploads = semaphore.NewWeighted(UploadMemory)

// parts keeps buffers of PartSize.
var parts = sync.Pool{New: func() any { b := make([]byte, PartSize); return &b }}

// A part is some bytes of an upload, in memory that is counted.
type part struct {
	content []byte
	memory  *semaphore.Weighted
	held    int64
	pooled  *[]byte
}

// readPart reads size bytes; fewer are the end. known is how many are to come as far as it is known, 0 for
// unknown: memory is taken as bytes arrive, and for no more than these.
func readPart(ctx context.Context, memory *semaphore.Weighted, from io.Reader, size, known int64) (*part, error) {
	p := &part{memory: memory, content: make([]byte, 0, min(firstPart, size))}
	for int64(len(p.content)) < size {
		if len(p.content) == cap(p.content) {
			if err := p.grow(ctx, size, known); err != nil {
				p.release()
				return nil, err
			}
		}
		n, err := from.Read(p.content[len(p.content):cap(p.content)])
		p.content = p.content[:len(p.content)+n]
		if err == io.EOF {
			break
		}
		if err != nil {
			p.release()
			return nil, err
		}
	}
	return p, nil
}

// grow makes room for more. It waits for memory while it holds none, so that uploads cannot wait for each
// other.
func (p *part) grow(ctx context.Context, size, known int64) error {
	old := int64(cap(p.content))
	if next := min(4*old, size); next <= smallPart {
		p.move(make([]byte, next))
		return nil
	}
	next := size
	if known > old && known < size {
		next = known + 1 // for the read that finds the end
	}
	p.giveBack()
	p.held = min(next, UploadMemory)
	if err := p.memory.Acquire(ctx, p.held); err != nil {
		p.held = 0
		return context.Cause(ctx)
	}
	if next == PartSize {
		buffer := parts.Get().(*[]byte)
		p.move(*buffer)
		p.pooled = buffer
		return nil
	}
	p.move(make([]byte, next))
	return nil
}

func (p *part) move(to []byte) { p.content = to[:copy(to, p.content)] }

func (p *part) giveBack() {
	if p.held > 0 {
		p.memory.Release(p.held)
		p.held = 0
	}
}

// release gives the memory back.
func (p *part) release() {
	p.giveBack()
	p.content, p.pooled = nil, nil
}

// sent is release after a request. The buffer of one that failed may still be read by the network, and is not
// used again.
func (p *part) sent(err error) {
	if p.pooled != nil && err == nil {
		parts.Put(p.pooled)
	}
	p.release()
}
