// Package config is everything about citystream that can be set, as one struct.
//
// The struct is the single source: its tags carry each key's name in YAML, its default, its limits, its names in the environment
// and its meaning. Reading, checking, printing, `citystream config explain` and docs/configuration.md all follow from them.
//
// What counts is, in rising order: the default, what a command presets, the YAML file, the environment, a flag. Load reads neither
// files nor the environment by itself: whoever calls hands them in. It is strict and reports every fault at once, each with its
// place: file, line and column, or the variable, or the flag. No key is a secret, so a configuration can be printed whole: credentials
// come from where the AWS SDKs look for them.
package config

import (
	"time"

	"citystream/engine/schema"
	"citystream/engine/transform"
)

// Bytes is a size; in YAML a whole number with B, KiB, MiB or GiB.
type Bytes int64

// Config is the whole configuration. It is not changed once it is loaded.
type Config struct {
	Kafka    Kafka    `yaml:"kafka" doc:"The Kafka cluster that records are read from, and that the fleet writes to."`
	Topics   Topics   `yaml:"topics" doc:"The topics of the five kinds of sensor events: the fleet writes them, and the tables of the city read them."`
	Store    Store    `yaml:"store" doc:"The object store that holds the files and the commit logs."`
	AWS      AWS      `yaml:"aws" doc:"Glue and Athena. Credentials come from where the AWS SDKs look for them: the environment, files, roles."`
	Flush    Flush    `yaml:"flush" doc:"When open files are committed, at the latest."`
	Windows  Windows  `yaml:"windows" doc:"Windows of event time."`
	Worker   Worker   `yaml:"worker" doc:"What a worker does with its partitions."`
	Master   Master   `yaml:"master" doc:"How the master and its workers watch each other."`
	Node     Node     `yaml:"node" doc:"A node of a cluster: one citystream master or citystream worker. citystream up has no nodes."`
	Lease    Lease    `yaml:"lease" doc:"How masters agree on their leader, and how workers find it."`
	Catalog  Catalog  `yaml:"catalog" doc:"How committed files become known to SQL, and what is made of them."`
	Redshift Redshift `yaml:"redshift" doc:"The warehouse that commits are loaded into, or that shows the tables of Glue."`
	Fleet    Fleet    `yaml:"fleet" doc:"The simulated vehicles."`
	Embedded Embedded `yaml:"embedded" doc:"The services that citystream brings along. They are bound to this machine, but for Glue and Athena with awsPublic."`
	Log      Log      `yaml:"log" doc:"The program's own log, on standard error."`

	Tables     []*schema.Table        // of the key tables; at least one
	Transforms []*transform.Transform // of the key transforms
}

// Kafka is the section kafka.
type Kafka struct {
	Brokers  []string `yaml:"brokers" default:"localhost:9092" env:"KAFKA_BOOTSTRAP_SERVERS" check:"addresses" doc:"some of the brokers, as host:port"`
	ClientID string   `yaml:"clientId" default:"citystream" check:"given" doc:"name of this program in the brokers' logs and quotas"`
	TLS      bool     `yaml:"tls" default:"false" doc:"encrypt; brokers are checked against the certificates that the system trusts"`
	Group    string   `yaml:"group" default:"citystream" check:"given" doc:"first part of the names of the consumer groups, one a table (citystream-vehicle_data), whose offsets show the usual tools how far reading is; reading itself goes by the commit logs"`
	Start    string   `yaml:"start" default:"earliest" oneof:"earliest,latest" doc:"where a partition that was never read is begun"`

	FailOnDataLoss bool `yaml:"failOnDataLoss" default:"true" doc:"a partition stops when Kafka has lost records that are not committed yet; false goes on and writes the loss into the commit log"`
}

// Topics is the section topics.
type Topics struct {
	Vehicle   string `yaml:"vehicle" default:"vehicle_data" env:"VEHICLE_TOPIC" check:"topic" doc:"what vehicles say of themselves"`
	GPS       string `yaml:"gps" default:"gps_data" env:"GPS_TOPIC" check:"topic" doc:"satellite receivers"`
	Traffic   string `yaml:"traffic" default:"traffic_data" env:"TRAFFIC_TOPIC" check:"topic" doc:"traffic cameras"`
	Weather   string `yaml:"weather" default:"weather_data" env:"WEATHER_TOPIC" check:"topic" doc:"weather"`
	Emergency string `yaml:"emergency" default:"emergency_data" env:"EMERGENCY_TOPIC" check:"topic" doc:"emergencies"`
}

