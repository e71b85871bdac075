// Where the tasks of a graph stand when it is drawn: layers from left to right, each task behind all that it waits for.
//
// Invariant: the same for the same document and sizes; no two tasks lie on each other.
#pragma once

#include "check.h"

namespace holdfast::json {

// As JSON: [{ id, column, row, x, y }], by task. `options`: `{ sizes?: { [id]: { width, height } }, width?, height?,
// columnGap?, rowGap? }`, in pixels; column and row are whole numbers from 0 on. REQUIRES: is_drawable.
std::string layout(const Json& document, const Plan& plan, const Json& options);

}  // namespace holdfast::json
