// Task: what the core keeps of one unit of work, and the table of what may happen to it.
//
//   Blocked ──► Delayed ──► Ready ──► Running ──► Succeeded | Failed | Cancelled
//                  ▲          ▲        │  ▲ │
//                  └──────────┼────────┘  │ └──► Waiting (parked, slot given back)
//                 retry       └───────────┼──────── woken: Ready, then Resumed
//
// A paused hold and the host's holds lie across: a Ready task starts only while neither lies on it.
// A *live* task has a handler in the host: Running, Waiting, or Ready after being woken. It ends by
// its Settle, or is asked to stop (StopReason) and then ends by its Settle or when grace is over.
//
// Invariant: a task's slot in the lanes, timers, graph and groups follows from the fields here;
// Core::move and Core::place are the only ones who keep them in step.
#pragma once

#include <cstdint>
#include <limits>

#include "record.h"
#include "table.h"

namespace holdfast {

enum TaskFlag : std::uint16_t {
  kSubmitted = 1,
  kDoomed = 2,          // a prerequisite ended the wrong way: to be cancelled, at the latest on Submit
  kWoken = 4,           // Ready with a parked handler
  kAhead = 8,           // queues before new ones of its priority
  kParked = 16,         // Waiting because of a soft pause: resuming wakes it
  kTried = 32,          // started once: its time to live no longer matters
  kPaused = 64,
  kInterruptPause = 128,
  kExcused = 256,       // its end is no failure to a group: somebody asked for it, or an edge says what comes of it
  kFed = 4096,          // a flow into it was active
  kStarved = 8192,      // a flow into it was disabled
  kHandled = 16384,     // a failure of it is led on, though nothing does yet
  kTaskFlags = 511 | kFed | kStarved | kHandled,
  // Not part of the state that is kept:
  kOrphan = 512,        // live when its log ended
  kQueued = 1024,       // stands in a lane: known here, so that nobody looks into the lanes for it
  kCounted = 2048,      // counted as one of its queue that has never begun
};

struct Task {
  std::uint32_t number = kNone;
  std::uint32_t attempt = 0;
  std::uint32_t failures = 0;
  std::uint32_t extra = kNone;
  std::uint16_t queue = 0;
  std::uint16_t policy = 0;
  std::uint16_t flags = 0;
  std::uint8_t recoveries = 0;
  State state : 4 = State::None;
  StopReason stop : 4 = StopReason::None;
  std::uint32_t holds = 0;
  std::uint32_t steps = 0;
  std::int32_t priority = 0;
  std::uint32_t end = 0;  // FailReason, or CancelCause (24-31) and the host's reason (0-23)
  double created_at = 0;
  double started_at = 0;  // first start; 0: never
  double updated_at = 0;

