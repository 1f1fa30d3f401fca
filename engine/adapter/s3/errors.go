package s3

import (
	"errors"
	"fmt"
	"net/http"
	"slices"

	awshttp "github.com/aws/aws-sdk-go-v2/aws/transport/http"
	"github.com/aws/smithy-go"

	"citystream/engine/port"
)

// The codes of answers that mean one of the port's errors. A missing bucket is none of them: taken for a missing object, it would
// make a log look empty that is merely out of reach.
var (
	notFoundCodes  = []string{"NoSuchKey", "NotFound"}
	noUploadCodes  = []string{"NoSuchUpload"}
	conflictCodes  = []string{"PreconditionFailed", "ConditionalRequestConflict", "OperationAborted"}
	forbiddenCodes = []string{
		"AccessDenied", "Forbidden", "InvalidAccessKeyId", "SignatureDoesNotMatch", "ExpiredToken", "InvalidToken",
		"TokenRefreshRequired", "RequestTimeTooSkewed", "AuthorizationHeaderMalformed", "AccountProblem", "AllAccessDisabled",
		"XAdminUserNotFound", // versitygw's word for an access key that it does not know
	}
	// Conflicts of another kind than a race: a store on a file system cannot keep both a and a/b.
	keyClashCodes = []string{"ObjectParentIsFile", "ExistingObjectIsDirectory"}
)

// classify gives an error of the SDK its meaning for callers. What it leaves as it is may pass by itself, and of a write nobody
// knows whether it took effect.
func classify(err error) error {
	if err == nil {
		return nil
	}
	code, status := errorCode(err), httpStatus(err)
	switch {
	case slices.Contains(notFoundCodes, code):
		return fmt.Errorf("%w (%w)", port.ErrNotFound, err)
	case slices.Contains(noUploadCodes, code):
		return fmt.Errorf("%w (%w)", port.ErrNoUpload, err)
	case slices.Contains(keyClashCodes, code):
		return fmt.Errorf("the key is below another object, or others are below it: %w", err)
	case slices.Contains(conflictCodes, code), status == http.StatusPreconditionFailed, status == http.StatusConflict:
		return fmt.Errorf("%w (%w)", port.ErrConflict, err)
	case slices.Contains(forbiddenCodes, code), status == http.StatusForbidden, status == http.StatusUnauthorized:
		return fmt.Errorf("%w (%w)", port.ErrForbidden, err)
	}
	return err
}

// errorCode returns the store's code of an error, or nothing.
func errorCode(err error) string {
	var api smithy.APIError
	if errors.As(err, &api) {
		return api.ErrorCode()
	}
	return ""
}

// httpStatus returns the status of the answer behind an error, or 0.
func httpStatus(err error) int {
	var response *awshttp.ResponseError
	if errors.As(err, &response) {
		return response.HTTPStatusCode()
	}
	return 0
}
