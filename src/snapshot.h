// Snapshot: a core's state as the events that make it, in one order for equal states. It is what
// compaction writes, what an import takes over, and what tests compare.
//
//   snapshot := QueueSet* PolicySet* GroupSet* circuit* task* Depended* fields* state* group* SnapshotEnded
//   task     := Created TaskSet* Joined? payload* Held?    (by number)
//   fields   := Restored*           (by number; after whatever tells a time)
//   state    := Restored State      (by number; ready tasks last, in the order they would start)
//   group    := Restored* GroupSet(Closed)?      
//
// Invariant: replayed into a fresh core, it gives the same snapshot.
#pragma once

#include <vector>

#include "core.h"
#include "payloads.h"

namespace holdfast {

struct SnapshotRecord {
  Record event;
  double offset = 0;  // in the log the payloads lie in, where the event carries one
};

// Without payloads, lengths are 0 and steps, results, errors, notes and blobs are left out.
std::vector<SnapshotRecord> make_snapshot(const Core& core, const PayloadIndex* payloads);

}  // namespace holdfast
