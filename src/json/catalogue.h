// What a page knows when it reads a document: types of tasks with their ports, strategies, transforms, and how much it
// takes. `{ types?: { [type]: { inputs?, outputs?, dynamic?, isGraphOutput? } }, merges?, transforms?, strict?, lint?, limits? }`
#pragma once

#include <string>
#include <unordered_map>
#include <unordered_set>

#include "json.h"
#include "reader.h"

namespace holdfast::json {

struct TaskType {
  const Json* inputs;   // schemas whose properties are the ports
  const Json* outputs;
  bool dynamic;         // its ports come from its configuration: any are allowed
  bool is_result;       // where a graph has such tasks, only those are its result
};

struct Catalogue {
  Json source;  // what the others point into
  std::unordered_map<std::string_view, TaskType> types;
  std::unordered_set<std::string_view> merges, transforms;
  bool checks_types = false, checks_merges = false, checks_transforms = false;  // else any are taken
  bool strict = false;  // ports that do not fit are errors
  bool lint = false;    // see lint.h
  ReadLimits read;
  std::size_t tasks = 200'000, dataflows = 1'000'000, nesting = 16;

  Catalogue() = default;
  Catalogue(const Catalogue&) = delete;
  Catalogue& operator=(const Catalogue&) = delete;
  // REQUIRES: nothing was taken before. False, and issues, where it can't be read.
  bool take(std::string_view text, Issues& issues);
};

}  // namespace holdfast::json
