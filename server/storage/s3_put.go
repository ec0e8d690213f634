package storage

import (
	"bytes"
	"context"
	"fmt"
	"io"
	"sync"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/service/s3"
	"github.com/aws/aws-sdk-go-v2/service/s3/types"
	"golang.org/x/sync/errgroup"
)

// How a file is sent. Up to one part is one request; more are an upload of parts, of which inFlight are
// being sent while the next is read: (inFlight + 1) × PartSize are in memory, 24 MB for files up to 78 GB, and
// UploadMemory for all uploads of the process.
const (
	PartSize  = 8 << 20
	inFlight  = 2
	maxParts  = 10_000
	maxObject = 5 << 40
)

// partSize is larger for files that would have too many parts.
func partSize(size int64) int64 {
	if size <= PartSize*maxParts {
		return PartSize
	}
	return (size/maxParts + 1<<20) &^ (1<<20 - 1) // whole MB, rounded up
}

// Put implements [Store].
func (s *S3) Put(ctx context.Context, key string, r io.Reader, o PutOptions) error {
	ctx = withTries(ctx)
	err := o.check(key)
	if err != nil {
		return named(err, "put", key, s.String())
	}
	at, err := s.at(key)
	if err == nil && o.Size > maxObject {
		err = &Error{Code: CodeTooLarge, Message: "5 TB are the most"}
	}
	if err != nil {
		return named(err, "put", key, s.String())
	}
	from := &source{ctx: ctx, r: r}
	err = s.send(ctx, *at, from, o)
	if from.err != nil {
		return named(from.failure(), "put", key, s.String())
	}
	return s.fail(ctx, "put", key, err)
}

func (s *S3) send(ctx context.Context, at string, from io.Reader, o PutOptions) error {
	size := partSize(o.Size)
	first, err := readPart(ctx, s.memory, from, size, o.Size)
	if err != nil {
		return err
	}
	n := int64(len(first.content))
	if n == size {
		return s.sendParts(ctx, at, first, from, o)
	}
	_, err = s.client.PutObject(ctx, &s3.PutObjectInput{
		Bucket: s.bucket(), Key: &at, Body: bytes.NewReader(first.content), ContentLength: &n, ContentType: &o.ContentType, Metadata: o.Metadata,
	})
	first.sent(err)
	return err
}

// sendParts sends first, which is as large as all parts but the last, and what follows. Where that fails
// the parts are removed.
func (s *S3) sendParts(ctx context.Context, at string, first *part, from io.Reader, o PutOptions) error {
	out, err := s.client.CreateMultipartUpload(ctx, &s3.CreateMultipartUploadInput{Bucket: s.bucket(), Key: &at, ContentType: &o.ContentType, Metadata: o.Metadata})
	if err != nil {
		first.sent(err)
		return err
	}
	u := &upload{s: s, at: at, id: out.UploadId, left: o.Size}
	if err = u.send(ctx, first, from); err == nil {
		err = u.complete(ctx)
	}
	if err != nil {
		s.tidying.Go(func() { u.abort(context.WithoutCancel(ctx)) })
	}
	return err
}

// An upload is a file that is sent in parts.
type upload struct {
	s  *S3
	at string
	id *string
	// left is how many bytes are to come, as far as it is known.
	left int64

	mu    sync.Mutex
	parts []types.CompletedPart // by number, from 1
}

// send sends all parts, inFlight at a time.
func (u *upload) send(ctx context.Context, first *part, from io.Reader) error {
	size := int64(len(first.content))
	g, ctx := errgroup.WithContext(ctx)
	g.SetLimit(inFlight)
	p := first
	var err error
	for number := int32(1); len(p.content) > 0 && err == nil; number++ {
		if number > maxParts {
			err = &Error{Code: CodeTooLarge, Message: fmt.Sprintf("a stream of unknown size may have %d GB; say its size for more", PartSize*maxParts>>30)}
			break
		}
		n := int64(len(p.content))
		u.sendPart(ctx, g, number, p)
		if p = nil; n < size {
			break
		}
		u.left = max(u.left-n, 0)
		if p, err = readPart(ctx, u.s.memory, from, size, u.left); err != nil {
			break
		}
	}
	if p != nil {
		p.release()
	}
	if failed := g.Wait(); failed != nil {
		return failed
	}
	return err
}

// sendPart sends a part in the background, and frees its memory. It waits where inFlight are on their way.
func (u *upload) sendPart(ctx context.Context, g *errgroup.Group, number int32, p *part) {
	u.mu.Lock()
	u.parts = append(u.parts, types.CompletedPart{})
	u.mu.Unlock()
	g.Go(func() error {
		err := u.part(ctx, number, p.content)
		p.sent(err)
		return err
	})
}

func (u *upload) part(ctx context.Context, number int32, content []byte) error {
	out, err := u.s.client.UploadPart(ctx, &s3.UploadPartInput{
		Bucket: u.s.bucket(), Key: &u.at, UploadId: u.id, PartNumber: &number, Body: bytes.NewReader(content), ContentLength: aws.Int64(int64(len(content))),
	})
	if err != nil {
		return err
	}
	u.mu.Lock()
	defer u.mu.Unlock()
	u.parts[number-1] = types.CompletedPart{ETag: out.ETag, PartNumber: &number}
	return nil
}

// complete makes the file of its parts.
func (u *upload) complete(ctx context.Context) error {
	_, err := u.s.client.CompleteMultipartUpload(ctx, &s3.CompleteMultipartUploadInput{
		Bucket: u.s.bucket(), Key: &u.at, UploadId: u.id, MultipartUpload: &types.CompletedMultipartUpload{Parts: u.parts},
	})
	return err
}

// abort removes the parts: nothing else does, and they cost as files do.
func (u *upload) abort(ctx context.Context) {
	ctx, cancel := context.WithTimeout(ctx, abortTimeout)
	defer cancel()
	_, _ = u.s.client.AbortMultipartUpload(ctx, &s3.AbortMultipartUploadInput{Bucket: u.s.bucket(), Key: &u.at, UploadId: u.id})
}
