package actors

import (
	"cmp"
	"context"
	"fmt"
	"slices"
	"strings"
	"time"

	"github.com/asynkron/protoactor-go/actor"

	"citystream/engine/catalog"
	"citystream/engine/commitlog"
	"citystream/engine/port"
	"citystream/engine/record"
	"citystream/engine/schema"
	"citystream/messages"
)

// catalogActor registers what the commit logs name: it is told of new entries, and looks at all logs now and then in case a word was lost.
// The looking and the calls to the catalog run in one goroutine at a time, which owns the registrar while it runs.
type catalogActor struct {
	node      *Node
	registrar *registrar
	dirty     map[commitlog.Log]bool // told to have grown
	all       bool                   // look at everything
	running   bool
	ctx       context.Context
	cancel    context.CancelFunc
	ticking   chan struct{}
	status    *messages.CatalogStatus
	asked     []*actor.PID  // who waits for a round that has not begun yet
	answered  []*actor.PID  // who waits for the present one
	wait      time.Duration // after a failure
}

// registered is the outcome of a round.
type registered struct {
	status *messages.CatalogStatus
	logs   map[commitlog.Log]bool // looked at
	all    bool
	err    error
}

// again begins the next round after a failure.
type again struct{}

// registerAll asks for a look at all logs; registeredAll answers when everything that they have is registered.
type (
	registerAll   struct{}
	registeredAll struct{}
)

// CatalogProps makes the catalog actor.
func CatalogProps(node *Node) *actor.Props {
	return actor.PropsFromProducer(func() actor.Actor {
		return &catalogActor{node: node, dirty: map[commitlog.Log]bool{}, all: true, status: &messages.CatalogStatus{}}
	})
}

// Receive implements actor.Actor.
func (c *catalogActor) Receive(ctx actor.Context) {
	switch m := ctx.Message().(type) {
	case *actor.Started:
		c.ctx, c.cancel = context.WithCancel(context.Background())
		c.registrar = newRegistrar(c.node)
		c.ticking = tickTo(ctx, c.node.CatalogPoll, tick{})
		c.run(ctx)
	case *actor.Stopping, *actor.Restarting:
		c.cancel()
		close(c.ticking)
	case tick:
		c.all = true
		c.run(ctx)
	case *messages.Committed:
		c.dirty[fromLog(m.Log)] = true
		c.run(ctx)
	case registerAll:
		c.all, c.asked = true, append(c.asked, ctx.Sender())
		c.run(ctx)
	case registered:
		c.onRegistered(ctx, m)
	case again:
		c.running = false
		c.run(ctx)
	case *messages.GetCatalogStatus:
		ctx.Respond(c.status)
	}
}

// run begins a round unless one is under way.
func (c *catalogActor) run(ctx actor.Context) {
	if c.running || !c.all && len(c.dirty) == 0 {
		return
	}
	c.running = true
	round, all := c.dirty, c.all
	c.dirty, c.all = map[commitlog.Log]bool{}, false
	c.answered, c.asked = append(c.answered, c.asked...), nil
	self, root, registrar, life := ctx.Self(), ctx.ActorSystem().Root, c.registrar, c.ctx
	go func() {
		timed, cancel := context.WithTimeout(life, 5*time.Minute)
		defer cancel()
		err := registrar.round(timed, round, all)
		root.Send(self, registered{status: registrar.status(), logs: round, all: all, err: err})
	}()
}

func (c *catalogActor) onRegistered(ctx actor.Context, m registered) {
	c.status = m.status
	if m.err == nil {
		c.running, c.wait = false, 0
		for _, pid := range c.answered {
			ctx.Send(pid, registeredAll{})
		}
		c.answered = nil
		c.run(ctx)
		return
	}
	c.status.Error = m.err.Error()
	if c.ctx.Err() != nil {
		return
	}
	c.node.Metrics.Retries.WithLabelValues("register").Inc()
	c.wait = min(max(2*c.wait, waitMin), waitMax)
	if c.wait == waitMin || c.wait == waitMax {
		c.node.Log.Warn("the catalog cannot be brought up to date; trying again until it works", "error", m.err)
	}
	for log := range m.logs {
		c.dirty[log] = true
	}
	c.all = c.all || m.all
	self, root, wait, life := ctx.Self(), ctx.ActorSystem().Root, c.wait, c.ctx
	go func() {
		if pause(life, wait) {
			root.Send(self, again{})
		}
	}()
}

