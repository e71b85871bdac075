#include "log.h"

namespace holdfast {

namespace {

enum class Applied { Yes, No, Newer };

bool known_kind(std::uint32_t kind) {
  const auto in = [&](Event first, Event last) {
    return kind >= static_cast<std::uint32_t>(first) && kind <= static_cast<std::uint32_t>(last);
  };
  return in(Event::Created, Event::StepsDropped) || in(Event::QueueSet, Event::LimitUsed) ||
         in(Event::Restored, Event::EdgeMet) || kind == static_cast<std::uint32_t>(Event::Revised);
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

// `base`: where the piece begins in the log.
Applied apply_frame(const FrameReader& frame, std::size_t base, Log& log) {
  if (const Applied checked = check_frame(frame); checked != Applied::Yes) return checked;
  std::size_t offset = base + frame.payloads_begin();
  for (std::uint32_t i = 0; i < frame.header().events; i++) {
    const Record event = frame.event(i);
    if ((event.kind & kOptionalEvent) != 0) continue;
    if (!log.core.replay(event)) return Applied::No;
    log.payloads.watch(event, static_cast<double>(offset));
    if (carries_payload(static_cast<Event>(event.kind))) offset += event.b;
  }
  return Applied::Yes;
}

}  // namespace

std::size_t LogReader::read(Bytes piece) {
  const std::size_t base = log_.bytes;
  FrameReader reader = base == 0 ? FrameReader(piece) : FrameReader(piece, log_.chain);
  wanted_ = 0;
  while (!over_ && read_frame(reader, base)) {
  }
  return log_.bytes - base;
}

bool LogReader::read_frame(FrameReader& reader, std::size_t base) {
  const FrameResult result = reader.next();
  if (result == FrameResult::Short) {
    wanted_ = reader.wanted();
    return false;
  }
  const Applied applied = result == FrameResult::Frame ? apply_frame(reader, base, log_) : Applied::No;
  if (applied != Applied::Yes) {
    over_ = true;
    log_.newer = result == FrameResult::Newer || applied == Applied::Newer;
    spoilt_ = result == FrameResult::Frame && applied == Applied::No;
    return false;
  }
  log_.bytes = base + reader.end();
  log_.chain = reader.chain();
  return true;
}

Log LogReader::take() {
  HOLDFAST_CHECK(!spoilt_);
  log_.core.mark_orphans(0, kMaxNumber);
  return std::move(log_);
}

Log read_log(Bytes bytes, std::uint64_t seed) {
  LogReader reader(seed);
  const std::size_t valid = reader.read(bytes);
  if (!reader.spoilt()) return reader.take();
  // Again, without the frame that cannot be true; what comes before it has been applied once.
  LogReader again(seed);
  again.read(bytes.first(valid));
  return again.take();
}

}  // namespace holdfast
