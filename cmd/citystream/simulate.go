package main

import (
	"context"
	"errors"
	"fmt"
	"os"
	"time"

	"github.com/spf13/cobra"

	"citystream/actors"
	"citystream/engine/adapter/kafka"
)

func simulateCommand() *cobra.Command {
	var loop bool
	c := &cobra.Command{
		Use:   "simulate",
		Short: "The fleet alone, against any Kafka",
		Long: `Drives the fleet once, or goes on with a drive that was broken off. Brokers and topics come from --kafka, the configuration, or
KAFKA_BOOTSTRAP_SERVERS, VEHICLE_TOPIC, GPS_TOPIC, TRAFFIC_TOPIC, WEATHER_TOPIC and EMERGENCY_TOPIC.

Any number of fleets can drive side by side, on one machine or many, each with its own --node and --data.

Exit code 0: every record was acknowledged, or a --loop was ended by a signal. 1: not, or an error. 2: wrong flags or configuration.`,
		Example: "  KAFKA_BOOTSTRAP_SERVERS=localhost:9092 citystream simulate --vehicles 1000 --pace 1\n  citystream simulate --node 1 --data ./fleet-1 --vehicles 5000 --pace 1 --loop",
		Args:    cobra.NoArgs,
		RunE:    func(c *cobra.Command, _ []string) error { return simulate(c, loop) },
	}
	f := c.Flags()
	f.String("data", "./simulate", "`DIR` that remembers the drive; each fleet has its own")
	f.Int("node", 0, "number of this fleet: fleets with different numbers have different vehicles")
	f.BoolVar(&loop, "loop", false, "drive on and on, until a signal")
	f.Int("vehicles", 200, "vehicles")
	f.Int("steps", 0, "steps of each vehicle; 0 is until it arrives")
	f.Uint64("seed", 1, "of everything random")
	f.Float64("pace", 0, "1 is a step in 3 s; 0 is as fast as possible")
	f.String("kafka", "", "`HOST:PORT,...` of the brokers")
	configFlag(c)
	return c
}

func simulate(c *cobra.Command, loop bool) (err error) {
	ctx := c.Context()
	cfg, err := settingsOf(c, nil, map[string]string{
		"data": "embedded.data", "vehicles": "fleet.vehicles", "steps": "fleet.steps", "seed": "fleet.seed", "pace": "fleet.pace", "node": "fleet.node", "kafka": "kafka.brokers",
	})
	if err != nil {
		return err
	}
	if !c.Flags().Changed("data") {
		cfg.Embedded.Data = "./simulate"
	}
	if cfg.Fleet.Vehicles == 0 {
		return usageError{errors.New("--vehicles 0: nothing would drive")}
	}
	r := &run{cfg: cfg, log: newLog(cfg)}
	defer func() { err = errors.Join(err, r.close()) }()
	if r.data, err = openDataDir(cfg.Embedded.Data); err != nil {
		return err
	}
	r.closers = append(r.closers, r.data.close)
	r.source, err = kafka.NewSource(kafkaOptions(cfg, r.log))
	if err != nil {
		return err
	}
	r.closers = append(r.closers, r.source.Close)
	var topics []kafka.TopicSpec
	for _, name := range topicsOf(r).Names() {
		topics = append(topics, kafka.TopicSpec{Name: name})
	}
	if _, err := r.source.EnsureTopics(ctx, topics); err != nil {
		return err
	}
	r.system = actors.NewSystem(quietly(cfg))
	d, err := startDrives(ctx, r, loop, func(format string, args ...any) { fmt.Fprintf(os.Stderr, format, args...) })
	if err != nil {
		return err
	}
	fmt.Printf("fleet %d drives to %s\n", cfg.Fleet.Node, joined(cfg.Kafka.Brokers))
	if loop {
		d.proceed()
	}
	return follow(ctx, d, loop)
}

// follow shows the drive until its end, or until it is interrupted.
func follow(ctx context.Context, d *drives, loop bool) error {
	bar := newProgress(os.Stderr, "acknowledged", "records")
	for ended := false; !ended; {
		p := d.fleet().Progress()
		bar.show(p.Total().Acknowledged, p.Records)
		select {
		case <-d.over:
			ended = true
		case <-ctx.Done():
			timed, cancel := context.WithTimeout(context.WithoutCancel(ctx), drainMax)
			err := d.stop(timed)
			cancel()
			bar.end()
			if loop {
				return errors.Join(err, d.err())
			}
			return errors.Join(errors.New("stopped on the way; the next run on the same --data goes on with this drive"), err)
		case <-time.After(200 * time.Millisecond):
		}
	}
	bar.end()
	p := d.fleet().Progress()
	for _, t := range p.Topics {
		fmt.Printf("%-16s acknowledged %d of %d, failed %d\n", t.Topic, t.Acknowledged, p.Records/int64(len(p.Topics)), t.Failed)
	}
	if err := d.err(); err != nil {
		return err
	}
	if !p.Complete() {
		return errors.New("not every record was acknowledged")
	}
	return nil
}
