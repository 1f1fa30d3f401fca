package actors

import (
	"time"

	"citystream/engine/record"
	"citystream/engine/schema"
	"citystream/engine/window"
	"citystream/messages"
)

// tableTimes are the watermarks that idle partitions follow, worked out once a tick from what the workers have reported.
type tableTimes struct {
	node *Node
	end  time.Duration // all partitions at the end of their logs for so long: the stream has ended; 0 = never
	now  []*messages.TableTime
}

func newTableTimes(node *Node) *tableTimes { return &tableTimes{node: node, end: node.EndOfStream} }

// refresh works out for each table the watermark that its idle partitions follow: the least of those that are not idle; or, when all
// partitions of all tables have been at the end of their logs for long enough, the end of the last window.
func (t *tableTimes) refresh(places *placements) {
	byTable, ended := t.standing(places)
	t.now = nil // a new list: the old one may be in messages that are still under way
	for _, table := range t.node.Tables {
		if s := byTable[table.Name]; len(s) > 0 {
			if mark := follow(s, table, ended); mark > 0 {
				t.now = append(t.now, &messages.TableTime{Table: table.Name, Watermark: int64(mark), EndOfStream: ended})
			}
		}
	}
}

// standing returns the newest status of every owned partition, and whether the stream has ended.
func (t *tableTimes) standing(places *placements) (byTable map[string][]*messages.PartitionStatus, ended bool) {
	byTable = map[string][]*messages.PartitionStatus{}
	ended = t.end > 0
	for _, p := range places.all {
		if p.failed != "" {
			continue
		}
		s := p.status
		if s == nil || !s.Owned {
			ended = false
			continue
		}
		byTable[p.log.Table] = append(byTable[p.log.Table], s)
		ended = ended && s.AtEnd >= t.end.Microseconds()
	}
	return byTable, ended
}

// follow returns the watermark for the idle partitions of a table, 0 if there is none to follow.
func follow(partitions []*messages.PartitionStatus, t *schema.Table, ended bool) record.Micros {
	least, most := record.Micros(0), record.Micros(0)
	for _, s := range partitions {
		most = max(most, record.Micros(s.EventMax))
		if !s.Idle && (least == 0 || record.Micros(s.Watermark) < least) {
			least = record.Micros(s.Watermark)
		}
	}
	switch {
	case !ended:
		return least
	case most == 0:
		return 0
	default:
		return window.Start(most, t.Window).Add(t.Window)
	}
}
