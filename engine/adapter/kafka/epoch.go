package kafka

import (
	"context"
	"crypto/tls"
	"encoding/binary"
	"errors"
	"fmt"
	"io"
	"net"
	"time"

	"github.com/IBM/sarama"

	"citystream/engine/record"
)

const (
	epochEndKey      = 23 // OffsetForLeaderEpoch
	epochEndVersion  = 3  // since Kafka 2.3, the last one with fixed-length fields
	epochAnswerBytes = 1 << 16
)

var errMalformed = errors.New("malformed answer to OffsetForLeaderEpoch")

// epochEnd asks the leader where an epoch ends. Sarama does not know this request, which is a short one and rare, so it is spelt
// out here and sent over a connection of its own.
func (s *Source) epochEnd(ctx context.Context, at leader, tp record.TopicPartition, epoch int32) (record.Offset, bool, error) {
	answer, err := s.exchange(ctx, at.addr, epochEndRequest(s.o.ClientID, tp, epoch))
	if err != nil {
		return 0, false, at.wrap(err)
	}
	end, ok, err := parseEpochEnd(answer)
	if err != nil {
		return 0, false, at.wrap(err)
	}
	return end, ok, nil
}

// exchange sends one framed request and returns the answer without its length.
func (s *Source) exchange(ctx context.Context, addr string, request []byte) ([]byte, error) {
	dialer := net.Dialer{Timeout: s.o.DialTimeout}
	conn, err := dialer.DialContext(ctx, "tcp", addr)
	if err != nil {
		return nil, err
	}
	if s.o.TLS != nil {
		conn = tls.Client(conn, s.tlsFor(addr))
	}
	defer func() { _ = conn.Close() }()
	defer context.AfterFunc(ctx, func() { _ = conn.Close() })()
	if err := conn.SetDeadline(time.Now().Add(answerTimeout)); err != nil {
		return nil, err
	}
	if _, err := conn.Write(request); err != nil {
		return nil, err
	}
	var size [4]byte
	if _, err := io.ReadFull(conn, size[:]); err != nil {
		return nil, err
	}
	n := binary.BigEndian.Uint32(size[:])
	if n > epochAnswerBytes {
		return nil, fmt.Errorf("%w: %d bytes", errMalformed, n)
	}
	answer := make([]byte, n)
	_, err = io.ReadFull(conn, answer)
	return answer, err
}

// tlsFor returns the configuration with the server's name, which a client must check.
func (s *Source) tlsFor(addr string) *tls.Config {
	config := s.o.TLS.Clone()
	if host, _, err := net.SplitHostPort(addr); err == nil && config.ServerName == "" {
		config.ServerName = host
	}
	return config
}

func epochEndRequest(clientID string, tp record.TopicPartition, epoch int32) []byte {
	text := func(b []byte, s string) []byte { return append(binary.BigEndian.AppendUint16(b, uint16(len(s))), s...) }
	number := binary.BigEndian.AppendUint32
	b := make([]byte, 4, 64+len(clientID)+len(tp.Topic))
	b = binary.BigEndian.AppendUint16(b, epochEndKey)
	b = binary.BigEndian.AppendUint16(b, epochEndVersion)
	b = number(b, 1)          // correlation
	b = text(b, clientID)     //
	b = number(b, ^uint32(0)) // replica -1: a consumer
	b = number(b, 1)          // topics
	b = text(b, tp.Topic)     //
	b = number(b, 1)          // partitions
	b = number(b, uint32(tp.Partition))
	b = number(b, ^uint32(0)) // current leader epoch -1: not compared
	b = number(b, uint32(epoch))
	binary.BigEndian.PutUint32(b, uint32(len(b)-4))
	return b
}

// parseEpochEnd reads correlation, throttle time, and of the one topic's one partition: error, number, epoch, end.
func parseEpochEnd(b []byte) (end record.Offset, ok bool, err error) {
	const before = 4 + 4 + 4 // correlation, throttle time, number of topics
	const after = 4 + 2 + 4 + 4 + 8
	if len(b) < before+2 {
		return 0, false, errMalformed
	}
	name := int(binary.BigEndian.Uint16(b[before:]))
	if len(b) < before+2+name+after || binary.BigEndian.Uint32(b[8:]) != 1 {
		return 0, false, errMalformed
	}
	b = b[before+2+name:]
	if code := sarama.KError(int16(binary.BigEndian.Uint16(b[4:]))); code != sarama.ErrNoError {
		return 0, false, code
	}
	epoch, offset := int32(binary.BigEndian.Uint32(b[10:])), int64(binary.BigEndian.Uint64(b[14:]))
	return record.Offset(offset), epoch >= 0 && offset >= 0, nil
}
