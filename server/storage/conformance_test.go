package storage_test

import (
	"bytes"
	"context"
	"crypto/sha256"
	"errors"
	"fmt"
	"io"
	"math/rand/v2"
	"net/http"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"testing"
	"testing/iotest"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
	"go.uber.org/goleak"

	"rws/server/storage"
	"rws/spec_test/peers"
)

// TestMain lets the test binary stand for a process that is killed, see putForever.
func TestMain(m *testing.M) {
	if place := os.Getenv("RWS_STORAGE_FOLDER"); place != "" {
		putForever(place)
	}
	goleak.VerifyTestMain(m)
}

// stores makes an empty store of each kind.
func stores() map[string]func(t testing.TB) storage.Store {
	return map[string]func(t testing.TB) storage.Store{
		"memory":           func(t testing.TB) storage.Store { return open(t, "memory:") },
		"dir":              func(t testing.TB) storage.Store { return open(t, "dir:"+filepath.Join(t.TempDir(), "files")) },
		"s3":               func(t testing.TB) storage.Store { return open(t, peers.S3(t)) },
		"s3 with a prefix": func(t testing.TB) storage.Store { return open(t, withPrefix(peers.S3(t), "our/files")) },
	}
}

func withPrefix(url, prefix string) string {
	before, after, _ := strings.Cut(url, "?")
	return before + "/" + prefix + "?" + after
}

func open(t testing.TB, url string) storage.Store {
	t.Helper()
	l, err := storage.Parse(url)
	require.NoError(t, err)
	s, err := storage.Open(l, storage.Options{Getenv: func(string) string { return "" }})
	require.NoError(t, err)
	t.Cleanup(func() { require.NoError(t, s.Close()) })
	return s
}

// TestStores is what every store promises.
func TestStores(t *testing.T) {
	promises := map[string]func(*testing.T, storage.Store){
		"comes back whole": comesBackWhole, "what is missing": whatIsMissing, "is replaced": isReplaced, "is deleted": isDeleted,
		"is listed": isListed, "is listed in pages": isListedInPages, "is copied": isCopied, "keys are checked": keysAreChecked, "odd keys": oddKeys,
		"descriptions are checked": descriptionsAreChecked, "a reader that fails": aReaderThatFails, "a context that ends": aContextThatEnds,
		"from the middle": fromTheMiddle, "large": large, "at the same time": atTheSameTime, "types": typesOfKeys,
	}
	for name, open := range stores() {
		t.Run(name, func(t *testing.T) {
			for promise, f := range promises {
				t.Run(promise, func(t *testing.T) { f(t, open(t)) })
			}
		})
	}
}

func put(t testing.TB, s storage.Store, key, content string) {
	t.Helper()
	require.NoError(t, s.Put(t.Context(), key, strings.NewReader(content), storage.PutOptions{}))
}

// get returns the content, "absent" where there is none.
func get(t testing.TB, s storage.Store, key string) string {
	t.Helper()
	o, err := s.Get(t.Context(), key, storage.GetOptions{})
	if storage.IsNotFound(err) {
		return "absent"
	}
	require.NoError(t, err)
	defer o.Close()
	content, err := io.ReadAll(o)
	require.NoError(t, err)
	return string(content)
}

func keys(t testing.TB, s storage.Store, prefix string) []string {
	t.Helper()
	list := []string{}
	for info, err := range storage.All(t.Context(), s, prefix) {
		require.NoError(t, err)
		list = append(list, info.Key)
	}
	return list
}

