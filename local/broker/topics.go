package broker

import (
	"context"
	"log/slog"

	"github.com/twmb/franz-go/pkg/kerr"
	"github.com/twmb/franz-go/pkg/kfake"
	"github.com/twmb/franz-go/pkg/kgo"
	"github.com/twmb/franz-go/pkg/kmsg"
)

// makeTopicsAskedFor creates a topic when a client asks for it that wants it made, as producers do.
//
// The cluster could do so by itself, but it writes such a topic down only when it is closed in an orderly way: after a kill the
// topic with all its messages would be gone. So the topic is created by the request that writes it down, while the question waits.
func makeTopicsAskedFor(ctx context.Context, cluster *kfake.Cluster, client *kgo.Client, logger *slog.Logger) {
	cluster.ControlKey(int16(kmsg.Metadata), func(r kmsg.Request) (kmsg.Response, error, bool) {
		request := r.(*kmsg.MetadataRequest)
		if names := wanted(request); len(names) > 0 {
			cluster.SleepControl(func() {
				if err := makeTopics(ctx, client, names); err != nil && ctx.Err() == nil {
					logger.Warn("embedded broker: could not make the topics that a client asked for", "topics", names, "error", err)
				}
			})
		}
		return nil, nil, false
	})
}

// wanted returns the names of the topics that the request wants to exist.
func wanted(request *kmsg.MetadataRequest) []string {
	const choiceSince = 4 // before this version of the request every one of them makes topics
	if request.Version >= choiceSince && !request.AllowAutoTopicCreation {
		return nil
	}
	var names []string
	for _, t := range request.Topics {
		if t.Topic != nil && *t.Topic != "" {
			names = append(names, *t.Topic)
		}
	}
	return names
}

// makeTopics creates those of the topics that do not exist. Names that no topic can have are left to the answer that waits.
func makeTopics(ctx context.Context, client *kgo.Client, names []string) error {
	ask := kmsg.NewPtrMetadataRequest()
	for _, name := range names {
		topic := kmsg.NewMetadataRequestTopic()
		topic.Topic = kmsg.StringPtr(name)
		ask.Topics = append(ask.Topics, topic)
	}
	known, err := ask.RequestWith(ctx, client)
	if err != nil {
		return err
	}
	create := kmsg.NewPtrCreateTopicsRequest()
	for _, t := range known.Topics {
		if t.ErrorCode == kerr.UnknownTopicOrPartition.Code && t.Topic != nil {
			topic := kmsg.NewCreateTopicsRequestTopic()
			topic.Topic, topic.NumPartitions, topic.ReplicationFactor = *t.Topic, -1, -1
			create.Topics = append(create.Topics, topic)
		}
	}
	if len(create.Topics) == 0 {
		return nil
	}
	_, err = create.RequestWith(ctx, client)
	return err
}
