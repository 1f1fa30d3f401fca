package parquetfile

import (
	"fmt"

	"citystream/internal/bytepool"
)

// magic opens and ends each Parquet file.
const magic = "PAR1"

// parts cuts a stream of bytes into parts of one length.
type parts struct {
	size    int // of each part but the last
	emit    func(part []byte) error
	pool    *bytepool.Pool
	buf     []byte // the open part; doubles up to size
	offset  int64  // of the next byte in the file
	emitted int
}

// write adds p to the stream and emits the parts that become full.
func (s *parts) write(p []byte) error {
	for len(p) > 0 {
		n := min(len(p), s.size-len(s.buf))
		s.grow(n)
		s.buf = append(s.buf, p[:n]...)
		s.offset += int64(n)
		p = p[n:]
		if len(s.buf) == s.size {
			if err := s.flush(); err != nil {
				return err
			}
		}
	}
	return nil
}

// writeAll adds the blocks one after another.
func (s *parts) writeAll(blocks ...[]byte) error {
	for _, b := range blocks {
		if err := s.write(b); err != nil {
			return err
		}
	}
	return nil
}

// grow makes room for n bytes, never for more than a part.
func (s *parts) grow(n int) {
	if len(s.buf)+n <= cap(s.buf) {
		return
	}
	want := min(s.size, max(2*cap(s.buf), len(s.buf)+n))
	larger := append(s.pool.Take(want), s.buf...)
	s.pool.Give(s.buf)
	s.buf = larger
}

// flush emits what there is, which may be nothing.
func (s *parts) flush() error {
	if len(s.buf) == 0 {
		return nil
	}
	part := s.buf
	s.buf = nil
	s.emitted++
	if err := s.emit(part); err != nil {
		return fmt.Errorf("emit part %d: %w", s.emitted, err)
	}
	return nil
}
