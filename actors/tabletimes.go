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
		if s := byTable[table.Name]; s != nil {
			if mark := s.follow(table, ended); mark > 0 {
				t.now = append(t.now, &messages.TableTime{Table: table.Name, Watermark: int64(mark), EndOfStream: ended})
			}
		}
	}
}

// tableStanding is how far the owned partitions of a table have come.
type tableStanding struct {
	least record.Micros // watermark of those that are not idle, 0 if all are
	most  record.Micros // event time
}

// standing sums the newest status of every owned partition up, and says whether the stream has ended.
func (t *tableTimes) standing(places *placements) (byTable map[string]*tableStanding, ended bool) {
	byTable = map[string]*tableStanding{}
	ended = t.end > 0
	for _, p := range places.list {
		if p.failed != "" {
			continue
		}
		s := p.status
		if s == nil || !s.Owned {
			ended = false
			continue
		}
		table := byTable[p.log.Table]
		if table == nil {
			table = &tableStanding{}
			byTable[p.log.Table] = table
		}
		table.note(s)
		ended = ended && s.AtEnd >= t.end.Microseconds()
	}
	return byTable, ended
}

func (s *tableStanding) note(p *messages.PartitionStatus) {
	s.most = max(s.most, record.Micros(p.EventMax))
	if !p.Idle && (s.least == 0 || record.Micros(p.Watermark) < s.least) {
		s.least = record.Micros(p.Watermark)
	}
}

// follow returns the watermark for the idle partitions of a table, 0 if there is none to follow.
func (s *tableStanding) follow(t *schema.Table, ended bool) record.Micros {
	switch {
	case !ended:
		return s.least
	case s.most == 0:
		return 0
	default:
		return window.Start(s.most, t.Window).Add(t.Window)
	}
}
