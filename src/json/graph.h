// A graph of a document as it is looked at: its tasks with the ports they have, and what leads where.
#pragma once

#include <cstdint>
#include <vector>

#include "check.h"
#include "schema.h"

namespace holdfast::json {

inline constexpr std::uint32_t kNowhere = 0xffffffff;

struct Node {
  const std::string* id = nullptr;
  const Json *inputs = nullptr, *outputs = nullptr;
  const Json* defaults = nullptr;
  bool known = false;  // its ports are
  bool incoming = false;
  bool is_result = false;  // where there is such a task, the graph gives what those give
  // A port has a value without a dataflow.
  bool gives(std::string_view port) const { return find(defaults, port) != nullptr || find(port_of(*inputs, port), "default") != nullptr; }
};

struct Flow {
  std::uint32_t source = kNowhere, target = kNowhere;
  std::string_view source_port, target_port;
  bool transformed = false;
  bool from_nowhere = false;  // its source has no such port
  bool sound() const { return source != kNowhere && target != kNowhere && source != target; }
};

}  // namespace holdfast::json
