// Session: what stands behind the door: one core, its journal's chain, and the memory the host writes
// to and reads from. Native tests use the same calls as JavaScript.
//
// Invariants: a frame holds everything emitted since the last; a log is replaced only when the host
// says that the new one stands (commit_compaction).
#pragma once

#include <array>
#include <cstddef>
#include <cstdint>
#include <memory>
#include <optional>
#include <vector>

#include "core.h"
#include "journal.h"
#include "log.h"

namespace holdfast {

inline constexpr std::uint32_t kInboxCapacity = 1024;

// What the host looks at after each step, without a call for each: it lies where report() says for the
// session's whole life.
struct Report {
  double deadline = kNever;  // as Core::deadline
  const Record* outbox = nullptr;
  std::uint32_t thawable_attempts = 0;  // as Core::thawable_attempts
};

class Session {
 public:
  // `session`: a random token, the same for all frames of a log.
  Session(std::uint32_t session, std::uint32_t seed);

  // The same for the session's whole life.
  Record* inbox() { return inbox_.data(); }
  const Report& report() const { return report_; }
  // An area of at least `bytes` for the host to write to; what it held before is gone.
  std::byte* reserve(std::size_t bytes);
  // Carries out `count` commands of the inbox with payloads from the reserved area. Returns how many
  // events the outbox holds then. REQUIRES: count <= kInboxCapacity, and that much was reserved.
  std::size_t step(std::size_t count, std::size_t payload_bytes, double now);
  const std::vector<Record>& outbox() const { return core_.outbox(); }

  // Puts everything emitted since the last seal into frame(); its length, 0 if there was nothing.
  std::size_t seal();
  // Nothing is kept from now on: what is emitted makes no frame. REQUIRES: nothing was emitted yet.
  void keep_nothing() { core_.keep_nothing(); }
  const std::vector<std::byte>& frame() const { return frame_; }

  // Reads the next bytes of a log from the reserved area, so that no log has to fit into it. Returns
  // how many of them are read; the others come again with what follows. 0: none. Then wanted() says
  // how many bytes the next frame takes, 0 that nothing more of the log is good.
  double feed(std::size_t bytes);
  double wanted() const { return reading_ ? static_cast<double>(reading_->wanted()) : 0; }
  // Takes the log that was fed over as this session's own. Returns the length of its longest valid
  // prefix; -1 if a later version wrote what follows, and -2 - length if what follows can't be true:
  // then nothing is taken over, and a fresh session has to be fed with the prefix alone.
  // REQUIRES: a fresh session.
  double load();
  // Lists in the outbox what the loaded log held for a task: Located and BlobAttached.
  void locate(std::uint32_t task);
  // Lists every BlobAttached of the loaded log.
  void locate_blobs();
  // Lists a task of each queue that has any: Queued.
  void locate_queues();
  // Lists what is remembered of what began by the rate of a limit: LimitUsed.
  void locate_uses(std::uint32_t limit) { core_.list_uses(limit); }

  // The calls below read a log of that length from the reserved area.

  // Takes the tasks of another session's log over, under the numbers from first_task on, each with
  // kHoldImportUnconfirmed. Those it left running wait for Recover, in the next step. The outbox lists
  // them and their payloads. Returns how many; -1: written by a later version, -2: the numbers are not free.
  double import_log(std::size_t bytes, std::uint32_t first_task, std::uint32_t first_group = 1);
  // Folds this session's log into a shorter one in frame(), verified. 0, and nothing happened, if the
  // log is not the one this session last wrote to. The next frame still continues the old log.
  std::size_t compact(std::size_t bytes);
  // From now on frames continue the compacted log. REQUIRES: compact(), and nothing sealed since.
  void commit_compaction();
  // Lists the last `limit` events of a log in the outbox, as they were written. Returns how many there
  // are in all. REQUIRES: the length of a valid prefix; what is damaged ends the list.
  double history(std::size_t bytes, std::size_t limit);
  // Length of the longest valid prefix; changes nothing. -1 if a later version wrote it.
  double inspect(std::size_t bytes) const;

  Core& core() { return core_; }
  const Core& core() const { return core_; }

 private:
  Bytes area(std::size_t bytes) const;
  void release_area();

  Core core_;
  Chain chain_;
  Chain compacted_;  // of the compacted log; next_sequence 0: there is none
  std::vector<Record> inbox_;
  Report report_;
  std::unique_ptr<std::byte[]> area_;
  std::size_t area_bytes_ = 0;
  std::vector<std::byte> frame_;
  std::optional<LogReader> reading_;
  PayloadIndex located_;  // of the log that was loaded
  std::uint64_t seed_;
};

}  // namespace holdfast
