// The door: the only place that knows Emscripten. One class, numbers only.
//
// Invariant: nothing here decides anything; what the calls mean stands in src/session.h, what the
// numbers mean in src/record.h, and who owns which memory in wasm/README.md.
#include <emscripten/bind.h>

#include <cstdint>

#include "session.h"
#include "trap.h"

namespace {

using holdfast::Session;

// Numbers as JavaScript has them: every pointer and length fits one.
double address(const void* pointer) { return static_cast<double>(reinterpret_cast<std::uintptr_t>(pointer)); }

std::size_t size(double bytes) { return static_cast<std::size_t>(bytes); }

class Door {
 public:
  Door(std::uint32_t session, std::uint32_t seed) : session_(session, seed) {}

  double inbox() { return address(session_.inbox()); }
  double reserve(double bytes) { return address(session_.reserve(size(bytes))); }
  std::uint32_t step(std::uint32_t count, std::uint32_t payload_bytes, double now) {
    return static_cast<std::uint32_t>(session_.step(count, payload_bytes, now));
  }
  double outbox() const { return address(session_.outbox().data()); }
  std::uint32_t outbox_count() const { return static_cast<std::uint32_t>(session_.outbox().size()); }
  double report() const { return address(&session_.report()); }
  std::uint32_t seal() { return static_cast<std::uint32_t>(session_.seal()); }
  void keep_nothing() { session_.keep_nothing(); }
  double frame() const { return address(session_.frame().data()); }
  double feed(double bytes) { return session_.feed(size(bytes)); }
  double wanted() const { return session_.wanted(); }
  double load() { return session_.load(); }
  void locate(std::uint32_t task) { session_.locate(task); }
  void locate_blobs() { session_.locate_blobs(); }
  void locate_queues() { session_.locate_queues(); }
  void locate_uses(std::uint32_t limit) { session_.locate_uses(limit); }
  double import_log(double bytes, std::uint32_t first_task, std::uint32_t first_group) {
    return session_.import_log(size(bytes), first_task, first_group);
  }
  double compact(double bytes) { return static_cast<double>(session_.compact(size(bytes))); }
  void commit_compaction() { session_.commit_compaction(); }
  double history(double bytes, double limit) { return session_.history(size(bytes), size(limit)); }
  double inspect(double bytes) const { return session_.inspect(size(bytes)); }
  std::uint32_t state(std::uint32_t task) const { return session_.core().state(task); }
  double value(std::uint32_t task, std::uint32_t field) const {
    return session_.core().value(task, static_cast<holdfast::Field>(field));
  }
  double queue_value(std::uint32_t queue, std::uint32_t field) const {
    return session_.core().queue_value(queue, static_cast<holdfast::QueueValue>(field));
  }
  std::uint32_t key_holder(double key, double now) const { return session_.core().key_holder(key, now); }
  double retry_delay(std::uint32_t policy, std::uint32_t failures, double last_delay_ms) {
    return session_.core().retry_delay(policy, failures, last_delay_ms);
  }
  double bytes() const { return static_cast<double>(session_.core().bytes()); }

 private:
  Session session_;
};

#ifdef HOLDFAST_TRAP
void trap_at(std::uint32_t point) { holdfast::points_until_trap = point; }
#endif

}  // namespace

// What the standard library does where it would throw: end, without a text. The usual one brings printf.
_LIBCPP_BEGIN_NAMESPACE_STD
[[noreturn]] void __libcpp_verbose_abort(const char*, ...) { __builtin_trap(); }
_LIBCPP_END_NAMESPACE_STD

EMSCRIPTEN_BINDINGS(holdfast) {
  emscripten::constant("InboxCapacity", holdfast::kInboxCapacity);
#ifdef HOLDFAST_TRAP
  emscripten::function("__trap(point)", &trap_at);
#endif
  emscripten::class_<Door>("Core")
      .constructor<std::uint32_t, std::uint32_t>()
      .function("inbox", &Door::inbox)
      .function("reserve(bytes)", &Door::reserve)
      .function("step(count, payloadBytes, nowMs)", &Door::step)
      .function("outbox", &Door::outbox)
      .function("outboxCount", &Door::outbox_count)
      .function("report", &Door::report)
      .function("seal", &Door::seal)
      .function("keepNothing", &Door::keep_nothing)
      .function("frame", &Door::frame)
      .function("feed(bytes)", &Door::feed)
      .function("wanted", &Door::wanted)
      .function("load", &Door::load)
      .function("locate(task)", &Door::locate)
      .function("locateBlobs", &Door::locate_blobs)
      .function("locateQueues", &Door::locate_queues)
      .function("locateUses(limit)", &Door::locate_uses)
      .function("importLog(bytes, firstTask, firstGroup)", &Door::import_log)
      .function("compact(bytes)", &Door::compact)
      .function("commitCompaction", &Door::commit_compaction)
      .function("history(bytes, limit)", &Door::history)
      .function("inspect(bytes)", &Door::inspect)
      .function("state(task)", &Door::state)
      .function("value(task, field)", &Door::value)
      .function("queueValue(queue, field)", &Door::queue_value)
      .function("keyHolder(key, nowMs)", &Door::key_holder)
      .function("retryDelay(policy, failures, lastDelayMs)", &Door::retry_delay)
      .function("bytes", &Door::bytes);
}
