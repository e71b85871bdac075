// May what one port gives go into another? The rules of js/graph/compatibility.ts, word for word;
// tests/fixtures/schema-compatibility.json holds both to them.
//
// Invariant: pure. Bounded: what is nested deeper than 64, or would take more comparisons than are left, is Runtime.
#pragma once

#include "json.h"

namespace holdfast::json {

enum class Compatibility : std::uint8_t { Static, Runtime, Incompatible };

inline constexpr std::string_view kAllPorts = "*";
inline constexpr std::string_view kErrorPort = "[error]";

// What one question may cost, and all of a document.
struct Allowance {
  int question = 10'000;
  long long document = 5'000'000;
};

// A schema that is missing is that of a port that is not there.
Compatibility compatible(const Json* source, const Json* target, Allowance& allowance);
Compatibility ports_compatible(const Json& output, std::string_view source_port, const Json& input, std::string_view target_port, Allowance& allowance);
// The schema of one port; nullptr: there is no such port.
const Json* port_of(const Json& schema, std::string_view port);
// Several edges may bring one value each.
bool takes_several(const Json* port);

}  // namespace holdfast::json
