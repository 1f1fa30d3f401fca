package main

import (
	"cmp"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net/http"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"time"

	"github.com/spf13/cobra"
	"google.golang.org/protobuf/encoding/protojson"

	"citystream/config"
	"citystream/engine/adapter/s3"
	"citystream/engine/port"
	"citystream/messages"
)

// pagesFile of the data directory says where the pages of a running up are.
const pagesFile = "pages"

const (
	watchEvery = time.Second     // how often --watch looks
	askMax     = 5 * time.Second // a leader that is paused does not answer, and is another's follower soon
)

func statusCommand() *cobra.Command {
	return showing("status", "Workers, their partitions, lag, watermarks, and why files were flushed last", statusReport)
}

func lagCommand() *cobra.Command {
	return showing("lag", "How far each partition is behind", lagReport)
}

// showing makes a command that shows what the leading master knows.
func showing(name, short string, report func(io.Writer, *state)) *cobra.Command {
	var url, output string
	var watch bool
	c := &cobra.Command{
		Use:   name,
		Short: short,
		Long: short + `.

The leading master is asked: that of --url, of a running up on the data directory, or the one that the lease names (--config with the sections store and lease).

Exit code 0: it answered. 1: there is no leader, it cannot be reached, or a partition has stopped. 2: wrong flags or configuration.`,
		Example: fmt.Sprintf("  citystream %[1]s\n  citystream %[1]s --config citystream.yaml --watch\n  citystream %[1]s --url http://10.0.0.5:9465 --output json", name),
		Args:    cobra.NoArgs,
		RunE: func(c *cobra.Command, _ []string) error {
			if output != "table" && output != "json" {
				return usageError{fmt.Errorf("--output %s: table or json", output)}
			}
			cfg, err := settingsOf(c, nil, map[string]string{
				"data": "embedded.data", "s3": "store.endpoint", "lease": "lease.kind", "lease-servers": "lease.servers",
			})
			if err != nil {
				return err
			}
			f := &finder{cfg: cfg, url: url, named: cfg.Store.Endpoint != "" || c.Flags().Changed("config") || c.Flags().Changed("lease")}
			defer f.close()
			show := func(ctx context.Context) error { return showOnce(ctx, c.OutOrStdout(), f, output, report) }
			if watch {
				return watching(c.Context(), c.OutOrStdout(), show)
			}
			return show(c.Context())
		},
	}
	fl := c.Flags()
	fl.StringVar(&url, "url", "", "`URL` of the leading master's pages")
	fl.String("data", "./data", "data `DIR` of a running up")
	fl.String("s3", "", "`URL` of the S3 service that has the lease")
	fl.String("lease", "", "where the lease is kept: store, zookeeper or etcd")
	fl.String("lease-servers", "", "`HOST:PORT,...` of ZooKeeper or etcd")
	fl.BoolVar(&watch, "watch", false, "look again every second, until Ctrl-C")
	fl.StringVar(&output, "output", "table", "table or json")
	configFlag(c)
	return c
}

func showOnce(ctx context.Context, w io.Writer, f *finder, output string, report func(io.Writer, *state)) error {
	timed, cancel := context.WithTimeout(ctx, askMax)
	defer cancel()
	answer, err := f.ask(timed)
	if err != nil {
		return err
	}
	s := stateOf(answer)
	if output == "json" {
		body, err := json.MarshalIndent(s, "", "  ")
		if err != nil {
			return err
		}
		fmt.Fprintf(w, "%s\n", body)
	} else {
		report(w, s)
	}
	if len(s.Stopped) > 0 {
		return fmt.Errorf("%d partitions have stopped, and need a person", len(s.Stopped))
	}
	return nil
}

// watching shows again and again; trouble is shown too, and may pass.
func watching(ctx context.Context, w io.Writer, show func(context.Context) error) error {
	out, isFile := w.(*os.File)
	clear := isFile && isTerminal(out)
	for ctx.Err() == nil {
		if clear {
			fmt.Fprint(w, "\x1b[H\x1b[2J")
		}
		if err := show(ctx); err != nil && ctx.Err() == nil {
			fmt.Fprintln(w, err)
		}
		select {
		case <-ctx.Done():
		case <-time.After(watchEvery):
		}
	}
	return nil
}

