// Loading as the host does it: the log goes in piece by piece, and once more without what can't be true.
#pragma once

#include <algorithm>
#include <vector>

#include "session.h"

namespace holdfast::testing {

// `piece`: bytes handed over at once, more where a frame needs them. What Session::load says.
inline double load_log(Session& session, const std::vector<std::byte>& log, std::size_t piece) {
  std::size_t at = 0, size = piece;
  while (at < log.size()) {
    const std::size_t bytes = std::min(size, log.size() - at);
    std::copy_n(log.begin() + static_cast<std::ptrdiff_t>(at), bytes, session.reserve(bytes));
    const auto taken = static_cast<std::size_t>(session.feed(bytes));
    at += taken;
    if (session.wanted() == 0 || (taken == 0 && at + bytes == log.size())) break;
    size = std::max(piece, static_cast<std::size_t>(std::min(session.wanted(), 1e12)));
  }
  const double valid = session.load();
  if (valid >= -1) return valid;
  session = Session(8, 2);
  return load_log(session, {log.begin(), log.begin() + static_cast<std::ptrdiff_t>(-2 - valid)}, piece);
}

// All that the loaded log holds for its tasks.
inline std::vector<Record> located(Session& session) {
  std::vector<Record> all;
  const auto end = static_cast<std::uint32_t>(session.core().value(0, Field::TaskEnd));
  for (std::uint32_t task = 0; task < end; task++) {
    session.locate(task);
    all.insert(all.end(), session.outbox().begin(), session.outbox().end());
  }
  return all;
}

}  // namespace holdfast::testing