func comesBackWhole(t *testing.T, s storage.Store) {
	ctx := t.Context()
	before := time.Now().Add(-2 * time.Second)
	content := "Zoë 😀\x00\r\n\xff"
	require.NoError(t, s.Put(ctx, "a/b.bin", strings.NewReader(content), storage.PutOptions{
		ContentType: "image/x-test", Size: int64(len(content)), Metadata: map[string]string{"owner": "ann", "n-1": "7"},
	}))
	assert.Equal(t, content, get(t, s, "a/b.bin"))
	info, err := s.Stat(ctx, "a/b.bin")
	require.NoError(t, err)
	assert.Equal(t, "a/b.bin", info.Key)
	assert.Equal(t, int64(len(content)), info.Size)
	assert.Equal(t, "image/x-test", info.ContentType)
	assert.Equal(t, map[string]string{"owner": "ann", "n-1": "7"}, info.Metadata)
	assert.Regexp(t, `^"[^"]+"$`, info.ETag)
	assert.True(t, info.Modified.After(before) && info.Modified.Before(time.Now().Add(2*time.Second)), "%s", info.Modified)

	o, err := s.Get(ctx, "a/b.bin", storage.GetOptions{})
	require.NoError(t, err)
	require.NoError(t, o.Close())
	assert.WithinDuration(t, info.Modified, o.Modified, time.Second)
	o.Modified = info.Modified
	assert.Equal(t, info, o.Info, "both ways tell the same")

	require.NoError(t, s.Put(ctx, "empty", strings.NewReader(""), storage.PutOptions{}))
	assert.Equal(t, "", get(t, s, "empty"))
	found, err := storage.Exists(ctx, s, "empty")
	require.NoError(t, err)
	assert.True(t, found)
}

func whatIsMissing(t *testing.T, s storage.Store) {
	ctx := t.Context()
	put(t, s, "a/b", "x")
	for _, key := range []string{"none", "a", "a/none", "a/b/c"} {
		found, err := storage.Exists(ctx, s, key)
		require.NoError(t, err, key)
		assert.False(t, found, key)
		_, err = s.Get(ctx, key, storage.GetOptions{})
		assert.True(t, storage.IsNotFound(err), "%s: %v", key, err)
		assert.ErrorContains(t, err, key)
		assert.ErrorContains(t, s.Copy(ctx, key, "copy"), key)
		assert.NoError(t, s.Delete(ctx, key), key)
	}
	assert.Equal(t, "x", get(t, s, "a/b"), "deleting what begins like it leaves it")
}

func isReplaced(t *testing.T, s storage.Store) {
	ctx := t.Context()
	require.NoError(t, s.Put(ctx, "a", strings.NewReader("one"), storage.PutOptions{ContentType: "text/x-one", Metadata: map[string]string{"n": "1"}}))
	first, err := s.Stat(ctx, "a")
	require.NoError(t, err)
	reading, err := s.Get(ctx, "a", storage.GetOptions{})
	require.NoError(t, err)
	defer reading.Close()
	put(t, s, "a", "two")
	second, err := s.Stat(ctx, "a")
	require.NoError(t, err)
	assert.NotEqual(t, first.ETag, second.ETag)
	assert.Equal(t, "application/octet-stream", second.ContentType, "nothing of the first is left")
	assert.Empty(t, second.Metadata)
	assert.Equal(t, "two", get(t, s, "a"))
	old, err := io.ReadAll(reading)
	require.NoError(t, err)
	assert.Equal(t, "one", string(old), "who reads the old one has it to its end")
	_, err = s.Get(ctx, "a", storage.GetOptions{ETag: first.ETag})
	assert.Equal(t, storage.CodeChanged, storage.CodeOf(err), "%v", err)
}

func isDeleted(t *testing.T, s storage.Store) {
	ctx := t.Context()
	require.NoError(t, s.Put(ctx, "a/b/c", strings.NewReader("x"), storage.PutOptions{ContentType: "text/x-test"}))
	require.NoError(t, s.Delete(ctx, "a/b/c"))
	require.NoError(t, s.Delete(ctx, "a/b/c"), "again")
	assert.Equal(t, "absent", get(t, s, "a/b/c"))
	assert.Empty(t, keys(t, s, ""))
	put(t, s, "a", "where a folder was")
	put(t, s, "b/c", "x")
	info, err := s.Stat(ctx, "a")
	require.NoError(t, err)
	assert.Equal(t, "application/octet-stream", info.ContentType)
}

func isListed(t *testing.T, s storage.Store) {
	assert.Empty(t, keys(t, s, ""))
	for _, key := range []string{"b/z", "a-b", "a/c", "a/b/d", "a.b", "Z", "ä", "b/a/x"} {
		put(t, s, key, "content")
	}
	assert.Equal(t, []string{"Z", "a-b", "a.b", "a/b/d", "a/c", "b/a/x", "b/z", "ä"}, keys(t, s, ""))
	assert.Equal(t, []string{"a/b/d", "a/c"}, keys(t, s, "a/"))
	assert.Equal(t, []string{"a/b/d"}, keys(t, s, "a/b"))
	assert.Equal(t, []string{"a-b", "a.b", "a/b/d", "a/c"}, keys(t, s, "a"))
	assert.Empty(t, keys(t, s, "none/"))
	assert.Empty(t, keys(t, s, "a/c/"))
	for info, err := range storage.All(t.Context(), s, "a-b") {
		require.NoError(t, err)
		assert.Equal(t, int64(7), info.Size)
		assert.WithinDuration(t, time.Now(), info.Modified, time.Minute)
		whole, err := s.Stat(t.Context(), "a-b")
		require.NoError(t, err)
		assert.Equal(t, whole.ETag, info.ETag)
	}
}

