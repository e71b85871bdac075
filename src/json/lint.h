// What is no mistake for sure, and mostly is one: told where the catalogue asks for it (`lint`), as warnings.
//
//   unconnected-input  a required port that nothing leads to, so that it hangs on what the graph is given
//   unused-output      a port that no dataflow takes, or a leaf beside the tasks that the graph's result is taken from
//   unreachable        a task that never begins: all that leads to it comes from a cycle, or from ports that are not there
//   cycle-candidate    a required port without a value that only tasks behind its own could feed
#pragma once

#include <functional>

#include "graph.h"

namespace holdfast::json {

// Of one graph, as the checker has read it. `place` gives the JSON pointer of a task.
void lint(const std::vector<Node>& nodes, const std::vector<Flow>& flows, const Plan& plan, Issues& issues, Allowance& allowance, const std::function<std::string(std::size_t)>& place);

}  // namespace holdfast::json
