package main

import (
	"context"
	"errors"

	"github.com/spf13/cobra"

	"citystream/actors"
)

func workerCommand() *cobra.Command {
	var keys map[string]string
	c := &cobra.Command{
		Use:   "worker",
		Short: "A worker node: reads the partitions that the leading master assigns to it, and commits their files",
		Long: `Finds the leading master by the lease, registers, and runs the partitions that it is assigned. It keeps nothing on its own disk: any number of workers
can come and go, and one that is killed loses no record. When the leader changes it reads on and registers with the new one.

SIGTERM drains it: what was read is committed and handed over, within node.drainAfter; a second signal ends it at once. Nothing is lost either way.

Exit code 0: drained. 1: an error, or a drain that was not clean. 2: wrong flags or configuration.`,
		Example: "  citystream worker --config citystream.yaml --listen 10.0.0.7:0 --cert w1.pem --key w1-key.pem --ca ca.pem",
		Args:    cobra.NoArgs,
		RunE:    func(c *cobra.Command, _ []string) error { return runWorker(c, keys) },
	}
	keys = nodeFlags(c)
	c.Flags().String("zone", "", "`ZONE` or rack of this node")
	c.Flags().Int("max-rate", 0, "records a second to read at most; 0 is as many as it can")
	keys["zone"], keys["max-rate"] = "node.zone", "worker.maxRate"
	return c
}

func runWorker(c *cobra.Command, keys map[string]string) (err error) {
	ctx := c.Context()
	cfg, err := settingsOf(c, nil, keys)
	if err != nil {
		return err
	}
	limitWorker(cfg)
	n, err := openNode(ctx, cfg, "worker")
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, n.close()) }()
	worker, err := actors.StartWorker(n.remote.System(), n.actorsNode(), actors.WorkerOptions{
		Name: n.name, Incarnation: actors.NewIncarnation(), Zone: cfg.Node.Zone, Find: n.lease.Leader,
	})
	if err != nil {
		return err
	}
	n.pages.ready(func(context.Context) error {
		if !worker.Registered() {
			return errors.New("not registered with a master")
		}
		return nil
	})
	select {
	case err := <-worker.Ended():
		return errors.Join(err, worker.Stop())
	case <-ctx.Done():
	}
	return errors.Join(n.drained(worker.Drain), worker.Stop())
}
