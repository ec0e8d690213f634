package storage

import (
	"cmp"
	"context"
	"fmt"
	"io"
	"net"
	"net/http"
	"net/url"
	"strings"
	"sync"
	"sync/atomic"
	"time"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/service/s3"
	"github.com/aws/aws-sdk-go-v2/service/s3/types"
	"golang.org/x/sync/semaphore"
)

// S3 keeps files in a bucket of Amazon S3, or of what speaks its protocol (MinIO, R2, Ceph and others).
// Requests that fail for a moment are made up to three times, two where the server takes no connection.
// Made by [Open].
type S3 struct {
	client   *s3.Client
	presign  *s3.PresignClient
	network  *http.Transport
	location Location
	pageSize int32         // of lists
	stall    time.Duration // see StallTimeout
	memory   *semaphore.Weighted
	there    atomic.Bool    // the bucket has answered
	tidying  sync.WaitGroup // uploads that are being given up
}

// DefaultRegion is used where neither the URL nor the environment names one.
const DefaultRegion = "us-east-1"

func newS3(l Location, getenv func(string) string) (*S3, error) {
	l.Region = cmp.Or(l.Region, getenv("AWS_REGION"), getenv("AWS_DEFAULT_REGION"), DefaultRegion)
	network := &http.Transport{
		Proxy:                 http.ProxyFromEnvironment,
		DialContext:           (&net.Dialer{Timeout: 5 * time.Second, KeepAlive: 30 * time.Second}).DialContext,
		TLSHandshakeTimeout:   10 * time.Second,
		ResponseHeaderTimeout: StallTimeout,
		IdleConnTimeout:       90 * time.Second,
		MaxIdleConnsPerHost:   32,
		ForceAttemptHTTP2:     false,
	}
	client := &http.Client{Transport: network, CheckRedirect: func(*http.Request, []*http.Request) error { return http.ErrUseLastResponse }}
	from, err := credentialsOf(l, getenv, client)
	if err != nil {
		return nil, err
	}
	api := s3.New(s3.Options{
		Region: l.Region, Credentials: from, HTTPClient: reacher{client}, Retryer: newRetryer(), UsePathStyle: l.PathStyle, BaseEndpoint: optional(l.Endpoint),
		// Others than Amazon do not know the checksums that newer clients send by themselves.
		RequestChecksumCalculation:                aws.RequestChecksumCalculationWhenRequired,
		ResponseChecksumValidation:                aws.ResponseChecksumValidationWhenRequired,
		DisableLogOutputChecksumValidationSkipped: true,
	})
	return &S3{client: api, presign: s3.NewPresignClient(api), network: network, location: l, pageSize: PageSize, stall: StallTimeout, memory: uploads}, nil
}

// String implements [Store].
func (s *S3) String() string { return s.location.String() }

// Close implements [Store]. It waits, for some seconds at most, for uploads that were given up.
func (s *S3) Close() error {
	s.tidying.Wait()
	s.network.CloseIdleConnections()
	return nil
}

// at is the key in the bucket.
func (s *S3) at(key string) (*string, error) {
	if err := CheckKey(key); err != nil {
		return nil, err
	}
	whole := key
	if s.location.Prefix != "" {
		whole = s.location.Prefix + "/" + key
	}
	if len(whole) > MaxKey {
		return nil, &Error{Code: CodeInvalidKey, rule: "it is too long", Message: fmt.Sprintf("with the prefix %q it has %d bytes, and %d are the most", s.location.Prefix, len(whole), MaxKey)}
	}
	return &whole, nil
}

func (s *S3) bucket() *string { return &s.location.Bucket }

// fail names an error of an operation.
func (s *S3) fail(ctx context.Context, op, key string, err error) error {
	if err == nil {
		s.there.Store(true)
		return nil
	}
	return named(s.explain(ctx, err), op, key, s.String())
}

// Get implements [Store].
func (s *S3) Get(ctx context.Context, key string, o GetOptions) (*Object, error) {
	ctx = withTries(ctx)
	at, err := s.at(key)
	if err != nil {
		return nil, named(err, "get", key, s.String())
	}
	in := &s3.GetObjectInput{Bucket: s.bucket(), Key: at, IfMatch: optional(o.ETag)}
	if o.From > 0 {
		in.Range = aws.String(fmt.Sprintf("bytes=%d-", o.From))
	}
	own, stop := context.WithCancelCause(ctx)
	out, err := s.client.GetObject(own, in)
	if err := s.fail(ctx, "get", key, err); err != nil {
		stop(nil)
		return nil, err
	}
	info := Info{
		Key: key, Size: aws.ToInt64(out.ContentLength) + o.From, ContentType: typeOr(out.ContentType, key), ETag: aws.ToString(out.ETag),
		Modified: aws.ToTime(out.LastModified), Metadata: sameMetadata(out.Metadata),
	}
	return &Object{info, &s3Body{ReadCloser: out.Body, s: s, ctx: ctx, key: key, own: own, stop: stop}}, nil
}

