package kafka

import (
	"context"
	"fmt"
	"strings"
	"time"

	"github.com/IBM/sarama"

	"citystream/engine/port"
)

// A TopicSpec is a topic that shall exist.
type TopicSpec struct {
	Name       string
	Partitions int32             // 0 leaves it to the broker
	Config     map[string]string // topic settings, for example retention.ms
}

// EnsureTopics makes the topics that are missing and leaves the others as they are. It returns all of them with the partitions
// that they really have, in the order of specs.
func EnsureTopics(ctx context.Context, brokers []string, specs []TopicSpec) ([]port.Topic, error) {
	s, err := NewSource(Options{Brokers: brokers})
	if err != nil {
		return nil, err
	}
	defer func() { _ = s.Close() }()
	return s.EnsureTopics(ctx, specs)
}

// EnsureTopics is the function of the same name over this source's connections.
func (s *Source) EnsureTopics(ctx context.Context, specs []TopicSpec) ([]port.Topic, error) {
	if len(specs) == 0 {
		return nil, nil
	}
	names := make([]string, len(specs))
	for i, spec := range specs {
		names[i] = spec.Name
	}
	var topics []port.Topic
	err := s.retry(ctx, func(ctx context.Context) error {
		m, err := s.metadata(ctx, names)
		if err != nil {
			return err
		}
		if topics, err = existing(m); err != nil || len(topics) == len(specs) {
			return err
		}
		if err := s.create(ctx, missing(specs, topics)); err != nil {
			return err
		}
		// What was made is seen by all brokers only after a moment: the next attempt finds it.
		return fmt.Errorf("new topics: %w", sarama.ErrLeaderNotAvailable)
	})
	if err != nil {
		return nil, fmt.Errorf("make topics %s: %w", strings.Join(names, ", "), err)
	}
	return inOrder(topics, names), nil
}

func missing(specs []TopicSpec, have []port.Topic) map[string]*sarama.TopicDetail {
	details := map[string]*sarama.TopicDetail{}
	for _, spec := range specs {
		detail := &sarama.TopicDetail{NumPartitions: spec.Partitions, ReplicationFactor: -1, ConfigEntries: map[string]*string{}}
		if spec.Partitions == 0 {
			detail.NumPartitions = -1
		}
		for k, v := range spec.Config {
			detail.ConfigEntries[k] = &v
		}
		details[spec.Name] = detail
	}
	for _, t := range have {
		delete(details, t.Name)
	}
	return details
}

// create asks the controller. A topic that somebody else made in the meantime is as good.
func (s *Source) create(ctx context.Context, details map[string]*sarama.TopicDetail) error {
	controller, err := s.controller(ctx)
	if err != nil {
		return err
	}
	request := sarama.NewCreateTopicsRequest(sarama.V3_6_0_0, details, 15*time.Second, false)
	var response *sarama.CreateTopicsResponse
	err = s.ask(ctx, controller, func(b *sarama.Broker) (err error) {
		response, err = b.CreateTopics(request)
		return err
	})
	if err != nil {
		return err
	}
	for name, e := range response.TopicErrors {
		if e.Err == sarama.ErrNoError || e.Err == sarama.ErrTopicAlreadyExists {
			continue
		}
		detail := ""
		if e.ErrMsg != nil {
			detail = ": " + *e.ErrMsg
		}
		return fmt.Errorf("topic %s%s: %w", name, detail, e.Err)
	}
	return nil
}

func (s *Source) controller(ctx context.Context) (string, error) {
	m, err := s.metadata(ctx, []string{"__consumer_offsets"}) // any name will do; none would ask for all topics
	if err != nil {
		return "", err
	}
	for _, b := range m.Brokers {
		if b.ID() == m.ControllerID {
			return b.Addr(), nil
		}
	}
	return "", fmt.Errorf("controller %d: %w", m.ControllerID, sarama.ErrNotController)
}

func inOrder(topics []port.Topic, names []string) []port.Topic {
	byName := make(map[string]port.Topic, len(topics))
	for _, t := range topics {
		byName[t.Name] = t
	}
	ordered := make([]port.Topic, len(names))
	for i, name := range names {
		ordered[i] = byName[name]
	}
	return ordered
}
