package storage

import (
	"context"
	"time"

	"github.com/aws/aws-sdk-go-v2/service/s3"
	"golang.org/x/sync/semaphore"
)

// Uploads counts the uploads of parts that are not complete, -1 where that fails.
func Uploads(ctx context.Context, s *S3) int {
	out, err := s.client.ListMultipartUploads(ctx, &s3.ListMultipartUploadsInput{Bucket: s.bucket()})
	if err != nil {
		return -1
	}
	return len(out.Uploads)
}

// SetPageSize has a store ask for so many files at a time.
func SetPageSize(s *S3, n int32) { s.pageSize = n }

// SetStall has a store wait so long for a byte.
func SetStall(s *S3, d time.Duration) { s.stall = d }

// SetMemory has the uploads of a store hold so many bytes.
func SetMemory(s *S3, n int64) { s.memory = semaphore.NewWeighted(n) }

// MemoryIsFree reports whether uploads hold nothing of n bytes.
func MemoryIsFree(s *S3, n int64) bool {
	free := s.memory.TryAcquire(n)
	if free {
		s.memory.Release(n)
	}
	return free
}

// SmallPart is what an upload may hold besides.
const SmallPart = smallPart

// TempFolder is where a Dir writes.
const TempFolder = tempFolder
