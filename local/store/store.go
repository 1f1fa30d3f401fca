// Package store is the embedded object store: what `citystream up` and `citystream store` run where no S3 is at hand.
//
// It is versitygw on a directory: an S3 endpoint with signatures, checksums, conditional writes and multipart uploads, which any S3
// client talks to. Buckets are directories and objects are plain files, Dir/<bucket>/<key>, with their ETag, checksum and metadata in
// extended attributes; the SQL engine and any other program may read the files there. Names that begin with a dot in Dir and in
// a bucket are the store's own. Two limits come from the file system: keys a and a/b cannot both exist, and what stands between
// two slashes of a key has 255 bytes at most.
//
// The store changes its process's working directory, so it wants a process of its own. Start runs it as a child of this one, which
// ends when its standard input is closed: with its parent therefore, however that one dies.
//
// An object and a part are written beside their place and moved into it whole before the answer is sent, so killing the store
// loses nothing that it acknowledged, and a completion that was cut short is taken back on the next start (see recoverUploads). But
// nothing is ever flushed to the disk by force: a crash of the machine or a power failure can lose or damage what was written in
// the last half minute or so. It is made for a laptop, a demonstration and tests; for that reason it listens on loopback only.
package store

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"net"
	"path/filepath"
	"syscall"
	"time"

	"github.com/versity/versitygw/auth"
	"github.com/versity/versitygw/backend/meta"
	"github.com/versity/versitygw/backend/posix"
	"github.com/versity/versitygw/embedgw"
	"github.com/versity/versitygw/s3api"
)

const (
	defaultListen = "127.0.0.1:9000"
	region        = "us-east-1"
	healthPath    = "/.healthz" // no bucket's name can begin with a dot
	connections   = 4096
	partsMax      = 10_000
	copyBytesMax  = 5 << 30
	portTries     = 5
	addressMax    = time.Second // that an address stays in use by a store that was killed a moment ago
	pollPeriod    = 10 * time.Millisecond
)

// ErrLocked is the error of a start on a directory that another store serves.
var ErrLocked = errors.New("the store's data directory is in use")

// ErrAddressInUse is the error of a start on an address where something else listens.
var ErrAddressInUse = errors.New("the store's address is in use")

// Options say where a store keeps its data, where it listens and who may use it. Listen and Logger have defaults.
type Options struct {
	Dir       string // made if it is missing; its file system must have extended attributes
	Listen    string // loopback host:port, default 127.0.0.1:9000; port 0 takes a free one
	AccessKey string
	SecretKey string
	Buckets   []string // made if they are missing

	Ready  func(addr string) // called once, when requests are answered and the buckets are there; addr is host:port
	Logger *slog.Logger      // default none
}

func (o *Options) complete() error {
	if o.Listen == "" {
		o.Listen = defaultListen
	}
	if o.Logger == nil {
		o.Logger = slog.New(slog.DiscardHandler)
	}
	if o.Ready == nil {
		o.Ready = func(string) {}
	}
	switch {
	case o.Dir == "":
		return errors.New("no data directory given")
	case o.AccessKey == "" || o.SecretKey == "":
		return errors.New("the store needs an access key and a secret key")
	}
	dir, err := filepath.Abs(o.Dir)
	if err != nil {
		return fmt.Errorf("find %s: %w", o.Dir, err)
	}
	o.Dir = dir
	return checkLoopback(o.Listen)
}

// Serve runs the store in this process until ctx ends, which is no error. It changes the working directory, and only one store
// can run in a process.
func Serve(ctx context.Context, o Options) error {
	if err := o.complete(); err != nil {
		return fmt.Errorf("serve the store: %w", err)
	}
	lock, err := takeDir(ctx, o.Dir)
	if err != nil {
		return fmt.Errorf("serve the store: %w", err)
	}
	err = serve(ctx, o)
	if err := errors.Join(err, lock.Close()); err != nil {
		return fmt.Errorf("serve the store: %w", err)
	}
	return nil
}

// serve runs the store on a directory that is this process's. Where any port will do, a port that was taken by someone between choosing
// and binding is replaced by another.
func serve(ctx context.Context, o Options) error {
	if err := recoverUploads(o.Dir, o.Logger); err != nil {
		return err
	}
	for try := 1; ; try++ {
		addr, err := chooseAddress(ctx, o.Listen)
		if err != nil {
			return err
		}
		err = serveAt(ctx, o, addr)
		_, port, _ := net.SplitHostPort(o.Listen)
		switch {
		case !errors.Is(err, syscall.EADDRINUSE):
			return err
		case port != "0" || try == portTries:
			return fmt.Errorf("%w: %w", ErrAddressInUse, err)
		}
	}
}

// serveAt runs the gateway, and beside it what makes the buckets once it answers.
func serveAt(ctx context.Context, o Options, addr string) error {
	backend, err := posix.New(o.Dir, meta.XattrMeta{}, posix.PosixOpts{CopyObjectThreshold: copyBytesMax})
	if err != nil {
		return fmt.Errorf("open %s: %w", o.Dir, err)
	}
	ctx, cancel := context.WithCancelCause(ctx)
	defer cancel(nil)
	listening := make(chan struct{})
	prepared := make(chan struct{})
	go func() {
		defer close(prepared)
		select {
		case <-ctx.Done():
		case <-listening:
			if err := prepare(ctx, o, addr); err != nil {
				cancel(err)
			}
		}
	}()
	err = embedgw.RunVersityGW(ctx, backend, &embedgw.Config{
		RootUserAccess: o.AccessKey, RootUserSecret: o.SecretKey, Region: region,
		Ports: []string{addr}, MaxConnections: connections, MaxRequests: connections, MultipartMaxParts: partsMax,
		IAMService: auth.NewIAMServiceSingle(auth.Account{Access: o.AccessKey, Secret: o.SecretKey, Role: auth.RoleAdmin}),
		KeepAlive:  true, Quiet: true, HealthPath: healthPath,
		S3Options: []s3api.Option{s3api.WithOnListen(func() { close(listening) })},
	})
	ended := context.Cause(ctx)
	cancel(nil)
	<-prepared
	switch {
	case err != nil:
		return fmt.Errorf("listen on %s: %w", addr, err)
	case ended != nil && !errors.Is(ended, context.Canceled) && !errors.Is(ended, context.DeadlineExceeded):
		return ended // the buckets could not be made
	case ended == nil:
		return errors.New("the gateway ended by itself")
	}
	return nil
}