// Store is the section store.
type Store struct {
	Endpoint          string `yaml:"endpoint" default:"" check:"url" doc:"URL of an S3 service other than AWS's; empty is AWS"`
	Region            string `yaml:"region" default:"" doc:"region of the bucket; empty is that of aws.region"`
	Bucket            string `yaml:"bucket" default:"citystream" check:"bucket" doc:"bucket of the files and the commit logs"`
	RawPrefix         string `yaml:"rawPrefix" default:"raw" check:"prefix" doc:"first part of the keys of the raw zone: rawPrefix/table/date=.../hour=.../"`
	TransformedPrefix string `yaml:"transformedPrefix" default:"transformed" check:"prefix" doc:"first part of the keys of the transformed zone; it may not lie in the raw zone"`

	KeepLog time.Duration `yaml:"keepLog" default:"168h" min:"24h" max:"87600h" doc:"for how long slots of the commit logs are kept after they are registered and loaded; citystream verify proves what is kept"`
}

// AWS is the section aws.
type AWS struct {
	Endpoint  string `yaml:"endpoint" default:"" check:"url" doc:"URL of a service that stands in for Glue and Athena; empty is AWS"`
	Region    string `yaml:"region" default:"" env:"AWS_REGION,AWS_DEFAULT_REGION" doc:"region; empty is what the AWS files of the user say"`
	Database  string `yaml:"database" default:"smart-city" check:"given" doc:"Glue database of the tables"`
	Workgroup string `yaml:"workgroup" default:"primary" check:"given" doc:"Athena workgroup of queries"`
	Output    string `yaml:"output" default:"" check:"s3" doc:"where Athena puts results, as s3://bucket/prefix/; empty is what the workgroup says"`

	QueryPrice float64 `yaml:"queryPrice" default:"5" min:"0" max:"1000" doc:"dollars for a TB that a query scans, as the price list of the region has it"`
	QueryMin   Bytes   `yaml:"queryMin" default:"10MiB" doc:"what each query is billed for at least"`
}

// Flush is the section flush.
type Flush struct {
	MaxRows   int64         `yaml:"maxRows" default:"1000000" min:"1" doc:"rows of one file"`
	MaxBytes  Bytes         `yaml:"maxBytes" default:"128MiB" min:"64KiB" max:"5GiB" doc:"bytes of one file, as held in memory before compression"`
	MaxAge    time.Duration `yaml:"maxAge" default:"60s" min:"100ms" max:"24h" doc:"age of the oldest open file: how long a record waits for SQL; up presets 10s"`
	SealAfter time.Duration `yaml:"sealAfter" default:"10m" min:"1s" max:"24h" doc:"a partition without news closes its last entry by an empty one after so long"`
}

// Windows is the section windows.
type Windows struct {
	IdleTimeout time.Duration `yaml:"idleTimeout" default:"60s" min:"100ms" max:"24h" doc:"a partition without records for so long no longer holds back the others' watermark"`
	MaxOpen     int           `yaml:"maxOpen" default:"24" min:"1" max:"10000" doc:"open files of one partition; one more flushes the largest"`
}

// Worker is the section worker.
type Worker struct {
	FetchWait  time.Duration `yaml:"fetchWait" default:"500ms" min:"1ms" max:"10s" doc:"how long a fetch at the end of a partition waits for records"`
	FetchBytes Bytes         `yaml:"fetchBytes" default:"1MiB" min:"1KiB" max:"256MiB" doc:"bytes that one fetch takes of a partition"`
	Batches    int           `yaml:"batches" default:"3" min:"1" max:"1000" doc:"fetched batches of one partition under way at a time: the bound of its queues"`
	Memory     Bytes         `yaml:"memory" default:"128MiB" min:"16MiB" doc:"what all partitions of one worker buffer, beside which the process takes about 110MiB: at the limit the largest open file is flushed, then the fastest partitions wait; not less than 4 * fetchBytes, and a MiB a partition"`
	PartBytes  Bytes         `yaml:"partBytes" default:"5MiB" min:"5MiB" max:"512MiB" doc:"bytes of one part of an upload; S3 takes no less than 5MiB and 10,000 parts"`
	MaxRate    int           `yaml:"maxRate" default:"0" min:"0" doc:"records a second that one worker reads at most; 0 is as many as it can"`
	Uploads    int           `yaml:"uploads" default:"16" min:"1" max:"1000" doc:"parts that one worker uploads at the same time"`
}

