package main

import (
	"context"
	"errors"
	"fmt"

	"github.com/spf13/cobra"

	"citystream/config"
	"citystream/engine/adapter/s3"
	awslocal "citystream/local/aws"
	"citystream/local/broker"
	"citystream/local/store"
)

func brokerCommand() *cobra.Command {
	c := &cobra.Command{
		Use: "broker", Short: "The embedded Kafka broker alone", Args: cobra.NoArgs,
		Example: "  citystream broker --data ./data --listen 127.0.0.1:9092",
		RunE: func(c *cobra.Command, _ []string) error {
			return alone(c, "broker", func(ctx context.Context, d *dataDir, cfg *config.Config) error {
				b, err := broker.Open(broker.Options{
					Dir: d.join("broker"), Listen: cfg.Embedded.Broker, Partitions: cfg.Embedded.Partitions, Logger: newLog(cfg),
				})
				if err != nil {
					return err
				}
				fmt.Fprintf(c.OutOrStdout(), "Kafka at %s\n", b.Addr())
				<-ctx.Done()
				return b.Close()
			})
		},
	}
	return serviceFlags(c)
}

func storeCommand() *cobra.Command {
	var child bool
	c := &cobra.Command{
		Use: "store", Short: "The embedded S3 store alone", Args: cobra.NoArgs,
		Example: "  citystream store --data ./data --listen 127.0.0.1:9000",
		RunE: func(c *cobra.Command, _ []string) error {
			if child {
				return serveChild(c)
			}
			return alone(c, "store", func(ctx context.Context, d *dataDir, cfg *config.Config) error {
				k, err := d.ensureKeys()
				if err != nil {
					return err
				}
				return store.Serve(ctx, store.Options{
					Dir: d.join("store"), Listen: cfg.Embedded.Store, AccessKey: k.access, SecretKey: k.secret,
					Buckets: []string{cfg.Store.Bucket}, Logger: newLog(cfg),
					Ready: func(addr string) {
						if err := d.writeAWSConfig(regionOf(cfg), "", "http://"+addr); err != nil {
							newLog(cfg).Warn("AWS clients are not told of this endpoint", "error", err)
						}
						fmt.Fprintf(c.OutOrStdout(), "S3 at http://%s, keys in %s\n", addr, d.awsCredentials())
					},
				})
			})
		},
	}
	c.Flags().BoolVar(&child, "child", false, "serve the process that has started this one")
	_ = c.Flags().MarkHidden("child") // the flag was added just above
	return serviceFlags(c)
}

// serveChild is what up starts: the parent holds the data directory, and gives the keys.
func serveChild(c *cobra.Command) error {
	dir, err := c.Flags().GetString("data")
	if err != nil {
		return err
	}
	listen, err := c.Flags().GetString("listen")
	if err != nil {
		return err
	}
	return store.ServeChild(context.WithoutCancel(c.Context()), store.Options{Dir: dir, Listen: listen}, c.InOrStdin(), c.OutOrStdout())
}

func awsCommand() *cobra.Command {
	c := &cobra.Command{
		Use: "aws", Short: "The embedded Glue and Athena alone, on the files of a data directory", Args: cobra.NoArgs,
		Example: "  citystream aws --data ./data --listen 127.0.0.1:4566",
		RunE: func(c *cobra.Command, _ []string) error {
			return alone(c, "aws", func(ctx context.Context, d *dataDir, cfg *config.Config) error {
				server, _, err := openAWS(d, cfg)
				if err != nil {
					return err
				}
				if err := d.writeAWSConfig(regionOf(cfg), "http://"+server.Addr(), ""); err != nil {
					return errors.Join(err, server.Close())
				}
				fmt.Fprintf(c.OutOrStdout(), "Glue and Athena at http://%s, keys in %s\n", server.Addr(), d.awsCredentials())
				<-ctx.Done()
				return server.Close()
			})
		},
	}
	return serviceFlags(c)
}

// openAWS starts the endpoint over the embedded store's files.
func openAWS(d *dataDir, cfg *config.Config) (*awslocal.Server, keys, error) {
	k, err := d.ensureKeys()
	if err != nil {
		return nil, k, err
	}
	objects, err := awslocal.NewDiskObjects(d.join("store"))
	if err != nil {
		return nil, k, err
	}
	server, err := awslocal.Open(awslocal.Options{
		Dir: d.join("aws"), Listen: cfg.Embedded.AWS, AccessKey: k.access, SecretKey: k.secret, Objects: objects, Logger: newLog(cfg),
		Store: bucketsOf(func() (s3.Options, error) { return storeBeside(d, k, regionOf(cfg)) }),
	})
	return server, k, err
}

func serviceFlags(c *cobra.Command) *cobra.Command {
	c.Flags().String("data", "./data", "data `DIR`")
	c.Flags().String("listen", "", "loopback `HOST:PORT`; port 0 takes a free one")
	configFlag(c)
	return c
}

// alone runs one service on its part of a data directory.
func alone(c *cobra.Command, service string, run func(context.Context, *dataDir, *config.Config) error) error {
	cfg, err := settingsOf(c, nil, map[string]string{"data": "embedded.data", "listen": "embedded." + service})
	if err != nil {
		return err
	}
	d, err := openService(cfg.Embedded.Data, service)
	if err != nil {
		return err
	}
	defer d.close()
	return run(c.Context(), d, cfg)
}
