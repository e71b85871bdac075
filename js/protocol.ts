// Generated from src/record.h by scripts/generate-protocol.mjs; do not edit.
// The meaning of every number stands there.
/* biome-ignore-all lint: generated */

export const CommandCreate = 1;
export const CommandSetTask = 2;
export const CommandDependOn = 3;
export const CommandJoinGroup = 4;
export const CommandSubmit = 5;
export const CommandSettle = 6;
export const CommandRecordStep = 7;
export const CommandReportProgress = 8;
export const CommandWait = 9;
export const CommandWake = 10;
export const CommandCancel = 11;
export const CommandPause = 12;
export const CommandResume = 13;
export const CommandRetry = 14;
export const CommandForget = 15;
export const CommandHold = 16;
export const CommandRelease = 17;
export const CommandAttachBlob = 18;
export const CommandNote = 19;
export const CommandBelong = 20;
export const CommandSetAlarm = 21;
export const CommandDropSteps = 22;
export const CommandHeartbeat = 23;
export const CommandSetQueue = 32;
export const CommandSetPolicy = 33;
export const CommandSetGroup = 34;
export const CommandRecover = 48;
export const CommandClose = 49;
export const CommandThaw = 50;

export const EventCreated = 64;
export const EventTaskSet = 65;
export const EventDepended = 66;
export const EventJoined = 67;
export const EventSubmitted = 68;
export const EventStarted = 69;
export const EventStepRecorded = 70;
export const EventProgressed = 71;
export const EventStopping = 72;
export const EventAttemptFailed = 73;
export const EventRetryScheduled = 74;
export const EventInterrupted = 75;
export const EventWaited = 76;
export const EventWoken = 77;
export const EventResumed = 78;
export const EventPaused = 79;
export const EventUnpaused = 80;
export const EventSucceeded = 81;
export const EventFailed = 82;
export const EventCancelled = 83;
export const EventRetried = 84;
export const EventForgotten = 85;
export const EventHeld = 86;
export const EventReleased = 87;
export const EventBlobAttached = 88;
export const EventNoted = 89;
export const EventAbandoned = 90;
export const EventTimeReached = 91;
export const EventBelonged = 92;
export const EventAlarmSet = 93;
export const EventAlarmRang = 94;
export const EventStepsDropped = 95;
export const EventQueueSet = 96;
export const EventPolicySet = 97;
export const EventGroupSet = 98;
export const EventGroupSettled = 99;
export const EventThawed = 100;
export const EventHeartbeatSeen = 101;
export const EventRestored = 112;
export const EventSnapshotEnded = 113;
export const EventRejected = 120;
export const EventLocated = 121;
export const EventImportedTask = 122;
export const EventImportedGroup = 123;
export const EventQueued = 124;

export const StateNone = 0;
export const StateBlocked = 1;
export const StateDelayed = 2;
export const StateReady = 3;
export const StateRunning = 4;
export const StateWaiting = 5;
export const StateSucceeded = 6;
export const StateFailed = 7;
export const StateCancelled = 8;

export const TaskFieldPriority = 1;
export const TaskFieldNotBeforeMs = 2;
export const TaskFieldTimeToLiveMs = 3;
export const TaskFieldAttemptTimeoutMs = 4;
export const TaskFieldDeadlineAtMs = 5;
export const TaskFieldGraceMs = 6;
export const TaskFieldQueue = 7;
export const TaskFieldPolicy = 8;
export const TaskFieldCountFrozen = 9;
export const TaskFieldHeartbeatMs = 10;
export const TaskFieldComputeBudgetMs = 11;

export const QueueFieldConcurrency = 1;
export const QueueFieldPaused = 2;

export const GroupFieldConcurrency = 1;
export const GroupFieldFailureThreshold = 2;
export const GroupFieldClosed = 3;

export const PolicyFieldMaxAttempts = 1;
export const PolicyFieldMinDelayMs = 2;
export const PolicyFieldFactor = 3;
export const PolicyFieldMaxDelayMs = 4;
export const PolicyFieldBackoff = 5;
export const PolicyFieldJitter = 6;
export const PolicyFieldMaxElapsedMs = 7;
export const PolicyFieldListedDelayMs = 8;
export const PolicyFieldCrashRetries = 9;

export const BackoffExponential = 0;
export const BackoffLinear = 1;
export const BackoffFixed = 2;
export const BackoffList = 3;
export const BackoffFibonacci = 4;

export const JitterNone = 0;
export const JitterUpToTwice = 1;
export const JitterFull = 2;
export const JitterEqual = 3;
export const JitterDecorrelated = 4;