// registrar brings the catalog up to date with the logs. One goroutine uses it at a time.
type registrar struct {
	node     *Node
	prepared bool
	cursors  map[topicOf]catalog.Cursors
	known    map[string]map[string]bool // by table: the folders of its registered Hive partitions
	kept     time.Time                  // when the house was kept last
}

// topicOf is what one object of cursors is for.
type topicOf struct{ table, topic string }

func newRegistrar(node *Node) *registrar {
	return &registrar{node: node, cursors: map[topicOf]catalog.Cursors{}, known: map[string]map[string]bool{}}
}

// round registers what the given logs have, or all logs in the store.
func (r *registrar) round(ctx context.Context, logs map[commitlog.Log]bool, all bool) error {
	if err := r.prepare(ctx); err != nil {
		return err
	}
	byTopic := map[topicOf][]commitlog.Log{}
	var found []commitlog.Log
	if all {
		var err error
		if found, err = r.find(ctx); err != nil {
			return err
		}
		for _, log := range found {
			byTopic[topicOf{log.Table, log.Topic}] = append(byTopic[topicOf{log.Table, log.Topic}], log)
		}
	} else {
		for log := range logs {
			byTopic[topicOf{log.Table, log.Topic}] = append(byTopic[topicOf{log.Table, log.Topic}], log)
		}
	}
	for topic, logs := range byTopic {
		if err := r.topic(ctx, topic, logs); err != nil {
			return fmt.Errorf("table %s, topic %s: %w", topic.table, topic.topic, err)
		}
	}
	return r.keepHouse(ctx, found)
}

// prepare makes the database and the tables, once.
func (r *registrar) prepare(ctx context.Context) error {
	if r.prepared {
		return nil
	}
	db := r.node.Database
	if err := r.node.Catalog.EnsureDatabase(ctx, db); err != nil {
		return fmt.Errorf("database %s: %w", db, err)
	}
	for _, t := range r.node.filed() {
		location := "s3://" + r.node.Bucket + "/" + r.node.RawPrefix + "/" + t.Name + "/"
		if err := r.node.Catalog.EnsureTable(ctx, db, catalog.Describe(t, location)); err != nil {
			return fmt.Errorf("table %s: %w", t.Name, err)
		}
		partitions, err := r.node.Catalog.Partitions(ctx, db, strings.ToLower(t.Name))
		if err != nil {
			return fmt.Errorf("table %s: %w", t.Name, err)
		}
		r.known[t.Name] = map[string]bool{}
		for _, p := range partitions {
			r.known[t.Name][p.Location] = true
		}
	}
	r.prepared = true
	return nil
}

// find returns the logs of the configured tables. Topics' partitions are asked of the source, so that no log is listed that cannot exist.
func (r *registrar) find(ctx context.Context) ([]commitlog.Log, error) {
	names := make([]string, len(r.node.Tables))
	for i, t := range r.node.Tables {
		names[i] = t.Topic
	}
	topics, err := r.node.Source.Topics(ctx, names)
	if err != nil {
		return nil, fmt.Errorf("topics: %w", err)
	}
	var logs []commitlog.Log
	for _, t := range r.node.Tables {
		for _, topic := range topics {
			for p := range topic.Partitions {
				if topic.Name == t.Topic {
					logs = append(logs, logOf(t, p))
				}
			}
		}
	}
	return logs, nil
}

func logOf(t *schema.Table, partition int) commitlog.Log {
	return commitlog.Log{Table: t.Name, TopicPartition: record.TopicPartition{Topic: t.Topic, Partition: record.Partition(partition)}}
}

// topic registers the Hive partitions of new entries, then moves the cursors on.
func (r *registrar) topic(ctx context.Context, of topicOf, logs []commitlog.Log) error {
	cursors, err := r.cursorsOf(ctx, of)
	if err != nil {
		return err
	}
	moved := catalog.Cursors{Slots: map[record.Partition]commitlog.Slot{}}
	for p, s := range cursors.Slots {
		moved.Slots[p] = s
	}
	var entries []*commitlog.Entry
	for _, log := range logs {
		usable, err := r.news(ctx, log, cursors.After(log.Partition))
		if err != nil {
			return err
		}
		if n := len(usable); n > 0 {
			moved.Slots[log.Partition] = usable[n-1].Slot
			entries = append(entries, usable...)
		}
	}
	if len(entries) == 0 {
		return nil
	}
	if err := r.register(ctx, catalog.Places(entries)); err != nil {
		return err
	}
	if err := r.node.Store.Put(ctx, catalog.CursorsKey(of.table, of.topic), moved.Encode()); err != nil {
		return fmt.Errorf("write cursors: %w", err)
	}
	r.cursors[of] = moved
	return nil
}

