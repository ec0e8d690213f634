// Package storage keeps files under keys such as "avatars/7.png": in a folder, in memory, or in a bucket
// of S3 or what speaks its protocol. [Open] makes a [Store] of a URL.
//
// All stores take the same keys, see [CheckKey], and behave alike; no file is ever held in memory as a
// whole, but by the store that is in memory. A file appears under its key when it is complete, in place
// of the one before, and whoever reads that one meanwhile has it to its end.
package storage

import (
	"context"
	"errors"
	"io"
	"iter"
	"time"
)

// Info is what a store knows about a file.
type Info struct {
	Key string
	// Size is in bytes.
	Size int64
	// ContentType is that of Put, or goes by the extension of the key; "" in what a Lister gives.
	ContentType string
	// ETag is another one for each content, in quotes, as HTTP sends it.
	ETag string
	// Modified is when the file was put, to the second at least.
	Modified time.Time
	// Metadata is that of Put; nil in what a Lister gives.
	Metadata map[string]string
}

// PutOptions describe a file. The zero value will do.
type PutOptions struct {
	// ContentType as in "image/png"; default by the extension of the key, "application/octet-stream"
	// where that says nothing.
	ContentType string
	// Size is how many bytes are to come, as far as it is known; it only helps to choose how they are sent.
	Size int64
	// Metadata are texts to keep with the file, see [CheckMetadata].
	Metadata map[string]string
}

// GetOptions say what to read. The zero value means all.
type GetOptions struct {
	// From is the first byte, which the file must have, unless it is 0.
	From int64
	// ETag is that of the file that is meant; with another content the error is [CodeChanged].
	ETag string
}

// An Object is a file that is being read. Close it.
type Object struct {
	Info
	io.ReadCloser
}

// A Lister gives out what is below a prefix.
type Lister interface {
	// Next returns the next files, at most [PageSize], and io.EOF after the last.
	Next(ctx context.Context) ([]Info, error)
}

// PageSize is how many files a Lister gives at a time at most.
const PageSize = 1000

// Store keeps files. Safe for concurrent use. No store is asked before it is used. Errors are an [*Error],
// but those of a reader that Put reads from and of the context, which are returned as they are or wrapped.
type Store interface {
	// Put stores what r gives until its end, in place of another file. When it fails, nothing has changed.
	Put(ctx context.Context, key string, r io.Reader, o PutOptions) error
	// Get opens a file.
	Get(ctx context.Context, key string, o GetOptions) (*Object, error)
	// Stat describes a file.
	Stat(ctx context.Context, key string) (Info, error)
	// Delete removes a file; one that is not there is no error.
	Delete(ctx context.Context, key string) error
	// Copy makes a file out of another one of the same store, with its type and metadata.
	Copy(ctx context.Context, from, to string) error
	// List lists the files whose keys begin with a prefix, in the order of the bytes of their keys. What
	// changes meanwhile may be in it or not.
	List(prefix string) (Lister, error)
	// URL is where anybody can read the file until it expires, [MaxExpiry] at most. Whether the file is
	// there is not looked at. A store that has no server of its own fails with [CodeUnsupported].
	URL(ctx context.Context, key string, expires time.Duration) (string, error)
	// String is the URL of the store without secrets.
	String() string
	// Close ends the store and waits for what it has to tidy up.
	Close() error
}

// MaxExpiry is how long a URL of S3 can be good for.
const MaxExpiry = 7 * 24 * time.Hour

// Exists reports whether there is a file under a key.
func Exists(ctx context.Context, s Store, key string) (bool, error) {
	_, err := s.Stat(ctx, key)
	if IsNotFound(err) {
		return false, nil
	}
	return err == nil, err
}

// All ranges over the files whose keys begin with a prefix. It ends after an error.
func All(ctx context.Context, s Store, prefix string) iter.Seq2[Info, error] {
	return func(yield func(Info, error) bool) {
		lister, err := s.List(prefix)
		for err == nil {
			var page []Info
			if page, err = lister.Next(ctx); err != nil {
				break
			}
			for _, info := range page {
				if !yield(info, nil) {
					return
				}
			}
		}
		if !errors.Is(err, io.EOF) {
			yield(Info{}, err)
		}
	}
}

// A source notes why its reader failed, to tell that from failures of the store. It ends with ctx.
type source struct {
	ctx context.Context
	r   io.Reader
	err error // other than io.EOF
	cut bool  // the context has ended, and the reader has not failed
}

func (s *source) Read(p []byte) (int, error) {
	if s.ctx.Err() != nil {
		s.err, s.cut = context.Cause(s.ctx), true
		return 0, s.err
	}
	n, err := s.r.Read(p)
	if err != nil && err != io.EOF {
		s.err = err
	}
	return n, err
}

// failure is why reading ended early.
func (s *source) failure() error {
	if s.cut {
		return ended(s.ctx, nil)
	}
	return s.err
}

// bounded is a body that ends with ctx, which is looked at between reads.
type bounded struct {
	ctx context.Context
	io.ReadCloser
}

func (b *bounded) Read(p []byte) (int, error) {
	if b.ctx.Err() != nil {
		return 0, context.Cause(b.ctx)
	}
	return b.ReadCloser.Read(p)
}
