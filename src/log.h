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

// However damaged or hostile the bytes are, this ends and what comes out is a state that was written.
Log read_log(Bytes bytes, std::uint64_t seed);

}  // namespace holdfast