// finder finds the leading master's pages.
type finder struct {
	cfg   *config.Config
	url   string
	named bool // somebody has said where the lease is
	lease port.Lease
}

func (f *finder) close() {
	if f.lease != nil {
		_ = f.lease.Close() // nothing was written
	}
}

// ask asks the leader for the state of the cluster.
func (f *finder) ask(ctx context.Context) (*messages.ClusterStatus, error) {
	url, err := f.find(ctx)
	if err != nil {
		return nil, err
	}
	request, err := http.NewRequestWithContext(ctx, http.MethodGet, strings.TrimSuffix(url, "/")+"/status", nil)
	if err != nil {
		return nil, fmt.Errorf("ask the leader: %w", err)
	}
	answer, err := http.DefaultClient.Do(request)
	if err != nil {
		return nil, fmt.Errorf("the leader does not answer; if it has ended, another leads soon: %w", err)
	}
	defer answer.Body.Close()
	body, err := io.ReadAll(answer.Body)
	if err != nil {
		return nil, fmt.Errorf("ask the leader: %w", err)
	}
	if answer.StatusCode != http.StatusOK {
		return nil, fmt.Errorf("%s: %s", url, strings.TrimSpace(string(body)))
	}
	status := &messages.ClusterStatus{}
	if err := (protojson.UnmarshalOptions{DiscardUnknown: true}).Unmarshal(body, status); err != nil {
		return nil, fmt.Errorf("the leader's answer: %w", err)
	}
	return status, nil
}

func (f *finder) find(ctx context.Context) (string, error) {
	if f.url != "" {
		return f.url, nil
	}
	if inUse(f.cfg.Embedded.Data, "up") {
		if address, err := os.ReadFile(filepath.Join(f.cfg.Embedded.Data, pagesFile)); err == nil {
			return "http://" + string(address), nil
		}
	}
	if f.lease == nil && !f.named {
		return "", usageError{fmt.Errorf("no up runs on %s: name a cluster with --config FILE, --s3 URL, --lease, or the leader's pages with --url URL", f.cfg.Embedded.Data)}
	}
	if f.lease == nil {
		store, err := s3.Connect(ctx, s3.Options{
			Bucket: f.cfg.Store.Bucket, Endpoint: f.cfg.Store.Endpoint, Region: cmp.Or(f.cfg.Store.Region, regionIn(f.cfg.Store.Endpoint), regionOf(f.cfg)),
		})
		if err != nil {
			return "", fmt.Errorf("there is no up that runs on %s, and no lease to find a leader by: %w", f.cfg.Embedded.Data, err)
		}
		if f.lease, err = openLease(f.cfg, store, newLog(f.cfg)); err != nil {
			return "", err
		}
	}
	leader, err := f.lease.Leader(ctx)
	if errors.Is(err, port.ErrNoLeader) {
		return "", errors.New("no master leads: start one with citystream master, or look at the logs of those that run")
	}
	if err != nil {
		return "", fmt.Errorf("look for the leader: %w", err)
	}
	return "http://" + leader.HTTP, nil
}

// state is what is known of a cluster. As JSON it is a contract: fields may be added, none is renamed or removed.
type state struct {
	Leader     string           `json:"leader"`
	Epoch      int64            `json:"epoch"`
	Settling   float64          `json:"settling_seconds"` // for which workers of the master before are still waited for
	Moves      int64            `json:"moves"`
	Workers    []workerState    `json:"workers"`
	Partitions []partitionState `json:"partitions"`
	Unassigned []string         `json:"unassigned"`
	Stopped    []stoppedState   `json:"stopped"`
	Catalog    *catalogState    `json:"catalog,omitempty"`
}

type workerState struct {
	Name        string  `json:"name"`
	Zone        string  `json:"zone"`
	Address     string  `json:"address"`
	Incarnation string  `json:"incarnation"`
	Partitions  int64   `json:"partitions"`
	Draining    bool    `json:"draining"`
	Deaf        bool    `json:"deaf"` // it does not hear the master: nothing is assigned to it
	Silence     float64 `json:"silence_seconds"`
	Rate        float64 `json:"records_per_second"`
	Lag         int64   `json:"lag"`
}

