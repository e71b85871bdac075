// Pictures of a graph document, as text: Mermaid or Graphviz DOT.
//
// Invariant: whatever ids and titles say, the text is well formed: nodes are named by their place, and labels escaped.
#pragma once

#include "check.h"

namespace holdfast::json {

// Its tasks and dataflows could be read, whatever else is wrong.
bool is_drawable(const Json& document, const Issues& issues);
// `language`: mermaid or dot. REQUIRES: is_drawable.
std::string draw(const Json& document, const Plan& plan, std::string_view language);

}  // namespace holdfast::json
