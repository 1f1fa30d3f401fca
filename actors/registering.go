package actors

import (
	"context"
	"errors"
	"fmt"
	"maps"
	"strings"
	"time"

	"citystream/engine/catalog"
	"citystream/engine/commitlog"
	"citystream/engine/port"
	"citystream/engine/record"
	"citystream/engine/schema"
)

// registrar brings the catalog up to date with the logs: tables, Hive partitions, and which of these are complete. One goroutine uses it
// at a time. A fault belongs to a log, a window or a topic: the others are brought up to date all the same.
type registrar struct {
	node       *Node
	board      *board
	ready      bool // the database is there
	lost       bool // something that was made is not there any more
	progress   map[topicOf]*kept
	written    map[topicOf]string         // the progress as we wrote it last
	known      map[string]map[string]bool // by table: the folders of its registered Hive partitions; nil: to be looked at
	searched   map[string]bool            // tables whose folders were looked at
	passed     map[string]bool            // tables that logs name and that are not configured
	unknown    map[string][]record.Micros // by table: windows that are registered and were never announced
	partitions map[string]int             // by topic: how many it has; missing until it was looked at, and nothing of it is complete
	late       map[lateOf]time.Time       // since when late files wait to be announced
	again      time.Duration              // until late files that wait may be announced; 0 is that none wait
	crawled    bool                       // the crawler has run in this round
	more       map[commitlog.Log]bool     // logs that have more than the round has read
	compared   time.Time                  // since when what the catalog shows is held to be what it was
}

// kept is a progress as it was read or written last.
type kept struct {
	progress catalog.Progress
	etag     string // empty: there is no object yet
}

// lateOf is a window of a table with late files.
type lateOf struct {
	table  string
	window record.Micros
}

func newRegistrar(node *Node, board *board) *registrar {
	return &registrar{
		node: node, board: board, progress: map[topicOf]*kept{}, written: map[topicOf]string{}, known: map[string]map[string]bool{}, unknown: map[string][]record.Micros{},
		searched: map[string]bool{}, passed: map[string]bool{}, partitions: map[string]int{}, late: map[lateOf]time.Time{},
	}
}