  bool has(std::uint16_t flag) const { return (flags & flag) != 0; }
  bool ended() const { return state >= State::Succeeded; }
  bool live() const {
    return state == State::Running || state == State::Waiting ||
           (state == State::Ready && has(kWoken));
  }
  bool stopping_for_good() const {
    return stop == StopReason::Cancel || stop == StopReason::Cascade || stop == StopReason::Deadline ||
           stop == StopReason::OverBudget;
  }
  // Its attempt fails by itself, and another may follow.
  bool stopping_as_failed() const { return stop == StopReason::Timeout || stop == StopReason::Stalled; }
  bool awaits_first_start() const {
    return state == State::Blocked || (state == State::Delayed && failures == 0);
  }
  bool startable() const { return !has(kPaused) && holds == 0; }
  // Flows led to it, and none was active. As it stands while edges into it are open.
  bool disabled() const { return has(kStarved) && !has(kFed); }
  // It would start but for its turn, or for what passes by itself: then its time to live counts.
  bool may_expire() const {
    return state == State::Ready && !has(kPaused) && !has(kTried) && (holds & ~(kHoldOffline | kHoldCircuit)) == 0;
  }
};

// One line of a processor's cache, because a page may hold a hundred thousand that wait.
static_assert(sizeof(Task) == 64);

inline constexpr double kDefaultGraceMs = 5000;

// What only some tasks need: options, a delay, a failure, progress.
struct TaskExtra {
  double progress = std::numeric_limits<double>::quiet_NaN();
  double due_at = 0;           // Delayed: until when; 0: none
  double delay_ms = 0;         // length of the last delay
  double not_before = 0;       // 0 means none, here and below
  double time_to_live_ms = 0;
  double expires_at = 0;
  double attempt_timeout_ms = 0;
  double attempt_at = 0;       // start of the current attempt, if it has a timeout
  double deadline_at = 0;
  double grace_ms = kDefaultGraceMs;
  double grace_ends_at = 0;
  double paused_at = 0;
  double alarm_at = 0;         // of a live task's handler
  double heartbeat_ms = 0;
  double alive_at = 0;         // last sign of life of the attempt that runs, if it has a heartbeat
  double budget_ms = 0;
  double computed_ms = 0;      // of the budget, until the slot was last given back
  double running_at = 0;       // since when it has its slot, if it has a budget
  double key = 0;              // stands in Keys
  double key_until = 0;
  double turn = 1;             // its key in a queue of fair order
  std::uint32_t height = 0;    // among its group's
  std::uint16_t circuits[2] = {0, 0};  // its own and its queue's: index + 1; 0: none
  bool trial = false;           // its attempt runs, and began while one of them was half open
  std::uint32_t stop_note = 0;  // what Cancelled will say
  std::uint32_t closed_attempt = 0;  // the last one that is over for good
  Outcome last_outcome = Outcome::Success;
  bool count_frozen = false;
  bool promoted = false;        // until it begins
  bool thawable = false;        // as Core::arm saw it last: a Thaw concerns its attempt
};

constexpr std::uint32_t bit(State state) { return 1u << static_cast<std::uint32_t>(state); }
inline constexpr std::uint32_t kLiveStates =
    bit(State::Ready) | bit(State::Running) | bit(State::Waiting);
inline constexpr std::uint32_t kOpenStates = bit(State::Blocked) | bit(State::Delayed) | kLiveStates;
inline constexpr std::uint32_t kEndedStates =
    bit(State::Succeeded) | bit(State::Failed) | bit(State::Cancelled);

// Where a command about a task may be carried out, what it then yields first, and how it is refused
// elsewhere. Further conditions (attempt, submitted, paused …) are the command's own.
struct CommandRule {
  Command command;
  std::uint32_t states;
  Event event;
  Rejection refusal;
};

inline constexpr CommandRule kCommandRules[] = {
    {Command::Create, bit(State::None), Event::Created, Rejection::DuplicateTask},
    {Command::SetTask, kOpenStates | kEndedStates, Event::TaskSet, Rejection::WrongState},
    {Command::DependOn, bit(State::Blocked), Event::Depended, Rejection::AlreadySubmitted},
    {Command::JoinGroup, bit(State::Blocked) | bit(State::Failed) | bit(State::Cancelled), Event::Joined, Rejection::AlreadySubmitted},
    {Command::Submit, bit(State::Blocked), Event::Submitted, Rejection::AlreadySubmitted},
    {Command::Settle, kLiveStates, Event::Succeeded, Rejection::StaleAttempt},
    {Command::RecordStep, kLiveStates, Event::StepRecorded, Rejection::StaleAttempt},
    {Command::ReportProgress, kLiveStates, Event::Progressed, Rejection::StaleAttempt},
    {Command::Wait, bit(State::Running), Event::Waited, Rejection::StaleAttempt},
    {Command::Wake, bit(State::Waiting), Event::Woken, Rejection::WrongState},
    {Command::Cancel, kOpenStates, Event::Cancelled, Rejection::WrongState},
    {Command::Pause, kOpenStates, Event::Paused, Rejection::WrongState},
    {Command::Resume, kOpenStates, Event::Unpaused, Rejection::WrongState},
    {Command::Retry, bit(State::Failed) | bit(State::Cancelled), Event::Retried,
     Rejection::WrongState},
    {Command::Forget, kEndedStates, Event::Forgotten, Rejection::WrongState},
    {Command::Hold, kOpenStates, Event::Held, Rejection::WrongState},
    {Command::Release, kOpenStates, Event::Released, Rejection::WrongState},
    {Command::AttachBlob, kOpenStates | kEndedStates, Event::BlobAttached, Rejection::WrongState},
    {Command::Note, kOpenStates | kEndedStates, Event::Noted, Rejection::WrongState},
    {Command::Belong, kOpenStates | kEndedStates, Event::Belonged, Rejection::WrongState},
    {Command::SetAlarm, kLiveStates, Event::AlarmSet, Rejection::StaleAttempt},
    {Command::DropSteps, kLiveStates, Event::StepsDropped, Rejection::StaleAttempt},
    {Command::Heartbeat, kLiveStates, Event::HeartbeatSeen, Rejection::StaleAttempt},
};

// The rule of a command about a task, or nullptr. Create … Heartbeat are numbered from 1 without a gap.
constexpr const CommandRule* rule_of(std::uint32_t command) {
  constexpr std::uint32_t count = sizeof(kCommandRules) / sizeof(kCommandRules[0]);
  return command >= 1 && command <= count ? &kCommandRules[command - 1] : nullptr;
}

// The states from which an event about a task can be true; a journal that says otherwise is not ours.
constexpr std::uint32_t states_before(Event event) {
  switch (event) {
    case Event::Created: return bit(State::None);
    case Event::TaskSet: return kOpenStates | kEndedStates;
    case Event::Joined: return bit(State::Blocked) | bit(State::Failed) | bit(State::Cancelled);
    case Event::Depended:
    case Event::EdgeDisabled:
    case Event::EdgeMet:
    case Event::Submitted:
    case Event::Restored: return bit(State::Blocked);
    case Event::Started:
    case Event::Resumed: return bit(State::Ready);
    // In a snapshot, payloads come while the task is not submitted yet.
    case Event::StepRecorded:
    case Event::AttemptFailed:
    case Event::Succeeded: return kLiveStates | bit(State::Blocked);
    case Event::Progressed:
    case Event::Stopping:
    case Event::Interrupted:
    case Event::AlarmSet:
    case Event::AlarmRang:
    case Event::StepsDropped:
    case Event::Thawed:
    case Event::HeartbeatSeen:
    case Event::Abandoned: return kLiveStates;
    case Event::Revised: return bit(State::Blocked) | bit(State::Delayed) | bit(State::Ready);
    case Event::RetryScheduled:
    case Event::TimeReached: return bit(State::Delayed);
    case Event::Waited: return bit(State::Running);
    case Event::Woken: return bit(State::Waiting);
    case Event::Paused:
    case Event::Unpaused:
    case Event::Held:
    case Event::Released:
    case Event::Failed:
    case Event::Cancelled: return kOpenStates;
    case Event::Retried: return bit(State::Failed) | bit(State::Cancelled);
    case Event::Forgotten: return kEndedStates;
    case Event::BlobAttached:
    case Event::Belonged:
    case Event::Noted: return kOpenStates | kEndedStates;
    default: return 0;
  }
}

// Does `at` say when the event happened?
constexpr bool tells_time(Event event) {
  switch (event) {
    case Event::TaskSet:
    case Event::Progressed:
    case Event::Stopping:
    case Event::RetryScheduled:
    case Event::AlarmSet:
    case Event::BlobAttached:
    case Event::QueueSet:
    case Event::PolicySet:
    case Event::GroupSet:
    case Event::CircuitSet:
    case Event::CircuitOpened:
    case Event::LimitSet:
    case Event::LimitUsed:
    case Event::Restored: return false;
    default: return true;
  }
}

// Is `b` the length of a payload?
constexpr bool carries_payload(Command command) {
  return command == Command::Create || command == Command::Settle ||
         command == Command::RecordStep || command == Command::Note;
}
constexpr bool carries_payload(Event event) {
  return event == Event::Created || event == Event::StepRecorded ||
         event == Event::AttemptFailed || event == Event::Succeeded || event == Event::Noted;
}

}  // namespace holdfast