func isListedInPages(t *testing.T, s storage.Store) {
	if s3, ok := s.(*storage.S3); ok {
		storage.SetPageSize(s3, 4)
	}
	const n = 15
	for i := range n {
		put(t, s, fmt.Sprintf("%02d/%02d", i/5, i), "x")
	}
	list := keys(t, s, "")
	require.Len(t, list, n)
	assert.IsNonDecreasing(t, list)
	for _, err := range storage.All(t.Context(), s, "") {
		require.NoError(t, err)
		break // leaves nothing behind, which TestMain sees
	}
}

func isCopied(t *testing.T, s storage.Store) {
	ctx := t.Context()
	require.NoError(t, s.Put(ctx, "a +%b/ä", strings.NewReader("x"), storage.PutOptions{ContentType: "text/x-test", Metadata: map[string]string{"n": "1"}}))
	require.NoError(t, s.Copy(ctx, "a +%b/ä", "c/d"))
	require.NoError(t, s.Copy(ctx, "c/d", "c/d"), "onto itself")
	require.NoError(t, s.Delete(ctx, "a +%b/ä"))
	assert.Equal(t, "x", get(t, s, "c/d"))
	info, err := s.Stat(ctx, "c/d")
	require.NoError(t, err)
	assert.Equal(t, "text/x-test", info.ContentType)
	assert.Equal(t, map[string]string{"n": "1"}, info.Metadata)
}

// wrongKeys are refused by all stores, and not sent.
var wrongKeys = []string{
	"", "/a", "a/", "a//b", ".", "..", "../a", "a/../b", "a/./b", "a/..", "a\x00b", "a\nb", "a\\b", "a\x7fb", "a\u0085b", "\xff",
	strings.Repeat("a", 256), strings.Repeat("abcdefg/", 128) + "h", ".rws-storage/meta/x", ".rws-storage",
}

func keysAreChecked(t *testing.T, s storage.Store) {
	ctx := t.Context()
	for _, key := range wrongKeys {
		_, stat := s.Stat(ctx, key)
		_, get := s.Get(ctx, key, storage.GetOptions{})
		_, url := s.URL(ctx, key, time.Hour)
		for name, err := range map[string]error{
			"put": s.Put(ctx, key, strings.NewReader("x"), storage.PutOptions{}), "stat": stat, "get": get, "url": url,
			"delete": s.Delete(ctx, key), "copy": s.Copy(ctx, key, "a"), "copy to": s.Copy(ctx, "a", key),
		} {
			if name == "copy to" && storage.IsNotFound(err) {
				continue // whichever is looked at first
			}
			assert.Equal(t, storage.CodeInvalidKey, storage.CodeOf(err), "%s %q: %v", name, key, err)
		}
	}
	for _, prefix := range []string{"/", "/a", "../", "a//b", "a\x00", "a\\", "\xff"} {
		_, err := s.List(prefix)
		assert.Equal(t, storage.CodeInvalidKey, storage.CodeOf(err), "%q: %v", prefix, err)
	}
	assert.Empty(t, keys(t, s, ""))
}

func oddKeys(t *testing.T, s storage.Store) {
	list := []string{
		"a b", "a+b", "a%2Fb", "a%b", "ä/ö/😀", "...", ".hidden", "..x/y", "a?b=c&d", "a#b", "~a", "a'\"b", "a:b", "$&,;=@!*()",
		strings.Repeat("ab/", 300) + "c", strings.Repeat("x", 200),
	}
	for _, key := range list {
		put(t, s, key, "content of "+key)
	}
	for _, key := range list {
		assert.Equal(t, "content of "+key, get(t, s, key))
	}
	assert.ElementsMatch(t, list, keys(t, s, ""))
	for _, key := range list {
		require.NoError(t, s.Delete(t.Context(), key))
	}
	assert.Empty(t, keys(t, s, ""))
}

