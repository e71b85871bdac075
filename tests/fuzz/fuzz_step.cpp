// Any bytes as commands: whatever a host asks, the step ends, and the journal gives the same state.
#include <algorithm>
#include <cstring>

#include "log.h"
#include "session.h"
#include "snapshot.h"

using namespace holdfast;

namespace {

bool same_state(const Core& x, const Core& y) {
  const auto xs = make_snapshot(x, nullptr), ys = make_snapshot(y, nullptr);
  if (xs.size() != ys.size()) return false;
  for (std::size_t i = 0; i < xs.size(); i++) {
    if (std::memcmp(&xs[i].event, &ys[i].event, sizeof(Record)) != 0) return false;
  }
  return true;
}

// Eight bytes of input are one command about few tasks, so that commands meet.
Record decode(const std::uint8_t* p) {
  static constexpr double kValues[] = {0, 1, 2, 5, 1000, 1e9, -1, 1e300};
  Record record;
  record.kind = p[0] % 51;
  record.task = p[1] % 16;
  record.a = p[2] | (std::uint32_t{p[3]} << 16) | (std::uint32_t{p[4]} << 24);
  record.b = p[5] % 8;
  record.at = (p[7] & 1) != 0 ? kValues[p[6] % 8] : p[6] * 4e6;
  return record;
}

}  // namespace

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  Session session(1, 1);
  std::vector<std::byte> log;
  double now = 1e9;
  for (std::size_t at = 0; at + 8 <= size;) {
    std::size_t count = 0, payload = 0;
    const std::size_t wanted = data[at] % 7 + 1u;
    for (; count < wanted && at + 8 <= size; at += 8, count++) {
      session.inbox()[count] = decode(data + at);
      payload += session.inbox()[count].b;
    }
    now = std::clamp(now + session.inbox()[0].at, 0.0, kMaxTimeMs);
    std::memset(session.reserve(payload + 1), 7, payload);
    session.step(count, payload, now);
    if (session.core().deadline() < now) __builtin_trap();
    if (session.seal() > 0) log.insert(log.end(), session.frame().begin(), session.frame().end());
  }
  const Log read = read_log(log, 1);
  if (read.bytes != log.size() || !same_state(read.core, session.core())) __builtin_trap();
  return 0;
}
