package storage_test

import (
	"context"
	"errors"
	"io"
	"net/http"
	"net/http/httptest"
	"runtime"
	"strings"
	"sync/atomic"
	"testing"
	"testing/iotest"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
	"golang.org/x/sync/errgroup"

	"rws/server/storage"
)

func heap() int64 {
	runtime.GC()
	var m runtime.MemStats
	runtime.ReadMemStats(&m)
	return int64(m.HeapInuse)
}

func TestUploadsTakeMemoryAsBytesArrive(t *testing.T) {
	url, _ := aBucket(t, 200, "")
	s := with(t, url, anyKeys)
	before := heap()
	ctx, cancel := context.WithCancel(t.Context())
	var g errgroup.Group
	const n = 50
	started := make(chan struct{}, n)
	for range n {
		slow := io.MultiReader(strings.NewReader("x"), readerFunc(func([]byte) (int, error) {
			started <- struct{}{}
			<-ctx.Done()
			return 0, ctx.Err()
		}))
		g.Go(func() error { return s.Put(ctx, "a", slow, storage.PutOptions{Size: 20 << 20}) })
	}
	for range n {
		<-started
	}
	grown := heap() - before
	cancel()
	require.Error(t, g.Wait())
	assert.Less(t, grown, int64(40<<20), "a part each would be 400 MB")
}

type readerFunc func([]byte) (int, error)

func (f readerFunc) Read(p []byte) (int, error) { return f(p) }

// aSlowBucket takes parts when it is let.
func aSlowBucket(t *testing.T, let <-chan struct{}) string {
	t.Helper()
	server := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		switch {
		case r.Method == http.MethodPost && r.URL.Query().Has("uploads"):
			_, _ = io.WriteString(w, "<InitiateMultipartUploadResult><UploadId>u</UploadId></InitiateMultipartUploadResult>")
		case r.Method == http.MethodPut:
			<-let
			_, _ = io.Copy(io.Discard, r.Body)
			w.Header().Set("ETag", `"e"`)
		default:
			_, _ = io.WriteString(w, "<CompleteMultipartUploadResult/>")
		}
	}))
	t.Cleanup(server.Close)
	return "s3://bucket?endpoint=" + server.URL
}

func TestTheMemoryOfAllUploadsIsBounded(t *testing.T) {
	let := make(chan struct{})
	s := with(t, aSlowBucket(t, let), anyKeys)
	const most, n = 3 * storage.PartSize, 8
	storage.SetMemory(s, most)
	var read atomic.Int64
	var g errgroup.Group
	for range n {
		from := io.TeeReader(io.LimitReader(zeros{}, 20<<20), countingWriter{&read})
		g.Go(func() error { return s.Put(t.Context(), "a", from, storage.PutOptions{}) })
	}
	steady := func() bool {
		before := read.Load()
		time.Sleep(50 * time.Millisecond)
		return before >= most && read.Load() == before
	}
	require.Eventually(t, steady, 20*time.Second, time.Millisecond)
	assert.LessOrEqual(t, read.Load(), int64(most+n*storage.SmallPart), "the others wait")
	close(let)
	require.NoError(t, g.Wait(), "none waits for ever")
	assert.Equal(t, int64(n*20<<20), read.Load())
}

type zeros struct{}

func (zeros) Read(p []byte) (int, error) { clear(p); return len(p), nil }

type countingWriter struct{ n *atomic.Int64 }

func (c countingWriter) Write(p []byte) (int, error) { c.n.Add(int64(len(p))); return len(p), nil }

// TestFilesOfAllSizesAreSent has sizes around those of buffers, with what is said of them right and wrong.
func TestFilesOfAllSizesAreSent(t *testing.T) {
	let := make(chan struct{})
	close(let)
	s := with(t, aSlowBucket(t, let), anyKeys)
	for _, size := range []int64{0, 1, 4 << 10, storage.SmallPart, storage.SmallPart + 1, storage.PartSize - 1, storage.PartSize, storage.PartSize + 1, 2 * storage.PartSize} {
		for _, said := range []int64{0, 1, size, size + 1, size / 2, 2 * size} {
			storage.SetMemory(s, 3*storage.PartSize)
			var read atomic.Int64
			from := io.TeeReader(iotest.DataErrReader(io.LimitReader(zeros{}, size)), countingWriter{&read})
			require.NoError(t, s.Put(t.Context(), "a", from, storage.PutOptions{Size: said}))
			assert.Equal(t, size, read.Load())
			assert.True(t, storage.MemoryIsFree(s, 3*storage.PartSize), "%d said to be %d: all is given back", size, said)
		}
	}
	gone := errors.New("gone")
	err := s.Put(t.Context(), "a", io.MultiReader(io.LimitReader(zeros{}, storage.PartSize+storage.SmallPart+1), iotest.ErrReader(gone)), storage.PutOptions{})
	require.ErrorIs(t, err, gone)
	assert.True(t, storage.MemoryIsFree(s, 3*storage.PartSize))
}
