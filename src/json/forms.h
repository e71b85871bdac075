// The forms in which a graph is written, brought into one: the graph form `{ tasks, dataflows }` of this version.
//
// Invariant: what is not understood is kept where it stands. A document of this version is not changed at all.
#pragma once

#include "issues.h"
#include "json.h"

namespace holdfast::json {

inline constexpr int kDocumentVersion = 1;

// True where it was changed: it was of an earlier version, or in the dependency form (a list of tasks, each with what
// its ports depend on). A version that is not known is an issue.
bool modernize(Json& document, Issues& issues);
// The other way: [{ id, type, …, dependencies: { port: { id, output } | [...] }, subtasks }]. Transforms stand with the
// dependency. REQUIRES: graph form.
Json to_dependencies(const Json& document);

}  // namespace holdfast::json
