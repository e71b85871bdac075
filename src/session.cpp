#include "session.h"

#include <algorithm>
#include <cstring>

#include "import.h"
#include "snapshot.h"

namespace holdfast {

namespace {

// What a load or a compaction leaves behind is given back; a step's payloads stay below.
constexpr std::size_t kKeptAreaBytes = 1 << 20;

void fold(const Log& log, Bytes bytes, Chain& chain, std::vector<std::byte>& frame) {
  std::vector<Record> events;
  std::vector<std::byte> payloads;
  for (const SnapshotRecord& record : make_snapshot(log.core, &log.payloads)) {
    events.push_back(record.event);
    if (!carries_payload(static_cast<Event>(record.event.kind))) continue;
    const Bytes payload = bytes.subspan(static_cast<std::size_t>(record.offset), record.event.b);
    payloads.insert(payloads.end(), payload.begin(), payload.end());
  }
  write_frame(chain, events, payloads, frame);
}

bool same_state(const Core& x, const Core& y) {
  const auto xs = make_snapshot(x, nullptr), ys = make_snapshot(y, nullptr);
  return std::equal(xs.begin(), xs.end(), ys.begin(), ys.end(), [](auto& p, auto& q) {
    return std::memcmp(&p.event, &q.event, sizeof p.event) == 0;
  });
}

}  // namespace

Session::Session(std::uint32_t session, std::uint32_t seed)
    : core_(seed), chain_{.session = session, .next_sequence = 1}, inbox_(kInboxCapacity), seed_(seed) {}

std::byte* Session::reserve(std::size_t bytes) {
  if (bytes > area_bytes_) {
    area_.reset();
    area_bytes_ = std::max<std::size_t>(bytes, 4096);
    area_ = std::make_unique_for_overwrite<std::byte[]>(area_bytes_);
  }
  return area_.get();
}

Bytes Session::area(std::size_t bytes) const {
  HOLDFAST_CHECK(bytes <= area_bytes_);
  return {area_.get(), bytes};
}

void Session::release_area() {
  if (area_bytes_ <= kKeptAreaBytes) return;
  area_.reset();
  area_bytes_ = 0;
}

std::size_t Session::step(std::size_t count, std::size_t payload_bytes, double now) {
  HOLDFAST_CHECK(count <= kInboxCapacity);
  core_.step({inbox_.data(), count}, area(payload_bytes), now);
  report_ = {core_.deadline(), core_.outbox().data(), core_.thawable_attempts()};
  return core_.outbox().size();
}

std::size_t Session::seal() {
  Unsealed& unsealed = core_.unsealed();
  if (unsealed.events.empty()) return 0;
  write_frame(chain_, unsealed.events, unsealed.payloads, frame_);
  unsealed.events.clear();
  unsealed.payloads.clear();
  compacted_.next_sequence = 0;
  return frame_.size();
}

double Session::feed(std::size_t bytes) {
  if (!reading_) reading_.emplace(seed_);
  return static_cast<double>(reading_->read(area(bytes)));
}

double Session::load() {
  HOLDFAST_CHECK(core_.tasks().size() == 0);
  release_area();
  if (!reading_) return 0;
  if (reading_->spoilt()) return -2 - static_cast<double>(reading_->bytes());
  Log log = reading_->take();
  reading_.reset();
  if (log.newer) return -1;
  core_ = std::move(log.core);
  core_.clear_outbox();
  if (log.bytes > 0) chain_ = log.chain;
  located_ = std::move(log.payloads);
  return static_cast<double>(log.bytes);
}

void Session::locate(std::uint32_t task) {
  core_.clear_outbox();
  located_.each(task, [&](const Record& record) { core_.say(record); });
}

void Session::locate_blobs() {
  core_.clear_outbox();
  located_.each_blob([&](const Record& record) { core_.say(record); });
}

void Session::locate_queues() {
  core_.clear_outbox();
  std::vector<bool> seen(core_.limits().queue_end());
  for (std::uint32_t slot = 0; slot < core_.tasks().slot_end(); slot++) {
    const Task& task = core_.tasks()[slot];
    if (task.state == State::None || seen[task.queue]) continue;
    seen[task.queue] = true;
    core_.say({static_cast<std::uint32_t>(Event::Queued), task.number, task.queue, 0, 0});
  }
}

double Session::import_log(std::size_t bytes, std::uint32_t first_task, std::uint32_t first_group) {
  core_.clear_outbox();
  const Log log = read_log(area(bytes), seed_);
  if (log.newer) return -1;
  const double tasks = take_over(log, area(bytes), first_task, first_group, core_);
  release_area();
  return tasks;
}

std::size_t Session::compact(std::size_t bytes) {
  const Log log = read_log(area(bytes), seed_);
  if (log.newer || log.bytes != bytes || !(log.chain == chain_)) return 0;
  Chain chain{.session = chain_.session, .next_sequence = chain_.next_sequence};
  fold(log, area(bytes), chain, frame_);
  release_area();
  const Log folded = read_log(frame_, seed_);
  if (folded.bytes != frame_.size() || !same_state(log.core, folded.core)) return 0;
  compacted_ = chain;
  return frame_.size();
}

void Session::commit_compaction() {
  HOLDFAST_CHECK(compacted_.next_sequence != 0);
  chain_ = compacted_;
  compacted_.next_sequence = 0;
}

double Session::history(std::size_t bytes, std::size_t limit) {
  core_.clear_outbox();
  std::size_t count = 0;
  for (FrameReader reader(area(bytes)); reader.next() == FrameResult::Frame;) {
    count += reader.header().events;
  }
  std::size_t skipped = count - std::min(count, limit);
  for (FrameReader reader(area(bytes)); reader.next() == FrameResult::Frame;) {
    const std::uint32_t events = reader.header().events;
    const auto first = static_cast<std::uint32_t>(std::min<std::size_t>(skipped, events));
    skipped -= first;
    for (std::uint32_t i = first; i < events; i++) core_.say(reader.event(i));
  }
  release_area();
  return static_cast<double>(count);
}

double Session::inspect(std::size_t bytes) const {
  const Log log = read_log(area(bytes), seed_);
  return log.newer ? -1 : static_cast<double>(log.bytes);
}

}  // namespace holdfast
