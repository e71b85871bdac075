// The forms in which a graph is written, brought into one: the graph form `{ tasks, dataflows }` of this version.
//
// Invariant: what is not understood is kept where it stands. A document of this version is not changed at all.
#pragma once

#include <cstdint>
#include <vector>

#include "issues.h"
#include "json.h"

namespace holdfast::json {

inline constexpr int kDocumentVersion = 1;

// Where the parts of a graph stood in the document as it was given, so that pointers lead there.
struct Origins {
  enum class Form : std::uint8_t { Graph, Version0, Dependencies };
  struct Inner;
  struct Flow {
    std::uint32_t task;
    std::int32_t place;  // in the list of its port; -1: there was no list
  };
  Form form = Form::Graph;
  std::string_view tasks = "tasks", dataflows = "dataflows", subgraph = "subgraph";
  std::vector<Flow> flows;   // of Dependencies alone
  std::vector<Inner> inner;  // of graphs in tasks that came in another form, in the order of their tasks
  const Origins* of(std::uint32_t task) const;
};
struct Origins::Inner {
  std::uint32_t task;
  Origins origins;
};

// True where it was changed: it was of an earlier version, or in the dependency form (a list of tasks, each with what
// its ports depend on). A version that is not known is an issue, and so is what is no list of tasks or dependencies.
bool modernize(Json& document, Issues& issues, Origins& origins);
// The other way: [{ id, type, …, dependencies: { port: { id, output } | [...] }, subtasks }]. Transforms stand with the
// dependency. REQUIRES: graph form.
Json to_dependencies(const Json& document);

}  // namespace holdfast::json
