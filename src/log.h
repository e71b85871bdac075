// Reading a whole log: its longest valid prefix, applied to a core, with the payloads still needed.
#pragma once

#include <cstddef>

#include "core.h"
#include "journal.h"
#include "payloads.h"

namespace holdfast {

struct Log {
  explicit Log(std::uint64_t seed) : core(seed) {}

  Core core;
  PayloadIndex payloads;
  Chain chain;           // where the next frame goes on
  std::size_t bytes = 0; // length of the longest valid prefix
  bool newer = false;    // after the prefix comes what only a later version can read
};

// Reads a log piece by piece, so that the whole of it need not be in memory.
//
// Invariant: frames are applied whole, in their order, up to the first that is damaged or can't be true.
class LogReader {
 public:
  explicit LogReader(std::uint64_t seed) : log_(seed) {}

  // Reads the whole frames at the beginning of `piece`, which goes on where the last call stopped.
  // Returns how many bytes they take. What is left has to come again, with what follows it.
  std::size_t read(Bytes piece);
  // How many bytes the next frame takes, where the last piece ended within one; 0: nothing more of
  // the log is good.
  std::uint64_t wanted() const { return wanted_; }
  // A frame could not be true and has left its traces: only a reader that stops before it gives the log.
  bool spoilt() const { return spoilt_; }
  std::size_t bytes() const { return log_.bytes; }
  // REQUIRES: not spoilt. The reader is of no use afterwards.
  Log take();

 private:
  bool read_frame(FrameReader& reader, std::size_t base);

  Log log_;
  bool over_ = false, spoilt_ = false;
  std::uint64_t wanted_ = 0;
};

// However damaged or hostile the bytes are, this ends and what comes out is a state that was written.
Log read_log(Bytes bytes, std::uint64_t seed);

}  // namespace holdfast
