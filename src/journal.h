// The journal: a log of frames. A frame holds what one or more steps emitted; it is all or nothing.
//
//   log     := frame*
//   frame   := header · event{events} · payload bytes · zeros up to a multiple of 8
//   header  := magic u32 · version u32 · session u32 · sequence u32
//              · events u32 · payload bytes u32 · CRC of the frame before u32 (0: the log's first)
//              · CRC-32C u32 (of the frame without this field)
//   event   := the record of record.h; the payloads lie in the order of the events that carry them
//
// All little-endian. The header's shape never changes, so that a reader of any age can tell a frame of
// a later version from a damaged one: the later one's checksum is right.
//
// Invariant: what a reader accepts is a prefix of what one writer wrote: sequence numbers run on,
// each frame names the one before by its CRC, and every event could be true (Core::replay). A frame
// that was swapped, doubled, left over from an older log or damaged ends the prefix.
#pragma once

#include <cstddef>
#include <cstdint>
#include <span>
#include <vector>

#include "record.h"

namespace holdfast {

using Bytes = std::span<const std::byte>;

inline constexpr std::uint32_t kFrameMagic = 0x74666468;  // "hdft"
inline constexpr std::uint32_t kFrameVersion = 1;

struct FrameHeader {
  std::uint32_t magic = kFrameMagic;
  std::uint32_t version = kFrameVersion;
  std::uint32_t session = 0;
  std::uint32_t sequence = 0;
  std::uint32_t events = 0;
  std::uint32_t payload_bytes = 0;
  std::uint32_t previous_crc = 0;
  std::uint32_t crc = 0;
};
static_assert(sizeof(FrameHeader) == 32);

// Where a log stands: what its next frame has to name.
struct Chain {
  std::uint32_t session = 0;
  std::uint32_t next_sequence = 0;
  std::uint32_t crc = 0;
  bool operator==(const Chain&) const = default;
};

// Replaces `frame` by the next frame of the chain and moves the chain on.
void write_frame(Chain& chain, std::span<const Record> events, Bytes payloads,
                 std::vector<std::byte>& frame);

// Short: what is there may be the beginning of a frame.
enum class FrameResult { Frame, End, Short, Newer };

// Walks the frames of a log or of a piece of one, however damaged. What it points to stays the caller's.
class FrameReader {
 public:
  explicit FrameReader(Bytes log) : log_(log), begun_(false) {}
  // What comes after `chain`.
  FrameReader(Bytes piece, const Chain& chain) : log_(piece), begun_(true), chain_(chain) {}

  // Reads the next frame; afterwards header(), event(i) and payloads() speak of it.
  FrameResult next();
  const FrameHeader& header() const { return header_; }
  Record event(std::uint32_t index) const;
  // The frame's offset in the log, and that of its payloads; the end of what was read.
  std::size_t begin() const { return begin_; }
  std::size_t payloads_begin() const;
  std::size_t end() const { return end_; }
  // As of the frame just read.
  const Chain& chain() const { return chain_; }
  // After Short: how many bytes from end() on the next frame takes, as far as can be seen.
  std::uint64_t wanted() const { return wanted_; }

 private:
  bool continues() const;

  FrameResult lacks(std::uint64_t bytes);

  Bytes log_;
  bool begun_;
  std::uint64_t wanted_ = 0;
  std::size_t begin_ = 0;
  std::size_t end_ = 0;
  FrameHeader header_;
  Chain chain_;
};

}  // namespace holdfast
