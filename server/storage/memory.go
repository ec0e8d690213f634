package storage

import (
	"bytes"
	"context"
	"crypto/sha256"
	"fmt"
	"io"
	"maps"
	"slices"
	"strings"
	"sync"
	"time"
)

// DefaultMemory is how many bytes a Memory holds.
const DefaultMemory = 64 << 20

// Memory keeps files in memory, for tests and to try things: they are gone when the process ends.
type Memory struct {
	most int64

	mu    sync.RWMutex
	files map[string]*memoryFile
	size  int64 // of all files
	under int64 // of what is being put
}

type memoryFile struct {
	Info
	content []byte
}

// NewMemory returns a store that holds this many bytes, with those of files on their way; 0 means [DefaultMemory].
func NewMemory(size int64) *Memory {
	if size <= 0 {
		size = DefaultMemory
	}
	return &Memory{most: size, files: make(map[string]*memoryFile)}
}

// String implements [Store].
func (m *Memory) String() string { return "memory:" }

// Close implements [Store].
func (m *Memory) Close() error { return nil }

// Put implements [Store].
func (m *Memory) Put(ctx context.Context, key string, r io.Reader, o PutOptions) error {
	return named(m.put(ctx, key, r, o), "put", key, m.String())
}

func (m *Memory) put(ctx context.Context, key string, r io.Reader, o PutOptions) error {
	if err := o.check(key); err != nil {
		return err
	}
	from := &source{ctx: ctx, r: r}
	way := &room{m: m, key: key, r: from}
	defer way.leave()
	content, err := io.ReadAll(way)
	if from.err != nil {
		return from.failure()
	}
	if err != nil {
		return err
	}
	sum := sha256.Sum256(content)
	f := &memoryFile{content: content, Info: Info{
		Key: key, Size: int64(len(content)), ContentType: o.ContentType, Metadata: sameMetadata(o.Metadata),
		ETag: fmt.Sprintf(`"%x"`, sum[:16]), Modified: time.Now(),
	}}
	return m.keep(f, way)
}

// A room counts the bytes of a file on its way against the limit, in place of the file that it replaces.
type room struct {
	m     *Memory
	key   string
	r     io.Reader
	taken int64
}

// Read implements [io.Reader].
func (r *room) Read(p []byte) (int, error) {
	n, err := r.r.Read(p)
	r.m.mu.Lock()
	defer r.m.mu.Unlock()
	r.taken += int64(n)
	r.m.under += int64(n)
	if full := r.m.check(r.key, 0); full != nil {
		return n, full
	}
	return n, err
}

func (r *room) leave() {
	r.m.mu.Lock()
	defer r.m.mu.Unlock()
	r.m.under -= r.taken
}

// check refuses more than the store holds, with so many bytes more in place of a key.
func (m *Memory) check(key string, more int64) error {
	size := m.size + m.under + more
	if old := m.files[key]; old != nil {
		size -= old.Size
	}
	if size > m.most {
		return &Error{Code: CodeTooLarge, Message: fmt.Sprintf("this store holds %d bytes in all, with those on their way; it takes more by memory:?size=…, and a store that is a folder or a bucket has no such limit", m.most)}
	}
	return nil
}

// keep puts a file in its place, and frees what was taken for it on its way.
func (m *Memory) keep(f *memoryFile, way *room) error {
	m.mu.Lock()
	defer m.mu.Unlock()
	if err := m.check(f.Key, f.Size-way.taken); err != nil {
		return err
	}
	if old := m.files[f.Key]; old != nil {
		m.size -= old.Size
	}
	m.files[f.Key] = f
	m.size += f.Size
	m.under -= way.taken
	way.taken = 0
	return nil
}

func (m *Memory) find(key string) (*memoryFile, error) {
	if err := CheckKey(key); err != nil {
		return nil, err
	}
	m.mu.RLock()
	defer m.mu.RUnlock()
	if f := m.files[key]; f != nil {
		return f, nil
	}
	return nil, notFound(nil)
}

