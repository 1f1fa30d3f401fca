package redshift

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"strings"

	"github.com/aws/smithy-go"

	"citystream/engine/port"
)

// errRolledBack says that a transaction gave way to another one, whole: nothing of it is left.
var errRolledBack = fmt.Errorf("%w: the transaction was rolled back", port.ErrTransient)

// errNoTable says that a table or its schema is not there.
var errNoTable = fmt.Errorf("%w: %w", port.ErrNotFound, port.ErrQueryFailed)

// busy tells whether the service was not able to take a call just now.
func busy(err error) bool { return errors.Is(err, port.ErrTransient) }

func rolledBack(err error) bool { return errors.Is(err, errRolledBack) }

// Codes of the service's errors, by what a caller does about them.
var (
	passingCodes = []string{
		"ActiveStatementsExceededException", "ActiveSessionsExceededException", "InternalServerException", "InternalFailure", "QueryTimeoutException",
		"ThrottlingException", "TooManyRequestsException", "ServiceUnavailable", "RequestTimeout",
	}
	connectionCodes = []string{"DatabaseConnectionException", "ExecuteStatementException", "BatchExecuteStatementException"}
	deniedCodes     = []string{
		"AccessDeniedException", "UnrecognizedClientException", "InvalidSignatureException", "ExpiredTokenException", "IncompleteSignature",
		"MissingAuthenticationTokenException",
	}
)

// asPort gives an error of a call the name that callers branch on.
func asPort(ctx context.Context, err error) error {
	var api smithy.APIError
	switch {
	case err == nil:
		return nil
	case ctx.Err() != nil:
		return errors.Join(ctx.Err(), err)
	case !errors.As(err, &api):
		return fmt.Errorf("%w: %w", port.ErrTransient, err) // the network
	}
	code, words := api.ErrorCode(), strings.ToLower(api.ErrorMessage())
	switch {
	case slices.Contains(passingCodes, code) || api.ErrorFault() == smithy.FaultServer && !slices.Contains(connectionCodes, code):
		return fmt.Errorf("%w: %w", port.ErrTransient, err)
	case slices.Contains(deniedCodes, code):
		return fmt.Errorf("%w: allow redshift-data calls and, for a workgroup, redshift-serverless:GetCredentials: %w", port.ErrForbidden, err)
	case slices.Contains(connectionCodes, code):
		return fmt.Errorf("%w: the database cannot be reached: is the cluster running, and are database, user and secret right? %w", port.ErrTransient, err)
	case code == "ResourceNotFoundException", code == "ValidationException" && (strings.Contains(words, "not found") || strings.Contains(words, "exist")):
		return fmt.Errorf("%w: check workgroup or cluster, database and region: %w", port.ErrNotFound, err)
	}
	return fmt.Errorf("%w: %w", port.ErrQueryFailed, err)
}

// Words in what Redshift says of a failed statement. SQL has error codes too, but the Data API hands on the words only.
var (
	rolledBackWords = []string{"serializable isolation violation", "deadlock", "could not serialize", "conflict with concurrent transaction"}
	passingWords    = []string{
		"connection reset", "connection refused", "terminating connection", "connection limit", "too many connections", "system is in maintenance",
		"restarting", "statement timeout", "query cancelled", "query canceled", "canceling statement", "cancelled on user's request", "disk full", "slow down",
	}
	deniedWords  = []string{"permission denied", "not authorized", "access denied", "accessdenied", "must be owner"}
	missingWords = []string{"relation ", "schema "}
)

// failed returns the error of a statement that the service could not run, with the service's words.
func failed(words string) error {
	lower := strings.ToLower(words)
	has := func(parts []string) bool {
		return slices.ContainsFunc(parts, func(part string) bool { return strings.Contains(lower, part) })
	}
	switch {
	case has(rolledBackWords):
		return fmt.Errorf("%w: %s", errRolledBack, words)
	case has(deniedWords):
		return fmt.Errorf("%w: grant the database user the schema and its tables, and the role the bucket: %s", port.ErrForbidden, words)
	case has(passingWords):
		return fmt.Errorf("%w: %s", port.ErrTransient, words)
	case strings.Contains(lower, "does not exist") && has(missingWords):
		return fmt.Errorf("%w: %s", errNoTable, words)
	case strings.Contains(lower, "does not exist") && strings.Contains(lower, "database "):
		return fmt.Errorf("%w: make the database, or name another: %s", port.ErrNotFound, words)
	}
	return fmt.Errorf("%w: %s", port.ErrQueryFailed, words)
}