// Master is the section master.
type Master struct {
	Heartbeat        time.Duration `yaml:"heartbeat" default:"1s" min:"10ms" max:"1m" doc:"how often a worker reports"`
	WorkerStopAfter  time.Duration `yaml:"workerStopAfter" default:"4s" min:"20ms" max:"10m" doc:"silence of the master after which a worker gives its partitions up; over heartbeat"`
	WorkerDeadAfter  time.Duration `yaml:"workerDeadAfter" default:"6s" min:"30ms" max:"10m" doc:"silence of a worker after which its partitions are given to others; over workerStopAfter"`
	OrphanedAfter    time.Duration `yaml:"orphanedAfter" default:"12s" min:"40ms" max:"10m" doc:"while no master leads, how long a worker goes on without one, and how long a new master waits for workers of the one before; over workerDeadAfter"`
	Discovery        time.Duration `yaml:"discovery" default:"10s" min:"100ms" max:"1h" doc:"how often new topics and partitions are looked for"`
	EndOfStreamAfter time.Duration `yaml:"endOfStreamAfter" default:"0s" min:"0s" max:"24h" doc:"all partitions idle for so long: the stream has ended and all windows close; 0s is never"`
}

// Node is the section node.
type Node struct {
	Name       string        `yaml:"name" default:"" doc:"name of this node, which no other living node has; empty is the host's name with a part of its own"`
	Zone       string        `yaml:"zone" default:"" doc:"rack or zone of this node: of workers that are alike, one in the zone of a partition's last owner is taken"`
	Listen     string        `yaml:"listen" default:"127.0.0.1:0" check:"address" doc:"address that other nodes reach this one at; port 0 takes a free one"`
	Advertise  string        `yaml:"advertise" default:"" check:"host" doc:"host, or host:port where another port leads here, that other nodes know this one by; its certificate names the host; empty is the address that it listens at, with this host's name where that is every address"`
	HTTP       string        `yaml:"http" default:"127.0.0.1:0" check:"address" doc:"address of /healthz, /readyz and /metrics; port 0 takes a free one"`
	Cert       string        `yaml:"cert" default:"" doc:"PEM file of this node's certificate, for both sides of TLS; read again when it changes"`
	Key        string        `yaml:"key" default:"" doc:"PEM file of its key"`
	CA         string        `yaml:"ca" default:"" doc:"PEM file of the authorities that certificates of nodes are signed by"`
	LabCA      string        `yaml:"labCa" default:"" doc:"directory of a lab's CA, ca.pem and ca-key.pem, by which the node makes its own certificate when it starts; instead of cert, key and ca"`
	Insecure   bool          `yaml:"insecure" default:"false" doc:"talk without TLS: on loopback addresses only"`
	DrainAfter time.Duration `yaml:"drainAfter" default:"60s" min:"1s" max:"1h" doc:"how long a node that is told to end may take to commit what it has read; then it ends at once, and the rest is read again by others"`
}

// Lease is the section lease.
type Lease struct {
	Kind    string        `yaml:"kind" default:"store" oneof:"store,zookeeper,etcd" doc:"where the lease is kept: in the bucket, in ZooKeeper or in etcd"`
	Servers []string      `yaml:"servers" default:"localhost:2181" check:"addresses" doc:"some of the ZooKeeper or etcd servers, as host:port; etcd's usual port is 2379"`
	Path    string        `yaml:"path" default:"/citystream" check:"given" doc:"first part of the names in ZooKeeper and etcd"`
	TTL     time.Duration `yaml:"ttl" default:"2s" min:"200ms" max:"1m" doc:"how long a leader that is not heard of stays leader; with a heartbeat and a quarter of one it is less than master.workerStopAfter, so that workers read on when a leader dies"`
}

