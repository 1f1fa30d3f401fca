package main

import (
	"context"
	"errors"
	"os"
	"os/exec"
	"path/filepath"
	"strings"

	awss3 "github.com/aws/aws-sdk-go-v2/service/s3"
	"github.com/aws/aws-sdk-go-v2/service/s3/types"

	"citystream/engine/adapter/s3"
	"citystream/internal/apachekafka"
)

// services are what a worker needs beside itself, each in a process of its own.
type services struct {
	kafka *kafkaCluster
	name  string // of the broker
	s3    string // URL
	aws   string // URL
	keys  credentials
	dir   string // of the store's and the endpoint's data
}

// credentials are those of the store, as variables of the environment.
type credentials struct{ access, secret string }

func (c credentials) env() []string {
	return []string{"AWS_CONFIG_FILE=/dev/null", "AWS_ACCESS_KEY_ID=" + c.access, "AWS_SECRET_ACCESS_KEY=" + c.secret, "AWS_REGION=us-east-1"}
}

// makeBucket makes a bucket, unless it is there, and connects to it.
func (s *services) makeBucket(l *lab, bucket string) *s3.Store {
	ctx := context.Background()
	o := s3.Options{Bucket: bucket, Endpoint: s.s3, AccessKey: s.keys.access, SecretKey: s.keys.secret}
	client, err := s3.NewClient(ctx, o)
	l.check(err)
	_, err = client.CreateBucket(ctx, &awss3.CreateBucketInput{Bucket: &bucket})
	if mine := (*types.BucketAlreadyOwnedByYou)(nil); !errors.As(err, &mine) {
		l.check(err)
	}
	store, err := s3.Connect(ctx, o)
	l.check(err)
	return store
}

// startServices starts a store, an AWS endpoint, and Apache Kafka, or the embedded broker where there is no Java.
func startServices(l *lab, embedded bool) *services {
	dir := l.TempDir()
	loopback := []string{"--data", dir, "--listen", "127.0.0.1:0"}
	s := &services{name: "embedded broker", dir: dir}
	if embedded || !haveApache() {
		s.kafka = &kafkaCluster{l, l.start(nil, append([]string{"broker"}, loopback...)...).say("Kafka at ")}
	} else {
		s.name = "Apache Kafka " + apachekafka.Version
		s.kafka = &kafkaCluster{l, apachekafka.Start(l).Addr}
	}
	s.s3 = l.start(nil, append([]string{"store"}, loopback...)...).say("S3 at ")
	s.aws = l.start(nil, append([]string{"aws"}, loopback...)...).say("Glue and Athena at ")
	s.keys = readCredentials(l, filepath.Join(dir, "aws", "credentials"))
	return s
}

// readCredentials reads the keys that the services have written into an AWS credentials file.
func readCredentials(l *lab, file string) (c credentials) {
	text, err := os.ReadFile(file)
	l.check(err)
	for line := range strings.Lines(string(text)) {
		name, value, _ := strings.Cut(line, "=")
		switch value = strings.TrimSpace(value); strings.TrimSpace(name) {
		case "aws_access_key_id":
			c.access = value
		case "aws_secret_access_key":
			c.secret = value
		}
	}
	return c
}

func haveApache() bool {
	for _, tool := range []string{"java", "mvn"} {
		if _, err := exec.LookPath(tool); err != nil {
			return false
		}
	}
	return true
}
