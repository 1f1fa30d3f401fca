//go:build kafka

package kafka_test

import (
	"errors"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/twmb/franz-go/pkg/kerr"
	"github.com/twmb/franz-go/pkg/kmsg"

	"citystream/engine/enginetest"
	"citystream/internal/apachekafka"
)

func TestTheKafkaSourceIsASourceOfApacheKafka(t *testing.T) {
	b := apachekafka.Start(t)
	var alone sync.Mutex // the tests of the suite share the broker and name their topics alike
	enginetest.SourceSuite(t, func(t *testing.T) enginetest.SourceHarness {
		alone.Lock()
		t.Cleanup(alone.Unlock)
		c := cluster{b.Addr}
		c.deleteAll(t)
		return harness(t, c)
	})
}

// deleteAll leaves no topic but Kafka's own.
func (c cluster) deleteAll(t testing.TB) {
	t.Helper()
	for deadline := time.Now().Add(20 * time.Second); ; {
		client := c.client(t)
		r, err := kmsg.NewPtrMetadataRequest().RequestWith(t.Context(), client)
		client.Close()
		if err != nil {
			t.Fatal(err)
		}
		left := 0
		for _, topic := range r.Topics {
			if name := *topic.Topic; !strings.HasPrefix(name, "__") {
				left++
				if topic.ErrorCode == 0 {
					if err := c.tryDelete(t, name); err != nil && !errors.Is(err, kerr.UnknownTopicOrPartition) { // it is being deleted already
						t.Fatal(err)
					}
				}
			}
		}
		if left == 0 {
			return
		}
		if time.Now().After(deadline) {
			t.Fatalf("%d topics stay", left)
		}
	}
}

func TestReplayerSendsEachMessageOnceOnApacheKafka(t *testing.T) {
	replaysOnce(t, apachekafka.Start(t).Addr)
}

func TestGroupOffsetsAreWhatLagToolsReadOnApacheKafka(t *testing.T) {
	groupOffsets(t, apachekafka.Start(t).Addr)
}