func (r *registrar) cursorsOf(ctx context.Context, of topicOf) (catalog.Cursors, error) {
	if c, ok := r.cursors[of]; ok {
		return c, nil
	}
	body, _, err := r.node.Store.Get(ctx, catalog.CursorsKey(of.table, of.topic))
	switch {
	case isNotFound(err):
		return catalog.Cursors{}, nil
	case err != nil:
		return catalog.Cursors{}, fmt.Errorf("read cursors: %w", err)
	}
	c, err := catalog.DecodeCursors(body)
	if err == nil {
		r.cursors[of] = c
	}
	return c, err
}

// news returns the entries of a log behind a slot whose files may be registered.
func (r *registrar) news(ctx context.Context, log commitlog.Log, after commitlog.Slot) ([]*commitlog.Entry, error) {
	var entries []*commitlog.Entry
	key := ""
	if after >= 0 {
		key = log.Key(after)
	}
	for {
		page, err := r.node.Store.List(ctx, log.Prefix(), key, listPage)
		if err != nil {
			return nil, fmt.Errorf("list log %s: %w", log, err)
		}
		for _, o := range page {
			slot, ok := log.SlotOf(o.Key)
			if !ok {
				continue
			}
			body, _, err := r.node.Store.Get(ctx, o.Key)
			if err != nil {
				return nil, fmt.Errorf("read slot %d of %s: %w", slot, log, err)
			}
			e, err := commitlog.Decode(slot, body)
			if err != nil {
				return nil, fmt.Errorf("log %s: %w", log, err)
			}
			entries = append(entries, e)
		}
		if len(page) < listPage {
			break
		}
		key = page[len(page)-1].Key
	}
	if len(entries) == 0 {
		return nil, nil
	}
	seen, err := r.seen(ctx, entries[len(entries)-1])
	if err != nil {
		return nil, err
	}
	return entries[:catalog.Usable(entries, seen)], nil
}

// seen reports whether all files of an entry exist.
func (r *registrar) seen(ctx context.Context, e *commitlog.Entry) (bool, error) {
	for _, f := range e.Files {
		_, err := r.node.Store.Head(ctx, f.Key)
		if isNotFound(err) {
			return false, nil
		}
		if err != nil {
			return false, fmt.Errorf("look at %s: %w", f.Key, err)
		}
	}
	return true, nil
}

// register adds the Hive partitions that are not known to be registered.
func (r *registrar) register(ctx context.Context, places []catalog.Place) error {
	byTable := map[string][]port.HivePartition{}
	for _, p := range places {
		if h := p.Partition(r.node.Bucket); !r.known[p.Table][h.Location] {
			byTable[p.Table] = append(byTable[p.Table], h)
		}
	}
	for table, partitions := range byTable {
		if r.known[table] == nil {
			return fmt.Errorf("the log names files of table %s, which is not configured", table)
		}
		if err := r.node.Catalog.AddPartitions(ctx, r.node.Database, strings.ToLower(table), partitions); err != nil {
			return fmt.Errorf("register Hive partitions of %s: %w", table, err)
		}
		for _, p := range partitions {
			r.known[table][p.Location] = true
		}
		r.node.Metrics.Cataloged.WithLabelValues(table).Add(float64(len(partitions)))
		r.node.Log.Info("registered Hive partitions", "table", table, "count", len(partitions))
	}
	return nil
}

// status says how far the catalog has come; the answer is the receiver's.
func (r *registrar) status() *messages.CatalogStatus {
	s := &messages.CatalogStatus{}
	for table, folders := range r.known {
		t := &messages.CatalogTable{Table: table, HivePartitions: int64(len(folders))}
		for of, cursors := range r.cursors {
			if of.table != table {
				continue
			}
			for p, slot := range cursors.Slots {
				log := commitlog.Log{Table: of.table, TopicPartition: record.TopicPartition{Topic: of.topic, Partition: p}}
				t.Cursors = append(t.Cursors, &messages.CatalogCursor{Log: toLog(log), Slot: int64(slot)})
			}
		}
		s.Tables = append(s.Tables, t)
	}
	slices.SortFunc(s.Tables, func(a, b *messages.CatalogTable) int { return cmp.Compare(a.Table, b.Table) })
	return s
}
