package broker

import (
	"context"

	"github.com/twmb/franz-go/pkg/kfake"
	"github.com/twmb/franz-go/pkg/kgo"
	"github.com/twmb/franz-go/pkg/kmsg"
)

// answerUnknownGroups makes the cluster answer like Kafka when the offsets of a group are asked for that nobody has committed to:
// with "no offset" and not with an error, on which some clients give up.
//
// An empty commit makes the cluster know the group; it is sent while the question waits. For a group with members the commit is
// refused, and harmless.
func answerUnknownGroups(ctx context.Context, cluster *kfake.Cluster, client *kgo.Client) {
	cluster.ControlKey(int16(kmsg.OffsetFetch), func(request kmsg.Request) (kmsg.Response, error, bool) {
		cluster.SleepControl(func() {
			for _, group := range groupsOf(request.(*kmsg.OffsetFetchRequest)) {
				commit := kmsg.NewPtrOffsetCommitRequest()
				commit.Group, commit.Generation = group, -1
				_, _ = commit.RequestWith(ctx, client) // the question that waits gets its answer in any case
			}
		})
		return nil, nil, false
	})
}

// groupsOf returns the groups that a request asks for, in either form of it.
func groupsOf(request *kmsg.OffsetFetchRequest) []string {
	if request.Group != "" {
		return []string{request.Group}
	}
	groups := make([]string, 0, len(request.Groups))
	for _, g := range request.Groups {
		groups = append(groups, g.Group)
	}
	return groups
}
