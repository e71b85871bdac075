#include "log.h"

namespace holdfast {

namespace {

enum class Applied { Yes, No, Newer };

bool known_kind(std::uint32_t kind) {
  const auto in = [&](Event first, Event last) {
    return kind >= static_cast<std::uint32_t>(first) && kind <= static_cast<std::uint32_t>(last);
  };
  return in(Event::Created, Event::StepsDropped) || in(Event::QueueSet, Event::GroupSettled) ||
         in(Event::Restored, Event::SnapshotEnded);
}

// Before anything is applied: all kinds are known, and the payloads are as long as the events say.
Applied check_frame(const FrameReader& frame) {
  std::uint64_t payload_bytes = 0;
  for (std::uint32_t i = 0; i < frame.header().events; i++) {
    const Record event = frame.event(i);
    if ((event.kind & kOptionalEvent) != 0) continue;
    if (!known_kind(event.kind)) return Applied::Newer;
    if (carries_payload(static_cast<Event>(event.kind))) payload_bytes += event.b;
  }
  return payload_bytes == frame.header().payload_bytes ? Applied::Yes : Applied::No;
}

Applied apply_frame(const FrameReader& frame, Log& log) {
  if (const Applied checked = check_frame(frame); checked != Applied::Yes) return checked;
  std::size_t offset = frame.payloads_begin();
  for (std::uint32_t i = 0; i < frame.header().events; i++) {
    const Record event = frame.event(i);
    if ((event.kind & kOptionalEvent) != 0) continue;
    if (!log.core.replay(event)) return Applied::No;
    log.payloads.watch(event, static_cast<double>(offset));
    if (carries_payload(static_cast<Event>(event.kind))) offset += event.b;
  }
  return Applied::Yes;
}

// False where a frame in the middle could not be applied: the log's core is spoilt then.
bool read_frames(Bytes bytes, Log& log) {
  FrameReader reader(bytes);
  while (true) {
    const FrameResult result = reader.next();
    if (result != FrameResult::Frame) {
      log.newer = result == FrameResult::Newer;
      return true;
    }
    const Applied applied = apply_frame(reader, log);
    if (applied == Applied::No) return false;
    if (applied == Applied::Newer) {
      log.newer = true;
      return true;
    }
    log.bytes = reader.end();
    log.chain = reader.chain();
  }
}

}  // namespace

Log read_log(Bytes bytes, std::uint64_t seed) {
  Log log(seed);
  if (!read_frames(bytes, log)) {
    // Again, without the frame that cannot be true; what comes before it has been applied once.
    const Bytes prefix = bytes.first(log.bytes);
    log = Log(seed);
    HOLDFAST_CHECK(read_frames(prefix, log));
  }
  log.core.mark_orphans(0, kMaxNumber);
  return log;
}

}  // namespace holdfast
