package aws

import (
	"errors"
	"fmt"
	"net/http"
)

// An apiError is an error in the words of the AWS services: the type is what clients branch on.
type apiError struct {
	kind    string // for example EntityNotFoundException
	message string
	status  int               // HTTP status, 400 where it is 0
	more    map[string]string // further members
}

func (e *apiError) Error() string { return e.kind + ": " + e.message }

// code returns the HTTP status.
func (e *apiError) code() int {
	if e.status == 0 {
		return http.StatusBadRequest
	}
	return e.status
}

// fault returns an apiError of a type.
func fault(kind, format string, args ...any) *apiError {
	return &apiError{kind: kind, message: fmt.Sprintf(format, args...)}
}

// Types of Glue's errors.
const (
	entityNotFound         = "EntityNotFoundException"
	alreadyExists          = "AlreadyExistsException"
	invalidInput           = "InvalidInputException"
	concurrentModification = "ConcurrentModificationException"
	internalService        = "InternalServiceException"
	invalidState           = "InvalidStateException"
)

// Athena's one error for everything that is wrong with a request.
const invalidRequest = "InvalidRequestException"

// asFault returns the apiError in err, or the service's internal error.
func asFault(err error) *apiError {
	var e *apiError
	if errors.As(err, &e) {
		return e
	}
	return &apiError{kind: internalService, message: err.Error(), status: http.StatusInternalServerError}
}
