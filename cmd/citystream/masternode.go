package main

import (
	"context"
	"errors"
	"fmt"

	"github.com/spf13/cobra"

	"citystream/actors"
	"citystream/engine/port"
	"citystream/messages"
)

func masterCommand() *cobra.Command {
	var keys map[string]string
	c := &cobra.Command{
		Use:   "master",
		Short: "A master node: assigns partitions to workers, and runs the catalog, while it leads",
		Long: `Stands for leader. While it leads, it discovers topics, assigns their partitions to the workers that have registered, and keeps the catalog; any
number of masters stand by. The bucket must exist, and all nodes have the same configuration but for the section node.

SIGTERM gives the lease to another master; workers read on meanwhile.

Exit code 0: ended by a signal. 1: an error. 2: wrong flags or configuration.`,
		Example: "  citystream master --config citystream.yaml --name master-1 --listen 10.0.0.5:7070 --cert m1.pem --key m1-key.pem --ca ca.pem",
		Args:    cobra.NoArgs,
		RunE:    func(c *cobra.Command, _ []string) error { return runMaster(c, keys) },
	}
	keys = nodeFlags(c)
	c.Flags().String("aws", "", "`URL` of a service that stands in for Glue and Athena")
	keys["aws"] = "aws.endpoint"
	return c
}

func runMaster(c *cobra.Command, keys map[string]string) (err error) {
	ctx := c.Context()
	cfg, err := settingsOf(c, nil, keys)
	if err != nil {
		return err
	}
	n, err := openNode(ctx, cfg, "master")
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, n.close()) }()
	node := n.actorsNode()
	if err := n.setCatalog(ctx, node); err != nil {
		return err
	}
	campaign := actors.NewCampaign(n.remote.System(), node, n.lease, n.self())
	n.pages.ready(func(ctx context.Context) error {
		if _, leads := campaign.Leads(); leads {
			return nil
		}
		if _, err := n.lease.Leader(ctx); err != nil && !errors.Is(err, port.ErrNoLeader) {
			return fmt.Errorf("the lease cannot be looked at: %w", err)
		}
		return nil
	})
	n.pages.status(func(ctx context.Context) (*messages.ClusterStatus, error) {
		s, err := campaign.Status(ctx)
		if err != nil {
			return nil, err
		}
		registered, err := campaign.CatalogStatus(ctx)
		if err != nil {
			n.log.Warn("the catalog does not say how it stands", "error", err)
		}
		return &messages.ClusterStatus{Status: s, Catalog: registered}, nil
	})
	return campaign.Run(ctx)
}

// setCatalog gives the master's catalog its services.
func (n *node) setCatalog(ctx context.Context, to *actors.Node) error {
	cfg, err := outsideAWS(ctx, n.cfg)
	if err != nil {
		return err
	}
	catalog, warehouse := catalogOf(cfg, n.cfg, n.store)
	to.Catalog = catalog
	setCatalog(to, n.cfg, queryOf(cfg, n.cfg), warehouse)
	return nil
}
