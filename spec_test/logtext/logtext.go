// Package logtext keeps what a program or a logger writes, for a test that reads it meanwhile.
//
// Only tests import this package, and it imports nothing of rws.
package logtext

import (
	"bytes"
	"strings"
	"sync"
)

// Buffer is a text that grows at its end. The zero value is empty and ready; it may be embedded and must not
// be copied. Safe for concurrent use.
type Buffer struct {
	mu   sync.Mutex
	text bytes.Buffer
}

// Write implements [io.Writer]; it never fails. What is written at once stands together.
func (b *Buffer) Write(p []byte) (int, error) {
	b.mu.Lock()
	defer b.mu.Unlock()
	return b.text.Write(p)
}

// String is what was written so far.
func (b *Buffer) String() string {
	b.mu.Lock()
	defer b.mu.Unlock()
	return b.text.String()
}

// Contains reports whether part was written so far.
func (b *Buffer) Contains(part string) bool { return strings.Contains(b.String(), part) }
