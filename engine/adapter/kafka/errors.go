package kafka

import (
	"context"
	"errors"
	"io"
	"math/rand/v2"
	"net"
	"slices"
	"syscall"
	"time"

	"github.com/IBM/sarama"
)

var (
	errClosed = errors.New("the kafka source is closed")
	errLegacy = errors.New("the log holds messages of the format before Kafka 0.11, which is not read: " +
		"let a newer producer or broker rewrite them, or start after them")
	errBatchTooLarge = errors.New("a batch is larger than the largest fetch")
)

// passingCodes are the broker's answers that a later attempt, after a fresh look at the metadata, may not meet again.
var passingCodes = []sarama.KError{
	sarama.ErrUnknown, // the broker's own trouble
	sarama.ErrInvalidMessage, sarama.ErrUnknownTopicOrPartition, sarama.ErrLeaderNotAvailable, sarama.ErrNotLeaderForPartition,
	sarama.ErrRequestTimedOut, sarama.ErrBrokerNotAvailable, sarama.ErrReplicaNotAvailable, sarama.ErrNetworkException,
	sarama.ErrNotController, sarama.ErrKafkaStorageError, sarama.ErrFencedLeaderEpoch, sarama.ErrUnknownLeaderEpoch,
	sarama.ErrOffsetNotAvailable, sarama.ErrListenerNotFound, sarama.ErrStaleControllerEpochCode, sarama.ErrReassignmentInProgress,
	sarama.ErrNotEnoughReplicas, sarama.ErrNotEnoughReplicasAfterAppend, sarama.ErrFetchSessionIDNotFound,
	sarama.ErrInvalidFetchSessionEpoch, sarama.ErrThrottlingQuotaExceeded,
	unknownTopicID, inconsistentTopicID,
}

// Codes of the protocol that sarama has no name for.
const (
	unknownTopicID      sarama.KError = 100
	inconsistentTopicID sarama.KError = 103
)

// passing tells whether an error may go away by itself, so that trying again makes sense.
func passing(err error) bool {
	var code sarama.KError
	if errors.As(err, &code) {
		return slices.Contains(passingCodes, code)
	}
	var network net.Error
	var dns *net.DNSError
	switch {
	case errors.Is(err, context.Canceled), errors.Is(err, context.DeadlineExceeded), errors.Is(err, errClosed):
		return false
	case errors.As(err, &dns):
		return true // a name may not be there yet while containers start
	case errors.As(err, &network):
		return true
	}
	return slices.ContainsFunc([]error{
		io.EOF, io.ErrUnexpectedEOF, io.ErrClosedPipe, net.ErrClosed,
		syscall.ECONNREFUSED, syscall.ECONNRESET, syscall.ECONNABORTED, syscall.EPIPE, syscall.ENOTCONN,
		sarama.ErrNotConnected, sarama.ErrIncompleteResponse, sarama.ErrInsufficientData, sarama.ErrOutOfBrokers, errCorrupt, errMalformed,
	}, func(target error) bool { return errors.Is(err, target) })
}

const (
	pauseMin = 40 * time.Millisecond
	pauseMax = 2 * time.Second
)

// pause waits longer the more attempts failed, give or take a quarter so that many readers do not return at once. It is false if
// ctx ended first.
func pause(ctx context.Context, attempt int) bool {
	d := pauseMax
	if attempt < 6 {
		d = min(pauseMin<<attempt, pauseMax)
	}
	d = d*3/4 + rand.N(d/2)
	timer := time.NewTimer(d)
	defer timer.Stop()
	select {
	case <-timer.C:
		return true
	case <-ctx.Done():
		return false
	}
}
