package main

import (
	"cmp"
	"context"
	"sync"
	"time"

	"citystream/config"
	"citystream/engine/adapter/s3"
	"citystream/engine/port"
)

// bucketWait is how long the first call to a bucket may take.
const bucketWait = 15 * time.Second

// bucketsOf returns what opens the buckets of a store by their names, each when it is first asked for. options is asked then too, since the
// store may start later than whoever writes to it.
func bucketsOf(options func() (s3.Options, error)) func(bucket string) (port.Store, error) {
	var mu sync.Mutex
	opened := map[string]port.Store{}
	return func(bucket string) (port.Store, error) {
		mu.Lock()
		defer mu.Unlock()
		if s := opened[bucket]; s != nil {
			return s, nil
		}
		o, err := options()
		if err != nil {
			return nil, err
		}
		o.Bucket = bucket
		ctx, cancel := context.WithTimeout(context.Background(), bucketWait)
		defer cancel()
		s, err := s3.Connect(ctx, o)
		if err != nil {
			return nil, err
		}
		opened[bucket] = s
		return s, nil
	}
}

// storeBeside tells where another process serves the store of a data directory.
func storeBeside(d *dataDir, k keys, region string) (s3.Options, error) {
	values, err := readINI(d.awsConfig())
	endpoint := cmp.Or(values["services citystream/s3/endpoint_url"], "http://"+config.Default().Embedded.Store)
	return s3.Options{Endpoint: endpoint, Region: region, AccessKey: k.access, SecretKey: k.secret}, err
}