func descriptionsAreChecked(t *testing.T, s storage.Store) {
	for _, o := range []storage.PutOptions{
		{ContentType: "no type"}, {ContentType: "text/plain\r\nx: y"}, {ContentType: "text/plän"},
		{Metadata: map[string]string{"Name": "x"}}, {Metadata: map[string]string{"": "x"}}, {Metadata: map[string]string{"a b": "x"}},
		{Metadata: map[string]string{"a": "ä"}}, {Metadata: map[string]string{"a": "x\r\ny"}}, {Metadata: map[string]string{"a": " x"}},
		{Metadata: map[string]string{"a": strings.Repeat("x", 2048)}},
	} {
		err := s.Put(t.Context(), "a", strings.NewReader("x"), o)
		assert.Equal(t, storage.CodeInvalid, storage.CodeOf(err), "%+v: %v", o, err)
	}
	assert.Empty(t, keys(t, s, ""))
}

func typesOfKeys(t *testing.T, s storage.Store) {
	for key, want := range map[string]string{"a.png": "image/png", "b/C.JPG": "image/jpeg", "d": "application/octet-stream", "e.html": "text/html; charset=utf-8"} {
		put(t, s, key, "<html>")
		info, err := s.Stat(t.Context(), key)
		require.NoError(t, err)
		assert.Equal(t, want, info.ContentType, key)
	}
}

// sizes of bodies that are less than a part of an upload, and more.
var sizes = []int{10, storage.PartSize, 3*storage.PartSize + 17}

func aReaderThatFails(t *testing.T, s storage.Store) {
	put(t, s, "a", "before")
	broken := errors.New("the client is gone")
	for _, size := range sizes {
		r := io.MultiReader(bytes.NewReader(make([]byte, size)), iotest.ErrReader(broken))
		err := s.Put(t.Context(), "a", r, storage.PutOptions{})
		require.ErrorIs(t, err, broken)
		assert.Empty(t, storage.CodeOf(err), "it is not the store that failed")
		err = s.Put(t.Context(), "new", io.MultiReader(bytes.NewReader(make([]byte, size)), iotest.ErrReader(broken)), storage.PutOptions{})
		require.ErrorIs(t, err, broken)
	}
	assert.Equal(t, "before", get(t, s, "a"))
	assert.Equal(t, []string{"a"}, keys(t, s, ""))
	nothingIsLeft(t, s)
}

func aContextThatEnds(t *testing.T, s storage.Store) {
	put(t, s, "a", "before")
	for _, size := range sizes {
		ctx, cancel := context.WithCancelCause(t.Context())
		gone := errors.New("gone")
		r := io.MultiReader(bytes.NewReader(make([]byte, size)), &endless{after: func() { cancel(gone) }})
		err := s.Put(ctx, "a", r, storage.PutOptions{})
		require.ErrorIs(t, err, gone, "%d", size)

		late, stop := context.WithTimeout(t.Context(), time.Nanosecond)
		<-late.Done()
		err = s.Put(late, "a", bytes.NewReader(make([]byte, size)), storage.PutOptions{})
		assert.Equal(t, storage.CodeTimeout, storage.CodeOf(err), "%v", err)
		require.ErrorIs(t, err, context.DeadlineExceeded)
		stop()
	}
	assert.Equal(t, "before", get(t, s, "a"))
	nothingIsLeft(t, s)

	ctx, cancel := context.WithCancel(t.Context())
	content := strings.Repeat("x", 4<<20)
	put(t, s, "b", content)
	o, err := s.Get(ctx, "b", storage.GetOptions{})
	require.NoError(t, err)
	defer o.Close()
	_, err = io.ReadFull(o, make([]byte, 10))
	require.NoError(t, err)
	cancel()
	_, err = io.Copy(io.Discard, o)
	require.ErrorIs(t, err, context.Canceled)
}

// endless calls after at the first read.
type endless struct{ after func() }

func (e *endless) Read(p []byte) (int, error) {
	e.after()
	return len(p), nil
}