func notFound(cause error) error {
	return &Error{Code: CodeNotFound, Message: "there is no such file", cause: cause}
}

// Get implements [Store].
func (m *Memory) Get(ctx context.Context, key string, o GetOptions) (*Object, error) {
	f, err := m.find(key)
	if err == nil {
		err = o.check(f.Info)
	}
	if err != nil {
		return nil, named(err, "get", key, m.String())
	}
	info := f.Info
	info.Metadata = sameMetadata(info.Metadata)
	return &Object{info, &bounded{ctx, io.NopCloser(bytes.NewReader(f.content[o.From:]))}}, nil
}

// check compares with what there is.
func (o GetOptions) check(info Info) error {
	switch {
	case o.ETag != "" && o.ETag != info.ETag:
		return &Error{Code: CodeChanged, Message: "the file has been replaced meanwhile"}
	case o.From < 0 || o.From > 0 && o.From >= info.Size:
		return invalid("it has %d bytes, so there is no byte %d", info.Size, o.From)
	}
	return nil
}

// Stat implements [Store].
func (m *Memory) Stat(_ context.Context, key string) (Info, error) {
	f, err := m.find(key)
	if err != nil {
		return Info{}, named(err, "stat", key, m.String())
	}
	info := f.Info
	info.Metadata = sameMetadata(info.Metadata)
	return info, nil
}

// Delete implements [Store].
func (m *Memory) Delete(_ context.Context, key string) error {
	if err := CheckKey(key); err != nil {
		return named(err, "delete", key, m.String())
	}
	m.mu.Lock()
	defer m.mu.Unlock()
	if old := m.files[key]; old != nil {
		m.size -= old.Size
		delete(m.files, key)
	}
	return nil
}

// Copy implements [Store].
func (m *Memory) Copy(_ context.Context, from, to string) error {
	f, err := m.find(from)
	if err != nil {
		return named(err, "copy", from, m.String())
	}
	if err := CheckKey(to); err != nil {
		return named(err, "copy to", to, m.String())
	}
	copied := *f
	copied.Key, copied.Modified = to, time.Now()
	return named(m.keep(&copied, new(room)), "copy to", to, m.String())
}

// List implements [Store].
func (m *Memory) List(prefix string) (Lister, error) {
	if err := CheckPrefix(prefix); err != nil {
		return nil, named(err, "list", prefix, m.String())
	}
	return &memoryLister{m: m, prefix: prefix}, nil
}

// A memoryLister lists what there was at the first call.
type memoryLister struct {
	m       *Memory
	prefix  string
	started bool
	left    []Info
}

// Next implements [Lister].
func (l *memoryLister) Next(context.Context) (now []Info, err error) {
	if !l.started {
		l.started, l.left = true, l.m.below(l.prefix)
	}
	if len(l.left) == 0 {
		return nil, io.EOF
	}
	now, l.left = page(l.left)
	return now, nil
}

func (m *Memory) below(prefix string) (list []Info) {
	m.mu.RLock()
	defer m.mu.RUnlock()
	for _, key := range slices.Sorted(maps.Keys(m.files)) {
		if strings.HasPrefix(key, prefix) {
			info := m.files[key].Info
			info.ContentType, info.Metadata = "", nil
			list = append(list, info)
		}
	}
	return list
}

// URL implements [Store].
func (m *Memory) URL(_ context.Context, key string, _ time.Duration) (string, error) {
	return "", noURL(key, m.String())
}

// noURL is the answer of stores that nobody can reach but this process.
func noURL(key, store string) error {
	if err := CheckKey(key); err != nil {
		return named(err, "url", key, store)
	}
	return &Error{Code: CodeUnsupported, Op: "url", Key: key, Store: store,
		Message: "nobody can reach this store from outside: only one of S3 gives out URLs; declare a route that sends the file"}
}
