// The record: the one shape of everything that crosses the door or enters the journal.
//
// A record is 24 bytes, little-endian, 8-aligned:
//
//     kind u32 · task u32 · a u32 · b u32 · at f64 (milliseconds since the epoch)
//
// Commands say what the host asks and may be refused; events say what has happened and never are.
// A command that cannot be carried out yields one `Rejected` event, which is not journalled.
// Wherever a record carries a payload, `b` is the payload's length in bytes; the payloads of one
// step lie one after the other, in the order of the commands that carry them. The core never looks
// inside a payload.
//
// Invariant: no number below ever changes its meaning; yesterday's journal is read with it.
#pragma once

#include <cstdint>

namespace holdfast {

struct Record {
  std::uint32_t kind = 0;
  std::uint32_t task = 0;  // a task, or a queue, policy or group where the kind says so
  std::uint32_t a = 0;
  std::uint32_t b = 0;
  double at = 0;
};
static_assert(sizeof(Record) == 24);

enum class Command : std::uint32_t {
  // task: new task · a: queue (bits 0-15), policy (bits 16-30), submit at once (bit 31) · b: payload
  Create = 1,
  // task · a: TaskField · at: value. Only before Submit, but for Priority, Queue, Policy, KeyUntilMs, Limit, Promoted, Handled
  // and Turn, and NotBeforeMs until the first start is due; of a task that has ended KeyUntilMs alone.
  // Of Limit: a: TaskField (bits 0-7), weight (8-23; 0 is 1) · b: number of the limit · at: the key it has there.
  SetTask = 2,
  // task waits for prerequisite a · b: EdgeKind. Only before Submit.
  DependOn = 3,
  // task joins group a. Before Submit; or when it has failed or was cancelled, and counts as that until its Retry.
  // What joins one with too many failures is cancelled as its others were.
  JoinGroup = 4,
  // task: description complete; the hold that Create placed is lifted
  // a: kSubmitDisabled: it is not to begin, and is cancelled as what no flow leads to (DisabledBy::Host)
  Submit = 5,
  // task · a: attempt (bits 0-23), Outcome (bits 24-31) · b: payload (result or error)
  // at: for Failure, the earliest time of the next attempt (0: the policy decides). After a timeout or a
  // stall the attempt has failed by that, and a failure's payload and `at` count, and that it is Fatal.
  Settle = 6,
  // task · a: attempt · b: payload (name and result of a durable step)
  RecordStep = 7,
  // task · a: attempt · at: 0-100; never goes back within an attempt
  ReportProgress = 8,
  // task · a: attempt · b: 1 when parked at a safe point by a soft pause. The slot is given back.
  Wait = 9,
  // task: a waiting task may go on; it queues for a slot ahead of new ones of its priority
  Wake = 10,
  // task · a: a reason of the host, kept as is
  // b: kCancelAsDisabled: as one that nothing leads to any more (CancelCause::Disabled), though it may have begun · a: DisabledBy
  //    kCancelAsDropped: as one that its queue had no room for (CancelCause::Overflow)
  Cancel = 11,
  // task · a: PauseKind
  Pause = 12,
  // task · a: ResumePolicy
  Resume = 13,
  // task: a failed or cancelled task starts anew, its failures forgotten, its attempts numbered on
  // a: kRetryAsDraft: as one that is not submitted yet. It may be told what it waits for; Submit lets it go.
  Retry = 14,
  // task: an ended task is dropped with everything known of it
  // a: kForgetTaken: though a parent above it goes on, which has what it gave
  Forget = 15,
  // task · a: bits of Hold. The task cannot start while any hold lies on it.
  Hold = 16,
  Release = 17,
  // task · a: low, b: high half of the id of a blob that the task's payloads refer to · at: its size.
  // (b is not a payload length here.)
  AttachBlob = 18,
  // task · a: kind of note, chosen by the host, 0-255 · b: payload; the last note of a kind is kept, but
  // of three kinds all are, in order: see kPackedNote
  Note = 19,
  // task becomes a child of parent a · b: ChildPolicy. Only before Submit, and never by another parent;
  // of the same parent again, at any time, to change the policy.
  Belong = 20,
  // task · a: attempt · at: when the running or parked handler wants to be told; 0: not any more.
  // A task has one alarm, its handler's earliest.
  SetAlarm = 21,
  // task · a: attempt · b: how many of its recorded steps, oldest first, are kept
  DropSteps = 22,
  // task · a: attempt. Its code is alive: its heartbeat timeout begins anew.
  Heartbeat = 23,
  // task: a queue · a: QueueField · at: value. Of TurnWeight: a: QueueField (bits 0-7), weight (8-23) · at: the key
  SetQueue = 32,
  // task: a policy · a: PolicyField · b: index, for ListedDelayMs · at: value
  SetPolicy = 33,
  // task: a group · a: GroupField · at: value
  SetGroup = 34,
  // task: a circuit, by a number of the host's that is the same everywhere; not 0 · a: CircuitField · at: value
  SetCircuit = 35,
  // task: a limit, by a number of the host's that is the same everywhere; not 0 · a: LimitField · at: value
  SetLimit = 36,
  // What another host of the same limit has begun counts here: as LimitUsed.
  UseLimit = 37,
  // task: a dependent that has not begun · a: its prerequisite, which has not ended · b: EdgeKind, a flow. What leads from
  // one to the other by that kind is disabled, whatever becomes of the prerequisite. WrongState where no such edge is.
  DisableEdge = 42,
  // As DisableEdge, of a flow that is active from now on, whatever becomes of the prerequisite: what that gives comes
  // piece by piece, and the pieces have begun to come.
  MeetEdge = 43,
  // task: one that has not begun since it was made, or tried again, is a draft, which waits for nothing: what it waits for
  // may be told anew. WrongState where it has begun, or has ended.
  Revise = 44,
  // After load or import: every task that was running, waiting or stopping when the log ended lost its host.
  // a: 1 when the last session ended in order (page closed or reloaded): its interruptions are not
  // counted and nobody is quarantined. Yields nothing where there is nothing to recover. Tasks started
  // since the load are left alone.
  // (a = 1: it ended in order; nothing is counted against what ran.)
  Recover = 48,
  // The host goes: every live task is interrupted, nothing is counted, and nothing starts any more.
  Close = 49,
  // The host stood still until now, for `at` milliseconds: the machine slept, the page was frozen. That
  // time does not count for the timeout, the heartbeat or the grace of an attempt, nor for a compute
  // budget, but for those that count it.
  // Yields nothing where it concerns none. Deadlines and times to live go by the clock.
  Thaw = 50,
};

enum class Event : std::uint32_t {
  Created = 64,           // as Create · at: now
  TaskSet = 65,           // as SetTask
  Depended = 66,          // as DependOn
  Joined = 67,            // as JoinGroup
  Submitted = 68,         // at: now
  Started = 69,           // a: attempt · at: now. The host runs the handler.
  StepRecorded = 70,      // as RecordStep · at: now
  Progressed = 71,        // a: attempt · at: value
  Stopping = 72,          // a: attempt (0-23), StopReason (24-31) · b: what Cancelled will say in a (no payload)
                          // at: when grace ends. The host aborts.
  AttemptFailed = 73,     // a: attempt (0-23), Outcome (24-31) · b: payload (error) · at: now
  RetryScheduled = 74,    // a: failures so far · at: when the next attempt is due
  // a: recoveries so far · b: milliseconds it had run since it had its slot (no payload), of a task with a
  // compute budget · at: now. Lost its host; goes on from its steps.
  Interrupted = 75,
  Waited = 76,            // as Wait · at: now
  Woken = 77,             // at: now
  Resumed = 78,           // a: attempt · at: now. Got a slot again after Woken: the parked handler goes on.
  Paused = 79,            // a: PauseKind · at: now
  Unpaused = 80,          // a: ResumePolicy · at: now
  Succeeded = 81,         // a: attempt · b: payload (result) · at: now
  Failed = 82,            // a: FailReason · at: now. Its error came with the last AttemptFailed, if any.
  // a: CancelCause (24-31), reason of the host (0-23; of RateLimited: tenths of a second until there is room) · at: now
  Cancelled = 83,
  Retried = 84,           // as Retry · at: now
  Forgotten = 85,         // at: now
  Held = 86,              // a: bits added · at: now
  Released = 87,          // a: bits removed · at: now
  BlobAttached = 88,      // as AttachBlob
  Noted = 89,             // as Note · at: now
  Abandoned = 90,         // a: attempt · at: now. Grace is over; the host drops or kills what still runs.
  TimeReached = 91,       // task's delay is over (Delayed -> Ready) · at: now
  Belonged = 92,          // as Belong · at: now
  AlarmSet = 93,          // as SetAlarm
  AlarmRang = 94,         // a: attempt · at: now. A waiting task is woken by it.
  StepsDropped = 95,      // as DropSteps (b is no payload) · at: now
  QueueSet = 96,          // as SetQueue
  PolicySet = 97,         // as SetPolicy
  GroupSet = 98,          // as SetGroup
  GroupSettled = 99,      // task: group · a: succeeded · b: failed and cancelled (no payload) · at: now
  Thawed = 100,           // task · a: attempt · b: milliseconds that do not count (no payload) · at: now
  HeartbeatSeen = 101,    // task · a: attempt · at: now
  CircuitSet = 102,       // as SetCircuit
  CircuitOpened = 103,    // task: circuit · at: until when no attempt of it begins
  CircuitHalfOpened = 104,  // task: circuit · at: now. A few may try.
  CircuitClosed = 105,    // task: circuit · at: now
  LimitSet = 106,         // as SetLimit
  // by UseLimit, snapshot and import: task: limit · a: low 32 bits of a key (0: of all its tasks), b: its high 16 bits (0-15),
  // LimitUse (16-17), weight (18-31) · at: when
  LimitUsed = 107,
  Restored = 112,         // snapshot and import only: task (or group) · a: RestoredField · b, at: see there
  EdgeDisabled = 114,     // as DisableEdge · at: now
  EdgeMet = 115,          // as MeetEdge · at: now
  Revised = 116,          // as Revise · at: now
  SnapshotEnded = 113,    // snapshot only: everything before it is the compacted state · at: its time
  // Not journalled:
  Rejected = 120,         // task · a: Rejection · b: kind of the command (no payload)
  // after load and import: task · a: PayloadKind (bits 0-7), the host's kind of a note (bits 8-15)
  // b: length · at: offset in the log. Each task's Input is listed, even an empty one.
  Located = 121,
  ImportedTask = 122,     // after import: task: new number · a: old number
  ImportedGroup = 123,    // after import: task: new number of the group · a: old number
  Queued = 124,           // after locateQueues: task: one of those in a queue · a: the queue
};

// An event kind with this bit may be skipped by a reader that does not know it.
inline constexpr std::uint32_t kOptionalEvent = 0x8000;

enum class State : std::uint32_t {
  None = 0, Blocked, Delayed, Ready, Running, Waiting, Succeeded, Failed, Cancelled,
};

enum class TaskField : std::uint32_t {
  Priority = 1,          // higher first, default 0; integers within ±2^31
  NotBeforeMs = 2,       // epoch time; default none
  TimeToLiveMs = 3,      // from eligible to first start; default none
  AttemptTimeoutMs = 4,  // start to close; default none
  DeadlineAtMs = 5,      // epoch time for the whole task; default none
  GraceMs = 6,           // between abort and abandonment; default 5000
  Queue = 7,             // a known queue; not while running
  Policy = 8,            // a known policy
  CountFrozen = 9,       // 1: time during which the host stood still counts for an attempt; default 0
  HeartbeatMs = 10,      // an attempt that runs and shows no sign of life for so long has failed; default none
  ComputeBudgetMs = 11,  // running time in all, waits and delays excluded; default none
  Key = 12,              // a hash of what the host knows the task by, 1 to 2^53 - 1; default none
  KeyUntilMs = 13,       // epoch time from which the key does not count any more; default 0: it does not at all
  Limit = 14,            // takes part in a limit, at most kMaxParts; see SetTask. Key: 1 to 2^48 - 1
  Promoted = 15,         // 1: begins before all others of its queue; default 0
  Turn = 16,             // the key whose turns it takes in a queue of fair order; default 1
  Handled = 17,          // 1: an ErrorFlow that is to come leads a failure of it on, so no group counts that; default 0. At any time
  // The longest way below it, as its host counts: of its group's ready tasks of one queue and priority the highest begins
  // first, then the one with the lower number. 0 (default): it stands for itself; up to kMaxHeight. At any time.
  Height = 26,
  Circuit = 34,          // what it calls, as a circuit knows it; default none
  QueueCircuit = 35,     // one more, of its queue
};

// Paused: by people. Still: by the host, while it opens.
enum class QueueField : std::uint32_t {
  Concurrency = 1,  // 0: no limit
  Paused = 2,
  Still = 3,
  Order = 4,        // QueueOrder
  MaxSize = 5,      // tasks that have never begun, beyond which one more is too many; 0: no bound
  Overflow = 6,     // Overflow; what is done then
  TurnWeight = 7,   // of a key, in a queue of fair order; see SetQueue. Default 1
  Granted = 8,      // one more than may run by leave of the host, each once: it falls when one of them gives its slot back; 0: it was not asked
};
// Woken ones go before new ones of their rank. Offset: by when they were created (or were due first), a second earlier
// for each unit of priority. Fair: keys take turns, weighted; within a key as Priority.
enum class QueueOrder : std::uint32_t { Priority = 0, Fifo = 1, Lifo = 2, Offset = 3, Fair = 4 };
// Reject: Create is refused. The others cancel one that has never begun: the new one, the oldest, or of the lowest
// priority the newest.
enum class Overflow : std::uint32_t { Reject = 0, DropNew = 1, DropOldest = 2, DropLowest = 3 };
enum class GroupField : std::uint32_t {
  Concurrency = 1, FailureThreshold = 2,
  Closed = 3,  // 1; of one that is not settled also 0: it may be joined again
  LetsFinish = 7,  // 1: after too many failures those that have begun go on; only the others are cancelled
  Owner = 4,  // a task that has not ended, and has one such group: the last. The group closes as that ends.
};

enum class CircuitField : std::uint32_t {
  FailureRate = 1,    // 0-1: of the window's attempts, from which on it opens; default 0: never
  MinCalls = 2,       // attempts in the window, below which it does not open; default 10
  OpenForMs = 3,      // default 30000
  HalfOpenMax = 4,    // attempts at once, and successes that close it again, while it is half open; default 1
  WindowMs = 5,       // default 60000
  RetryRatio = 6,     // 0-1: of the window's attempts, how many may be retries; default 0: any number
  RetryWindowMs = 7,  // default 10000
};

// Rates and spacing are those of all its tasks, or of each key by itself where RateKeyed says so.
enum class LimitField : std::uint32_t {
  Concurrency = 1,     // weights of its tasks that run; 0: no limit, here and below
  KeyConcurrency = 2,  // of each key
  RateLimit = 3,       // weights that begin in RatePeriodMs
  RatePeriodMs = 4,    // default 1000
  RateKind = 5,        // RateKind; default Sliding
  RateBurst = 6,       // of a token bucket; default 1
  SpacingMs = 7,       // between two starts
  RateKeyed = 8,
  ClosedUntilMs = 9,   // epoch time before which nothing of it begins
  Drops = 10,          // 1: the rate counts what is submitted, and what comes beyond it is cancelled instead of waiting
  Leave = 11,          // one more than may begin by leave of the host, which shares the rate with others; each start takes of it. 0: it was not asked
};
enum class RateKind : std::uint32_t { Sliding = 0, Fixed = 1, TokenBucket = 2 };
enum class LimitUse : std::uint32_t { Taken = 0, FullAt = 1, LastAt = 2 };

enum class PolicyField : std::uint32_t {
  MaxAttempts = 1,    // first try included; default 3
  MinDelayMs = 2,     // default 1000
  Factor = 3,         // default 2
  MaxDelayMs = 4,     // default 60000
  Backoff = 5,        // Backoff; default Exponential
  Jitter = 6,         // Jitter; default UpToTwice
  MaxElapsedMs = 7,   // no attempt starts later than this after the first; default none
  ListedDelayMs = 8,  // b: index; for Backoff::List, the last entry repeats
  CrashRetries = 9,   // attempts beyond MaxAttempts for what fails by Outcome::Crashed; default 0
};
enum class Backoff : std::uint32_t { Exponential = 0, Linear = 1, Fixed = 2, List = 3, Fibonacci = 4 };
enum class Jitter : std::uint32_t { None = 0, UpToTwice = 1, Full = 2, Equal = 3, Decorrelated = 4 };

// OnSettled: however it ends.
// Dataflow and ErrorFlow are *flows*: active when it has succeeded, and when it has failed or there was no room for it
// (CancelCause::Overflow, RateLimited); otherwise disabled. A disabled flow alone takes nobody along: what waits is cancelled
// (Disabled) when all edges into it are settled, flows are among them, and none of those is active. A failure that an ErrorFlow
// leads on is handled: no group counts it.
enum class EdgeKind : std::uint32_t { OnSuccess = 0, OnFailure = 1, OnSettled = 2, OnCancelled = 3, Dataflow = 4, ErrorFlow = 5 };
enum class Outcome : std::uint32_t {
  Success = 0, Failure = 1, Fatal = 2, Timeout = 3, Interrupted = 4, Crashed = 5, Stalled = 6,
};
enum class PauseKind : std::uint32_t { Suspend = 0, Interrupt = 1 };
enum class ResumePolicy : std::uint32_t { KeepDeadline = 0, Remaining = 1, Restart = 2 };
// What becomes of a child whose parent ends, or is asked to for good: Cancel takes it along. Release: it
// is nobody's child any more.
enum class ChildPolicy : std::uint32_t { Cancel = 0, Detach = 1, Release = 2 };
// Stalled and OverBudget: its HeartbeatMs and its ComputeBudgetMs were over.
enum class StopReason : std::uint32_t {
  None = 0, Cancel = 1, Timeout = 2, Deadline = 3, Interrupt = 4, Cascade = 5, Stalled = 6, OverBudget = 7,
};
enum class FailReason : std::uint32_t {
  Exhausted = 0, Fatal = 1, TimedOut = 2, Expired = 3, Quarantined = 4, OverBudget = 5,
};
// Disabled: no flow into it is active. Its reason is a DisabledBy: what became of the last of them.
enum class CancelCause : std::uint32_t { Asked = 0, Cascade = 1, Group = 2, Overflow = 3, RateLimited = 4, Disabled = 5 };
// There was no room for it: an ErrorFlow leads on, as from what failed.
constexpr bool is_drop(CancelCause cause) { return cause == CancelCause::Overflow || cause == CancelCause::RateLimited; }
// Before: it was settled before the task was submitted. Host: by DisableEdge or Cancel. Success: an ErrorFlow of what succeeded.
enum class DisabledBy : std::uint32_t { Before = 0, Host = 1, Success = 2, Failure = 3, Cancel = 4, Disabled = 5 };
enum class PayloadKind : std::uint32_t { Input = 1, Step = 2, Result = 3, Error = 4, Note = 5 };

enum class Rejection : std::uint32_t {
  UnknownCommand = 1, UnknownTask, DuplicateTask, WrongState, StaleAttempt, AlreadySubmitted,
  UnknownQueue, UnknownPolicy, UnknownGroup, GroupClosed, Cycle, InvalidValue, TooMany, PayloadMismatch,
  QueueFull,
};

// What a Restored event sets. The fields of a task come before its State, and State comes last.
enum class RestoredField : std::uint32_t {
  // b: State (0-3), StopReason (4-7), last Outcome (8-11), the core's flags (16-31) · at: last update
  State = 1,
  Attempt = 2,      // b · at: first start
  Failures = 3,     // b · at: length of the last delay
  Recoveries = 4,   // b
  End = 5,          // b: FailReason, or CancelCause (24-31) and the host's reason (0-23)
  Stop = 6,         // b: as Stopping · at: when grace ends
  Progress = 7,     // at
  CreatedAt = 8,    // at
  DueAt = 9,        // at
  ExpiresAt = 10,   // at: when the time to live is over
  PausedAt = 11,    // at
  AttemptAt = 12,   // at: start of the current attempt
  AlarmAt = 13,     // at
  ClosedAttempt = 14,  // b
  ComputedMs = 15,  // at: of what its compute budget counts, until its slot was last given back
  RunningAt = 16,   // at: since when it has its slot
  AliveAt = 17,     // at: last sign of life
  GroupSucceeded = 32, // task: a group, here and below · b
  GroupEndedBadly = 33, // b
  GroupFailures = 34,  // b
};

// What the door's value() and queueValue() answer. Of the number of a limit (2^30 or more) in the place of a Field: the key under
// which the task takes part in it; 0: it does not.
enum class Field : std::uint32_t {
  Attempt = 1, Failures = 2, Recoveries = 3, Progress = 4 /* NaN: never reported */, CreatedAt = 5,
  StartedAt = 6 /* first start; 0: never */, UpdatedAt = 7, DueAt = 8 /* 0: none */, Priority = 9,
  FailReason = 10, Queue = 11, Policy = 12, UnmetEdges = 13, CancelReason = 14, Steps = 15,
  MaxAttempts = 16,
  // The last attempt that is over for good (failed, or ended before a Retry): a later one that was
  // interrupted goes on where it was, and one that follows it begins anew. 0: none.
  ClosedAttempt = 17,
  Parent = 18,  // -1: none
  ComputedMs = 19,       // running time so far, of a task with a compute budget
  HeartbeatMs = 20,      // 0: none
  ComputeBudgetMs = 21,  // 0: none
  Key = 24, KeyUntilMs = 25,  // 0: none
  // Until when its circuits let nothing begin; 0: none is open.
  OpenUntilMs = 34,
  // Of a ready task: the limit that keeps it back (0: none), and until when (0: until another one ends).
  LimitedBy = 36, LimitedUntilMs = 37,
  // How many of its queue are before it, from 1 on; 0: it is not in line. By rank: in a fair queue by turns that are known.
  Position = 38,
  // Of what LimitedBy says: the key, 0: all of the limit.
  LimitedKey = 39,
  // Asked about the number of a limit: 1 where the core knows it; when its rate lets the first of those begin that wait for it or
  // for leave and for nothing else (infinite: none does); LimitField::Leave.
  HasLimit = 41, LimitOpensAt = 42, LimitLeave = 43,
  // Of all tasks, whichever is asked about: their numbers, and those of the policies they have, are below it.
  TaskEnd = 32, PolicyEnd = 33,
  // The next task above the one that is asked about on which any hold lies. 0: none.
  NextHeld = 40,
  Height = 54,  // 0: none
  OwnedGroup = 44, Group = 45,  // that of a task as its owner; as a member of it. 0: none
  GroupEnd = 46,  // numbers of groups are below it, whichever task is asked about
  Submitted = 48,  // 1: its description is complete
};
// Waiting: open tasks of it that have never begun.
enum class QueueValue : std::uint32_t { Running = 1, Ready = 2, Concurrency = 3, Paused = 4, Still = 5, Waiting = 6, MaxSize = 7, Granted = 8 };

// Bits of Hold that the host uses; the core keeps any bit.
inline constexpr std::uint32_t kHoldDefinitionMissing = 1;
inline constexpr std::uint32_t kHoldImportUnconfirmed = 2;
inline constexpr std::uint32_t kHoldPayloadMissing = 4;
inline constexpr std::uint32_t kHoldStorage = 8;
inline constexpr std::uint32_t kHoldOffline = 128;
// The core's own: a circuit lets nothing begin. Lifted by itself.
inline constexpr std::uint32_t kHoldCircuit = 256;

// The parts of a TaskSet, and of a LimitUsed.
constexpr TaskField field_of(const Record& set) {
  const std::uint32_t low = set.a & 0xff;
  return static_cast<TaskField>(low == static_cast<std::uint32_t>(TaskField::Limit) ? low : set.a);
}
constexpr QueueField queue_field_of(const Record& set) {
  const std::uint32_t low = set.a & 0xff;
  return static_cast<QueueField>(low == static_cast<std::uint32_t>(QueueField::TurnWeight) ? low : set.a);
}
constexpr std::uint32_t weight_of(const Record& set) { return set.a >> 8 == 0 ? 1 : set.a >> 8; }
constexpr double used_key(const Record& used) { return used.a + (used.b & 0xffff) * 4294967296.0; }
constexpr LimitUse used_as(const Record& used) { return static_cast<LimitUse>((used.b >> 16) & 3); }

inline constexpr std::uint32_t kAttemptMask = 0x00ffffff;
inline constexpr std::uint32_t kMaxRecoveries = 3;
// The largest time a JavaScript Date can hold; no time or duration is longer.
inline constexpr double kMaxTimeMs = 8.64e15;
inline constexpr std::uint32_t kMaxNoteKind = 255;
// Notes that are a list. A packing note takes the place of all packed ones before it; what is kept is kept.
inline constexpr std::uint32_t kPackedNote = 26;
inline constexpr std::uint32_t kPackingNote = 27;
inline constexpr std::uint32_t kKeptNote = 28;
// Limits of one task.
inline constexpr std::uint32_t kMaxParts = 8;
// Numbers of limits that can be asked about as fields are not below it.
inline constexpr std::uint32_t kFirstLimit = 0x40000000;
// Of Forget.
inline constexpr std::uint32_t kForgetTaken = 1;
// Of Cancel.
inline constexpr std::uint32_t kCancelAsDisabled = 1;
inline constexpr std::uint32_t kCancelAsDropped = 2;
// Of Retry.
inline constexpr std::uint32_t kRetryAsDraft = 1;
// Of Submit.
inline constexpr std::uint32_t kSubmitDisabled = 1;
inline constexpr std::uint32_t kMaxHeight = (1u << 20) - 1;
// Parents above a child.
inline constexpr std::uint32_t kMaxDepth = 64;

}  // namespace holdfast