func fromTheMiddle(t *testing.T, s storage.Store) {
	ctx := t.Context()
	put(t, s, "a", "0123456789")
	o, err := s.Get(ctx, "a", storage.GetOptions{From: 7})
	require.NoError(t, err)
	defer o.Close()
	assert.Equal(t, int64(10), o.Size, "of the whole")
	rest, err := io.ReadAll(o)
	require.NoError(t, err)
	assert.Equal(t, "789", string(rest))
	_, err = s.Get(ctx, "a", storage.GetOptions{From: 10})
	assert.Equal(t, storage.CodeInvalid, storage.CodeOf(err), "%v", err)
}

func large(t *testing.T, s storage.Store) {
	for _, size := range []int64{storage.PartSize - 1, storage.PartSize, 2 * storage.PartSize, 3*storage.PartSize + 1} {
		for _, told := range []int64{0, size} {
			want := sha256.New()
			r := io.TeeReader(io.LimitReader(rand.NewChaCha8([32]byte{1}), size), want)
			require.NoError(t, s.Put(t.Context(), "large", r, storage.PutOptions{Size: told, ContentType: "text/x-large", Metadata: map[string]string{"n": "1"}}))
			o, err := s.Get(t.Context(), "large", storage.GetOptions{})
			require.NoError(t, err)
			got := sha256.New()
			n, err := io.Copy(got, o)
			require.NoError(t, err)
			require.NoError(t, o.Close())
			assert.Equal(t, size, n)
			assert.Equal(t, want.Sum(nil), got.Sum(nil))
			assert.Equal(t, "text/x-large", o.ContentType)
			assert.Equal(t, map[string]string{"n": "1"}, o.Metadata)
		}
	}
}

// atTheSameTime sees one of the contents that were put whole at any time, with the type that belongs to it.
func atTheSameTime(t *testing.T, s storage.Store) {
	ctx := t.Context()
	text := func(i int) string { return strings.Repeat(fmt.Sprint(i), 50_000) }
	put(t, s, "x/a", text(0))
	var all sync.WaitGroup
	for i := range 4 {
		all.Go(func() {
			for range 10 {
				err := s.Put(ctx, "x/a", strings.NewReader(text(i)), storage.PutOptions{ContentType: fmt.Sprintf("text/x-%d", i)})
				assert.NoError(t, err)
			}
		})
		all.Go(func() {
			for range 10 {
				content := get(t, s, "x/a")
				assert.Len(t, content, 50_000)
				assert.Equal(t, content[:1], content[49_999:])
			}
		})
	}
	all.Wait()
	assert.Equal(t, []string{"x/a"}, keys(t, s, ""))
	info, err := s.Stat(ctx, "x/a")
	require.NoError(t, err)
	assert.Equal(t, "text/x-"+get(t, s, "x/a")[:1], info.ContentType)
}

// nothingIsLeft sees that uploads that failed have taken their parts with them.
func nothingIsLeft(t *testing.T, s storage.Store) {
	t.Helper()
	switch s := s.(type) {
	case *storage.Dir:
		left, err := filepath.Glob(s.Path(".rws-storage/tmp/*"))
		require.NoError(t, err)
		assert.Empty(t, left)
	case *storage.S3:
		assert.Eventually(t, func() bool { return storage.Uploads(t.Context(), s) == 0 }, 20*time.Second, 20*time.Millisecond)
	}
}

func TestAURLIsGoodForAWhile(t *testing.T) {
	s := open(t, withPrefix(peers.S3(t), "our"))
	put(t, s, "a b/ä.txt", "hello")
	url, err := s.URL(t.Context(), "a b/ä.txt", time.Minute)
	require.NoError(t, err)
	res, err := http.Get(url)
	require.NoError(t, err)
	defer res.Body.Close()
	content, err := io.ReadAll(res.Body)
	require.NoError(t, err)
	assert.Equal(t, "hello", string(content))
	assert.Equal(t, "text/plain; charset=utf-8", res.Header.Get("Content-Type"))
	http.DefaultClient.CloseIdleConnections()

	for _, d := range []time.Duration{0, -time.Hour, 8 * 24 * time.Hour} {
		_, err := s.URL(t.Context(), "a", d)
		assert.Equal(t, storage.CodeInvalid, storage.CodeOf(err), "%v", err)
	}
	_, err = open(t, "memory:").URL(t.Context(), "a", time.Hour)
	assert.Equal(t, storage.CodeUnsupported, storage.CodeOf(err), "%v", err)
}