// typeOr is the content type that is stored, or that of the key.
func typeOr(stored *string, key string) string {
	if stored == nil || *stored == "" || *stored == "binary/octet-stream" { // where none was given
		return typeOf(key)
	}
	return *stored
}

// Stat implements [Store].
func (s *S3) Stat(ctx context.Context, key string) (Info, error) {
	ctx = withTries(ctx)
	at, err := s.at(key)
	if err != nil {
		return Info{}, named(err, "stat", key, s.String())
	}
	out, err := s.client.HeadObject(ctx, &s3.HeadObjectInput{Bucket: s.bucket(), Key: at})
	if err := s.fail(ctx, "stat", key, err); err != nil {
		return Info{}, err
	}
	return Info{
		Key: key, Size: aws.ToInt64(out.ContentLength), ContentType: typeOr(out.ContentType, key), ETag: aws.ToString(out.ETag),
		Modified: aws.ToTime(out.LastModified), Metadata: sameMetadata(out.Metadata),
	}, nil
}

// Delete implements [Store].
func (s *S3) Delete(ctx context.Context, key string) error {
	ctx = withTries(ctx)
	at, err := s.at(key)
	if err != nil {
		return named(err, "delete", key, s.String())
	}
	_, err = s.client.DeleteObject(ctx, &s3.DeleteObjectInput{Bucket: s.bucket(), Key: at})
	err = s.fail(ctx, "delete", key, err)
	if IsNotFound(err) { // some answer so
		return nil
	}
	return err
}

// Copy implements [Store]. The bytes stay at the server, which copies up to 5 GB at once.
func (s *S3) Copy(ctx context.Context, from, to string) error {
	ctx = withTries(ctx)
	source, err := s.at(from)
	if err != nil {
		return named(err, "copy", from, s.String())
	}
	at, err := s.at(to)
	if err != nil {
		return named(err, "copy to", to, s.String())
	}
	if from == to { // S3 refuses it, where nothing changes
		_, err := s.Stat(ctx, from)
		return err
	}
	path := (&url.URL{Path: s.location.Bucket + "/" + *source}).EscapedPath()
	_, err = s.client.CopyObject(ctx, &s3.CopyObjectInput{Bucket: s.bucket(), Key: at, CopySource: aws.String(strings.ReplaceAll(path, "+", "%2B"))})
	return s.fail(ctx, "copy", from, err)
}

// List implements [Store].
func (s *S3) List(prefix string) (Lister, error) {
	if err := CheckPrefix(prefix); err != nil {
		return nil, named(err, "list", prefix, s.String())
	}
	return &s3Lister{s: s, prefix: prefix}, nil
}

type s3Lister struct {
	s      *S3
	prefix string
	next   *string // where to go on
	over   bool
}

// Next implements [Lister]. A page of nothing but markers of folders, which consoles make, is passed over.
func (l *s3Lister) Next(ctx context.Context) ([]Info, error) {
	for !l.over {
		list, err := l.page(ctx)
		if len(list) > 0 || err != nil {
			return list, err
		}
	}
	return nil, io.EOF
}

func (l *s3Lister) page(ctx context.Context) ([]Info, error) {
	ctx = withTries(ctx)
	above := ""
	if l.s.location.Prefix != "" {
		above = l.s.location.Prefix + "/"
	}
	out, err := l.s.client.ListObjectsV2(ctx, &s3.ListObjectsV2Input{
		Bucket: l.s.bucket(), Prefix: aws.String(above + l.prefix), MaxKeys: &l.s.pageSize, ContinuationToken: l.next,
	})
	if err := l.s.fail(ctx, "list", l.prefix, err); err != nil {
		return nil, err
	}
	l.next, l.over = out.NextContinuationToken, !aws.ToBool(out.IsTruncated) || out.NextContinuationToken == nil
	list := make([]Info, 0, len(out.Contents))
	for _, o := range out.Contents {
		if info, ok := infoOfListed(o, above); ok {
			list = append(list, info)
		}
	}
	return list, nil
}

func infoOfListed(o types.Object, above string) (Info, bool) {
	key, ok := strings.CutPrefix(aws.ToString(o.Key), above)
	if !ok || CheckKey(key) != nil {
		return Info{}, false
	}
	return Info{Key: key, Size: aws.ToInt64(o.Size), ETag: aws.ToString(o.ETag), Modified: aws.ToTime(o.LastModified)}, true
}

// URL implements [Store]. It is signed here: only credentials that are to be renewed are asked for.
func (s *S3) URL(ctx context.Context, key string, expires time.Duration) (string, error) {
	at, err := s.at(key)
	if err == nil && (expires < time.Second || expires > MaxExpiry) {
		err = invalid("a URL is good for 1 second to 7 days, not for %s", expires)
	}
	if err != nil {
		return "", named(err, "url", key, s.String())
	}
	out, err := s.presign.PresignGetObject(ctx, &s3.GetObjectInput{Bucket: s.bucket(), Key: at}, s3.WithPresignExpires(expires))
	if err != nil {
		return "", named(s.explain(ctx, err), "url", key, s.String())
	}
	return out.URL, nil
}
