package kafka

import (
	"context"
	"errors"
	"fmt"
	"io"
	"net"
	"syscall"
	"testing"

	"github.com/IBM/sarama"

	"citystream/engine/port"
	"citystream/engine/record"
)

func TestPassingTroublesAreToldFromThoseThatStay(t *testing.T) {
	t.Parallel()
	for err, want := range map[error]bool{
		sarama.ErrNotLeaderForPartition: true, sarama.ErrFencedLeaderEpoch: true, sarama.ErrUnknownLeaderEpoch: true, unknownTopicID: true,
		sarama.ErrLeaderNotAvailable: true, sarama.ErrUnknownTopicOrPartition: true, io.EOF: true, syscall.ECONNREFUSED: true,
		&net.OpError{Op: "dial", Err: syscall.ECONNREFUSED}: true, sarama.ErrNotConnected: true,
		sarama.ErrTopicAuthorizationFailed: false, sarama.ErrUnsupportedVersion: false, sarama.ErrInvalidTopic: false, sarama.ErrSASLAuthenticationFailed: false,
		port.ErrOffsetOutOfRange: false, errLegacy: false, errBatchTooLarge: false, errClosed: false,
		context.Canceled: false, context.DeadlineExceeded: false, errors.New("something else"): false,
	} {
		if got := passing(fmt.Errorf("broker x: %w", err)); got != want {
			t.Errorf("passing(%v) is %v", err, got)
		}
	}
}

func TestAnswersToOffsetForLeaderEpoch(t *testing.T) {
	t.Parallel()
	answer := []byte{0, 0, 0, 1, 0, 0, 0, 0, 0, 0, 0, 1, 0, 1, 'a', 0, 0, 0, 1, 0, 0, 0, 0, 0, 3, 0, 0, 0, 7, 0, 0, 0, 0, 0, 0, 1, 2}
	if end, ok, err := parseEpochEnd(answer); err != nil || !ok || end != record.Offset(258) {
		t.Errorf("%d, %v, %v", end, ok, err)
	}
	for n := range len(answer) {
		if _, _, err := parseEpochEnd(answer[:n]); !errors.Is(err, errMalformed) {
			t.Errorf("cut at %d: %v", n, err)
		}
	}
	answer[20] = 6
	if _, _, err := parseEpochEnd(answer); !errors.Is(err, sarama.ErrNotLeaderForPartition) {
		t.Errorf("an error code: %v", err)
	}
}
