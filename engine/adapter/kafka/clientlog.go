package kafka

import (
	"context"
	"log/slog"
	"sync"
	"time"

	"github.com/twmb/franz-go/pkg/kgo"
)

// A clientLog passes on what franz-go's client warns of, such as a broker that cannot be reached: once in a while, since the client tries
// several times a second. It implements kgo.Logger.
type clientLog struct {
	log *slog.Logger

	mu   sync.Mutex
	said time.Time
}

// clientLogEvery is the least time between two words of a client.
const clientLogEvery = 10 * time.Second

// Level implements kgo.Logger.
func (c *clientLog) Level() kgo.LogLevel { return kgo.LogLevelWarn }

// Log implements kgo.Logger.
func (c *clientLog) Log(_ kgo.LogLevel, message string, pairs ...any) {
	c.mu.Lock()
	quiet := time.Since(c.said) < clientLogEvery
	if !quiet {
		c.said = time.Now()
	}
	c.mu.Unlock()
	if !quiet {
		c.log.Log(context.Background(), slog.LevelWarn, "kafka client: "+message, pairs...)
	}
}
