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
)

func TestPassingTroublesAreToldFromThoseThatStay(t *testing.T) {
	t.Parallel()
	for err, want := range map[error]bool{
		sarama.ErrNotLeaderForPartition: true, sarama.ErrFencedLeaderEpoch: true, sarama.ErrUnknownLeaderEpoch: true, unknownTopicID: true,
		sarama.ErrLeaderNotAvailable: true, sarama.ErrUnknownTopicOrPartition: true, io.EOF: true, syscall.ECONNREFUSED: true,
		&net.OpError{Op: "dial", Err: syscall.ECONNREFUSED}: true, sarama.ErrNotConnected: true, errCorrupt: true, errMalformed: true,
		sarama.ErrTopicAuthorizationFailed: false, sarama.ErrUnsupportedVersion: false, sarama.ErrInvalidTopic: false, sarama.ErrSASLAuthenticationFailed: false,
		port.ErrOffsetOutOfRange: false, errLegacy: false, errBatchTooLarge: false, errClosed: false,
		context.Canceled: false, context.DeadlineExceeded: false, errors.New("something else"): false,
	} {
		if got := passing(fmt.Errorf("broker x: %w", err)); got != want {
			t.Errorf("passing(%v) is %v", err, got)
		}
	}
}
