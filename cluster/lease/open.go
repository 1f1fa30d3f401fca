// Package lease opens the leader's lease where the configuration says that it is kept. Its packages below are one place each; a new one is
// a package and a line in the list here, and passes enginetest.LeaseSuite.
package lease

import (
	"fmt"
	"log/slog"
	"time"

	"citystream/cluster/lease/etcd"
	"citystream/cluster/lease/objectstore"
	"citystream/cluster/lease/zookeeper"
	"citystream/engine/port"
)

// A Place is where a lease is kept, and how long it lasts without a sign of life. Servers and path are not for the kind "store".
type Place struct {
	Kind    string // one of Kinds
	Servers []string
	Path    string
	TTL     time.Duration
}

var kinds = []struct {
	name string
	open func(Place, port.Store, *slog.Logger) (port.Lease, error)
}{
	{"store", func(p Place, store port.Store, log *slog.Logger) (port.Lease, error) {
		return objectstore.New(store, p.TTL, log), nil
	}},
	{"zookeeper", func(p Place, _ port.Store, log *slog.Logger) (port.Lease, error) {
		return zookeeper.New(p.Servers, p.Path, p.TTL, log), nil
	}},
	{"etcd", func(p Place, _ port.Store, log *slog.Logger) (port.Lease, error) {
		return etcd.New(p.Servers, p.Path, p.TTL, log)
	}},
}

// Open returns the lease of a place, which the caller closes. It waits for nothing. The store is for the kind "store", and stays the caller's.
func Open(p Place, store port.Store, log *slog.Logger) (port.Lease, error) {
	for _, k := range kinds {
		if k.name == p.Kind {
			return k.open(p, store, log)
		}
	}
	return nil, fmt.Errorf("lease: no kind %q; known are %q", p.Kind, Kinds())
}

// Kinds returns the names of all kinds of places.
func Kinds() []string {
	var names []string
	for _, k := range kinds {
		names = append(names, k.name)
	}
	return names
}
