package main

import (
	"context"
	"errors"
	"fmt"
	"os"

	"citystream/config"
	"citystream/engine/adapter/s3"
	"citystream/local/store"
)

// openBucket connects to the store of the configuration, of the process that holds the data directory, or to one started for this command.
func openBucket(ctx context.Context, cfg *config.Config) (*s3.Store, func() error, error) {
	nothing := func() error { return nil }
	o := s3.Options{Bucket: cfg.Store.Bucket, Endpoint: cfg.Store.Endpoint, Region: regionOf(cfg)}
	if o.Endpoint != "" {
		s, err := s3.Connect(ctx, o)
		return s, nothing, err
	}
	d := &dataDir{path: cfg.Embedded.Data}
	if _, err := os.Stat(d.join("store")); err != nil {
		return nil, nothing, fmt.Errorf("there is no store in the data directory: %w: choose another with --data DIR, or an S3 service with --s3 URL", err)
	}
	k, err := readKeys(d.awsCredentials())
	if err != nil {
		return nil, nothing, err
	}
	o.AccessKey, o.SecretKey = k.access, k.secret
	if inUse(d.path, "store") {
		values, err := readINI(d.awsConfig())
		if err != nil {
			return nil, nothing, fmt.Errorf("the data directory is in use, but not by a store: %w", err)
		}
		o.Endpoint = values["services citystream/s3/endpoint_url"]
		s, err := s3.Connect(ctx, o)
		return s, nothing, err
	}
	if d, err = openService(d.path, "store"); err != nil {
		return nil, nothing, err
	}
	child, err := store.Start(ctx, store.ChildOptions{
		Args:      []string{"store", "--child", "--data", d.join("store"), "--listen", "127.0.0.1:0"},
		AccessKey: k.access, SecretKey: k.secret, Logger: newLog(cfg),
	})
	if err != nil {
		return nil, nothing, errors.Join(err, d.close())
	}
	end := func() error { return errors.Join(child.Close(), d.close()) }
	o.Endpoint = "http://" + child.Addr()
	s, err := s3.Connect(ctx, o)
	if err != nil {
		return nil, nothing, errors.Join(err, end())
	}
	return s, end, nil
}