export const EdgeKindOnSuccess = 0;
export const EdgeKindOnFailure = 1;
export const EdgeKindOnSettled = 2;

export const OutcomeSuccess = 0;
export const OutcomeFailure = 1;
export const OutcomeFatal = 2;
export const OutcomeTimeout = 3;
export const OutcomeInterrupted = 4;
export const OutcomeCrashed = 5;
export const OutcomeStalled = 6;

export const PauseKindSuspend = 0;
export const PauseKindInterrupt = 1;

export const ResumePolicyKeepDeadline = 0;
export const ResumePolicyRemaining = 1;
export const ResumePolicyRestart = 2;

export const ChildPolicyCancel = 0;
export const ChildPolicyDetach = 1;
export const ChildPolicyRelease = 2;

export const StopReasonNone = 0;
export const StopReasonCancel = 1;
export const StopReasonTimeout = 2;
export const StopReasonDeadline = 3;
export const StopReasonInterrupt = 4;
export const StopReasonCascade = 5;
export const StopReasonStalled = 6;
export const StopReasonOverBudget = 7;

export const FailReasonExhausted = 0;
export const FailReasonFatal = 1;
export const FailReasonTimedOut = 2;
export const FailReasonExpired = 3;
export const FailReasonQuarantined = 4;
export const FailReasonOverBudget = 5;

export const CancelCauseAsked = 0;
export const CancelCauseCascade = 1;
export const CancelCauseGroup = 2;

export const PayloadKindInput = 1;
export const PayloadKindStep = 2;
export const PayloadKindResult = 3;
export const PayloadKindError = 4;
export const PayloadKindNote = 5;

export const RejectionUnknownCommand = 1;
export const RejectionUnknownTask = 2;
export const RejectionDuplicateTask = 3;
export const RejectionWrongState = 4;
export const RejectionStaleAttempt = 5;
export const RejectionAlreadySubmitted = 6;
export const RejectionUnknownQueue = 7;
export const RejectionUnknownPolicy = 8;
export const RejectionUnknownGroup = 9;
export const RejectionGroupClosed = 10;
export const RejectionCycle = 11;
export const RejectionInvalidValue = 12;
export const RejectionTooMany = 13;
export const RejectionPayloadMismatch = 14;

export const RestoredFieldState = 1;
export const RestoredFieldAttempt = 2;
export const RestoredFieldFailures = 3;
export const RestoredFieldRecoveries = 4;
export const RestoredFieldEnd = 5;
export const RestoredFieldStop = 6;
export const RestoredFieldProgress = 7;
export const RestoredFieldCreatedAt = 8;
export const RestoredFieldDueAt = 9;
export const RestoredFieldExpiresAt = 10;
export const RestoredFieldPausedAt = 11;
export const RestoredFieldAttemptAt = 12;
export const RestoredFieldAlarmAt = 13;
export const RestoredFieldClosedAttempt = 14;
export const RestoredFieldComputedMs = 15;
export const RestoredFieldRunningAt = 16;
export const RestoredFieldAliveAt = 17;
export const RestoredFieldGroupSucceeded = 32;
export const RestoredFieldGroupEndedBadly = 33;
export const RestoredFieldGroupFailures = 34;

export const FieldAttempt = 1;
export const FieldFailures = 2;
export const FieldRecoveries = 3;
export const FieldProgress = 4;
export const FieldCreatedAt = 5;
export const FieldStartedAt = 6;
export const FieldUpdatedAt = 7;
export const FieldDueAt = 8;
export const FieldPriority = 9;
export const FieldFailReason = 10;
export const FieldQueue = 11;
export const FieldPolicy = 12;
export const FieldUnmetEdges = 13;
export const FieldCancelReason = 14;
export const FieldSteps = 15;
export const FieldMaxAttempts = 16;
export const FieldClosedAttempt = 17;
export const FieldParent = 18;
export const FieldComputedMs = 19;
export const FieldHeartbeatMs = 20;
export const FieldComputeBudgetMs = 21;
export const FieldTaskEnd = 32;
export const FieldPolicyEnd = 33;

export const QueueValueRunning = 1;
export const QueueValueReady = 2;
export const QueueValueConcurrency = 3;
export const QueueValuePaused = 4;

export const OptionalEvent = 32768;
export const HoldDefinitionMissing = 1;
export const HoldImportUnconfirmed = 2;
export const HoldPayloadMissing = 4;
export const HoldStorage = 8;
export const AttemptMask = 16777215;
export const MaxRecoveries = 3;
export const MaxNoteKind = 255;
export const MaxDepth = 64;
export const RecordBytes = 24;
