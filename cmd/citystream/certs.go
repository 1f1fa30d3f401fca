package main

import (
	"errors"
	"fmt"
	"io"
	"io/fs"
	"path/filepath"
	"time"

	"github.com/spf13/cobra"

	"citystream/cluster/certs"
)

const day = 24 * time.Hour

// certsWanted is what certs is asked for.
type certsWanted struct {
	dir          string
	caDir        string // of the CA; empty is dir
	name         string
	hosts        []string
	days, caDays int
	replace      bool
	caOnly       bool
}

func certsCommand() *cobra.Command {
	var l certsWanted
	c := &cobra.Command{
		Use:   "certs --name NODE --host HOST",
		Short: "Make a CA and certificates of nodes, for a lab",
		Long: `Writes NAME.pem and NAME-key.pem into a directory: a node's certificate and key, for both sides of TLS. They are signed by the CA in
ca.pem and ca-key.pem there, which is made when it is missing. Name every host that other nodes reach this one by: its node.advertise.

With --ca the CA is in another directory, and has to be there; ca.pem is put beside the node's files, which are all that a node needs.
With --ca-only it makes the CA, where there is none yet, and no node's files: for nodes that make their own with --lab-ca.

A node needs its own two files and ca.pem; ca-key.pem stays where it is. Running nodes take renewed files into use by themselves.

Exit code 0: the files are written. 1: an error, or files that are there already and were not to be replaced. 2: wrong flags.`,
		Example: "  citystream certs --out certs --name worker-1 --host 127.0.0.1 --host node1.example\n" +
			"  citystream certs --out certs --name worker-1 --host 127.0.0.1 --host node1.example --replace\n" +
			"  citystream certs --out certs --ca-only",
		Args: cobra.NoArgs,
		RunE: func(c *cobra.Command, _ []string) error {
			if err := l.check(); err != nil {
				return usageError{err}
			}
			return l.make(c.OutOrStdout(), time.Now())
		},
	}
	f := c.Flags()
	f.StringVar(&l.dir, "out", "certs", "`DIR` of the files")
	f.StringVar(&l.caDir, "ca", "", "`DIR` of the CA, if it is another")
	f.StringVar(&l.name, "name", "", "`NODE` whose certificate it is, and first part of its files' names")
	f.StringArrayVar(&l.hosts, "host", nil, "`HOST` name or IP address that the node is reached by; may be given again")
	f.IntVar(&l.days, "days", 365, "`DAYS` that the certificate is valid; not longer than the CA")
	f.IntVar(&l.caDays, "ca-days", 3650, "`DAYS` that a CA is valid that is made")
	f.BoolVar(&l.caOnly, "ca-only", false, "make the CA alone; one that is there already stays")
	f.BoolVar(&l.replace, "replace", false, "replace the node's files, as to renew them; the CA is never replaced")
	return c
}

// check reports every fault of the flags.
func (l *certsWanted) check() error {
	var faults []error
	if l.caOnly && (l.name != "" || len(l.hosts) > 0 || l.replace || l.caDir != "") {
		faults = append(faults, errors.New("--ca-only makes no node's files: --name, --host, --ca and --replace do not go with it"))
	}
	if l.name == "" && !l.caOnly {
		faults = append(faults, errors.New("--name: say whose certificate it is"))
	}
	if len(l.hosts) == 0 && !l.caOnly {
		faults = append(faults, errors.New("--host: name the hosts that the node is reached by"))
	}
	const most = 100 * 365
	if l.days < 1 || l.days > most || l.caDays < 1 || l.caDays > most {
		faults = append(faults, fmt.Errorf("--days and --ca-days: between 1 and %d", most))
	}
	return errors.Join(faults...)
}

func (l *certsWanted) make(out io.Writer, now time.Time) error {
	ca, err := l.authority(out, now)
	if err != nil || l.caOnly {
		return err
	}
	n := certs.Node{Name: l.name, Hosts: l.hosts, Until: now.Add(time.Duration(l.days) * day)}
	err = ca.WriteNode(l.dir, n, now, l.replace)
	if errors.Is(err, fs.ErrExist) {
		return fmt.Errorf("%w: give --replace to renew it", err)
	}
	if err != nil {
		return err
	}
	_, err = fmt.Fprintf(out, "%s and %s-key.pem: certificate and key of %s, until %s\n",
		filepath.Join(l.dir, l.name+".pem"), l.name, l.name, earlier(n.Until, ca.Expires()).Format(time.DateOnly))
	return err
}

// authority returns the CA: that of a directory of its own, or that beside the nodes' files, which is made where it is missing.
func (l *certsWanted) authority(out io.Writer, now time.Time) (*certs.CA, error) {
	if l.caDir != "" {
		ca, err := certs.ReadCA(l.caDir)
		if err != nil {
			return nil, err
		}
		return ca, certs.CopyCA(l.caDir, l.dir)
	}
	ca, err := certs.ReadCA(l.dir)
	if errors.Is(err, fs.ErrNotExist) {
		return l.makeCA(out, now)
	}
	return ca, err
}

func (l *certsWanted) makeCA(out io.Writer, now time.Time) (*certs.CA, error) {
	ca, err := certs.NewCA("citystream lab "+now.UTC().Format("20060102T150405Z"), now, now.Add(time.Duration(l.caDays)*day))
	if err != nil {
		return nil, err
	}
	if err := ca.Write(l.dir); err != nil {
		return nil, err
	}
	_, err = fmt.Fprintf(out, "%s and %s: a new CA, until %s; keep its key from nodes\n",
		filepath.Join(l.dir, certs.CAFile), certs.CAKeyFile, ca.Expires().Format(time.DateOnly))
	return ca, err
}

func earlier(a, b time.Time) time.Time {
	if b.Before(a) {
		return b
	}
	return a
}
