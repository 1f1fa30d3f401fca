package main

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"os"

	"github.com/spf13/cobra"

	"citystream/config"
	"citystream/engine/adapter/s3"
	"citystream/engine/port"
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
				if err := os.WriteFile(d.join(kafkaFile), []byte(b.Addr()), 0o644); err != nil {
					return errors.Join(fmt.Errorf("remember the broker: %w", err), b.Close())
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
		Use: "aws", Short: "The embedded Glue and Athena alone, on the files of a data directory or of an S3 service", Args: cobra.NoArgs,
		Long: `Serves Glue and Athena over the files of the data directory's store, or, where store.endpoint is set, over the objects of that S3 service. Then it takes
the credentials of the usual AWS chain for itself too: its clients sign with the key that they have for the objects.

It listens on loopback addresses, unless embedded.awsPublic says that other machines may reach it: requests are signed, but what they carry is not encrypted.

Exit code 0: ended by a signal. 1: an error. 2: wrong flags or configuration.`,
		Example: "  citystream aws --data ./data --listen 127.0.0.1:4566\n  CITYSTREAM_STORE_ENDPOINT=http://s3:7070 citystream aws --data ./aws --listen 0.0.0.0:4566 --public",
		RunE: func(c *cobra.Command, _ []string) error {
			return alone(c, "aws", func(ctx context.Context, d *dataDir, cfg *config.Config) error {
				server, _, err := openAWS(ctx, d, cfg)
				if err != nil {
					return err
				}
				where := "keys in " + d.awsCredentials()
				if cfg.Store.Endpoint != "" {
					where = "keys are those of " + cfg.Store.Endpoint
				} else if err := d.writeAWSConfig(regionOf(cfg), "http://"+server.Addr(), ""); err != nil {
					return errors.Join(err, server.Close())
				}
				fmt.Fprintf(c.OutOrStdout(), "Glue and Athena at http://%s, %s\n", server.Addr(), where)
				<-ctx.Done()
				return server.Close()
			})
		},
	}
	c.Flags().Bool("public", false, "other machines may reach it")
	return serviceFlags(c)
}

// openAWS starts the endpoint over the embedded store's files, or over the objects of the configured S3 service.
func openAWS(ctx context.Context, d *dataDir, cfg *config.Config) (*awslocal.Server, keys, error) {
	k, objects, buckets, err := objectsOf(ctx, d, cfg)
	if err != nil {
		return nil, k, err
	}
	server, err := awslocal.Open(awslocal.Options{
		Dir: d.join("aws"), Listen: cfg.Embedded.AWS, Public: cfg.Embedded.AWSPublic, AccessKey: k.access, SecretKey: k.secret, Objects: objects, Logger: newLog(cfg),
		Store: buckets,
	})
	return server, k, err
}

// cacheMax is how many bytes of objects the endpoint keeps on its own disk, where the objects are elsewhere.
const cacheMax = 4 << 30

// storesByName opens buckets.
type storesByName = func(bucket string) (port.Store, error)

// objectsOf returns what the endpoint's SQL reads, the buckets that it writes to, and the key that its clients sign with.
func objectsOf(ctx context.Context, d *dataDir, cfg *config.Config) (k keys, objects awslocal.Objects, buckets storesByName, err error) {
	if cfg.Store.Endpoint == "" {
		if k, err = d.ensureKeys(); err == nil {
			objects, err = awslocal.NewDiskObjects(d.join("store"))
		}
		return k, objects, bucketsOf(func() (s3.Options, error) { return storeBeside(d, k, regionOf(cfg)) }), err
	}
	outside, err := outsideAWS(ctx, cfg)
	if err != nil {
		return k, nil, nil, err
	}
	c, err := outside.Credentials.Retrieve(ctx)
	if err != nil {
		return k, nil, nil, fmt.Errorf("credentials of %s, which are to be those of this endpoint too: %w", cfg.Store.Endpoint, err)
	}
	o := s3.Options{Endpoint: cfg.Store.Endpoint, Region: cmp.Or(cfg.Store.Region, regionIn(cfg.Store.Endpoint), regionOf(cfg))}
	buckets = bucketsOf(func() (s3.Options, error) { return o, nil })
	_, err = waitFor(ctx, newLog(cfg), "the store", func(context.Context) (port.Store, error) { return buckets(cfg.Store.Bucket) })
	if err != nil {
		return k, nil, nil, err
	}
	objects, err = awslocal.NewCachedObjects(d.join("cache"), cacheMax, buckets)
	return keys{access: c.AccessKeyID, secret: c.SecretAccessKey}, objects, buckets, err
}

func serviceFlags(c *cobra.Command) *cobra.Command {
	c.Flags().String("data", "./data", "data `DIR`")
	c.Flags().String("listen", "", "`HOST:PORT` of this machine; port 0 takes a free one")
	configFlag(c)
	return c
}

// alone runs one service on its part of a data directory.
func alone(c *cobra.Command, service string, run func(context.Context, *dataDir, *config.Config) error) error {
	cfg, err := settingsOf(c, nil, map[string]string{"data": "embedded.data", "listen": "embedded." + service, "public": "embedded.awsPublic"})
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
