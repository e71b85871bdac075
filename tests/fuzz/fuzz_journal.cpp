// Any bytes as a log: reading ends, and what was read can be written, read again and gone on with.
#include <cstring>

#include "../load_log.h"
#include "checksum.h"
#include "log.h"
#include "session.h"

using namespace holdfast;

namespace {

// Makes the frames' chain and checksums right, so that the fuzzer gets past them to the events.
std::vector<std::byte> mend(std::vector<std::byte> log) {
  std::size_t begin = 0;
  FrameHeader before;
  before.crc = 0;
  while (log.size() - begin >= sizeof(FrameHeader)) {
    FrameHeader header;
    std::memcpy(&header, log.data() + begin, sizeof header);
    const std::size_t room = log.size() - begin - sizeof header;
    header.magic = kFrameMagic;
    header.version = kFrameVersion;
    header.session = 1;
    header.sequence = before.sequence + 1;
    header.previous_crc = before.crc;
    header.events %= room / sizeof(Record) + 1;
    header.payload_bytes = static_cast<std::uint32_t>(
        header.payload_bytes % (room - header.events * sizeof(Record) + 1) / 8 * 8);
    const std::size_t length = sizeof header + header.events * sizeof(Record) + header.payload_bytes;
    std::memcpy(log.data() + begin, &header, sizeof header);
    const Bytes frame = Bytes(log).subspan(begin, length);
    header.crc = crc32c(frame.subspan(sizeof header), crc32c(frame.first(sizeof header - 4)));
    std::memcpy(log.data() + begin, &header, sizeof header);
    before = header;
    begin += length;
  }
  return log;
}

void go_on(const std::vector<std::byte>& log) {
  Session session(2, 3);
  const auto put = [&](const std::vector<std::byte>& bytes) {
    std::copy(bytes.begin(), bytes.end(), session.reserve(bytes.size()));
    return bytes.size();
  };
  const double valid = testing::load_log(session, log, log.empty() ? 1 : 1 + static_cast<std::size_t>(log[0]));
  if (valid < 0) return;
  const std::vector<std::byte> prefix(log.begin(), log.begin() + static_cast<long>(valid));
  if (!prefix.empty()) session.compact(put(prefix));
  session.inbox()[0] = {static_cast<std::uint32_t>(Command::Recover), 0, 0, 0, 0};
  session.step(1, 0, 1e9);
  session.step(0, 0, 1e15);
  session.seal();
  Session other(4, 5);
  other.step(0, 0, 5e8);
  std::copy(prefix.begin(), prefix.end(), other.reserve(prefix.size()));
  other.import_log(prefix.size(), 10);
  other.inbox()[0] = session.inbox()[0];
  other.step(1, 0, 2e9);
}

}  // namespace

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  const auto* bytes = reinterpret_cast<const std::byte*>(data);
  if (size == 0) return 0;
  std::vector<std::byte> log(bytes + 1, bytes + size);
  go_on((data[0] & 1) != 0 ? mend(std::move(log)) : log);
  return 0;
}
