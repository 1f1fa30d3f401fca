package main

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"slices"
	"strings"

	"github.com/jedib0t/go-pretty/v6/table"
	"github.com/spf13/cobra"

	"citystream/config"
	"citystream/engine/adapter/kafka"
	"citystream/engine/commitlog"
	"citystream/engine/port"
	"citystream/engine/record"
	"citystream/engine/replay"
	"citystream/engine/schema"
)

// replayGroup is the consumer group that keeps how far dead letters were sent again.
const replayGroup = "citystream-replay"

// What one transaction of a replay carries at most.
const (
	replayMessages = 500
	replayBytes    = 4 << 20
)

// replayed is what was done for one partition.
type replayed struct {
	Table     string        `json:"table"`
	Topic     string        `json:"topic"`
	Partition int           `json:"partition"`
	From      record.Offset `json:"from"` // offsets gone through: [from, to)
	To        record.Offset `json:"to"`
	Sent      int64         `json:"sent"`
}

func replayCommand() *cobra.Command {
	var name, to, output string
	var dry bool
	c := &cobra.Command{
		Use:   "replay --table NAME",
		Short: "Send the dead letters of a table to a topic, each once: to its own, to be decoded again, or to another",
		Long: `Reads the dead letters of a table in the order of their offsets and sends their keys and values to a topic: to that of the table, where
they are decoded again under the rules of now, or with --to to another one. Messages and progress are one Kafka transaction, so each dead
letter is sent once, however often replay is killed and begun again. What still cannot be decoded becomes a new dead letter.

Exit code 0: everything that is committed was sent. 1: an error; begin again. 2: wrong flags or configuration.`,
		Example: "  citystream replay --table orders --data ./data --kafka localhost:9092\n  citystream replay --table orders --to orders.rejected --dry-run",
		Args:    cobra.NoArgs,
		RunE: func(c *cobra.Command, _ []string) error {
			cfg, err := settingsOf(c, nil, map[string]string{
				"data": "embedded.data", "s3": "store.endpoint", "bucket": "store.bucket", "kafka": "kafka.brokers",
			})
			if err != nil {
				return err
			}
			t, err := tableNamed(cfg, name)
			if err != nil {
				return err
			}
			if to == "" {
				to = t.Topic
			}
			done, err := runReplay(c.Context(), cfg, t, to, dry)
			return errors.Join(err, writeReplayed(c.OutOrStdout(), done, output == "json"))
		},
	}
	f := c.Flags()
	f.StringVar(&name, "table", "", "`NAME` of the table")
	f.StringVar(&to, "to", "", "`TOPIC` to send to; the table's own by default")
	f.BoolVar(&dry, "dry-run", false, "count only")
	f.String("data", "./data", "data `DIR`")
	f.String("s3", "", "`URL` of an S3 service instead of the data directory's store, with the credentials of the usual chain")
	f.String("bucket", "", "bucket of the files and the commit logs")
	f.String("kafka", "", "`HOST:PORT,...` of the Kafka cluster")
	f.StringVar(&output, "output", "table", "form of the report: table or json")
	configFlag(c)
	return c
}

func tableNamed(cfg *config.Config, name string) (*schema.Table, error) {
	for _, t := range cfg.Tables {
		if t.Name == name {
			return t, nil
		}
	}
	return nil, usageError{fmt.Errorf("--table %q: no table of the configuration", name)}
}

// kafkaFile of the data directory says where the Kafka is that the last up used.
const kafkaFile = "kafka"

// brokersBeside takes the brokers of the up that runs on the data directory, where nobody has named any: the store is that of the directory, and whatever
// cluster happens to have the usual address is another one's.
func brokersBeside(cfg *config.Config) error {
	if cfg.Store.Endpoint != "" || !slices.Equal(cfg.Kafka.Brokers, config.Default().Kafka.Brokers) {
		return nil
	}
	if !inUse(cfg.Embedded.Data, "broker") {
		return usageError{fmt.Errorf("no broker runs on %s: start one with citystream up --stay or citystream broker, or name Kafka with --kafka HOST:PORT", cfg.Embedded.Data)}
	}
	address, err := os.ReadFile(filepath.Join(cfg.Embedded.Data, kafkaFile))
	if err != nil {
		return fmt.Errorf("the broker of %s is not known: name it with --kafka HOST:PORT: %w", cfg.Embedded.Data, err)
	}
	cfg.Kafka.Brokers = strings.Split(string(address), ",")
	return nil
}

