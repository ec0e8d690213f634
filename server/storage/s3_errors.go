package storage

import (
	"context"
	"errors"
	"fmt"
	"net/http"
	"strings"
	"time"

	"github.com/aws/aws-sdk-go-v2/service/s3"
	"github.com/aws/smithy-go"
	smithyhttp "github.com/aws/smithy-go/transport/http"
)

// explain gives an error of the client its code.
func (s *S3) explain(ctx context.Context, err error) error {
	if e, ok := errors.AsType[*Error](err); ok {
		return e
	}
	if e := ended(ctx, err); e != nil {
		if down := notReached(ctx); down != nil && CodeOf(e) == CodeTimeout {
			return down
		}
		return e
	}
	code, status := answerOf(err)
	switch {
	case errors.Is(err, errNoCredentials):
		return &Error{Code: CodeDenied, Message: errNoCredentials.Error(), cause: err}
	case code == "InvalidAccessKeyId", code == "XAdminUserNotFound": // which is what Versity's says
		return &Error{Code: CodeDenied, Message: denied(code, err), cause: err}
	case code == "NoSuchBucket":
		return s.noBucket(err)
	case code == "NoSuchKey", status == http.StatusNotFound && (code == "" || code == "NotFound"):
		return s.missing(ctx, err)
	case status == http.StatusPreconditionFailed:
		return &Error{Code: CodeChanged, Message: "the file has been replaced meanwhile", cause: err}
	case status == http.StatusRequestedRangeNotSatisfiable:
		return &Error{Code: CodeInvalid, Message: "the file has no byte there", cause: err}
	case code == "EntityTooLarge" || status == http.StatusRequestEntityTooLarge:
		return &Error{Code: CodeTooLarge, Message: "larger than the server takes: " + said(err), cause: err}
	case code == "KeyTooLongError":
		return &Error{Code: CodeInvalidKey, rule: "it is too long", Message: said(err), cause: err}
	case strings.HasPrefix(code, "ObjectParentIsFile"), code == "ExistingObjectIsDirectory":
		return &Error{Code: CodeInvalidKey, rule: parentRule, Message: "this server keeps files in folders, where one key cannot be the beginning of the path of another: " + said(err), cause: err}
	case elsewhere(code, status):
		return &Error{Code: CodeUnavailable, Message: fmt.Sprintf("the bucket is not in the region %q: say where it is by ?region=… in the URL, or AWS_REGION (%s)", s.location.Region, said(err)), cause: err}
	case status == http.StatusForbidden, status == http.StatusUnauthorized, status == http.StatusBadRequest && expired(code):
		return &Error{Code: CodeDenied, Message: denied(code, err), cause: err}
	case code == "RequestTimeout", code == "RequestTimeTooSkewed":
		return &Error{Code: CodeTimeout, Message: said(err), cause: err}
	case status != 0:
		return &Error{Code: CodeUnavailable, Message: fmt.Sprintf("the server answered %d: %s", status, said(err)), cause: err}
	case isTimeout(err) && !isUnreached(err):
		return &Error{Code: CodeTimeout, Message: "no answer in time", cause: err}
	}
	return &Error{Code: CodeUnavailable, Message: "the server does not answer: " + rootOf(err).Error(), cause: err}
}

// parentRule is what stores that are folders want of keys.
const parentRule = "one key cannot be the beginning of the path of another"

// answerOf is the code and the status that the server sent.
func answerOf(err error) (code string, status int) {
	if e, ok := errors.AsType[smithy.APIError](err); ok {
		code = e.ErrorCode()
	}
	if e, ok := errors.AsType[*smithyhttp.ResponseError](err); ok {
		status = e.HTTPStatusCode()
	}
	return code, status
}

// said is what the server said, shortened.
func said(err error) string {
	e, ok := errors.AsType[smithy.APIError](err)
	if !ok {
		return rootOf(err).Error()
	}
	text := e.ErrorCode()
	if message := strings.Join(strings.Fields(e.ErrorMessage()), " "); message != "" && message != text {
		text += ": " + message
	}
	const most = 300
	if len(text) > most {
		text = strings.ToValidUTF8(text[:most], "") + "…"
	}
	return text
}

// rootOf leaves out what the client says around an error.
func rootOf(err error) error {
	for {
		below := errors.Unwrap(err)
		if several, ok := err.(interface{ Unwrap() []error }); ok && len(several.Unwrap()) > 0 {
			below = several.Unwrap()[0] // the library adds that it has tried often enough
		}
		if below == nil {
			return err
		}
		err = below
	}
}

func (s *S3) noBucket(cause error) error {
	return &Error{Code: CodeUnavailable, cause: cause,
		Message: fmt.Sprintf("the bucket %q does not exist there: make it, or correct the name, the endpoint or the region in the URL", s.location.Bucket)}
}

// missing tells a file that is not there from a bucket that is not: the answer to HEAD does not.
func (s *S3) missing(ctx context.Context, cause error) error {
	if s.there.Load() {
		return notFound(cause)
	}
	_, err := s.client.HeadBucket(ctx, &s3.HeadBucketInput{Bucket: s.bucket()})
	if err == nil {
		s.there.Store(true)
		return notFound(cause)
	}
	switch _, status := answerOf(err); status {
	case http.StatusNotFound:
		return s.noBucket(cause)
	case 0:
		return s.explain(ctx, err)
	}
	return notFound(cause) // the bucket may not be looked at, or is elsewhere: the file is what was asked for
}

// elsewhere reports whether an answer says that another region has the bucket.
func elsewhere(code string, status int) bool {
	return code == "AuthorizationHeaderMalformed" || code == "PermanentRedirect" || code == "IllegalLocationConstraintException" || status/100 == 3
}

func expired(code string) bool { return code == "ExpiredToken" || code == "InvalidToken" }

func denied(code string, err error) string {
	switch code {
	case "InvalidAccessKeyId", "XAdminUserNotFound":
		return "the server does not know this access key: correct AWS_ACCESS_KEY_ID"
	case "SignatureDoesNotMatch":
		return "the secret does not belong to the access key: correct AWS_SECRET_ACCESS_KEY"
	case "ExpiredToken", "InvalidToken":
		return "the session token is no longer good: get new credentials"
	}
	return "the credentials do not allow it, or there is no such file and they may not list the bucket (" + said(err) + ")"
}

// abortTimeout is what giving up an upload may take.
const abortTimeout = 10 * time.Second