// partitionState is how one partition stands. Lag counts the offsets that no committed entry accounts for.
type partitionState struct {
	Log         string  `json:"log"` // table/topic/partition
	Table       string  `json:"table"`
	Worker      string  `json:"worker"`
	Owned       bool    `json:"owned"`
	Position    int64   `json:"position"`
	Resume      int64   `json:"resume"`
	End         int64   `json:"end"`
	Lag         int64   `json:"lag"`
	Unread      int64   `json:"unread"`
	Rate        float64 `json:"records_per_second"`
	Watermark   string  `json:"watermark"`
	Committed   string  `json:"committed_watermark"`
	OpenFiles   int32   `json:"open_files"`
	OpenRows    int64   `json:"open_rows"`
	Rows        int64   `json:"rows"`
	DeadLetters int64   `json:"dead_letters"`
	Slot        int64   `json:"slot"`
	Flushed     string  `json:"flushed"`
	FlushReason string  `json:"flush_reason"`
	Retrying    string  `json:"retrying"`
}

type stoppedState struct {
	Log   string `json:"log"`
	Error string `json:"error"`
}

func stateOf(c *messages.ClusterStatus) *state {
	m := c.GetStatus()
	s := &state{Leader: m.GetLeader(), Epoch: m.GetEpoch(), Settling: float64(m.GetSettlingMillis()) / 1000, Moves: m.GetMoves()}
	for _, w := range m.GetWorkers() {
		ws := workerState{
			Name: w.Worker, Zone: w.Zone, Address: strings.TrimPrefix(w.Address, "nonhost"), Incarnation: w.Incarnation, Partitions: w.Assigned, Draining: w.Draining, Deaf: w.Deaf,
			Silence: float64(w.SilenceMillis) / 1000,
		}
		for _, p := range w.Partitions {
			ps := partitionStateOf(w.Worker, p)
			s.Partitions = append(s.Partitions, ps)
			ws.Rate += ps.Rate
			ws.Lag += ps.Lag
		}
		s.Workers = append(s.Workers, ws)
	}
	for _, l := range m.GetUnassigned() {
		s.Unassigned = append(s.Unassigned, at(l).String())
	}
	for _, p := range m.GetFailed() {
		s.Stopped = append(s.Stopped, stoppedState{at(p.Log).String(), p.Error})
	}
	s.Catalog = catalogStateOf(c.GetCatalog())
	slices.SortFunc(s.Partitions, func(a, b partitionState) int { return naturally(a.Log, b.Log) })
	slices.SortFunc(s.Unassigned, naturally)
	slices.SortFunc(s.Stopped, func(a, b stoppedState) int { return naturally(a.Log, b.Log) })
	return s
}

// naturally compares names so that partition 10 comes behind partition 9.
func naturally(a, b string) int {
	if i, j := strings.LastIndexByte(a, '/'), strings.LastIndexByte(b, '/'); i >= 0 && j >= 0 && a[:i] == b[:j] {
		return cmp.Or(cmp.Compare(len(a), len(b)), cmp.Compare(a, b))
	}
	return cmp.Compare(a, b)
}

func partitionStateOf(worker string, p *messages.PartitionStatus) partitionState {
	s := partitionState{
		Log: at(p.Log).String(), Table: p.Log.GetTable(), Worker: worker, Owned: p.Owned, Position: p.Position, Resume: p.Resume, End: p.End,
		Lag: max(0, p.End-p.Resume), Unread: max(0, p.End-p.Position), Rate: p.Rate, Watermark: clock(p.Watermark), Committed: clock(p.CommittedWatermark),
		OpenFiles: p.OpenFiles, OpenRows: p.OpenRows, Rows: p.GetCounters().GetRows(), DeadLetters: p.GetCounters().GetDeadLetters(), Slot: p.Slot,
		FlushReason: p.FlushReason, Retrying: p.Retrying,
	}
	if p.Flushed > 0 {
		s.Flushed = time.UnixMicro(p.Flushed).UTC().Format(time.RFC3339)
	}
	return s
}