// runReplay goes through all partitions of a table's topic.
func runReplay(ctx context.Context, cfg *config.Config, t *schema.Table, to string, dry bool) (done []replayed, err error) {
	bucket, end, err := openBucket(ctx, cfg)
	if err != nil {
		return nil, err
	}
	defer func() { err = errors.Join(err, end()) }()
	if err := brokersBeside(cfg); err != nil {
		return nil, err
	}
	source, err := kafka.NewSource(kafkaOptions(cfg, newLog(cfg)))
	if err != nil {
		return nil, err
	}
	defer source.Close()
	topics, err := source.Topics(ctx, []string{t.Topic})
	if err != nil || len(topics) == 0 {
		return nil, errors.Join(err, fmt.Errorf("topic %s is not there", t.Topic))
	}
	for p := range topics[0].Partitions {
		log := commitlog.Log{Table: t.Name, TopicPartition: record.TopicPartition{Topic: t.Topic, Partition: record.Partition(p)}}
		one, err := replayLog(ctx, cfg, bucket, log, to, dry)
		done = append(done, one)
		if err != nil {
			return done, fmt.Errorf("%s: %w", log, err)
		}
	}
	return done, nil
}

// replayLog sends the dead letters of one log.
func replayLog(ctx context.Context, cfg *config.Config, store port.Store, log commitlog.Log, to string, dry bool) (done replayed, err error) {
	done = replayed{Table: log.Table, Topic: log.Topic, Partition: int(log.Partition)}
	through, err := replay.Through(ctx, store, log)
	if err != nil {
		return done, err
	}
	// A replay to another topic has a progress of its own.
	r, err := kafka.NewReplayer(kafka.ProducerOptions{Brokers: cfg.Kafka.Brokers, ClientID: cfg.Kafka.ClientID, Logger: newLog(cfg)}, replayGroup+"-"+to, log.TopicPartition)
	if err != nil {
		return done, err
	}
	defer func() { err = errors.Join(err, r.Close()) }()
	if done.From, err = r.Progress(); err != nil {
		return done, err
	}
	done.To = done.From
	var batch []port.Message
	bytes := 0
	send := func(next record.Offset) error {
		if err := ctx.Err(); err != nil {
			return err
		}
		if !dry {
			if err := r.Send(batch, next); err != nil {
				return err
			}
		}
		done.Sent, done.To = done.Sent+int64(len(batch)), next
		batch, bytes = nil, 0
		return nil
	}
	err = replay.Read(ctx, store, cfg.Store.RawPrefix, log, done.From, through, func(l replay.Letter) error {
		batch = append(batch, port.Message{Topic: to, Key: l.Key, Value: l.Value})
		if bytes += len(l.Key) + len(l.Value); len(batch) < replayMessages && bytes < replayBytes {
			return nil
		}
		return send(l.Offset + 1)
	})
	if err == nil && through > done.To {
		err = send(through)
	}
	return done, err
}

func writeReplayed(w io.Writer, done []replayed, asJSON bool) error {
	if asJSON {
		e := json.NewEncoder(w)
		e.SetIndent("", "  ")
		return e.Encode(done)
	}
	t := newTable(w)
	t.AppendHeader(table.Row{"table", "partition", "offsets from", "to", "sent"})
	for _, d := range done {
		t.AppendRow(table.Row{d.Table, fmt.Sprintf("%s/%d", d.Topic, d.Partition), d.From, d.To, d.Sent})
	}
	t.Render()
	_, err := fmt.Fprintln(w)
	return err
}
