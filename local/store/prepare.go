package store

import (
	"context"
	"errors"
	"fmt"
	"net/http"
	"time"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/credentials"
	"github.com/aws/aws-sdk-go-v2/service/s3"
	"github.com/aws/aws-sdk-go-v2/service/s3/types"
)

const healthMax = 10 * time.Second

// prepare waits until the gateway answers, makes the buckets, and tells that the store is ready.
func prepare(ctx context.Context, o Options, addr string) error {
	if err := awaitHealth(ctx, addr); err != nil {
		return err
	}
	client := s3.New(s3.Options{
		Region: region, BaseEndpoint: aws.String("http://" + addr), UsePathStyle: true,
		Credentials: credentials.NewStaticCredentialsProvider(o.AccessKey, o.SecretKey, ""),
	})
	for _, bucket := range o.Buckets {
		var owned *types.BucketAlreadyOwnedByYou
		var exists *types.BucketAlreadyExists // with other keys than today's
		_, err := client.CreateBucket(ctx, &s3.CreateBucketInput{Bucket: &bucket})
		if err != nil && !errors.As(err, &owned) && !errors.As(err, &exists) {
			return fmt.Errorf("make bucket %s: %w", bucket, err)
		}
	}
	o.Ready(addr)
	return nil
}

// awaitHealth asks until the gateway says that it is well.
func awaitHealth(ctx context.Context, addr string) error {
	ctx, cancel := context.WithTimeout(ctx, healthMax)
	defer cancel()
	for {
		err := askHealth(ctx, addr)
		if err == nil {
			return nil
		}
		select {
		case <-ctx.Done():
			return fmt.Errorf("wait for the gateway on %s: %w", addr, err)
		case <-time.After(pollPeriod):
		}
	}
}

func askHealth(ctx context.Context, addr string) error {
	request, err := http.NewRequestWithContext(ctx, http.MethodGet, "http://"+addr+healthPath, nil)
	if err != nil {
		return err
	}
	response, err := http.DefaultClient.Do(request)
	if err != nil {
		return err
	}
	if err := response.Body.Close(); err != nil {
		return err
	}
	if response.StatusCode != http.StatusOK {
		return fmt.Errorf("health is %s", response.Status)
	}
	return nil
}
