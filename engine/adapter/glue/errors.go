package glue

import (
	"context"
	"errors"
	"fmt"
	"math/rand/v2"
	"slices"
	"time"

	"github.com/aws/aws-sdk-go-v2/service/glue/types"
	"github.com/aws/smithy-go"

	"citystream/engine/port"
)

// errFaster says that somebody else made what was to be made, so that it must be looked at again.
var errFaster = errors.New("somebody else was faster")

// tries is how often a call looks and writes again. The client's own retries of throttling and of the network come on top.
const tries = 12

const (
	pauseMin = 20 * time.Millisecond
	pauseMax = 2 * time.Second
)

// passingCodes are Glue's errors that a later attempt may not meet again. The client does not retry the first of them.
var passingCodes = []string{
	"ConcurrentModificationException", "InternalServiceException", "InternalFailure", "OperationTimeoutException", "ThrottlingException",
	"FederationSourceRetryableException", "ServiceUnavailable",
}

func retryableCode(code string) bool { return slices.Contains(passingCodes, code) }

// retryable tells whether looking again and trying again makes sense.
func retryable(err error) bool {
	var api smithy.APIError
	return errors.Is(err, errFaster) || errors.As(err, &api) && retryableCode(api.ErrorCode())
}

// again calls f until it succeeds, fails for good, or has been tried often enough. It waits longer each time, and never equally long, so
// that writers who met once do not meet again.
func again(ctx context.Context, f func() error) error {
	for try := 1; ; try++ {
		err := f()
		if err == nil || !retryable(err) {
			return err
		}
		if try == tries {
			return fmt.Errorf("given up after %d tries: %w", tries, err)
		}
		wait := min(pauseMin<<try, pauseMax)
		timer := time.NewTimer(wait/2 + rand.N(wait/2))
		select {
		case <-timer.C:
		case <-ctx.Done():
			timer.Stop()
			return errors.Join(ctx.Err(), err)
		}
	}
}

func notFound(err error) bool {
	var e *types.EntityNotFoundException
	return errors.As(err, &e)
}

func alreadyThere(err error) bool {
	var e *types.AlreadyExistsException
	return errors.As(err, &e)
}

// asPort gives the errors that callers branch on the port's names.
func asPort(err error) error {
	var denied *types.AccessDeniedException
	switch {
	case notFound(err):
		return fmt.Errorf("%w: %w", port.ErrNotFound, err)
	case errors.As(err, &denied):
		return fmt.Errorf("%w: %w", port.ErrForbidden, err)
	}
	return err
}
