package verify

import "citystream/engine/record"

// offsets is a set of offsets, none negative: a bit each, in blocks that exist where an offset is.
type offsets struct {
	blocks map[int64]*[offsetsBlock / 64]uint64
}

const (
	offsetsBlock = 1 << 16
	blocksMax    = 4096 // 32 MiB, of 268 million offsets where they lie close
)

// add puts an offset in; it returns false if it was there.
func (s *offsets) add(o record.Offset) bool {
	block := s.blocks[int64(o)/offsetsBlock]
	if block == nil {
		if s.blocks == nil {
			s.blocks = map[int64]*[offsetsBlock / 64]uint64{}
		}
		block = new([offsetsBlock / 64]uint64)
		s.blocks[int64(o)/offsetsBlock] = block
	}
	i, bit := int64(o)%offsetsBlock/64, uint64(1)<<(uint64(o)%64)
	if block[i]&bit != 0 {
		return false
	}
	block[i] |= bit
	return true
}

func (s *offsets) has(o record.Offset) bool {
	block := s.blocks[int64(o)/offsetsBlock]
	return block != nil && block[int64(o)%offsetsBlock/64]&(1<<(uint64(o)%64)) != 0
}

// full reports whether the set has as many blocks as it may.
func (s *offsets) full() bool { return len(s.blocks) > blocksMax }

// dropBelow forgets the blocks wholly below an offset.
func (s *offsets) dropBelow(o record.Offset) {
	for block := range s.blocks {
		if (block+1)*offsetsBlock <= int64(o) {
			delete(s.blocks, block)
		}
	}
}