// round registers what the given logs have, or all logs in the store, and announces what is complete.
func (r *registrar) round(ctx context.Context, logs map[commitlog.Log]bool, all bool) outcome {
	o := outcome{logs: map[commitlog.Log]bool{}, more: map[commitlog.Log]bool{}}
	r.again, r.more, r.crawled = 0, o.more, false
	var found []commitlog.Log
	for log := range logs {
		all = all || r.partitions[log.Topic] == 0 // a topic that is younger than the last look
	}
	if all {
		clear(r.progress)
		if h := r.node.Housekeeping; h > 0 && time.Since(r.compared) > h {
			clear(r.known) // so that what the catalog shows is held against what was written once more
			r.compared = time.Now()
		}
		var err error
		if found, err = r.find(ctx); err != nil {
			o.err, o.all = err, true
		}
	}
	byTopic := map[topicOf]map[commitlog.Log]bool{}
	note := func(log commitlog.Log) {
		of := topicOf{log.Table, log.Topic}
		if byTopic[of] == nil {
			byTopic[of] = map[commitlog.Log]bool{}
		}
		byTopic[of][log] = true
	}
	for _, log := range found {
		note(log)
	}
	for log := range logs {
		if n := r.partitions[log.Topic]; n > 0 {
			r.partitions[log.Topic] = max(n, int(log.Partition)+1) // younger than the last look
		}
		note(log)
	}
	for of, logs := range byTopic {
		failed, err := r.topic(ctx, of, logs)
		maps.Copy(o.logs, failed)
		if err != nil {
			o.err = errors.Join(o.err, fmt.Errorf("table %s, topic %s: %w", of.table, of.topic, err))
		}
		o.part = o.part || len(failed) < len(logs)
	}
	o.again = r.again
	return o
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
	for _, topic := range topics {
		r.partitions[topic.Name] = max(r.partitions[topic.Name], topic.Partitions)
		for _, t := range r.node.Tables {
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

// topic registers the Hive partitions of new entries, announces those that are complete, and then moves the progress on. It returns the
// logs that are to be looked at again.
func (r *registrar) topic(ctx context.Context, of topicOf, logs map[commitlog.Log]bool) (map[commitlog.Log]bool, error) {
	table := r.node.Table(of.table)
	if table == nil {
		return nil, nil // of a table that is not configured any more, by a worker that does not know yet
	}
	if err := r.prepare(ctx); err != nil {
		return logs, err
	}
	before, err := r.progressOf(ctx, of) // first: what is not in it any more is announced, and will be found so
	if err != nil {
		return logs, err
	}
	if err := r.prepareTable(ctx, table); err != nil {
		return logs, err
	}
	p := before.progress.Clone()
	failed, moved, err := r.advance(ctx, of, logs, p)
	for _, w := range r.unknown[of.table] {
		p.Touch(w)
	}
	announced, wrong := r.complete(ctx, of, table, p)
	err = errors.Join(err, wrong)
	if wrong != nil {
		failed = logs // any of them does for another look
	}
	if moved || announced > 0 || len(r.unknown[of.table]) > 0 {
		if err := r.save(ctx, of, before, p); err != nil {
			return logs, err
		}
		delete(r.unknown, of.table)
	}
	r.board.noteProgress(of, p, r.partitions[of.topic])
	return failed, err
}

// advance registers what is new in logs, and notes it in the progress. A log that cannot be read, or whose files cannot be registered, is
// left where it is; it is among those to be looked at again.
func (r *registrar) advance(
	ctx context.Context, of topicOf, logs map[commitlog.Log]bool, p catalog.Progress,
) (again map[commitlog.Log]bool, moved bool, err error) {
	again = map[commitlog.Log]bool{}
	news := map[commitlog.Log][]*commitlog.Entry{}
	var entries []*commitlog.Entry
	share := max(1, newsMax/len(logs)) // a log that has more has a larger one in the next round
	for log := range logs {
		found, more, wrong := r.news(ctx, log, p.After(log.Partition), share)
		if wrong != nil {
			again[log], err = true, errors.Join(err, wrong)
			continue
		}
		if more {
			r.more[log] = true
		}
		if len(found) > 0 {
			news[log] = found
			entries = append(entries, found...)
		}
	}
	err = errors.Join(err, r.register(ctx, append(catalog.Places(entries), r.lacking(of.table, p)...)))
	if len(r.lacking(of.table, p)) > 0 {
		maps.Copy(again, logs)
	}
	for log, entries := range news {
		for _, e := range entries {
			if !r.knows(e) {
				again[log] = true
				break
			}
			p.Note(log, e)
			moved = true
		}
	}
	return again, moved, err
}

// lacking returns the Hive partitions that were registered, as the progress says, and are not: somebody has taken them away.
func (r *registrar) lacking(table string, p catalog.Progress) (places []catalog.Place) {
	for w := range p.Windows {
		if place := r.node.place(table, w); !r.known[table][place.Partition(r.node.Bucket).Location] {
			places = append(places, place)
		}
	}
	return places
}

// knows reports whether all Hive partitions that an entry has files in are registered, those of tables that are not configured left out.
func (r *registrar) knows(e *commitlog.Entry) bool {
	for _, place := range catalog.Places([]*commitlog.Entry{e}) {
		if known := r.known[place.Table]; known != nil && !known[place.Partition(r.node.Bucket).Location] {
			return false
		}
	}
	return true
}

// register adds the Hive partitions that are not known to be registered, table by table.
func (r *registrar) register(ctx context.Context, places []catalog.Place) error {
	byTable := map[string][]port.HivePartition{}
	for _, p := range places {
		if r.known[p.Table] == nil {
			r.passBy(p.Table)
			continue
		}
		if h := p.Partition(r.node.Bucket); !r.known[p.Table][h.Location] {
			byTable[p.Table] = append(byTable[p.Table], h)
		}
	}
	var errs []error
	for table, partitions := range byTable {
		if err := r.registerIn(ctx, table, partitions); err != nil {
			errs = append(errs, fmt.Errorf("register Hive partitions of %s: %w", table, err))
		}
	}
	return errors.Join(errs...)
}

// passBy says, once, that files of a table are not registered: its log goes on without them. Should the table be configured again, its
// folders are looked at.
func (r *registrar) passBy(table string) {
	if !r.passed[table] {
		r.passed[table] = true
		r.node.Log.Warn("a log names files of a table that is not configured; they are not registered", "table", table)
	}
}

func (r *registrar) registerIn(ctx context.Context, table string, partitions []port.HivePartition) error {
	if r.node.Crawl != nil {
		return r.crawl(ctx, table, partitions)
	}
	err := r.node.Catalog.AddPartitions(ctx, r.node.Database, strings.ToLower(table), partitions)
	r.noteRegistered(table, port.Accepted(partitions, err))
	return r.missed(err)
}

// crawl lets the crawler find Hive partitions, if the catalog does not show them already, and looks whether it did. A run looks at all tables, so
// there is one in a round: what is lacking behind it, or was committed meanwhile, is for the next round.
func (r *registrar) crawl(ctx context.Context, table string, partitions []port.HivePartition) error {
	lacking, err := r.noteShown(ctx, table, partitions)
	if err != nil || lacking == 0 || r.crawled {
		return err
	}
	crawl := *r.node.Crawl
	crawl.Database, crawl.Tables = r.node.Database, nil
	for _, t := range r.node.filed() {
		crawl.Tables = append(crawl.Tables, strings.ToLower(t.Name))
	}
	r.crawled = true
	if err := r.node.Crawler.Crawl(ctx, crawl); err != nil {
		return r.missed(err)
	}
	if lacking, err = r.noteShown(ctx, table, partitions); err == nil && lacking > 0 {
		err = fmt.Errorf("the crawler has not found %d of %d Hive partitions", lacking, len(partitions))
	}
	return err
}

// noteShown notes those of the Hive partitions that the catalog shows, and returns how many are lacking.
func (r *registrar) noteShown(ctx context.Context, table string, partitions []port.HivePartition) (lacking int, err error) {
	there, err := r.node.Catalog.Partitions(ctx, r.node.Database, strings.ToLower(table))
	if err != nil {
		return 0, r.missed(err)
	}
	locations := map[string]bool{}
	for _, p := range there {
		locations[strings.TrimSuffix(p.Location, "/")+"/"] = true // crawlers leave the slash out
	}
	var found []port.HivePartition
	for _, p := range partitions {
		if locations[p.Location] && !r.known[table][p.Location] {
			found = append(found, p)
		}
		if !locations[p.Location] {
			lacking++
		}
	}
	r.noteRegistered(table, found)
	return lacking, nil
}

func (r *registrar) noteRegistered(table string, partitions []port.HivePartition) {
	if len(partitions) == 0 {
		return
	}
	for _, p := range partitions {
		r.known[table][p.Location] = true
	}
	r.board.noteShown(table, len(r.known[table]))
	r.node.Metrics.Cataloged.WithLabelValues(table).Add(float64(len(partitions)))
	r.node.Log.Info("registered Hive partitions", "table", table, "count", len(partitions))
}
