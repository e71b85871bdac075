// Checks a graph document and plans how it is run. All issues are told, not the first only.
#pragma once

#include <cstdint>
#include <vector>

#include "catalogue.h"
#include "forms.h"
#include "issues.h"
#include "schema.h"

namespace holdfast::json {

// Numbers are places in `tasks` and `dataflows` of the document.
struct Plan {
  std::vector<std::uint32_t> order;    // each after what it depends on; of those that may go, as they stand in the document
  std::vector<std::uint32_t> heights;  // by task: tasks on the longest way below it, itself among them
  struct Pair {
    std::uint32_t source, target;
    std::vector<std::uint32_t> data, errors;  // dataflows of ports, and of `[error]`
  };
  std::vector<Pair> pairs;                           // connected tasks, in order of their targets
  std::vector<std::vector<std::uint32_t>> incoming;  // by task: dataflows, sorted by their ids
  std::vector<std::uint32_t> containers;             // tasks with a graph inside
  std::vector<Plan> subgraphs;                       // theirs
};

// The plan counts only where no issue is an error. `origins`: what `modernize` said of it.
Plan check(const Json& document, const Origins& origins, const Catalogue& catalogue, Issues& issues);

}  // namespace holdfast::json