// Catalog is the section catalog.
type Catalog struct {
	Kind         string        `yaml:"kind" default:"glue" oneof:"none,glue" doc:"where tables and Hive partitions are registered; none registers, announces, transforms and loads nothing"`
	Poll         time.Duration `yaml:"poll" default:"60s" min:"100ms" max:"24h" doc:"how often all commit logs are looked at, whatever workers have told of them"`
	Housekeeping time.Duration `yaml:"housekeeping" default:"1h" min:"1s" max:"168h" doc:"how often old slots are deleted, and uploads that no owner can complete are aborted"`

	LateAfter      time.Duration `yaml:"lateAfter" default:"5m" min:"0s" max:"24h" doc:"for how long late files of a complete Hive partition are collected before it is announced again, transforms run again"`
	Crawler        string        `yaml:"crawler" default:"" doc:"name of a Glue crawler that is to find new Hive partitions, made if it is missing; empty registers them without one, which is faster and cheaper"`
	CrawlerRole    string        `yaml:"crawlerRole" default:"" doc:"IAM role of that crawler"`
	ProjectionFrom string        `yaml:"projectionFrom" default:"" check:"day" doc:"a day like 2026-01-01: from there on Athena works out the Hive partitions of the raw tables by itself (partition projection); empty asks Glue"`
	Transforms     int           `yaml:"transforms" default:"2" min:"1" max:"100" doc:"transforms that run at the same time"`
	TransformRetry time.Duration `yaml:"transformRetry" default:"10s" min:"1ms" max:"1h" doc:"wait before a transform that failed is run again, doubled each time up to half an hour"`
}

// Fleet is the section fleet.
type Fleet struct {
	Node        int     `yaml:"node" default:"0" min:"0" max:"4293" doc:"number of this fleet: fleets with different numbers have different vehicles"`
	Vehicles    int     `yaml:"vehicles" default:"200" min:"0" max:"1000000" doc:"vehicles; 0 is no fleet"`
	Steps       int     `yaml:"steps" default:"0" min:"0" max:"1000000000" doc:"steps of each vehicle, each of five records; 0 is until it arrives, about 100"`
	Seed        uint64  `yaml:"seed" default:"1" doc:"of everything random: the same seed drives the same way"`
	Pace        float64 `yaml:"pace" default:"0" min:"0" max:"1000000" doc:"1 is a step in 3 s, 2 is twice as fast; 0 is as fast as possible"`
	Compression string  `yaml:"compression" default:"snappy" oneof:"none,gzip,snappy,lz4,zstd" doc:"of the batches that go to Kafka"`
}

// Embedded is the section embedded.
type Embedded struct {
	Data       string `yaml:"data" default:"./data" check:"given" doc:"directory of everything they keep; one process at a time has it"`
	Broker     string `yaml:"broker" default:"127.0.0.1:9092" check:"loopback" doc:"address of the Kafka broker; port 0 takes a free one"`
	Store      string `yaml:"store" default:"127.0.0.1:9000" check:"loopback" doc:"address of the S3 store; port 0 takes a free one"`
	AWS        string `yaml:"aws" default:"127.0.0.1:4566" check:"address" doc:"address of Glue and Athena; port 0 takes a free one"`
	AWSPublic  bool   `yaml:"awsPublic" default:"false" doc:"the address of Glue and Athena may be one that other machines reach: requests are signed, but what they carry is not encrypted"`
	Metrics    string `yaml:"metrics" default:"127.0.0.1:9465" check:"loopback" doc:"address of the measures, at /metrics in Prometheus' form, and of Go's profiles, at /debug/pprof/; port 0 takes a free one"`
	Partitions int    `yaml:"partitions" default:"4" min:"1" max:"1000" doc:"partitions of a new topic"`
	Workers    int    `yaml:"workers" default:"2" min:"1" max:"256" doc:"workers in this process"`
	Redshift   bool   `yaml:"redshift" default:"true" doc:"up loads what is committed into the Redshift of the embedded AWS endpoint, where redshift.mode is none"`
}

// Log is the section log.
type Log struct {
	Level  string `yaml:"level" default:"info" oneof:"debug,info,warn,error" doc:"the least that is logged; up presets warn"`
	Format string `yaml:"format" default:"text" oneof:"text,json" doc:"form of a line"`
}
