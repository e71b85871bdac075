// Taking over the tasks of another session's log under new numbers.
//
// Queues and policies keep their numbers where these are known here, else they become 0 (the host sets
// them anew before it lifts the hold); groups get new numbers. Invariant: nothing of the other session
// changes anything here but the new tasks and groups; its clock does not move ours.
#pragma once

#include "core.h"
#include "log.h"

namespace holdfast {

// Adds the tasks of `from`, whose log is `bytes`, to `core`; its groups get numbers from first_group on.
// How many; -2: the numbers are not free.
double take_over(const Log& from, Bytes bytes, std::uint32_t first_task, std::uint32_t first_group, Core& core);

}  // namespace holdfast
