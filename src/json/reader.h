// Reads JSON that anybody may have written. Everything is bounded before it is built: bytes, depth, number of values.
// What is no JSON, what JSON.parse would read in another way (keys that come twice), and keys that are dangerous in
// JavaScript are issues; nothing is thrown.
#pragma once

#include "issues.h"
#include "json.h"

namespace holdfast::json {

struct ReadLimits {
  std::size_t bytes = 32u << 20;
  std::size_t depth = 256;
  std::size_t values = 4'000'000;
};

// The document, or null (discarded) where it can't be read; see issues.
Json read(std::string_view text, const ReadLimits& limits, Issues& issues);

}  // namespace holdfast::json
